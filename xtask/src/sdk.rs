//! The clients that other programs use (npm `openai`, npm `ai`, Python `openai`) against the gateway of a debug server,
//! and LiteLLM's proxy behind it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{build, need, sh, web};

/// What is asked for: the tests, or `litellm` alone.
pub fn run(args: &[String]) -> Result<()> {
    match args.first().map(String::as_str) {
        None => test(),
        Some("litellm") => litellm(),
        Some(other) => bail!("no SDK named {other}; there is: litellm"),
    }
}

/// Installs them, each version as it is written down, and runs their calls.
pub fn test() -> Result<()> {
    let python = python("sdk-venv", "requirements.txt")?;
    npm("test", "MANA_PYTHON", &python)
}

/// Installs LiteLLM's proxy, 750 MB of it, unless MANA_LITELLM names one, and calls a model through it.
fn litellm() -> Result<()> {
    let proxy = match std::env::var_os("MANA_LITELLM") {
        Some(proxy) => PathBuf::from(proxy),
        None => python("litellm-venv", "litellm.txt")?.with_file_name("litellm"),
    };
    npm("litellm", "MANA_LITELLM", &proxy)
}

/// Runs a script of `sdk/package.json` on a debug server.
fn npm(script: &str, variable: &str, program: &Path) -> Result<()> {
    web::install("sdk")?;
    let mut command = web::npm("sdk", &["run", script]);
    command
        .env("MANA_BIN", build::debug()?)
        .env(variable, program);
    sh::run(&mut command)
}

/// A Python of our own in `target/`, with what a file of `sdk/` names.
fn python(venv: &str, requirements: &str) -> Result<PathBuf> {
    let venv = build::target().join(venv);
    let python = venv.join("bin/python");
    let requirements = format!("sdk/{requirements}");
    let wanted = std::fs::read_to_string(sh::root().join(&requirements))?;
    let installed = venv.join("requirements.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    need::python()?;
    let path = |path: &Path| path.display().to_string();
    sh::run(&mut sh::command(
        "python3",
        &["-m", "venv", "--clear", &path(&venv)],
    ))?;
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        &requirements,
    ];
    sh::run(&mut sh::command(&path(&python), &install))?;
    std::fs::write(installed, wanted)?;
    Ok(python)
}
