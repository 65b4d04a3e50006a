//! `cargo xtask sim`: the simulation of many devices and servers.

use anyhow::Result;

use crate::process;

/// Runs the simulation; the arguments go to `mana-sim`.
pub fn run(args: &[String]) -> Result<()> {
    let mut command =
        process::cargo(&["run", "--release", "--quiet", "--package", "mana-sim", "--"]);
    process::run(command.args(args))
}
