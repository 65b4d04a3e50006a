//! Lists the migrations of a replica's file.

#[path = "../store/build/migrations.rs"]
mod migrations;

fn main() {
    migrations::list("replica", "migrations");
}
