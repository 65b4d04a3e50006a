//! The provider inside this program, which is always there.

mod adapter;

pub(crate) use adapter::{BUILTIN, MODEL, Outline};
