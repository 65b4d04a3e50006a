//! Who is calling: by bearer token or by session cookie.

mod caller;
pub mod cookie;

pub use caller::{Caller, Owner, bearer};
