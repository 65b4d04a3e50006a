//! The notice that a session has ended.

/// A notice that sessions have ended.
#[derive(Debug, Clone)]
pub enum SessionEnded {
    /// The session with this id ended.
    Id(String),
    /// Any session may have ended: notices were lost.
    Any,
}
