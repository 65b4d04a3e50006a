//! How much a member of the server may keep: the owner's limits of bytes and records.
//!
//! The store counts what a push really adds, in the transaction that would store it. The log before is measured
//! once in a while and added up between two measurements, and measured anew where a push might not fit.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use mana_store::{Accounts, LogMeasure, LogSize, Role, Room, Scope, Store, StoreError, UserId};
use mana_sync::SyncError;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use crate::config::MemberLimitsConfig;
use crate::error::{ApiError, ApiResult};

/// How long a measurement counts: another instance may write too, and compaction frees.
const MEASURE_EVERY: Duration = Duration::from_secs(10 * 60);

/// The limits, and the sizes of the logs that were pushed to.
pub struct MemberLimits {
    limits: MemberLimitsConfig,
    store: Arc<dyn Store>,
    accounts: Arc<dyn Accounts>,
    known: Mutex<HashMap<UserId, Arc<KnownLog>>>,
}

/// The size of a log, where it is known. Locked while a push is under way, so that two pushes don't take the same room.
type KnownLog = tokio::sync::Mutex<Option<Known>>;

#[derive(Debug, Clone, Copy)]
struct Known {
    /// The person's limits; none where there are none.
    limits: Option<LogLimits>,
    size: LogSize,
    measured: Instant,
}

/// The limits of a person's log, the owner's for this person or the server's for members.
#[derive(Debug, Clone, Copy)]
struct LogLimits {
    bytes: Option<u64>,
    records: Option<u64>,
}

/// The room that a push of a person has. Where the push is not [`settled`](Allowance::settled), the log is measured
/// again before the next one.
pub struct Allowance(Option<Limited>);

struct Limited {
    limits: LogLimits,
    known: Known,
    log: OwnedMutexGuard<Option<Known>>,
}

impl MemberLimits {
    /// Makes the limits of the logs in a store.
    pub fn new(
        limits: MemberLimitsConfig,
        store: Arc<dyn Store>,
        accounts: Arc<dyn Accounts>,
    ) -> MemberLimits {
        MemberLimits {
            limits,
            store,
            accounts,
            known: Mutex::default(),
        }
    }

    /// The room for changes, or states, that are about to be pushed.
    pub async fn allowance(&self, user: &UserId, sent: &[Value]) -> ApiResult<Allowance> {
        if sent.is_empty() {
            return Ok(Allowance(None));
        }
        let log = self.log(user).lock_owned().await;
        self.limited(user, sent, log).await
    }

    /// Forgets what is known of a person, whose limits or role have changed.
    pub fn forget(&self, user: &UserId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(user);
    }

    /// Forgets everybody.
    pub fn forget_all(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
    }

    async fn limited(
        &self,
        user: &UserId,
        sent: &[Value],
        mut log: OwnedMutexGuard<Option<Known>>,
    ) -> ApiResult<Allowance> {
        let most = most(sent);
        let surely_fits = |known: &Known| {
            known.limits.is_none_or(|limits| {
                let room = room(limits, known.size);
                let fits = |room: Option<u64>, most: u64| room.is_none_or(|room| most <= room);
                fits(room.bytes, most.bytes) && fits(room.records, most.records)
            })
        };
        let fresh = log
            .take()
            .filter(|known| known.measured.elapsed() < MEASURE_EVERY && surely_fits(known));
        let known = match fresh {
            Some(known) => known,
            None => self.measure(user).await?,
        };
        let Some(limits) = known.limits else {
            // Several pushes of the person may go at once.
            *log = Some(known);
            return Ok(Allowance(None));
        };
        Ok(Allowance(Some(Limited { limits, known, log })))
    }

    async fn measure(&self, user: &UserId) -> ApiResult<Known> {
        let account = self.accounts.user(user).await?;
        let is_owner = (account.as_ref()).is_some_and(|account| account.role == Role::Owner);
        let own = account.and_then(|account| account.limits);
        let limits = match own {
            Some(own) => LogLimits {
                bytes: own.bytes,
                records: own.records,
            },
            None => LogLimits {
                bytes: self.limits.bytes,
                records: self.limits.records,
            },
        };
        let is_limited = limits.bytes.is_some() || limits.records.is_some();
        let limits = Some(limits).filter(|_| is_limited && !is_owner);
        Ok(Known {
            limits,
            // Where nothing is limited nothing need be read.
            size: match limits {
                None => LogSize::default(),
                Some(_) => self.store.size(&Scope::own(user)).await?,
            },
            measured: Instant::now(),
        })
    }

    fn log(&self, user: &UserId) -> Arc<KnownLog> {
        // A panic elsewhere leaves the map whole, so a poisoned lock is usable.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(user.clone()).or_default().clone()
    }
}

impl Allowance {
    /// The most that the push may add.
    pub fn room(&self) -> Room {
        let limited = self.0.as_ref();
        limited.map_or_else(Room::default, |limited| {
            room(limited.limits, limited.known.size)
        })
    }

    /// Counts what the push added.
    pub fn settled(self, grown: LogSize) {
        if let Some(mut limited) = self.0 {
            limited.known.size.bytes += grown.bytes;
            limited.known.size.records += grown.records;
            *limited.log = Some(limited.known);
        }
    }

    /// The refusal of a push, with the owner's limit where it is for that.
    pub fn refusal(&self, error: SyncError) -> ApiError {
        match (&self.0, &error) {
            (Some(limited), SyncError::Store(StoreError::NoRoom(measure))) => {
                refusal(limited.limits, limited.known.size, *measure)
            }
            _ => error.into(),
        }
    }
}

/// The most that changes could add, of which the store knows more.
fn most(sent: &[Value]) -> LogSize {
    let text = |value: &Value, field: &str| {
        let text = value.get(field).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let bytes: usize = sent.iter().map(|value| value.to_string().len()).sum();
    // A change names its app in its path or by `appId`, a state by `app`.
    let keys = ["appId", "app", "table", "id"];
    let records: BTreeSet<_> = sent
        .iter()
        .map(|value| keys.map(|key| text(value, key)))
        .collect();
    LogSize {
        // Stamps and authors that the server fills in.
        bytes: 2 * bytes as u64 + 1_000 * sent.len() as u64,
        records: records.len() as u64,
    }
}

/// The room that a log of this size has left.
fn room(limits: LogLimits, size: LogSize) -> Room {
    Room {
        bytes: limits.bytes,
        records: limits.records,
    }
    .less(size)
}

fn refusal(limits: LogLimits, size: LogSize, measure: LogMeasure) -> ApiError {
    let (limit, used) = match measure {
        LogMeasure::Bytes => (limits.bytes, size.bytes),
        LogMeasure::Records => (limits.records, size.records),
    };
    ApiError::new(
        StatusCode::INSUFFICIENT_STORAGE,
        "member_limit",
        "This server keeps no more for you; delete something, or ask its owner for more. \
         The changes stay on the device.",
    )
    .with_details(json!({ "measure": measure.as_str(), "limit": limit, "used": used }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_members_leave_room_by_bytes_and_by_records() {
        let limits = LogLimits {
            bytes: Some(100),
            records: Some(10),
        };
        let left = |bytes, records| {
            let room = room(limits, LogSize { bytes, records });
            (room.bytes, room.records)
        };
        assert_eq!(left(90, 9), (Some(10), Some(1)));
        assert_eq!(left(101, 10), (Some(0), Some(0)));
        let unlimited = room(
            LogLimits {
                bytes: None,
                records: None,
            },
            LogSize {
                bytes: 1 << 60,
                records: 1,
            },
        );
        assert_eq!(unlimited, Room::default());
    }

    #[test]
    fn changes_may_make_as_many_records_as_they_name() {
        let sent = |values: Value| most(values.as_array().expect("a list")).records;
        assert_eq!(
            sent(json!([
                {"table": "tasks", "id": "a", "op": "insert"},
                {"table": "tasks", "id": "a", "op": "update"},
                {"table": "tasks", "id": "b", "op": "update"},
                {"table": "notes", "id": "b", "op": "delete"},
                {"appId": "other", "table": "notes", "id": "b", "op": "delete"},
            ])),
            4
        );
    }
}
