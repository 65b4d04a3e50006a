//! Which rows of the outbox go into the next push.

use super::shapes::{OutboxRow, PushRequest, QueuedChange, ReplicaMeta};

/// Changes in one push at most.
pub const BATCH_CHANGES: usize = 500;

/// About how many bytes of JSON one push has at most; a larger change goes alone.
pub const BATCH_BYTES: usize = 4_000_000;

/// The version of the data's shape that this replica writes.
pub const SCHEMA_VERSION: u64 = 3;

/// A push whose reply is awaited.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PushInFlight {
    /// The outbox rows that it carries.
    pub rows: Vec<OutboxRow>,
    /// The cursor that it was sent with.
    pub since: String,
    /// The log's epoch that it named.
    pub log_epoch: String,
    /// The furthest end of the log that it named.
    pub log_end: String,
    /// The client id under which it was sent.
    pub client_id: String,
    /// Its number.
    pub number: Option<u64>,
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
    let number = (!rows.is_empty()).then_some(meta.push_number + 1);
    let request = PushRequest {
        client_id: meta.client_id.clone(),
        push_number: number,
        since: meta.cursor.clone(),
        schema_version: SCHEMA_VERSION,
        log_epoch: meta.log_epoch.clone(),
        log_end: meta.log_end.clone(),
        changes: rows.iter().map(|row| row.change.clone()).collect(),
    };
    let flight = PushInFlight {
        rows,
        since: meta.cursor,
        log_epoch: meta.log_epoch,
        log_end: meta.log_end,
        client_id: meta.client_id,
        number,
    };
    (request, flight)
}
