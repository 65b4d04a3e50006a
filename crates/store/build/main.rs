//! Lists the migrations of both databases, and the cases of the contract suite for `tests/it`, so that a case that is
//! written is a case that runs.

mod migrations;

use std::{env, fmt::Write as _, fs, path::Path};

const CONTRACT: &str = "tests/it/contract";

/// Files of the folder that hold no cases.
const NO_CASES: [&str; 2] = ["mod", "support"];

fn main() {
    migrations::list("sqlite", "migrations/sqlite");
    migrations::list("postgres", "migrations/postgres");
    println!("cargo::rerun-if-changed={CONTRACT}");
    let out = env::var("OUT_DIR").expect("cargo names the folder of build scripts");
    let path = Path::new(&out).join("contract_cases.rs");
    fs::write(path, contract_cases()).expect("the folder of build scripts can be written");
}

/// A macro that makes a test of every `pub async fn` of the contract's files, on the store that `$open` gives.
fn contract_cases() -> String {
    let mut files: Vec<_> = fs::read_dir(CONTRACT)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    let mut tests = String::new();
    for file in files {
        let module = file.file_stem().unwrap_or_default().to_string_lossy();
        if NO_CASES.contains(&&*module) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a file of the contract can be read");
        let cases = text
            .lines()
            .filter_map(|line| line.strip_prefix("pub async fn "));
        for case in cases.filter_map(|rest| rest.split('(').next()) {
            writeln!(
                tests,
                "#[tokio::test(flavor = \"multi_thread\", worker_threads = 2)]
                 async fn {case}() {{
                     let (store, _alive) = $open().await;
                     $crate::contract::{module}::{case}(store).await;
                 }}"
            )
            .expect("a string takes any text");
        }
    }
    format!("macro_rules! contract {{ ($open:path) => {{ {tests} }}; }}")
}
