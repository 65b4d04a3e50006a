//! The tracked text files of a repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process;

/// The beginnings of paths that generators wrote, so no figure counts them.
const GENERATED: [&str; 4] = [
    "web/src/lib/api/schema.d.ts",
    "web/src/lib/i18n/messages.d.ts",
    "spec/openapi.json",
    "crates/store/tests/it/schemas/",
];

/// Text files by their path from the root, and the paths of all tracked files.
pub struct Tree {
    pub texts: BTreeMap<String, String>,
    pub paths: Vec<String>,
}

impl Tree {
    /// Reads what git tracks, and what it would track, below a folder.
    pub fn read(root: &Path) -> Result<Self> {
        let listing = process::read(
            Command::new("git")
                .args(["ls-files", "--cached", "--others", "--exclude-standard"])
                .current_dir(root),
        )?;
        let paths: Vec<String> = listing.lines().map(str::to_owned).collect();
        let texts = paths
            .iter()
            .filter(|path| {
                !GENERATED.iter().any(|start| path.starts_with(start))
                    && !path.ends_with("lock.json")
            })
            .filter_map(|path| {
                let text = std::fs::read_to_string(root.join(path)).ok()?;
                Some((path.clone(), text))
            })
            .collect();
        Ok(Self { texts, paths })
    }

    /// The files with one of these endings.
    pub fn ending<'a>(&'a self, endings: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.texts
            .iter()
            .filter(|(path, _)| endings.iter().any(|ending| path.ends_with(ending)))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}
