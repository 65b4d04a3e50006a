//! `cargo xtask test`: every check and test, those that fail fastest first.

use anyhow::Result;

use crate::{
    browser_tests, cargo_deny, dependency_rules, house, paths, process, requirements, sdk,
    steps::Steps, wasm, web,
};

/// Runs all checks and tests.
pub fn run() -> Result<()> {
    requirements::c_compiler()?;
    requirements::node()?;
    requirements::postgres()?;
    requirements::chromium()?;
    requirements::python()?;

    let mut steps = Steps::new(11);
    steps.run("formatting (rustfmt)", || {
        process::run(&mut process::cargo(&["fmt", "--all", "--check"]))
    })?;
    steps.run("figures of the tree (house)", house::check)?;
    steps.run("dependencies (boundaries, cargo-deny)", || {
        dependency_rules::check()?;
        cargo_deny::check()
    })?;
    steps.run("npm packages", || {
        web::install("web")?;
        web::install("e2e")
    })?;
    steps.run("core for the browser (WebAssembly)", || {
        wasm::generate(wasm::Profile::Small)
    })?;
    steps.run("web app: build, checks, tests", || {
        web::bundle()?;
        wasm::check_size()?;
        process::run(&mut web::npm("web", &["run", "check"]))?;
        process::run(&mut web::npm("web", &["run", "test"]))
    })?;
    steps.run("lints (clippy)", || {
        process::run(&mut process::cargo(&[
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]))
    })?;
    steps.run("Rust tests", || {
        process::run(&mut process::cargo(&["test", "--workspace"]))
    })?;
    // The Rust tests have built this server. Building the package alone would compile its dependencies once more,
    // with fewer features.
    let server = paths::target().join("debug/mana");
    steps.run("types of the API", || web::check_types(&server))?;
    steps.run("clients of the gateway (SDKs)", || sdk::test(&server))?;
    steps.run("browser tests", || browser_tests::stories(&server))?;
    steps.summary();
    Ok(())
}
