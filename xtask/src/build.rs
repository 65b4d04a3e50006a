//! Building the server's binary: released, debug, and the binary that is measured.

use std::path::PathBuf;

use anyhow::Result;

use crate::{paths, process, requirements, wasm, web};

/// Builds `target/release/mana` with the web app inside.
pub fn release() -> Result<()> {
    requirements::c_compiler()?;
    web::build(wasm::Profile::Small)?;
    process::run(&mut process::cargo(&[
        "build",
        "--release",
        "--package",
        "mana",
    ]))
}

/// Builds the debug server, which reads the web app from `web/build`.
pub fn debug() -> Result<PathBuf> {
    process::run(&mut process::cargo(&[
        "build",
        "--quiet",
        "--package",
        "mana",
    ]))?;
    Ok(paths::target().join("debug/mana"))
}

/// The server that benches measure: the binary that `MANA_BIN` names, else a release that is built first.
pub fn measured() -> Result<PathBuf> {
    if let Some(binary) = std::env::var_os("MANA_BIN") {
        return Ok(paths::root().join(binary));
    }
    release()?;
    Ok(paths::target().join("release/mana"))
}
