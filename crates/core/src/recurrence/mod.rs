//! Recurrence: when a series happens, by a rule of RFC 5545. Occurrences are derived and never stored. Rules:
//! `spec/RECURRENCE.md`.

mod days;
mod parse;
mod rest;
mod rule;
mod series;
mod value;
mod words;

pub use parse::{MAX_COUNT, MAX_INTERVAL, MAX_RULE};
pub use rule::{End, Frequency, Rule, RuleDay};
pub use series::{MAX_EXCEPTIONS, RepeatsFrom, Series};
pub(crate) use value::{stored, value_problem, value_text};
pub use words::words;

#[cfg(test)]
mod tests;
