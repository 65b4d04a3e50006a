//! The clients that other programs use (npm `openai`, npm `ai`, Python `openai`) against the gateway of a debug server.

use anyhow::Result;

use crate::{build, need, sh, web};

/// Installs them, each version as it is written down, and runs their calls.
pub fn test() -> Result<()> {
    web::install("sdk")?;
    let python = python()?;
    let mut command = web::npm("sdk", &["test"]);
    command
        .env("MANA_BIN", build::debug()?)
        .env("MANA_PYTHON", python);
    sh::run(&mut command)
}

/// A Python of our own in `target/`, with what `requirements.txt` names.
fn python() -> Result<std::path::PathBuf> {
    let venv = build::target().join("sdk-venv");
    let python = venv.join("bin/python");
    let wanted = std::fs::read_to_string(sh::root().join("sdk/requirements.txt"))?;
    let installed = venv.join("requirements.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    need::python()?;
    let path = |path: &std::path::Path| path.display().to_string();
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
        "sdk/requirements.txt",
    ];
    sh::run(&mut sh::command(&path(&python), &install))?;
    std::fs::write(installed, wanted)?;
    Ok(python)
}
