//! Recurrence and time in words beside other libraries: PyPI's `python-dateutil`, npm's `rrule` and `chrono-node`,
//! which are fetched into a folder outside the tree and are no part of Mana. The differences that are understood are
//! named in `spec/RECURRENCE.md`.

use std::fs;

use anyhow::{Result, ensure};

use crate::{paths, process, python};

/// The packages, as npm has them.
const PACKAGES: [&str; 2] = ["rrule@2.8.1", "chrono-node@2.10.3"];

/// The packages, as PyPI has them.
const REQUIREMENTS: &str = "python-dateutil==2.9.0.post0\n";

/// Generates rules and compares their occurrences, then the phrases of `spec/vectors`. Arguments: the number of rules
/// (10,000), the seed (1).
pub fn run(args: &[String]) -> Result<()> {
    let folder = std::env::temp_dir().join("mana-second-opinions");
    fs::create_dir_all(&folder)?;
    let number =
        |index: usize, default: &str| args.get(index).map_or(default, |text| text).to_owned();
    let (rules, seed) = (number(0, "10000"), number(1, "1"));
    // Without optimisation ten thousand rules take minutes.
    let optimised = "profile.dev.package.mana-core.opt-level=2";
    let example = [
        "run",
        "--quiet",
        "--package",
        "mana-core",
        "--config",
        optimised,
    ];
    let example: Vec<&str> = example
        .into_iter()
        .chain(["--example", "recurrence_cases", "--", &rules, &seed])
        .collect();
    let cases = process::cargo(&example).output()?;
    ensure!(cases.status.success(), "the rules could not be generated");
    fs::write(folder.join("rules.jsonl"), cases.stdout)?;
    for language in ["en", "de"] {
        let name = format!("time-words.{language}.txt");
        fs::copy(
            paths::root().join("spec/vectors").join(&name),
            folder.join(&name),
        )?;
    }
    fs::write(folder.join("package.json"), "{\"private\": true}")?;
    fs::write(
        folder.join("rules.mjs"),
        include_str!("second_opinions/rules.mjs"),
    )?;
    fs::write(
        folder.join("phrases.mjs"),
        include_str!("second_opinions/phrases.mjs"),
    )?;
    fs::write(
        folder.join("rules.py"),
        include_str!("second_opinions/rules.py"),
    )?;
    let install = ["install", "--no-save", "--no-audit", "--no-fund"];
    let install: Vec<&str> = install.into_iter().chain(PACKAGES).collect();
    process::run(process::command("npm", &install).current_dir(&folder))?;
    let python = python::environment("second-opinions-venv", REQUIREMENTS)?;
    let python = python.display().to_string();
    process::run(process::command("node", &["phrases.mjs", "list"]).current_dir(&folder))?;
    process::run(process::command("node", &["rules.mjs", "3"]).current_dir(&folder))?;
    process::run(process::command(&python, &["rules.py", "3"]).current_dir(&folder))
}
