//! The runner against the real store and the real sync. Only the model is played, with canned answers;
//! `crates/mana` tests the way to a model over HTTP. Test names carry the rules of `spec/MISSIONS.md`.

#![allow(
    clippy::disallowed_methods,
    reason = "tests run by the real clock too, and beside other tasks"
)]

mod agents;
mod answers;
mod asked;
mod attacks;
mod bounds;
mod budgets;
mod failures;
mod fair;
mod odd_times;
mod once;
mod outages;
mod placements;
mod plans;
mod replacing;
mod rounds;
mod schedule;
mod stopping;
mod test_llm;
mod thirty_days;
mod windows;
mod world;
