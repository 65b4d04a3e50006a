//! The caller of a request, by bearer token or by session cookie.

mod attempt;
mod caller;
pub mod cookie;
mod key_limit;

pub use attempt::{Attempt, ClientAddress, IsHttps, user_agent};
pub use caller::{AccountCaller, ActingOwner, Caller, Owner, bearer};
pub use key_limit::limit_key_guesses;
