//! Time in words, English and German: "tomorrow 3pm", "jeden zweiten Montag bis Juni". Rules: `spec/RECURRENCE.md`.
//!
//! A reading says which bytes of the text it used, and leaves the rest as the title. In doubt a word stays text.

mod assemble;
mod clocks;
mod dates;
mod english;
mod german;
mod lexicon;
mod meaning;
mod parser;
mod phrases;
mod repeats;
mod tokens;

pub use assemble::{MAX_TEXT, PartKind, Reading, Relation, TimeContext, TimePart, When, read};

#[cfg(test)]
mod tests;
