//! How much a member of the server may keep: the owner's limits of bytes and records.
//!
//! A log is measured where a push could take it past a limit, and otherwise once in a while: between two measurements
//! the pushes are added up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use mana_store::{Accounts, LogSize, Role, Scope, Store, UserId};
use serde_json::{Value, json};

use crate::config::MemberLimitsConfig;
use crate::error::{ApiError, ApiResult};

/// How long a measurement counts: another instance may write too, and compaction frees.
const MEASURE_EVERY: Duration = Duration::from_secs(10 * 60);

/// The limits, and the sizes of the logs that were pushed to.
pub struct MemberLimits {
    limits: MemberLimitsConfig,
    store: Arc<dyn Store>,
    accounts: Arc<dyn Accounts>,
    known: Mutex<HashMap<UserId, Known>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    is_owner: bool,
    size: LogSize,
    measured: Instant,
}

/// The most that a push could add.
#[derive(Debug, Clone, Copy, Default)]
struct Addition {
    bytes: u64,
    records: u64,
    /// Whether everything is a removal, which is how a person makes room.
    only_deletes: bool,
}

impl Addition {
    fn of(changes: &[Value]) -> Addition {
        let is = |change: &Value, op: &str| change.get("op").and_then(Value::as_str) == Some(op);
        let bytes: usize = changes.iter().map(|change| change.to_string().len()).sum();
        let inserts = changes.iter().filter(|change| is(change, "insert")).count();
        Addition {
            bytes: bytes as u64,
            records: inserts as u64,
            only_deletes: changes.iter().all(|change| is(change, "delete")),
        }
    }
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

    /// Counts a push that is about to be made.
    ///
    /// # Errors
    ///
    /// 507 where it would take a member past one of the owner's limits. The device keeps its changes.
    pub async fn check(&self, user: &UserId, changes: &[Value]) -> ApiResult<()> {
        let limits = self.limits;
        if limits.log_is_unlimited() || changes.is_empty() {
            return Ok(());
        }
        let addition = Addition::of(changes);
        if addition.only_deletes {
            return Ok(());
        }
        let known = self.known().get(user).copied();
        let fresh = known.filter(|known| known.measured.elapsed() < MEASURE_EVERY);
        let fits = |known: &Known| known.is_owner || over(limits, known.size, addition).is_none();
        let known = match fresh {
            Some(known) if fits(&known) => known,
            _ => self.measure(user).await?,
        };
        if !known.is_owner
            && let Some(refusal) = over(limits, known.size, addition)
        {
            return Err(refusal);
        }
        let size = LogSize {
            bytes: known.size.bytes + addition.bytes,
            records: known.size.records + addition.records,
        };
        self.known().insert(user.clone(), Known { size, ..known });
        Ok(())
    }

    async fn measure(&self, user: &UserId) -> ApiResult<Known> {
        let account = self.accounts.user(user).await?;
        let is_owner = account.is_some_and(|account| account.role == Role::Owner);
        Ok(Known {
            is_owner,
            // The owner has no limits, so nothing need be read.
            size: match is_owner {
                true => LogSize::default(),
                false => self.store.size(&Scope::own(user)).await?,
            },
            measured: Instant::now(),
        })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<UserId, Known>> {
        // A panic elsewhere leaves the map whole, so a poisoned lock is usable.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusal of a push that would take a log of this size past a limit.
fn over(limits: MemberLimitsConfig, size: LogSize, addition: Addition) -> Option<ApiError> {
    let measures = [
        ("bytes", limits.bytes, size.bytes, addition.bytes),
        ("records", limits.records, size.records, addition.records),
    ];
    let exceeded = measures
        .into_iter()
        .find(|(_, limit, used, more)| limit.is_some_and(|limit| used + more > limit));
    exceeded.map(|(measure, limit, used, _)| {
        ApiError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "member_limit",
            "This server keeps no more for you; delete something, or ask its owner for more. \
             The changes stay on the device.",
        )
        .with_details(json!({ "measure": measure, "limit": limit, "used": used }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_members_are_by_bytes_and_by_records() {
        let limits = MemberLimitsConfig {
            bytes: Some(100),
            records: Some(10),
            ..MemberLimitsConfig::default()
        };
        let size = |bytes, records| LogSize { bytes, records };
        let addition = |bytes, records| Addition {
            bytes,
            records,
            only_deletes: false,
        };
        assert!(over(limits, size(90, 9), addition(10, 1)).is_none());
        assert!(over(limits, size(90, 9), addition(11, 1)).is_some());
        assert!(over(limits, size(90, 9), addition(10, 2)).is_some());
        let unlimited = MemberLimitsConfig::default();
        assert!(over(unlimited, size(1 << 60, 1 << 60), addition(1, 1)).is_none());
    }
}
