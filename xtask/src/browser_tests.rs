//! Playwright: the browser tests, the screenshots and the bench of the first paint.

use std::{path::Path, process::Command};

use anyhow::Result;

use crate::{build, process, requirements, wasm, web};

/// Builds a debug server with the web app as it is now, and runs the browser tests; `args` go to Playwright.
pub fn run(args: &[String]) -> Result<()> {
    web::install("e2e")?;
    web::build(wasm::Profile::Small)?;
    let args: Vec<&str> = ["test", "--project=story"]
        .into_iter()
        .chain(args.iter().map(String::as_str))
        .collect();
    process::run(&mut playwright(&args, &build::debug()?)?)
}

/// Runs all browser tests against a server that is built already.
pub fn stories(server: &Path) -> Result<()> {
    process::run(&mut playwright(&["test", "--project=story"], server)?)
}

/// Takes pictures of every page, in both sizes, light and dark.
pub fn screenshots() -> Result<()> {
    web::install("e2e")?;
    web::build(wasm::Profile::Small)?;
    let server = build::debug()?;
    process::run(&mut playwright(
        &["test", "--project=screenshots"],
        &server,
    )?)
}

/// Measures start time, memory, sizes and time to paint.
pub fn bench_start(server: &Path) -> Result<()> {
    web::install("e2e")?;
    process::run(&mut bench_start_command(server)?)
}

/// The command that measures them, for a caller that reads its output.
pub fn bench_start_command(server: &Path) -> Result<Command> {
    playwright(&["test", "--project=bench"], server)
}

fn playwright(args: &[&str], server: &Path) -> Result<Command> {
    let chromium = requirements::chromium()?;
    let mut command = web::npm("e2e", &["exec", "--", "playwright"]);
    command
        .args(args)
        .env("MANA_CHROMIUM", chromium)
        .env("MANA_BIN", server)
        .env("MANA_WASM_BYTES", wasm::MOST_BYTES.to_string());
    Ok(command)
}
