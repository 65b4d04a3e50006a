//! Which refusals a replica mends by itself; the rest is for time or a person.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    push::PushInFlight,
    shapes::{Commit, OutboxRow, Refusal, ReplicaMeta, SetAside, SnapshotRequest},
};
use crate::{Micros, ids};

/// Snapshots that one sync begins anew without a push that succeeds in between.
const MAX_RENEWALS: usize = 8;

/// The remedy for a refusal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Remedy {
    /// Smaller pushes, of so many changes.
    Halve(usize),
    /// A change is set aside, so that it does not hold up the others (S3).
    SetAside(Box<OutboxRow>, String),
    /// A snapshot, because the log no longer reaches back to this cursor (R3).
    Resync(String),
    /// A snapshot of a log that is another one than this replica knows, or was rolled back: what it lacks is given
    /// back (R8).
    Rejoin(String),
    /// A snapshot from its first page, because the log is another one than earlier pages were of, or was rolled back.
    Anew(SnapshotRequest),
    /// Another client id and a snapshot, because a copy of this replica pushes under the same one (S16).
    Rename {
        /// The client id that two replicas have.
        from: String,
        /// The client id that this replica has from now on.
        to: String,
    },
    /// The snapshot's first page, because the server doesn't know this token, such as after it was set up anew.
    Restart(String),
}

impl Remedy {
    /// The place that was refused, where the remedy is to begin anew; the same place is not begun anew twice.
    pub fn place(&self) -> Option<String> {
        match self {
            Remedy::Resync(place) | Remedy::Rejoin(place) | Remedy::Restart(place) => {
                Some(place.clone())
            }
            // An end is no cursor: the log may refuse both, one after the other.
            Remedy::Anew(asked) => Some(format!("{} {}", asked.log_epoch, asked.log_end)),
            Remedy::Rename { from, .. } => Some(from.clone()),
            Remedy::Halve(_) | Remedy::SetAside(..) => None,
        }
    }
}

/// The remedy for the refusal of a push.
pub(super) fn of_push(flight: &PushInFlight, refusal: &Refusal) -> Option<Remedy> {
    match (refusal.status, refusal.code.as_str()) {
        (400, "invalid_change") => {
            let index = refusal.details.get("index").and_then(Value::as_u64)?;
            let row = flight.rows.get(usize::try_from(index).ok()?)?;
            let reason = refusal.details.get("reason").and_then(Value::as_str);
            let reason = reason.unwrap_or(&refusal.message).to_owned();
            Some(Remedy::SetAside(Box::new(row.clone()), reason))
        }
        (409, "copied") => {
            // No copy has these changes, so that no copy makes the same id of them.
            let events = flight.rows.iter().map(|row| row.change.event_id());
            let events: Vec<&str> = events.map(Option::unwrap_or_default).collect();
            Some(Remedy::Rename {
                from: flight.client_id.clone(),
                to: ids::derive(&flight.client_id, &events.join("\n")),
            })
        }
        (413, _) => match flight.rows.as_slice() {
            [] => None,
            [only] => {
                let row = Box::new(only.clone());
                Some(Remedy::SetAside(row, refusal.message.clone()))
            }
            rows => Some(Remedy::Halve(rows.len() / 2)),
        },
        (410, _) if !flight.since.is_empty() => {
            let reason = refusal.details.get("reason").and_then(Value::as_str);
            let since = flight.since.clone();
            Some(match reason {
                Some("epoch" | "unknown") => Remedy::Rejoin(since),
                _ => Remedy::Resync(since),
            })
        }
        _ => None,
    }
}

/// The remedy for the refusal of a snapshot's page.
pub(super) fn of_page(asked: &SnapshotRequest, refusal: &Refusal) -> Option<Remedy> {
    match refusal.status {
        400 if !asked.after.is_empty() => Some(Remedy::Restart(asked.after.clone())),
        410 if !asked.log_epoch.is_empty() => Some(Remedy::Anew(asked.clone())),
        _ => None,
    }
}

/// Whether another snapshot may help: not where the same place is refused again, or one after the other.
pub(super) fn may_renew(refused: &mut BTreeSet<String>, place: &str) -> bool {
    refused.len() < MAX_RENEWALS && refused.insert(place.to_owned())
}

/// The commit of the remedy; none where another driver was faster and the storage has to say how to go on.
pub(super) fn mend(
    remedy: Remedy,
    now: Micros,
    mut meta: ReplicaMeta,
    outbox: &[OutboxRow],
) -> Option<Commit> {
    match remedy {
        Remedy::Halve(_) => None,
        Remedy::SetAside(row, reason) => {
            let queued = outbox.iter().any(|queued| queued.seq == row.seq);
            queued.then(|| Commit {
                dequeue: vec![row.seq],
                set_aside: vec![SetAside {
                    change: row.change,
                    reason,
                    at: now,
                    since: row.since,
                }],
                ..Commit::default()
            })
        }
        Remedy::Resync(cursor) => (meta.cursor == cursor).then(|| {
            meta.cursor.clear();
            meta.snapshot_after.clear();
            of_meta(meta)
        }),
        Remedy::Rejoin(cursor) => (meta.cursor == cursor).then(|| {
            meta.begin_rejoin();
            of_meta(meta)
        }),
        Remedy::Anew(asked) => {
            (meta.cursor.is_empty() && meta.page_request() == asked).then(|| {
                meta.begin_rejoin();
                of_meta(meta)
            })
        }
        // Rows of others under the old id may have been left out for it, so the whole state is read.
        Remedy::Rename { from, to } => (meta.client_id == from).then(|| {
            meta.client_id = to;
            meta.push_number = 0;
            meta.cursor.clear();
            meta.snapshot_after.clear();
            of_meta(meta)
        }),
        Remedy::Restart(after) => {
            (meta.cursor.is_empty() && meta.snapshot_after == after).then(|| {
                match meta.rejoin {
                    Some(_) => meta.begin_rejoin(),
                    None => meta.snapshot_after.clear(),
                }
                of_meta(meta)
            })
        }
    }
}

fn of_meta(meta: ReplicaMeta) -> Commit {
    Commit {
        meta: Some(meta),
        ..Commit::default()
    }
}
