//! `cargo xtask test`: everything that must be true, in the order of what fails fastest.

use crate::{build, need, rules, sdk, sh, wasm, web};
use anyhow::Result;
use std::path::Path;

/// All checks and tests.
pub fn all() -> Result<()> {
    need::c_compiler()?;
    need::node()?;
    need::postgres()?;
    need::redis()?;
    need::chromium()?;
    need::python()?;

    sh::run(&mut sh::cargo(&["fmt", "--all", "--check"]))?;
    rules::dependencies()?;
    web::install("web")?;
    web::install("e2e")?;
    wasm::generate()?;
    sh::run(&mut web::npm("web", &["run", "build"]))?;
    sh::run(&mut web::npm("web", &["run", "check"]))?;
    sh::run(&mut web::npm("web", &["run", "test"]))?;
    sh::run(&mut sh::cargo(&[
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    sh::run(&mut sh::cargo(&["test", "--workspace"]))?;
    web::check_types()?;
    sdk::test()?;
    playwright(&["test", "--project=story"], &build::debug()?)
}

/// The browser tests alone, against a debug server with the web app as it is now.
pub fn browser(args: &[String]) -> Result<()> {
    web::install("e2e")?;
    web::build()?;
    let args: Vec<&str> = ["test", "--project=story"]
        .into_iter()
        .chain(args.iter().map(String::as_str))
        .collect();
    playwright(&args, &build::debug()?)
}

/// Pictures of every page, both sizes, light and dark.
pub fn screenshots() -> Result<()> {
    web::install("e2e")?;
    web::build()?;
    playwright(&["test", "--project=screenshots"], &build::debug()?)
}

/// Start time, memory, sizes and time to paint, of the release build.
pub fn bench_start() -> Result<()> {
    web::install("e2e")?;
    playwright(&["test", "--project=bench"], &build::measured()?)
}

fn playwright(args: &[&str], server: &Path) -> Result<()> {
    let chromium = need::chromium()?;
    let mut command = web::npm("e2e", &["exec", "--", "playwright"]);
    command
        .args(args)
        .env("MANA_CHROMIUM", chromium)
        .env("MANA_BIN", server);
    sh::run(&mut command)
}
