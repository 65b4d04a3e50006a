//! Building and starting the server.

use crate::{need, sh, web};
use anyhow::Result;
use std::path::PathBuf;

/// `target/release/mana`, the web app inside.
pub fn release() -> Result<()> {
    need::c_compiler()?;
    web::build()?;
    sh::run(&mut sh::cargo(&["build", "--release", "--package", "mana"]))
}

/// Where cargo leaves what it builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| sh::root().join("target"), PathBuf::from)
}

/// The server that the tests run, built.
pub fn debug() -> Result<PathBuf> {
    sh::run(&mut sh::cargo(&["build", "--quiet", "--package", "mana"]))?;
    Ok(target().join("debug/mana"))
}

/// The server that is measured: somebody's own (`MANA_BIN`) as it is, else the release, built.
pub fn measured() -> Result<PathBuf> {
    if let Some(own) = std::env::var_os("MANA_BIN") {
        return Ok(sh::root().join(own));
    }
    release()?;
    Ok(target().join("release/mana"))
}

/// Builds everything and becomes the server, so that signals reach it.
pub fn serve(args: &[String]) -> Result<()> {
    release()?;
    let mut server = sh::command(&target().join("release/mana").to_string_lossy(), &["serve"]);
    server.args(args);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(server.exec().into())
    }
    #[cfg(not(unix))]
    sh::run(&mut server)
}
