//! Rules about the tree that no compiler knows.

use crate::sh;
use anyhow::{Result, bail};

/// What each crate may know of ours (DESIGN: dependencies point one way).
const MAY_KNOW: [(&str, &[&str]); 7] = [
    ("mana-core", &[]),
    ("mana-core-wasm", &["mana-core"]),
    ("mana-store", &["mana-core"]),
    ("mana-sync", &["mana-core", "mana-store"]),
    ("mana-ai", &["mana-core", "mana-store", "mana-sync"]),
    ("mana-llm", &["mana-core"]),
    ("mana-device", &["mana-core"]),
];

/// What the pure core must never reach, however deep.
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

/// What must not be in the tree at all, and why.
const NOWHERE: [(&str, &str); 3] = [
    ("openssl-sys", "TLS is rustls"),
    ("native-tls", "TLS is rustls"),
    ("aws-lc-sys", "ring is the one crypto provider"),
];

/// Fails where a crate knows what it must not know.
pub fn dependencies() -> Result<()> {
    for (krate, allowed) in MAY_KNOW {
        for known in tree(krate, &["--edges", "normal,build"])? {
            if known.starts_with("mana") && known != krate && !allowed.contains(&known.as_str()) {
                bail!("{krate} must not depend on {known}: DESIGN.md, boundaries");
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
    let all = tree("mana", &["--edges", "normal,build"])?;
    for (name, why) in NOWHERE {
        if all.iter().any(|found| found == name) {
            bail!("{name} must not be in the tree ({why}): see `cargo tree -i {name}`");
        }
    }
    Ok(())
}

fn tree(krate: &str, args: &[&str]) -> Result<Vec<String>> {
    let mut command = sh::cargo(&[
        "tree",
        "--package",
        krate,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let text = sh::read(command.args(args))?;
    Ok(text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect())
}
