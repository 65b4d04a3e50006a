//! The context in which a model's answer is read and checked.

use jiff::tz::TimeZone;

use crate::manifest::Registry;
use crate::policy::Overrides;
use crate::record::{RecordKey, RecordState};
use crate::time::Micros;

/// The context that a plan is checked against.
pub struct PlanChecks<'a> {
    /// The modules and their tools.
    pub registry: &'a Registry,
    /// The policies that the person set instead of the manifests'.
    pub overrides: &'a Overrides,
    /// Whether a record is there, and not deleted.
    pub exists: &'a dyn Fn(&RecordKey) -> bool,
    /// The record as it is now, where it has been read.
    pub state: &'a dyn Fn(&RecordKey) -> Option<&'a RecordState>,
    /// The records that the model was shown, which it may name by their titles.
    pub shown: &'a [ShownRecord],
    /// The time of the run.
    pub now: Micros,
    /// The mission's time zone.
    pub zone: &'a TimeZone,
    /// The account's language, in which summaries are written.
    pub locale: &'a str,
    /// The most steps that a plan may have.
    pub max_steps: usize,
}

/// A record that a model was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownRecord {
    /// The record.
    pub key: RecordKey,
    /// The short id by which a prompt may call it.
    pub short: Option<String>,
    /// Its title.
    pub title: Option<String>,
}
