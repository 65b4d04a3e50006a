//! `cargo xtask bench compare`: two servers by the same benches in turn, so that a busy machine troubles both alike.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{browser_tests, paths, process, web};

/// The benches, with arguments for short runs of `mana-bench`. `start` is a bench of the browser.
const BENCHES: [(&str, &[&str]); 4] = [
    ("sync", &["--rows", "20000", "--sockets", "1000"]),
    (
        "gateway",
        &[
            "--seconds",
            "10",
            "--without",
            "crabllm",
            "--without",
            "litellm",
        ],
    ),
    (
        "runner",
        &["--missions", "20000", "--rows", "100000", "--due", "1000"],
    ),
    ("start", &[]),
];

/// The binaries, benches and number of pairs of a comparison.
struct Comparison {
    before: Measured,
    after: Measured,
    pairs: usize,
    benches: Vec<(&'static str, &'static [&'static str])>,
}

/// A server's binary, and the checkout whose benches measure it: a server of an older protocol is measured by its own.
struct Measured {
    binary: PathBuf,
    tree: PathBuf,
}

/// The figures of all runs by name: the unit, then a value before and a value after for each pair.
type Figures = BTreeMap<String, (String, Vec<(f64, f64)>)>;

/// Runs every bench on both binaries, pair after pair, and prints each figure's medians.
pub fn run(args: &[String]) -> Result<()> {
    let comparison = parse(args)?;
    web::install("e2e")?;
    process::run(&mut process::cargo(&[
        "build",
        "--release",
        "--package",
        "mana-bench",
    ]))?;
    for (bench, args) in &comparison.benches {
        let mut figures = Figures::new();
        for pair in 0..comparison.pairs {
            eprintln!("\n── {bench}: pair {} of {}", pair + 1, comparison.pairs);
            let before_first = pair % 2 == 0;
            let first = match before_first {
                true => (&comparison.before, &comparison.after),
                false => (&comparison.after, &comparison.before),
            };
            let first = (
                measure(bench, args, first.0)?,
                measure(bench, args, first.1)?,
            );
            let (before, after) = match before_first {
                true => first,
                false => (first.1, first.0),
            };
            for (name, (value, unit)) in before {
                if let Some((other, _)) = after.get(&name) {
                    let (_, values) = figures.entry(name).or_insert_with(|| (unit, Vec::new()));
                    values.push((value, *other));
                }
            }
        }
        print(bench, &figures);
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<Comparison> {
    let (mut before, mut after, mut pairs, mut benches) = (None, None, 5, Vec::new());
    let mut before_tree = paths::root();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} takes a value"));
        match arg.as_str() {
            "--before" => before = Some(paths::root().join(value()?)),
            "--before-tree" => before_tree = paths::root().join(value()?),
            "--after" => after = Some(paths::root().join(value()?)),
            "--pairs" => pairs = value()?.parse()?,
            name => match BENCHES.iter().find(|(bench, _)| *bench == name) {
                Some(bench) => benches.push(*bench),
                None => bail!(
                    "compare takes --before PATH, --before-tree PATH, --after PATH, --pairs N, and any of sync, \
                     gateway, runner, start; not `{name}`"
                ),
            },
        }
    }
    if benches.is_empty() {
        benches.extend(BENCHES);
    }
    Ok(Comparison {
        before: Measured {
            binary: before.context("compare needs --before PATH: a server's binary")?,
            tree: before_tree,
        },
        after: Measured {
            binary: after.context("compare needs --after PATH: a server's binary")?,
            tree: paths::root(),
        },
        pairs,
        benches,
    })
}

/// The figures of a run, each with its unit. A bound that doesn't hold is no reason to stop.
fn measure(bench: &str, args: &[&str], of: &Measured) -> Result<BTreeMap<String, (f64, String)>> {
    let mut command = match bench {
        "start" => {
            let mut command = browser_tests::bench_start_command(&of.binary)?;
            command.current_dir(of.tree.join("e2e"));
            command
        }
        _ => {
            let program = of.tree.join("target/release/mana-bench");
            let mut command = process::command(&program.to_string_lossy(), &[bench]);
            command
                .args(args)
                .env("MANA_BIN", &of.binary)
                .current_dir(&of.tree);
            command
        }
    };
    eprintln!("▸ {bench} with {}", of.binary.display());
    let output = command.output()?;
    let figures = figures(&String::from_utf8_lossy(&output.stdout));
    if figures.is_empty() {
        bail!(
            "{bench} printed no figures ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(figures)
}

/// Reads the rows of `| what | measured | …` tables.
fn figures(text: &str) -> BTreeMap<String, (f64, String)> {
    let mut figures = BTreeMap::new();
    let mut in_table = false;
    for line in text.lines() {
        let Some(row) = line.trim().strip_prefix("| ") else {
            in_table &= line.trim().starts_with("|-");
            continue;
        };
        let mut cells = row.split(" | ");
        let (Some(what), Some(measured)) = (cells.next(), cells.next()) else {
            continue;
        };
        if what == "what" {
            in_table = true;
            continue;
        }
        let (number, unit) = measured.split_once(' ').unwrap_or((measured, ""));
        if let Ok(number) = number.replace(',', "").parse()
            && in_table
        {
            let unit = unit.trim_end_matches(" **missed**").to_owned();
            figures.insert(what.to_owned(), (number, unit));
        }
    }
    figures
}

fn print(bench: &str, figures: &Figures) {
    println!("\n| {bench} | before | after | change | pairs higher after |\n|---|---|---|---|---|");
    for (name, (unit, pairs)) in figures {
        let before = median(pairs.iter().map(|pair| pair.0).collect());
        let after = median(pairs.iter().map(|pair| pair.1).collect());
        let change = 100.0 * (after - before) / before;
        let higher = pairs
            .iter()
            .filter(|(before, after)| after > before)
            .count();
        let lower = pairs
            .iter()
            .filter(|(before, after)| after < before)
            .count();
        let agree = match higher.max(lower) == pairs.len() {
            true => ", all agree",
            false => "",
        };
        println!(
            "| {name} | {before:.2} {unit} | {after:.2} {unit} | {change:+.1} % | {higher} of {}{agree} |",
            pairs.len()
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_tables_of_both_kinds_of_benches() {
        let text = "\n| what | measured | bound | beside |\n|---|---|---|---|\n\
            | ingest | 15,432 changes/s **missed** | ≥ 20,000 changes/s |  |\n\
            \n| rows | ingest, changes/s |\n|---|---|\n| 10,000 | 8,000 |\n\
            | what | measured | bound | beside |\n|---|---|---|---|\n| idle memory | 31.4 MiB | 40 MiB | VmRSS |\n";
        let figures = figures(text);
        assert_eq!(figures["ingest"], (15_432.0, "changes/s".to_owned()));
        assert_eq!(figures["idle memory"], (31.4, "MiB".to_owned()));
        assert_eq!(figures.len(), 2);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
