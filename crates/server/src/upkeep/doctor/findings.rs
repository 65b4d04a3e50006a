//! The findings of checks, and the server that they look at.

use serde::Serialize;

use crate::config::Config;
use crate::storage::Upkeep;

/// How a check came out; the later word is the worse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// All is well.
    Ok,
    /// The check does not apply, or another problem stands before it.
    Skipped,
    /// Someone should look.
    Warning,
    /// The server can't do its work, or data is at risk.
    Problem,
}

/// A finding of a check.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    /// The check.
    pub(super) check: &'static str,
    pub(super) outcome: Outcome,
    /// The observation.
    pub(super) found: String,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

/// The findings of one check.
pub(super) struct Findings<'d> {
    pub(super) check: &'static str,
    pub(super) all: &'d mut Vec<Finding>,
}

impl Findings<'_> {
    pub(super) fn ok(&mut self, found: impl Into<String>) {
        self.add(Outcome::Ok, found, None);
    }

    pub(super) fn skip(&mut self, found: impl Into<String>) {
        self.add(Outcome::Skipped, found, None);
    }

    pub(super) fn warn(&mut self, found: impl Into<String>, remedy: impl Into<String>) {
        self.add(Outcome::Warning, found, Some(remedy.into()));
    }

    pub(super) fn problem(&mut self, found: impl Into<String>, remedy: impl Into<String>) {
        self.add(Outcome::Problem, found, Some(remedy.into()));
    }

    fn add(&mut self, outcome: Outcome, found: impl Into<String>, remedy: Option<String>) {
        self.all.push(Finding {
            check: self.check,
            outcome,
            found: found.into(),
            remedy,
        });
    }
}

/// The server that the checks look at.
pub(super) struct Patient {
    pub(super) config: Config,
    /// The open database; none where it can't be opened without changing it.
    pub(super) upkeep: Option<Upkeep>,
    /// Whether every record is compared with its log.
    pub(super) deep: bool,
}
