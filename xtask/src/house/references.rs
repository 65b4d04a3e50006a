//! Pages that a text names and the repository doesn't have.

use std::collections::BTreeSet;

use super::tree::Tree;

const READERS: [&str; 9] = [
    ".rs", ".ts", ".js", ".mjs", ".svelte", ".css", ".sql", ".md", ".toml",
];

/// Pages that texts also name without their ending.
const BARE: [&str; 5] = ["DESIGN", "WIRE", "SYNC", "MISSIONS", "MODULES"];

/// References such as `DESIGN.md`, `docs/how-to/route.md` or a bare `WIRE`, where no tracked file has that name.
pub fn dangling(tree: &Tree) -> Vec<String> {
    let names: BTreeSet<&str> = tree
        .paths
        .iter()
        .filter_map(|path| path.rsplit('/').next())
        .collect();
    let mut dangling = Vec::new();
    for (path, text) in tree
        .ending(&READERS)
        .filter(|(path, _)| !path.starts_with("xtask/src/house/"))
    {
        for (number, line) in text.lines().enumerate() {
            for word in line.split(|c: char| !(c.is_alphanumeric() || "./_-".contains(c))) {
                let missing = match word.trim_end_matches('.').strip_suffix(".md") {
                    Some(page) => is_missing(tree, &names, path, &format!("{page}.md")),
                    None => BARE.contains(&word) && !names.contains(format!("{word}.md").as_str()),
                };
                if missing {
                    dangling.push(format!("{path}:{}: {word}", number + 1));
                }
            }
        }
    }
    dangling
}

/// A page is found beside the file that names it, from the root, or anywhere by its bare name. Bare names in lower case
/// are examples of people's own files.
fn is_missing(tree: &Tree, names: &BTreeSet<&str>, from: &str, page: &str) -> bool {
    let Some((_, name)) = page.rsplit_once('/') else {
        return page.starts_with(|c: char| c.is_ascii_uppercase())
            && page[..page.len() - 3]
                .chars()
                .all(|c| c.is_ascii_uppercase() || "-_".contains(c))
            && !names.contains(page);
    };
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beside = joined(folder, page);
    !tree
        .paths
        .iter()
        .any(|path| *path == beside || path == page || path.ends_with(&format!("/{page}")))
        && name.len() > 3
}

/// A relative path from a folder, with its `..` carried out.
fn joined(folder: &str, page: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in page.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
