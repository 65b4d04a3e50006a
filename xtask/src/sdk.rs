//! Clients that other programs use (npm `openai`, `@anthropic-ai/sdk` and `ai`, Python `openai` and `anthropic`)
//! against the gateway of a debug server, and LiteLLM's proxy behind it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{build, paths, process, python, web};

/// Runs the clients' tests, or with the argument `litellm` the proxy's.
pub fn run(args: &[String]) -> Result<()> {
    match args.first().map(String::as_str) {
        None => test(&build::debug()?),
        Some("litellm") => litellm(&build::debug()?),
        Some(other) => bail!("no SDK named {other}; there is: litellm"),
    }
}

/// Installs the clients in their written versions and runs their calls against a server.
pub fn test(server: &Path) -> Result<()> {
    let python = python::environment("sdk-venv", &requirements("requirements.txt")?)?;
    npm("test", server, "MANA_PYTHON", &python)
}

/// Calls a model through LiteLLM's proxy: the program that `MANA_LITELLM` names, else one that is installed (750 MB).
fn litellm(server: &Path) -> Result<()> {
    let proxy = match std::env::var_os("MANA_LITELLM") {
        Some(proxy) => PathBuf::from(proxy),
        None => python::environment("litellm-venv", &requirements("litellm.txt")?)?
            .with_file_name("litellm"),
    };
    npm("litellm", server, "MANA_LITELLM", &proxy)
}

fn requirements(file: &str) -> Result<String> {
    Ok(std::fs::read_to_string(
        paths::root().join("sdk").join(file),
    )?)
}

/// Runs a script of `sdk/package.json` against a server.
fn npm(script: &str, server: &Path, variable: &str, program: &Path) -> Result<()> {
    web::install("sdk")?;
    let mut command = web::npm("sdk", &["run", script]);
    command.env("MANA_BIN", server).env(variable, program);
    process::run(&mut command)
}
