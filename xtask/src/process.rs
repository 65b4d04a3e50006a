//! Running programs.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::paths;

/// A command that runs in the repository's root.
pub fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(paths::root());
    command
}

/// The cargo that started xtask, without the variables that describe xtask's own package: build scripts depend on
/// them and would run again whenever somebody calls cargo directly.
pub fn cargo(args: &[&str]) -> Command {
    let mut cargo = command(
        &std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()),
        args,
    );
    let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Prints a command, runs it, and fails if the command fails.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    eprintln!("\n▸ {line}");
    let status = command
        .status()
        .with_context(|| format!("could not start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs a command and returns its standard output.
pub fn read(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command
        .output()
        .with_context(|| format!("could not start `{line}`"))?;
    if !output.status.success() {
        bail!(
            "`{line}` failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether a program is installed and answers to `--version`.
pub fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
