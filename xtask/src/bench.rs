//! `cargo xtask bench`: what is measured, by `bench/` on the real binary.

use crate::{build, sh, test};
use anyhow::{Result, bail};

/// Runs one of the benches; those of `mana-bench` take its arguments.
pub fn run(args: &[String]) -> Result<()> {
    match args.first().map(String::as_str) {
        Some("start") => test::bench_start(),
        Some("sync" | "gateway" | "crash" | "leaks" | "order" | "runner" | "night") => load(args),
        other => bail!(
            "no bench named {other:?}; there are: start, sync, gateway, crash, leaks, order, runner, night"
        ),
    }
}

fn load(args: &[String]) -> Result<()> {
    let mut bench = sh::cargo(&[
        "run",
        "--quiet",
        "--release",
        "--package",
        "mana-bench",
        "--",
    ]);
    bench.env("MANA_BIN", build::measured()?);
    sh::run(bench.args(args))
}
