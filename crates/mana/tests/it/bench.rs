//! Small versions of what `cargo xtask bench` does at length.

use std::path::Path;

use mana_bench::{On, crash, leaks};

const BINARY: &str = env!("CARGO_BIN_EXE_mana");

#[tokio::test(flavor = "multi_thread")]
async fn bench_crash_loses_nothing_and_doubles_nothing() {
    let found = crash::run(Path::new(BINARY), On::Sqlite, 5, 1).await;
    assert!(found.unwrap().ends_with("0 lost, 0 doubled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_leaks_shows_nothing_of_another_person() {
    let found = leaks::run(Path::new(BINARY), On::Sqlite, 1_000, 1).await;
    assert!(found.unwrap().contains("0 leaks"));
}
