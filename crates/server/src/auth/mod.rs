//! The caller of a request, by bearer token or by session cookie.

mod attempt;
mod caller;
pub mod cookie;

pub use attempt::{Attempt, ClientAddress, user_agent};
pub use caller::{ActingOwner, Caller, Owner, bearer};
