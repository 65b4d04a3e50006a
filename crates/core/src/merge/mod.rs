//! The merge: pure, commutative, associative and idempotent (`spec/SYNC.md`, rules M1… and L1…).

mod canonical;
mod fields;
mod list;
mod overall;
mod schema;

pub use canonical::{canonical, normalize};
pub use fields::{apply, join};
pub use list::{is_decision, rank};
pub use overall::overall_status;
pub use schema::{ListSpec, TableSchema};
