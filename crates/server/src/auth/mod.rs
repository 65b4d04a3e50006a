//! The caller of a request, by bearer token or by session cookie.

mod caller;
pub mod cookie;

pub use caller::{Caller, Owner, bearer};
