//! Which file of the web app imports which, types included.

use super::circles::{self, Graph};
use super::tree::Tree;

const SOURCE: &str = "web/src/";

/// The circles of the web app, a line each.
pub fn circles(tree: &Tree) -> Vec<String> {
    let mut graph = Graph::new();
    for (path, text) in tree.ending(&[".ts", ".js", ".svelte"]) {
        if !path.starts_with(SOURCE) || path.contains(".test.") {
            continue;
        }
        let needs = graph.entry(path.to_owned()).or_default();
        needs.extend(imports(text).filter_map(|import| resolve(tree, path, import)));
        needs.remove(path);
    }
    circles::find(&graph)
        .into_iter()
        .map(|circle| {
            let files: Vec<&str> = circle
                .iter()
                .map(|file| file.trim_start_matches(SOURCE))
                .collect();
            format!("web {}", files.join(" ↔ "))
        })
        .collect()
}

/// Everything after `from`, and after an `import` for its side effects. A dynamic `import()` is no need at load time.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(" from '")
        .chain(text.match_indices("import '"))
        .filter_map(|(at, mark)| text[at + mark.len()..].split('\'').next())
}

fn resolve(tree: &Tree, from: &str, import: &str) -> Option<String> {
    let path = match import.strip_prefix("$lib/") {
        Some(path) => format!("{SOURCE}lib/{path}"),
        None if import.starts_with('.') => {
            let mut parts: Vec<&str> = from.split('/').collect();
            parts.pop();
            for part in import.split('/') {
                match part {
                    "." => {}
                    ".." => drop(parts.pop()),
                    part => parts.push(part),
                }
            }
            parts.join("/")
        }
        None => return None,
    };
    ["", ".ts", ".js", ".svelte", ".svelte.ts", "/index.ts"]
        .map(|ending| format!("{path}{ending}"))
        .into_iter()
        .find(|path| tree.texts.contains_key(path))
}
