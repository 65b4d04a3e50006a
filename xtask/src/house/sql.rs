//! SQL that SQLite's and Postgres' folders of the store both hold, though both databases could run one text.

use std::collections::BTreeMap;

use super::tree::Tree;

const BACKENDS: [&str; 2] = ["crates/store/src/sqlite/", "crates/store/src/postgres/"];
const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// The texts that stand in both folders, apart from white space and the way in which parameters are written.
pub fn repeated(tree: &Tree) -> Vec<String> {
    let [sqlite, postgres] = BACKENDS.map(|folder| texts(tree, folder));
    sqlite
        .into_iter()
        .filter_map(|(text, place)| {
            let other = postgres.get(&text)?;
            let short: String = text.chars().take(60).collect();
            Some(format!("{place} = {other}: {short}"))
        })
        .collect()
}

fn texts(tree: &Tree, folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (path, text) in tree
        .ending(&[".rs"])
        .filter(|(path, _)| path.starts_with(folder))
    {
        for literal in text.split('"') {
            if VERBS
                .iter()
                .any(|verb| literal.trim_start().starts_with(verb))
            {
                found.insert(normalized(literal), path.to_owned());
            }
        }
    }
    found
}

/// `?`, `?1` and `$1` become `?`, and any white space one space.
fn normalized(sql: &str) -> String {
    let mut text = String::new();
    let mut signs = sql.chars().filter(|sign| *sign != '\\').peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '?' | '$' => {
                text.push('?');
                while signs.next_if(char::is_ascii_digit).is_some() {}
            }
            sign => text.push(sign),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
