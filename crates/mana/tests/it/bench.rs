//! Small versions of what `cargo xtask bench` does at length.

use std::path::Path;
use std::time::Duration;

use mana_bench::night::{self, Night};
use mana_bench::{On, crash, leaks, order};

const BINARY: &str = env!("CARGO_BIN_EXE_mana");

async fn crashes(on: On) {
    let found = crash::run(Path::new(BINARY), on, 5, 1).await;
    assert!(found.unwrap().ends_with("0 lost, 0 doubled"));
}

async fn leaks(on: On) {
    let found = leaks::run(Path::new(BINARY), on, 1_000, 1).await;
    assert!(found.unwrap().contains("0 leaks"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_crash_loses_nothing_and_doubles_nothing_on_sqlite() {
    crashes(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_crash_loses_nothing_and_doubles_nothing_on_postgres() {
    crashes(On::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_leaks_shows_nothing_of_another_person_on_sqlite() {
    leaks(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_leaks_shows_nothing_of_another_person_on_postgres() {
    leaks(On::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_order_every_reader_has_every_row() {
    let found = order::run(Path::new(BINARY), 3_000, 1).await;
    assert!(found.unwrap().contains("have every row once"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_night_runs_every_mission_once() {
    let night = Night {
        missions: 30,
        seconds: 8,
        kills: 6,
        lease: Duration::from_secs(3),
        failures: 0,
        most_delay: None,
        seed: 1,
    };
    let found = night::run(Path::new(BINARY), &night).await.unwrap();
    assert!(found.contains("0 lost, 0 doubled"), "{found}");
}
