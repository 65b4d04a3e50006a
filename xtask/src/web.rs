//! The web app: packages, types, build.

use crate::{need, sh, wasm};
use anyhow::Result;
use std::{fs, path::Path, process::Command};

const OPENAPI: &str = "spec/openapi.json";
const TYPES: &str = "web/src/lib/api/schema.d.ts";

/// Builds `web/build`.
pub fn build() -> Result<()> {
    install("web")?;
    wasm::generate()?;
    sh::run(&mut npm("web", &["run", "build"]))
}

/// An npm command in one of our folders.
pub fn npm(folder: &str, args: &[&str]) -> Command {
    let mut command = sh::command("npm", args);
    command.current_dir(sh::root().join(folder));
    command
}

/// Installs a folder's npm packages as its lock file says, unless they are there already.
pub fn install(folder: &str) -> Result<()> {
    need::node()?;
    let folder_path = sh::root().join(folder);
    let changed = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let installed = changed(&folder_path.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= changed(&folder_path.join("package-lock.json")) {
        return Ok(());
    }
    sh::run(&mut npm(folder, &["ci", "--no-audit", "--no-fund"]))
}

/// Writes the server's OpenAPI description and TypeScript's types of it.
pub fn types() -> Result<()> {
    install("web")?;
    fs::write(sh::root().join(OPENAPI), openapi()?)?;
    fs::write(sh::root().join(TYPES), typescript()?)?;
    Ok(())
}

/// Fails if the written types aren't those of the code.
pub fn check_types() -> Result<()> {
    for (path, fresh) in [(OPENAPI, openapi()?), (TYPES, typescript()?)] {
        if fs::read_to_string(sh::root().join(path)).unwrap_or_default() != fresh {
            anyhow::bail!("{path} is stale: run `cargo xtask types` and commit it");
        }
    }
    Ok(())
}

fn openapi() -> Result<String> {
    sh::read(&mut sh::cargo(&[
        "run",
        "--quiet",
        "--package",
        "mana",
        "--",
        "openapi",
    ]))
}

fn typescript() -> Result<String> {
    sh::read(&mut npm(
        "web",
        &["exec", "--", "openapi-typescript", "../spec/openapi.json"],
    ))
}
