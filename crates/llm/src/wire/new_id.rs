//! Ids that a server should have given and did not.

/// A new id with a beginning.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::now_v7().simple())
}
