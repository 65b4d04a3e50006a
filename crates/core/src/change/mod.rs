//! A change: what one write says, in the shape that travels (`spec/SYNC.md`, rules C1…).

mod model;
mod parse;
mod stamps;

#[cfg(feature = "openapi")]
pub(crate) use model::WriteOp;
pub use model::{Change, ChangeError, Defaults, FieldWrite, Op, Write, has_nul};
pub use stamps::{AdjustedStamp, FUTURE_TOLERANCE, apply_adjustments, clamp_future_stamps};
