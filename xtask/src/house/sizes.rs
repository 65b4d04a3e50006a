//! Sizes of files and lines.

use super::tree::Tree;

const LINES: usize = 600;
const COLUMNS: usize = 120;
const SOURCES: [&str; 8] = [
    ".rs", ".ts", ".js", ".mjs", ".svelte", ".css", ".sql", ".html",
];

/// Source files with more than 600 lines.
pub fn long_files(tree: &Tree) -> Vec<String> {
    tree.ending(&SOURCES)
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .map(|(path, lines)| format!("{path}: {lines}"))
        .collect()
}

/// Lines of source files with more than 120 columns.
pub fn wide_lines(tree: &Tree) -> Vec<String> {
    let mut wide = Vec::new();
    for (path, text) in tree.ending(&SOURCES) {
        for (number, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS {
                wide.push(format!("{path}:{}: {columns}", number + 1));
            }
        }
    }
    wide
}
