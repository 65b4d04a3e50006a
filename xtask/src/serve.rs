//! `cargo xtask serve`: from a clean clone to a running server.
//!
//! The `serve` profile of the workspace's `Cargo.toml` builds the server without link-time optimisation; releases and
//! benches use `release`. The browser's core is built by the same profile, so that both builds share their procedural
//! macros.

use anyhow::Result;

use crate::{paths, process, requirements, steps::Steps, wasm, web};

/// Builds everything and replaces this process by the server, so that signals reach the server.
pub fn run(args: &[String]) -> Result<()> {
    requirements::c_compiler()?;
    requirements::node()?;
    let mut steps = Steps::new(3);
    steps.run(
        "core for the browser (WebAssembly), npm packages beside it",
        || {
            std::thread::scope(|scope| {
                let packages = scope.spawn(|| web::install("web"));
                wasm::generate(wasm::Profile::Fast)?;
                packages.join().expect("the thread doesn't panic")
            })
        },
    )?;
    steps.run("web app", web::bundle)?;
    steps.run("server (a first build compiles some 400 crates)", || {
        process::run(&mut process::cargo(&[
            "build",
            "--profile",
            "serve",
            "--package",
            "mana",
        ]))
    })?;
    steps.summary();
    let binary = paths::target().join("serve/mana");
    let mut server = process::command(&binary.to_string_lossy(), &["serve"]);
    server.args(args);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(server.exec().into())
    }
    #[cfg(not(unix))]
    process::run(&mut server)
}
