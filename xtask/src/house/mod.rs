//! `cargo xtask house`: figures of the source tree that no compiler and no linter knows, and their bounds.

mod circles;
mod comments;
mod references;
mod rust_imports;
mod sizes;
mod source;
mod sql;
mod tree;
mod web_imports;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::paths;
use tree::Tree;

/// The bounds that `cargo xtask test` holds.
const ACTIVE: bool = true;

/// The highest share of doc comments that begin with a pronoun, in percent.
const PRONOUN_PERCENT: f64 = 2.0;

/// The most circles of files, inside all crates and the web together.
const CIRCLES: usize = 3;

/// A figure of the tree.
struct Figure {
    name: &'static str,
    measured: String,
    bound: String,
    holds: bool,
    /// Where the figure comes from, a line each.
    places: Vec<String>,
}

impl Figure {
    /// A count with the most that is allowed; none where nothing is.
    fn count(name: &'static str, places: Vec<String>, most: Option<usize>) -> Self {
        Self {
            name,
            measured: places.len().to_string(),
            bound: most.map_or_else(|| "none".to_owned(), |most| format!("at most {most}")),
            holds: most.is_none_or(|most| places.len() <= most),
            places,
        }
    }
}

/// Prints all figures: of this repository or of the folder after `--root`, with `--list` also where each comes from.
/// Fails where a bound doesn't hold.
pub fn run(args: &[String]) -> Result<()> {
    let mut root = paths::root();
    let mut list = false;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match (arg.as_str(), arg == "--root") {
            ("--list", _) => list = true,
            (_, true) => root = args.next().map(PathBuf::from).unwrap_or_default(),
            (other, _) => bail!("house takes --root FOLDER and --list, not `{other}`"),
        }
    }
    let figures = measure(&root)?;
    print(&figures, list);
    verdict(&figures)
}

/// Prints the figures of this repository and fails where a bound doesn't hold.
pub fn check() -> Result<()> {
    let figures = measure(&paths::root())?;
    print(&figures, false);
    if ACTIVE { verdict(&figures) } else { Ok(()) }
}

fn measure(root: &Path) -> Result<Vec<Figure>> {
    let tree = Tree::read(root)?;
    let mut circles = rust_imports::circles(&tree);
    circles.extend(web_imports::circles(&tree));
    let comments = comments::read(&tree);
    let share = comments.percent();
    Ok(vec![
        Figure::count("circles of files", circles, Some(CIRCLES)),
        Figure {
            name: "doc comments that begin with a pronoun",
            measured: format!(
                "{} of {}, {share:.1} %",
                comments.pronouns.len(),
                comments.all
            ),
            bound: format!("at most {PRONOUN_PERCENT} %"),
            holds: share <= PRONOUN_PERCENT,
            places: comments.pronouns,
        },
        Figure::count(
            "later sentences of doc comments that begin so",
            comments.later,
            None,
        ),
        Figure::count("files over 600 lines", sizes::long_files(&tree), Some(0)),
        Figure::count("lines over 120 columns", sizes::wide_lines(&tree), Some(0)),
        Figure::count(
            "references to missing pages",
            references::dangling(&tree),
            Some(0),
        ),
        Figure::count(
            "SQL texts that both databases' folders repeat",
            sql::repeated(&tree),
            None,
        ),
    ])
}

fn print(figures: &[Figure], list: bool) {
    println!("{:<50} {:>22}  bound", "figure", "measured");
    for figure in figures {
        let mark = if figure.holds { "" } else { "  ← too many" };
        println!(
            "{:<50} {:>22}  {}{mark}",
            figure.name, figure.measured, figure.bound
        );
        let show = list || !figure.holds && figure.places.len() <= 20;
        for place in figure.places.iter().filter(|_| show) {
            println!("    {place}");
        }
    }
}

fn verdict(figures: &[Figure]) -> Result<()> {
    let broken: Vec<&str> = figures
        .iter()
        .filter(|figure| !figure.holds)
        .map(|figure| figure.name)
        .collect();
    if !broken.is_empty() {
        bail!(
            "out of bounds: {} (`cargo xtask house --list` says where)",
            broken.join("; ")
        );
    }
    Ok(())
}
