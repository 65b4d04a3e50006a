//! `cargo xtask bench runner`: what a schedule costs when nothing is due, and how fast what is due is done.

mod due;
mod idle;

use std::path::Path;

use anyhow::Result;

use crate::plot;
use crate::report::Report;
use crate::server::On;

/// How large the large ones are.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Missions in the schedule.
    pub missions: u64,
    /// Rows in the log.
    pub rows: u64,
    /// Missions due at once.
    pub due: usize,
}

/// Measures everything; a bound that is not kept is in the report's verdict.
pub async fn run(binary: &Path, on: On, size: Size, picture: Option<&Path>) -> Result<Report> {
    let mut report = Report::default();
    let passes = idle::measure(binary, on, size, &mut report).await?;
    let (times, rates) = due::measure(binary, on, size, &mut report).await?;
    if let Some(picture) = picture {
        let title = on.name();
        let svg = plot::svg(&[
            (
                &format!("{title}: a pass with nothing due"),
                ["missions in the schedule", "ms"],
                vec![("database time".to_owned(), passes)],
            ),
            (
                &format!("{title}: due at once, until the last has ended"),
                ["missions due", "s"],
                vec![("all done".to_owned(), times)],
            ),
            (
                &format!("{title}: due at once"),
                ["missions due", "runs/s"],
                vec![("runs".to_owned(), rates)],
            ),
        ]);
        std::fs::write(picture, svg)?;
    }
    Ok(report)
}
