//! Taking back what devices hold and a log lost (R8): states, joined by the merge.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use mana_core::{
    Change, Micros, RecordKey, RecordState,
    change::FUTURE_TOLERANCE,
    ids, mission,
    sync::{GIVEN_BACK, GIVEN_BACK_BY, changes_of_state},
};
use mana_store::{Cursor, LogSize, Push, ResyncReason, Room, Scope, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::attribution::{
    SERVER_CLIENT, check_client_id, given_back_iterations, is_server_client, server_write,
};
use crate::error::FORGOTTEN;
use crate::{MAX_CHANGES, Sync, SyncError};

/// The body of `POST /sync/join`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinBody {
    /// The client that gives back; the header `X-Client-Id` overrides it.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The log's epoch.
    #[serde(default)]
    pub log_epoch: String,
    /// The states. Each is read by itself, so that an error can name it.
    pub records: Vec<Value>,
    /// The most that they may add to the log.
    #[serde(skip)]
    pub room: Room,
}

impl JoinBody {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// The body is no JSON object with `records`.
    pub fn parse(body: &[u8]) -> Result<JoinBody, SyncError> {
        serde_json::from_slice(body)
            .map_err(|error| SyncError::InvalidBody(format!("the body can't be read: {error}")))
    }
}

/// The answer to states that were given back.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinAnswer {
    /// How many changes were stored. None where the log had it all.
    pub stored: usize,
    /// The server's clock.
    pub server_time: Micros,
    /// The identity of the log.
    pub log_epoch: String,
    /// The end of the log: every state stands before it.
    pub log_end: Cursor,
    /// Whether the log takes back more.
    pub give_back: bool,
    /// How much the states added to the log.
    #[serde(skip)]
    pub grown: LogSize,
}

/// A record in the body of `POST /sync/join`.
#[derive(Deserialize)]
struct Given {
    app: String,
    table: String,
    id: String,
    #[serde(flatten)]
    state: RecordState,
}

impl Sync {
    /// Joins states that a device holds into a log that was restored or rolled back. Every author is accepted, and the
    /// server's iterations and run records too; none of it proves leave.
    pub async fn join(
        &self,
        scope: &Scope,
        client_id: String,
        body: JoinBody,
        now: Micros,
    ) -> Result<JoinAnswer, SyncError> {
        check_client_id(&client_id)?;
        if is_server_client(&client_id) {
            return Err(SyncError::InvalidClientId);
        }
        if body.records.len() > MAX_CHANGES {
            return Err(SyncError::TooManyChanges);
        }
        let log = self.log.identity(scope).await?;
        if log.epoch != body.log_epoch {
            return Err(
                StoreError::ResyncRequired(ResyncReason::Epoch { rolled_back: false }).into(),
            );
        }
        if !log.gives_back(now) {
            return Err(SyncError::GiveBackClosed);
        }
        let mut records = Vec::with_capacity(body.records.len());
        for (index, value) in body.records.into_iter().enumerate() {
            let given: Given = serde_json::from_value(value)
                .map_err(|error| invalid(index, format!("the record can't be read: {error}")))?;
            let key = RecordKey::new(given.app, given.table, given.id);
            records.push((key, given.state));
        }
        let (changes, marks) = self
            .given_back(scope, &log.epoch, &client_id, &records, now)
            .await?;
        let stored = changes.len();
        let mut grown = LogSize::default();
        let mut end = None;
        // The marks first, so that nothing takes an iteration for the server's own.
        for (client, changes) in [(SERVER_CLIENT.to_owned(), marks), (client_id, changes)] {
            if !changes.is_empty() {
                let room = body.room.less(grown);
                let push = Push {
                    room,
                    ..derived(client, changes, now)
                };
                let pushed = self.commit(scope, push).await?;
                end = Some(pushed.cursor);
                grown.bytes += pushed.grown.bytes;
                grown.records += pushed.grown.records;
            }
        }
        let log_end = match end {
            Some(end) => end,
            None => self.log_end(scope).await?,
        };
        Ok(JoinAnswer {
            stored,
            log_end,
            server_time: now,
            give_back: true,
            log_epoch: log.epoch,
            grown,
        })
    }

    /// The changes that the log lacks of these states, and the marks of the iterations that come back under the
    /// server's name.
    async fn given_back(
        &self,
        scope: &Scope,
        epoch: &str,
        client_id: &str,
        records: &[(RecordKey, RecordState)],
        now: Micros,
    ) -> Result<(Vec<Change>, Vec<Change>), SyncError> {
        let keys: BTreeSet<RecordKey> = records.iter().map(|(key, _)| key.clone()).collect();
        let keys: Vec<RecordKey> = keys.into_iter().collect();
        let stored: HashMap<RecordKey, RecordState> =
            (self.log.records_by_key(scope, &keys).await?)
                .into_iter()
                .collect();
        let (mut changes, mut marks) = (Vec::new(), Vec::new());
        let latest = now.plus(FUTURE_TOLERANCE);
        for (index, (key, offered)) in records.iter().enumerate() {
            let none = RecordState::default();
            let there = stored.get(key);
            if there.is_some_and(RecordState::is_forgotten) {
                return Err(invalid(index, FORGOTTEN.to_owned()));
            }
            let there = there.unwrap_or(&none);
            let schema = self.registry.schema(&key.app, &key.table);
            let offered = &instead_of_missed(key, offered, there);
            let made = changes_of_state(schema, epoch, key, offered, there, latest)
                .map_err(|error| invalid(index, error.reason))?;
            for mut change in made {
                change.schema_version = Some(change.needed_schema_version());
                change
                    .extra
                    .insert(GIVEN_BACK_BY.to_owned(), json!(client_id));
                for iteration in given_back_iterations(&change, there) {
                    marks.push(mark(epoch, &key.id, iteration, client_id, now));
                }
                changes.push(change);
            }
        }
        Ok((changes, marks))
    }
}

/// A push whose event ids each stand for their change.
fn derived(client_id: String, changes: Vec<Change>, now: Micros) -> Push {
    let ids = changes.iter().filter_map(|change| change.event_id.clone());
    Push {
        derived: ids.collect(),
        // The log had it, whatever its size.
        largest_record: usize::MAX,
        ..Push::new(client_id, changes, now)
    }
}

/// The code of the record of an occurrence of which a restore left nothing.
const RESTORED: &str = "restored";

/// The record of a run that takes the place of the one which says that nobody knows: without that one's reason.
fn instead_of_missed<'r>(
    key: &RecordKey,
    offered: &'r RecordState,
    stored: &RecordState,
) -> Cow<'r, RecordState> {
    let is_run = (key.app.as_str(), key.table.as_str()) == (mission::APP, mission::RUNS);
    let known = stored.data.get("code").is_some_and(|code| code == RESTORED);
    let (true, true, Some(stamp)) = (is_run, known, offered.meta.get("status")) else {
        return Cow::Borrowed(offered);
    };
    let mut whole = offered.clone();
    for field in stored.data.keys() {
        if !whole.meta.contains_key(field) {
            whole.data.insert(field.clone(), Value::Null);
            whole.meta.insert(field.clone(), stamp.clone());
        }
    }
    Cow::Owned(whole)
}

/// The change that says of an iteration that a device brought it back.
fn mark(epoch: &str, mission_id: &str, iteration: &str, client_id: &str, now: Micros) -> Change {
    let key = RecordKey::new(mission::APP, GIVEN_BACK, iteration);
    let event_id = ids::derive(epoch, &format!("given back: {iteration}"));
    let values = [("missionId", mission_id), (GIVEN_BACK_BY, client_id)];
    let values = values.map(|(field, value)| (field, json!(value)));
    server_write(key, event_id, now, values)
}

fn invalid(index: usize, reason: String) -> SyncError {
    SyncError::InvalidRecord { index, reason }
}
