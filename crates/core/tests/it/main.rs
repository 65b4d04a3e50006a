//! The rules of `spec/SYNC.md` and the cards of `spec/MODULES.md`, each test named after the rule that it holds.

mod card_cases;
mod cards;
mod changes;
mod clock;
mod conflicts;
mod copies;
mod forgetting;
mod generate;
mod laws;
mod records;
mod stamps;
mod sync_step;
mod vectors;
