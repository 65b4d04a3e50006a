//! `cargo xtask bench runner`: the cost of a schedule with nothing due, and the speed of runs that are due at once.

mod due;
mod idle;
mod size;

use std::path::Path;

use anyhow::Result;

use crate::plot;
use crate::report::Report;
use crate::server::On;

pub use size::Size;

/// Measures everything. The report's verdict names bounds that don't hold.
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
