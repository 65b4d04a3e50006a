//! What a machine must have. Installs it through apt when we are root on Debian or Ubuntu, else says what to install.

use crate::sh;
use anyhow::{Result, bail};
use std::{path::Path, process::Command};

/// Whether a program answers to `--version`.
fn has(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success())
}

/// Node 20 or newer, with npm.
pub fn node() -> Result<()> {
    if !has("node") || !has("npm") {
        apt(
            &["nodejs", "npm"],
            "Node.js 20 or newer, with npm (https://nodejs.org)",
        )?;
    }
    let version = sh::read(Command::new("node").arg("--version"))?;
    let major: u32 = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .unwrap_or("0")
        .parse()?;
    if major < 20 {
        bail!(
            "Node.js {} is too old: install Node.js 20 or newer",
            version.trim()
        );
    }
    Ok(())
}

/// Python 3 with venv and pip, for the tests of Python's client.
pub fn python() -> Result<()> {
    let ready = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .output()
        .is_ok_and(|out| out.status.success());
    if ready {
        return Ok(());
    }
    apt(
        &["python3", "python3-venv"],
        "Python 3 with venv and ensurepip",
    )
}

/// A C compiler, for SQLite.
pub fn c_compiler() -> Result<()> {
    if has("cc") || has("gcc") || has("clang") {
        return Ok(());
    }
    apt(&["gcc", "libc6-dev"], "a C compiler (gcc or clang)")
}

/// PostgreSQL 14 or newer, whose programs the tests start by themselves (`crates/test-postgres`).
pub fn postgres() -> Result<()> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|dir| dir.count() > 0);
    if installed || has("postgres") || std::env::var_os("MANA_POSTGRES_BIN").is_some() {
        return Ok(());
    }
    apt(
        &["postgresql"],
        "PostgreSQL 14 or newer (or set MANA_POSTGRES_BIN to the folder of initdb)",
    )
}

/// Redis, which a test of the gateway's cache starts by itself.
pub fn redis() -> Result<()> {
    if has("redis-server") && has("redis-cli") {
        return Ok(());
    }
    apt(&["redis-server"], "Redis (redis-server and redis-cli)")
}

/// Chromium for the browser tests, with fonts for their pictures. Returns the program's path.
pub fn chromium() -> Result<String> {
    const NAMES: [&str; 3] = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ];
    if let Ok(path) = std::env::var("MANA_CHROMIUM") {
        return Ok(path);
    }
    let find = || {
        NAMES
            .iter()
            .find(|path| Path::new(path).exists())
            .map(|path| (*path).to_owned())
    };
    if let Some(path) = find() {
        return Ok(path);
    }
    apt(
        &["chromium", "fonts-noto-core"],
        "Chromium (or set MANA_CHROMIUM to its path)",
    )?;
    find().ok_or_else(|| anyhow::anyhow!("apt installed no Chromium in {}", NAMES.join(", ")))
}

/// Rust's WebAssembly target.
pub fn wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let sysroot =
        sh::read(sh::command("rustc", &["--print", "sysroot"]).env_remove("RUSTUP_TOOLCHAIN"))?;
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib")
        .exists()
    {
        return Ok(());
    }
    if !has("rustup") {
        bail!(
            "Rust's target {TARGET} is missing: install it with your Rust, or use rustup (https://rustup.rs)"
        );
    }
    sh::run(&mut sh::command("rustup", &["target", "add", TARGET]))
}

fn apt(packages: &[&str], what: &str) -> Result<()> {
    let root = sh::read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || !has("apt-get") {
        bail!(
            "this needs {what}; on Debian or Ubuntu: sudo apt-get install {}",
            packages.join(" ")
        );
    }
    sh::run(&mut sh::command("apt-get", &["update", "-qq"]))?;
    let mut install = sh::command(
        "apt-get",
        &["install", "-y", "-qq", "--no-install-recommends"],
    );
    sh::run(
        install
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
