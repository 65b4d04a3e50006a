//! Which file of a crate needs which: every path in its code, followed through re-exports to the file that defines the
//! item. Not counted: `mod` lines, re-exports themselves, and tests.

use std::collections::{BTreeMap, BTreeSet};

use super::circles::{self, Graph};
use super::source::tokens;
use super::tree::Tree;

/// How many re-exports are followed.
const DEPTH: usize = 12;

/// A `use` of a module: `alias` stands for `path`, or all of `path` is taken in.
struct Use {
    alias: String,
    path: Vec<String>,
    glob: bool,
}

struct Module {
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    uses: Vec<Use>,
    /// Items that the file defines itself.
    items: BTreeSet<String>,
    /// Paths in its code, and single names that are not part of a path.
    paths: Vec<Vec<String>>,
}

/// The circles of all crates, a line each.
pub fn circles(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for root in tree.texts.keys() {
        if root.ends_with("src/lib.rs") || root.ends_with("src/main.rs") {
            let mut krate = Crate {
                modules: Vec::new(),
            };
            krate.read(tree, root, None);
            let folder = root.rsplit_once("src/").map_or("", |(folder, _)| folder);
            for circle in circles::find(&krate.graph()) {
                let files: Vec<&str> = circle
                    .iter()
                    .map(|file| file.trim_start_matches(folder).trim_start_matches("src/"))
                    .collect();
                found.push(format!("{folder} {}", files.join(" ↔ ")));
            }
        }
    }
    found
}

struct Crate {
    modules: Vec<Module>,
}

impl Crate {
    fn read(&mut self, tree: &Tree, file: &str, parent: Option<usize>) -> Option<usize> {
        let tokens = tokens(tree.texts.get(file)?);
        let index = self.modules.len();
        let mut module = Module {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            uses: Vec::new(),
            items: BTreeSet::new(),
            paths: Vec::new(),
        };
        let mut submodules = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let next = tokens.get(at + 1).map_or("", String::as_str);
            at += match tokens[at].as_str() {
                "use" if next != "<" => read_use(&tokens[at + 1..], &[], &mut module.uses) + 1,
                "mod" if tokens.get(at + 2).is_some_and(|token| token == ";") => {
                    submodules.push(next.to_owned());
                    3
                }
                "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "mod"
                | "union" => {
                    module.items.insert(next.to_owned());
                    1
                }
                token
                    if is_name(token)
                        && (at == 0 || !["::", "."].contains(&tokens[at - 1].as_str())) =>
                {
                    let path = read_path(&tokens[at..]);
                    let length = 2 * path.len() - 1;
                    module.paths.push(path);
                    length
                }
                _ => 1,
            };
        }
        self.modules.push(module);
        for name in submodules {
            let child = candidates(file, &name)
                .into_iter()
                .find_map(|path| self.read(tree, &path, Some(index)));
            if let Some(child) = child {
                self.modules[index].children.insert(name, child);
            }
        }
        Some(index)
    }

    fn graph(&self) -> Graph {
        let mut graph = Graph::new();
        for (index, module) in self.modules.iter().enumerate() {
            let needs = graph.entry(module.file.clone()).or_default();
            let globs = module
                .uses
                .iter()
                .filter(|taken| taken.glob && taken.path[0] == "super");
            let globs = globs.map(|taken| &taken.path);
            for path in module.paths.iter().chain(globs) {
                if let Some(file) = self
                    .defining_file(index, path, DEPTH)
                    .filter(|file| *file != module.file)
                {
                    needs.insert(file.to_owned());
                }
            }
        }
        graph
    }

    /// The file that defines what a path of a module means; none if it is another crate's, or the module's own.
    fn defining_file(&self, index: usize, path: &[String], depth: usize) -> Option<&str> {
        let depth = depth.checked_sub(1)?;
        let module = &self.modules[index];
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Some(0),
            "self" => Some(index),
            "super" => Some(module.parent?),
            name => module.children.get(name).copied(),
        };
        if let Some(start) = start {
            return match rest {
                // A module by itself is needed for what is taken out of it.
                [] => None,
                rest => self.member(start, rest, depth),
            };
        }
        let taken = module
            .uses
            .iter()
            .find(|taken| !taken.glob && taken.alias == *first)?;
        // `use x::x` in another crate's terms.
        if taken.path[0] == *first && !module.children.contains_key(first) {
            return None;
        }
        let whole: Vec<String> = taken.path.iter().chain(rest).cloned().collect();
        self.defining_file(index, &whole, depth)
    }

    /// The file that defines a member of a module.
    fn member(&self, index: usize, path: &[String], depth: usize) -> Option<&str> {
        let depth = depth.checked_sub(1)?;
        let module = &self.modules[index];
        let (first, rest) = path.split_first()?;
        if first == "super" {
            return self.member(module.parent?, rest, depth);
        }
        if let Some(child) = module.children.get(first) {
            return match rest {
                [] => None,
                rest => self.member(*child, rest, depth),
            };
        }
        if !module.items.contains(first) {
            if let Some(file) = self.defining_file(index, path, depth) {
                return Some(file);
            }
            for glob in module.uses.iter().filter(|taken| taken.glob) {
                let whole: Vec<String> = glob.path.iter().chain(path).cloned().collect();
                let file = self.defining_file(index, &whole, depth);
                let defines = |file: &&str| {
                    self.modules
                        .iter()
                        .any(|other| other.file == **file && other.items.contains(first))
                };
                if let Some(file) = file.filter(defines) {
                    return Some(file);
                }
            }
        }
        Some(&module.file)
    }
}

/// Reads the entries of a `use` up to its `;` or the end of their group, and returns how many tokens they took.
fn read_use(tokens: &[String], prefix: &[String], uses: &mut Vec<Use>) -> usize {
    let mut entry = Entry::new(prefix);
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            ";" | "}" => break,
            "," => std::mem::replace(&mut entry, Entry::new(prefix)).finish(uses),
            "as" => {
                entry.alias = tokens.get(at + 1).cloned();
                at += 1;
            }
            "{" => {
                at += read_use(&tokens[at + 1..], &entry.path, uses);
                entry.is_group = true;
            }
            name if is_name(name) || name == "*" => entry.path.push(name.to_owned()),
            _ => {}
        }
        at += 1;
    }
    entry.finish(uses);
    at + 1
}

/// An entry of a `use` as far as it is read.
struct Entry {
    path: Vec<String>,
    alias: Option<String>,
    is_group: bool,
    prefix: usize,
}

impl Entry {
    fn new(prefix: &[String]) -> Self {
        Self {
            path: prefix.to_vec(),
            alias: None,
            is_group: false,
            prefix: prefix.len(),
        }
    }

    fn finish(mut self, uses: &mut Vec<Use>) {
        if self.is_group || self.path.len() == self.prefix {
            return;
        }
        let last = self.path.last().map_or("", String::as_str);
        let glob = last == "*";
        if glob || (last == "self" && self.path.len() > 1) {
            self.path.pop();
        }
        let alias = self.alias.or_else(|| self.path.last().cloned());
        uses.push(Use {
            alias: alias.unwrap_or_default(),
            path: self.path,
            glob,
        });
    }
}

fn read_path(tokens: &[String]) -> Vec<String> {
    let mut path = vec![tokens[0].clone()];
    for pair in tokens[1..].chunks(2) {
        match pair {
            [colons, name] if colons == "::" && is_name(name) => path.push(name.clone()),
            _ => break,
        }
    }
    path
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Where the file of a submodule may lie.
fn candidates(file: &str, name: &str) -> [String; 2] {
    let (folder, own) = file.rsplit_once('/').unwrap_or(("", file));
    let folder = match own {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        own => format!("{folder}/{}", own.trim_end_matches(".rs")),
    };
    [
        format!("{folder}/{name}.rs"),
        format!("{folder}/{name}/mod.rs"),
    ]
}
