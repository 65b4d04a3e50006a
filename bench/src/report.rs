//! Figures, as the tables of `bench/README.md`.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::plot::{self, Series};

/// The bound of a figure.
#[derive(Clone, Copy)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// The figure is there to compare with.
    None,
}

struct Row {
    what: String,
    measured: f64,
    unit: &'static str,
    bound: Bound,
    beside: String,
}

impl Row {
    fn holds(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.measured <= most,
            Bound::AtLeast(least) => self.measured >= least,
            Bound::None => true,
        }
    }
}

/// The figures at a size of the log.
pub struct Size {
    /// Rows in the log.
    pub rows: f64,
    /// Changes a second over HTTP.
    pub ingest: f64,
    /// The time to another device, in milliseconds: the median and the 99th percentile.
    pub live: [f64; 2],
    /// Records that a new device read, and the seconds that it took.
    pub device: [f64; 2],
    /// The server's memory, in MiB.
    pub memory: f64,
    /// The size of the database on disk, in MiB.
    pub disk: f64,
}

/// Figures and their bounds.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    growth: Vec<Size>,
    notes: Vec<String>,
    missing: Vec<String>,
}

impl Report {
    /// Adds a figure, and the figures of the same run that it is compared with.
    pub fn add(
        &mut self,
        what: impl Into<String>,
        measured: f64,
        unit: &'static str,
        bound: Bound,
        beside: impl Into<String>,
    ) {
        let row = Row {
            what: what.into(),
            measured,
            unit,
            bound,
            beside: beside.into(),
        };
        eprintln!("{}: {} {unit}", row.what, number(measured));
        self.rows.push(row);
    }

    /// Adds the figures at a size of the log.
    pub fn grow(&mut self, size: Size) {
        eprintln!("{}", size.cells().join(" | "));
        self.growth.push(size);
    }

    /// A picture of all figures by the size of the log.
    pub fn plot(&self, title: &str) -> String {
        let line = |name: &str, of: &dyn Fn(&Size) -> f64| -> Series {
            let points = self.growth.iter().map(|size| (size.rows, of(size)));
            (name.to_owned(), points.collect())
        };
        let rows = "rows in the log";
        plot::svg(&[
            (
                &format!("{title}: ingest"),
                [rows, "changes/s"],
                vec![line("over HTTP", &|size| size.ingest)],
            ),
            (
                &format!("{title}: to another device"),
                [rows, "ms"],
                vec![
                    line("p50", &|size| size.live[0]),
                    line("p99", &|size| size.live[1]),
                ],
            ),
            (
                &format!("{title}: memory and disk"),
                [rows, "MiB"],
                vec![
                    line("server", &|size| size.memory),
                    line("on disk", &|size| size.disk),
                ],
            ),
        ])
    }

    /// Adds a remark below the tables.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a figure that could not be measured, and what to do about it. The verdict fails for it.
    pub fn miss(&mut self, what: impl Into<String>) {
        self.missing.push(what.into());
    }

    /// Fails where a bound was not kept, or something was not measured.
    pub fn verdict(&self) -> Result<()> {
        let missed: Vec<&str> = (self.rows.iter())
            .filter(|row| !row.holds())
            .map(|row| row.what.as_str())
            .collect();
        match (missed.join("; "), self.missing.join("; ")) {
            (missed, missing) if missed.is_empty() && missing.is_empty() => Ok(()),
            (missed, missing) if missing.is_empty() => bail!("past its bound: {missed}"),
            (missed, missing) if missed.is_empty() => bail!("not measured: {missing}"),
            (missed, missing) => bail!("past its bound: {missed}; not measured: {missing}"),
        }
    }
}

impl Size {
    fn cells(&self) -> [String; 7] {
        let [p50, p99] = self.live.map(|ms| format!("{} ms", number(ms)));
        let [records, seconds] = self.device.map(number);
        [
            number(self.rows),
            number(self.ingest),
            p50,
            p99,
            format!("{records} records: {seconds} s"),
            format!("{} MiB", number(self.memory)),
            format!("{} MiB", number(self.disk)),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "| what | measured | bound | beside |\n|---|---|---|---|"
        )?;
        for row in &self.rows {
            let bound = match row.bound {
                Bound::AtMost(most) => format!("≤ {} {}", number(most), row.unit),
                Bound::AtLeast(least) => format!("≥ {} {}", number(least), row.unit),
                Bound::None => String::new(),
            };
            let missed = if row.holds() { "" } else { " **missed**" };
            let measured = number(row.measured);
            writeln!(
                out,
                "| {} | {measured} {}{missed} | {bound} | {} |",
                row.what, row.unit, row.beside
            )?;
        }
        if !self.growth.is_empty() {
            writeln!(
                out,
                "\n| rows | ingest, changes/s | to another device p50 | p99 | new device | server memory | on disk |\n\
                 |---|---|---|---|---|---|---|"
            )?;
            for size in &self.growth {
                writeln!(out, "| {} |", size.cells().join(" | "))?;
            }
        }
        for note in &self.notes {
            writeln!(out, "\n{note}")?;
        }
        for missing in &self.missing {
            writeln!(out, "\nNot measured: {missing}.")?;
        }
        Ok(())
    }
}

/// A number as people write it.
pub fn number(value: f64) -> String {
    if value < 100.0 {
        let text = format!("{value:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The value that a share of the times lie below, in milliseconds.
///
/// # Panics
/// Where nothing was measured.
pub fn percentile(times: &mut [Duration], share: f64) -> f64 {
    assert!(!times.is_empty(), "nothing was measured");
    times.sort_unstable();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let at = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len());
    times[at - 1].as_secs_f64() * 1000.0
}

/// The load average of this machine, which counts other work too.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_fails_past_a_bound_and_says_so() {
        let mut report = Report::default();
        report.add(
            "ingest",
            15_000.0,
            "changes/s",
            Bound::AtLeast(15_000.0),
            "",
        );
        report.verdict().unwrap();
        report.add("live", 5.1, "ms", Bound::AtMost(5.0), "commit 1 ms");
        let error = report.verdict().unwrap_err().to_string();
        assert_eq!(error, "past its bound: live");
        let mut incomplete = Report::default();
        incomplete.miss("the other one; install it");
        let error = incomplete.verdict().unwrap_err().to_string();
        assert_eq!(error, "not measured: the other one; install it");
        let text = report.to_string();
        assert!(text.contains("| ingest | 15,000 changes/s | ≥ 15,000 changes/s |  |"));
        assert!(text.contains("| live | 5.1 ms **missed** | ≤ 5 ms | commit 1 ms |"));
    }

    #[test]
    fn report_percentiles_are_values_that_were_measured() {
        let mut times: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(number(percentile(&mut times, 0.5)), "50");
        assert_eq!(number(percentile(&mut times, 0.99)), "99");
        assert_eq!(number(percentile(&mut times[..1], 0.99)), "1");
    }
}
