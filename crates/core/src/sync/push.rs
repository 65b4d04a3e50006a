//! Which rows of the outbox go into the next push.

use super::shapes::{OutboxRow, PushRequest, QueuedChange, ReplicaMeta};

/// Changes in one push at most.
pub const BATCH_CHANGES: usize = 500;

/// About how many bytes of JSON one push has at most; a larger change goes alone.
pub const BATCH_BYTES: usize = 4_000_000;

/// The version of the data's shape that this replica writes.
pub const SCHEMA_VERSION: u64 = 1;

/// A push whose reply is awaited.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PushInFlight {
    /// The outbox rows that it carries.
    pub rows: Vec<OutboxRow>,
    /// The cursor that it was sent with.
    pub since: String,
}

/// The push of the oldest rows that fit.
pub(super) fn next_push(
    meta: ReplicaMeta,
    mut rows: Vec<OutboxRow>,
) -> (PushRequest, PushInFlight) {
    let mut bytes = 0;
    let fits = rows
        .iter()
        .take_while(|row| {
            bytes += serde_json::to_string(&row.change).map_or(0, |text| text.len());
            bytes <= BATCH_BYTES
        })
        .count();
    rows.truncate(fits.max(1));
    for row in &mut rows {
        if let QueuedChange::Readable(change) = &mut row.change {
            for base in change
                .fields
                .values_mut()
                .filter_map(|write| write.base.as_mut())
            {
                let known = meta.set_back.iter().find(|(old, _)| old == base);
                *base = known.map_or(*base, |(_, new)| *new);
            }
        }
    }
    let request = PushRequest {
        client_id: meta.client_id,
        since: meta.cursor.clone(),
        schema_version: SCHEMA_VERSION,
        changes: rows.iter().map(|row| row.change.clone()).collect(),
    };
    let since = meta.cursor;
    (request, PushInFlight { rows, since })
}
