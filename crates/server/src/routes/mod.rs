//! The routes, a file a concern.

pub mod auth;
pub mod history;
pub mod info;
pub mod internal;
pub mod invitations;
mod list_cursor;
pub mod llm;
pub mod metrics;
pub mod models;
pub mod oidc;
pub mod passwords;
pub mod people;
pub mod profile;
pub mod ready;
pub mod runs;
pub mod schema;
pub mod second_factor;
pub mod signed_in;
pub mod snapshot;
pub mod stream;
pub mod sync;
pub mod ws;
