//! Undo: of the AI's steps ([`UndoRequest`]) and of a person's own writes ([`take_back`]), keeping what changed since.
//!
//! Part U of `spec/MODULES.md`.

mod kept;
mod own_writes;
mod steps;
mod write_back;

pub use kept::{KeptChange, KeptReason};
pub use own_writes::{
    ReversibleField, ReversibleWrite, TakenBack, reversible, stand_again, take_back,
};
pub use steps::{Reversal, UndoConsent, UndoExtent, UndoOutcome, UndoPreview, UndoRequest};
