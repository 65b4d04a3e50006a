//! The failure of a history.

use std::fmt;

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Replicas hold different things.
    Diverged,
    /// Something never comes to its end.
    Stuck,
    /// An acknowledged change is nowhere.
    Lost,
    /// A text was overwritten and is kept nowhere.
    Text,
    /// Something is there twice.
    Duplicate,
    /// A mission's slot, or a step's decision, came out wrong.
    Mission,
    /// A server refused what it must take.
    Refused,
}

/// Why a history fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub kind: Kind,
    /// The details.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: String) -> Failure {
        Failure { kind, message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}
