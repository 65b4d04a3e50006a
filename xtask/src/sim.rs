//! The simulation.

use crate::sh;
use anyhow::Result;

/// Runs seeds: `--seeds N` of them, `--from S`.
pub fn run(args: &[String]) -> Result<()> {
    let mut command = sh::cargo(&["run", "--release", "--quiet", "--package", "mana-sim", "--"]);
    sh::run(command.args(args))
}
