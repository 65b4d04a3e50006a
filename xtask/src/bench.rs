//! `cargo xtask bench`: the benches of `bench/` and of the browser, against the real binary.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{bench_compare, browser_tests, build, process};

/// Runs the bench that the first argument names; `mana-bench` takes the others.
pub fn run(args: &[String]) -> Result<()> {
    match args.first().map(String::as_str) {
        Some("compare") => bench_compare::run(&args[1..]),
        Some("start") => browser_tests::bench_start(&build::measured()?),
        Some("instructions") => process::run(mana_bench().args(args)),
        Some(
            "sync" | "gateway" | "crash" | "leaks" | "order" | "runner" | "night" | "strangers",
        ) => load(args),
        other => bail!(
            "no bench named {other:?}; there are: start, sync, gateway, instructions, crash, leaks, order, runner, \
             night, strangers, compare"
        ),
    }
}

fn load(args: &[String]) -> Result<()> {
    let mut bench = mana_bench();
    bench.env("MANA_BIN", build::measured()?);
    process::run(bench.args(args))
}

fn mana_bench() -> Command {
    process::cargo(&[
        "run",
        "--quiet",
        "--release",
        "--package",
        "mana-bench",
        "--",
    ])
}
