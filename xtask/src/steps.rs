//! The steps of a long command: what is being done, and how long each step took.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Steps that were run so far, with their durations.
pub struct Steps {
    started: Instant,
    planned: usize,
    finished: Vec<(String, Duration)>,
}

impl Steps {
    /// A command of so many steps.
    pub fn new(planned: usize) -> Self {
        Self {
            started: Instant::now(),
            planned,
            finished: Vec::new(),
        }
    }

    /// Announces a step, runs it and prints its duration. The first step that fails ends the command.
    pub fn run<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        let number = self.finished.len() + 1;
        eprintln!("\n── step {number} of {}: {name}", self.planned.max(number));
        let started = Instant::now();
        let result = step();
        let took = started.elapsed();
        let outcome = if result.is_ok() {
            "done in"
        } else {
            "failed after"
        };
        eprintln!("── {name}: {outcome} {}", readable(took));
        self.finished.push((name.to_owned(), took));
        result
    }

    /// Prints the duration of every step and of all together.
    pub fn summary(&self) {
        eprintln!("\n── durations");
        for (name, took) in &self.finished {
            eprintln!("{:>10}  {name}", readable(*took));
        }
        eprintln!("{:>10}  in all", readable(self.started.elapsed()));
    }
}

/// `3.2 s`, or `4 min 05 s`.
fn readable(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}
