//! The runner against the real store and the real sync. Only the model is played, with canned answers;
//! `crates/mana` tests the way to a model over HTTP. Test names carry the rules of `spec/MISSIONS.md`.

mod agents;
mod asked;
mod attacks;
mod budgets;
mod failures;
mod fair;
mod once;
mod plans;
mod rounds;
mod schedule;
mod stopping;
mod world;
