//! Notices from one process on a database to the others.

use std::collections::BTreeSet;

use crate::{RunProgress, UserId};

/// Something that another process on the same database did, or that came by SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreNotice {
    /// A commit to a log.
    Committed {
        /// Whose log.
        user: UserId,
        /// `(app, table)` of what was appended; none if there are too many to name.
        tables: Option<BTreeSet<(String, String)>>,
        /// The name under which the pushing connection listens; none if several pushed, or nobody listens under it.
        client: Option<String>,
    },
    /// A due time was set, moved or removed, or a run was asked for.
    Schedule,
    /// A run went on.
    Run {
        /// Whose.
        user: UserId,
        /// How far it is.
        progress: RunProgress,
    },
    /// The worker at the run of this mission is to end it.
    Cancel {
        /// Whose.
        user: UserId,
        /// Which mission.
        mission_id: String,
    },
    /// Somebody signed out of this session.
    SessionEnded(String),
    /// Notices may have been missed: anything could have happened.
    Missed,
}
