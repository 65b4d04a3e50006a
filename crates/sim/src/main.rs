//! `mana-sim --seeds N [--from S]`: runs seeds, and prints the shortest history of the first that fails.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use mana_sim::{Face, Figures, Kind, generate, run, seed, shrink};

const HELP: &str = "mana-sim [--seeds N] [--from S] [--face native|json|mixed]";

fn main() -> ExitCode {
    let Some((from, seeds, face)) = arguments() else {
        eprintln!("{HELP}");
        return ExitCode::FAILURE;
    };
    let started = Instant::now();
    let next = AtomicU64::new(from);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // Each seed has its one thread; seeds have nothing to do with each other.
    let (figures, failed) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut figures = Figures::default();
                    let mut failed = Vec::new();
                    loop {
                        let n = next.fetch_add(1, Ordering::SeqCst);
                        if n >= from + seeds {
                            return (figures, failed);
                        }
                        match seed(n, face) {
                            Ok(one) => figures.add(one),
                            Err(failure) => failed.push((n, failure)),
                        }
                    }
                })
            })
            .collect();
        let mut all = (Figures::default(), Vec::new());
        for worker in workers {
            let (figures, failed) = worker.join().expect("a seed does not panic");
            all.0.add(figures);
            all.1.extend(failed);
        }
        all
    });
    let count = |kind: Kind| {
        failed
            .iter()
            .filter(|(_, failure)| failure.kind == kind)
            .count()
    };
    println!(
        "{seeds} seeds from {from} ({face:?}) in {:.0} s: {} divergent, {} stuck, {} lost, {} texts overwritten, \
         {} duplicates, {} wrong missions, {} refused",
        started.elapsed().as_secs_f64(),
        count(Kind::Diverged),
        count(Kind::Stuck),
        count(Kind::Lost),
        count(Kind::Text),
        count(Kind::Duplicate),
        count(Kind::Mission),
        count(Kind::Refused),
    );
    println!("{figures:?}");
    let Some((n, failure)) = failed.iter().min_by_key(|(n, _)| *n) else {
        return ExitCode::SUCCESS;
    };
    let numbers: Vec<String> = failed.iter().map(|(n, _)| n.to_string()).collect();
    println!(
        "\nfailed: {}\n\nseed {n}: {failure}\n\nshortest history:",
        numbers.join(" ")
    );
    let short = shrink(generate(*n), failure.kind, face);
    for action in &short {
        println!("    {action:?},");
    }
    let (result, trace) = run(&short, face);
    println!("\nwhat happens:\n{}", trace.join("\n"));
    if let Err(failure) = result {
        println!("\n{failure}");
    }
    ExitCode::FAILURE
}

fn arguments() -> Option<(u64, u64, Face)> {
    let (mut from, mut seeds, mut face) = (0, 100, Face::default());
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next()?;
        match name.as_str() {
            "--seeds" => seeds = value.parse().ok()?,
            "--from" => from = value.parse().ok()?,
            "--face" => face = Face::parse(&value)?,
            _ => return None,
        }
    }
    Some((from, seeds, face))
}
