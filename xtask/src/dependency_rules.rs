//! Dependencies between the workspace's crates point one way, and the core stays pure (ARCHITECTURE.md). cargo-deny
//! holds the rules about other people's crates (`deny.toml`).

use anyhow::{Result, bail};

use crate::process;

/// Crates of the workspace that each crate may depend on. Crates that stand above all others are not listed.
const MAY_KNOW: [(&str, &[&str]); 10] = [
    ("mana-core", &[]),
    ("mana-core-wasm", &["mana-core"]),
    ("mana-device", &["mana-core"]),
    ("mana-store", &["mana-core"]),
    ("mana-sync", &["mana-core", "mana-store"]),
    ("mana-ai", &["mana-core", "mana-store", "mana-sync"]),
    ("mana-llm", &["mana-core", "mana-store"]),
    ("mana-accounts", &["mana-core", "mana-store"]),
    (
        "mana-server",
        &[
            "mana-accounts",
            "mana-ai",
            "mana-core",
            "mana-llm",
            "mana-store",
            "mana-sync",
        ],
    ),
    (
        "mana-cli",
        &[
            "mana-accounts",
            "mana-ai",
            "mana-core",
            "mana-device",
            "mana-llm",
            "mana-server",
            "mana-store",
            "mana-sync",
        ],
    ),
];

/// Crates that the pure core must not depend on, directly or through others.
const NOT_IN_CORE: [&str; 9] = [
    "tokio",
    "sqlx",
    "reqwest",
    "hyper",
    "axum",
    "rand",
    "getrandom",
    "async-trait",
    "mio",
];

/// The only folder of the gateway that may use the store: the way of a call is free of a database.
const METERING: &str = "crates/llm/src/metering/";

/// Fails where a crate depends on a crate that it must not know.
pub fn check() -> Result<()> {
    let uses = ["grep", "-l", "mana_store", "--", "crates/llm/src"];
    // `git grep` fails where it finds nothing.
    let uses = process::read(&mut process::command("git", &uses)).unwrap_or_default();
    if let Some(file) = uses.lines().find(|file| !file.starts_with(METERING)) {
        bail!("{file} uses mana_store; in crates/llm only {METERING} may: see ARCHITECTURE.md");
    }
    for (krate, allowed) in MAY_KNOW {
        for known in tree(krate, &["--edges", "normal,build"])? {
            if known.starts_with("mana") && known != krate && !allowed.contains(&known.as_str()) {
                bail!("{krate} must not depend on {known}: see ARCHITECTURE.md");
            }
        }
    }
    let core = tree("mana-core", &["--edges", "normal,build"])?;
    if let Some(found) = core
        .iter()
        .find(|name| NOT_IN_CORE.contains(&name.as_str()))
    {
        bail!(
            "mana-core must stay pure, but reaches {found}: see `cargo tree -p mana-core -i {found}`"
        );
    }
    Ok(())
}

fn tree(krate: &str, args: &[&str]) -> Result<Vec<String>> {
    let mut command = process::cargo(&[
        "tree",
        "--package",
        krate,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let text = process::read(command.args(args))?;
    Ok(text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect())
}
