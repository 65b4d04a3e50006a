//! The web app: its packages, its build, and the types that it takes from the server.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{paths, process, requirements, wasm};

const OPENAPI: &str = "spec/openapi.json";
const TYPES: &str = "web/src/lib/api/schema.d.ts";

/// Builds `web/build` with everything that it needs.
pub fn build(profile: wasm::Profile) -> Result<()> {
    install("web")?;
    wasm::generate(profile)?;
    bundle()
}

/// Builds `web/build` from installed packages and the generated core. Of files that the build compressed only the
/// compressed ones stay: the server sends those, and the binary holds everything that lies there.
pub fn bundle() -> Result<()> {
    process::run(&mut npm("web", &["run", "build"]))?;
    drop_uncompressed(&paths::root().join("web/build"))
}

fn drop_uncompressed(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            drop_uncompressed(&path)?;
        } else if let Some(plain) = path.to_str().and_then(|path| path.strip_suffix(".gz"))
            && Path::new(&format!("{plain}.br")).exists()
        {
            fs::remove_file(plain).with_context(|| format!("{plain} can't be removed"))?;
        }
    }
    Ok(())
}

/// An npm command in a folder of the repository.
pub fn npm(folder: &str, args: &[&str]) -> Command {
    let mut command = process::command("npm", args);
    command.current_dir(paths::root().join(folder));
    command
}

/// Installs the npm packages of a folder's lock file, unless they are installed already.
pub fn install(folder: &str) -> Result<()> {
    requirements::node()?;
    let folder_path = paths::root().join(folder);
    let changed = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let installed = changed(&folder_path.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= changed(&folder_path.join("package-lock.json")) {
        return Ok(());
    }
    process::run(&mut npm(folder, &["ci", "--no-audit", "--no-fund"]))
}

/// Writes the OpenAPI description of a server and TypeScript's types of it.
pub fn write_types(server: &Path) -> Result<()> {
    install("web")?;
    fs::write(paths::root().join(OPENAPI), openapi(server)?)?;
    fs::write(paths::root().join(TYPES), typescript()?)?;
    Ok(())
}

/// Fails if the committed types differ from those of a server.
pub fn check_types(server: &Path) -> Result<()> {
    for (path, fresh) in [(OPENAPI, openapi(server)?), (TYPES, typescript()?)] {
        if fs::read_to_string(paths::root().join(path)).unwrap_or_default() != fresh {
            anyhow::bail!("{path} is stale: run `cargo xtask types` and commit it");
        }
    }
    Ok(())
}

fn openapi(server: &Path) -> Result<String> {
    process::read(&mut process::command(
        &server.to_string_lossy(),
        &["openapi"],
    ))
}

fn typescript() -> Result<String> {
    process::read(&mut npm(
        "web",
        &["exec", "--", "openapi-typescript", "../spec/openapi.json"],
    ))
}
