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

/// Where [`release`] leaves it.
pub fn binary() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| sh::root().join("target"), PathBuf::from)
        .join("release/mana")
}

/// Builds everything and becomes the server, so that signals reach it.
pub fn serve(args: &[String]) -> Result<()> {
    release()?;
    let mut server = sh::command(&binary().to_string_lossy(), &["serve"]);
    server.args(args);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(server.exec().into())
    }
    #[cfg(not(unix))]
    sh::run(&mut server)
}
