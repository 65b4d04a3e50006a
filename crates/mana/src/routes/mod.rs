//! The routes, a file a concern. Those of accounts lie beside them in `auth`.

pub mod info;
pub mod internal;
pub mod llm;
pub mod metrics;
pub mod models;
pub mod runs;
pub mod schema;
pub mod snapshot;
pub mod stream;
pub mod sync;
pub mod ws;
