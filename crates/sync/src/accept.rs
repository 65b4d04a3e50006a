//! Taking a push: all of it or none.

use std::collections::{BTreeSet, HashMap, HashSet, hash_map::Entry};

use mana_core::{
    Actor, Change, Defaults, Micros, Op, RecordKey, RecordState, apply,
    manifest::Registry,
    mission,
    record::{MAX_RECORD_BYTES, too_large},
    zone::time_zone,
};
use mana_store::{
    ChangesPage, ChangesQuery, Cursor, CursorCheck, Fence, FollowUp, KnownLog, LogSize, Push,
    Pushed, ResyncReason, Room, Scope, StoreError,
};
use serde_json::Value;

use crate::attribution;
use crate::conflicts::PushedTexts;
use crate::error::FORGOTTEN;
use crate::whole_lists;
use crate::{MAX_CHANGES, Notice, PAGE, PushAnswer, Sync, SyncError, check};

/// The newest version of the data's shape that this server knows.
pub const SCHEMA_VERSION: u64 = 3;

/// The origin of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A browser, a phone, the CLI: whatever signs in.
    Device,
    /// The runner, with a plan.
    Runner,
}

/// A push as it came in.
#[derive(Debug, Clone)]
pub struct AcceptPush {
    /// The pushing client.
    pub client_id: String,
    /// The app of the path; none: each change names its own.
    pub app: Option<String>,
    /// The changes as JSON.
    pub changes: Vec<Value>,
    /// Where to read on from for the answer; empty: the beginning.
    pub since: String,
    /// The version of the data's shape, if the client says.
    pub schema_version: Option<u64>,
    /// The client's knowledge of the log; none: its cursor is never refused.
    pub known: Option<KnownLog>,
    /// The claim that the push depends on.
    pub fence: Option<Fence>,
    /// The connection that pushes, by the id that it gave its socket: it is not told of its own push.
    pub connection: Option<String>,
    /// The number of the push, counted by the client, by which a copy of it is noticed.
    pub number: Option<u64>,
    /// The person or program that pushes.
    pub origin: Origin,
    /// The most that the push may add to the log.
    pub room: Room,
}

impl AcceptPush {
    /// Changes that each name their app, of a client that says nothing else. The answer begins at the start of the log.
    pub fn new(origin: Origin, client_id: impl Into<String>, changes: Vec<Value>) -> AcceptPush {
        AcceptPush {
            client_id: client_id.into(),
            app: None,
            changes,
            since: String::new(),
            schema_version: None,
            known: None,
            fence: None,
            connection: None,
            number: None,
            origin,
            room: Room::default(),
        }
    }
}

impl Sync {
    /// Stores a push, tells everybody who listens, and answers what others did since the cursor.
    pub async fn accept(
        &self,
        scope: &Scope,
        mut push: AcceptPush,
        now: Micros,
    ) -> Result<PushAnswer, SyncError> {
        attribution::check_client_id(&push.client_id)?;
        if push.origin == Origin::Device && attribution::is_server_client(&push.client_id) {
            return Err(SyncError::ServerClientId);
        }
        if push.origin == Origin::Device && push.changes.len() > MAX_CHANGES {
            return Err(SyncError::TooManyChanges);
        }
        known(push.schema_version)?;
        if let Some(app) = push.app.as_ref().filter(|_| push.changes.is_empty()) {
            Change::check_app_id(app).map_err(|error| SyncError::InvalidBody(error.reason))?;
        }
        let since: Cursor = push.since.parse().map_err(SyncError::InvalidCursor)?;
        self.readable_by(scope, &push).await?;
        let mut derived = BTreeSet::new();
        let mut changes = std::mem::take(&mut push.changes)
            .into_iter()
            .enumerate()
            .map(|(index, value)| {
                let named = value.get("eventId").is_some_and(Value::is_string);
                let read = read(&self.registry, &push, value, now);
                if let Ok(Change {
                    event_id: Some(id), ..
                }) = &read
                    && !named
                {
                    derived.insert(id.clone());
                }
                read.map_err(|refusal| match refusal {
                    Refusal::Reason(reason) => SyncError::InvalidChange { index, reason },
                    Refusal::Error(error) => error,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;

        let (mut follow_ups, mut rewritten) = (Vec::new(), BTreeSet::new());
        if push.origin == Origin::Device {
            (follow_ups, rewritten) = self.admit_iterations(scope, &mut changes, now).await?;
            self.fill_in_bases(scope, &mut changes, since, &push.client_id)
                .await?;
        }

        let event_ids: Vec<String> = changes
            .iter()
            .filter_map(|change| change.event_id.clone())
            .collect();
        // The first client's own lists come back to it, because the merge makes more of them than it sent.
        let own_lists: Vec<Change> = match push.app {
            Some(_) => (changes.iter())
                .filter(|change| !self.lists_of(change).is_empty())
                .cloned()
                .collect(),
            None => Vec::new(),
        };
        let sender = sender(&push);
        let (mut adjusted, mut conflicts, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
        let mut end = Cursor::BEGINNING;
        let mut grown = LogSize::default();
        if !changes.is_empty() || push.fence.is_some() {
            let texts = PushedTexts::of(&self.registry, &changes);
            let pushed = self
                .commit(
                    scope,
                    Push {
                        client_id: push.client_id.clone(),
                        changes,
                        received_at: now,
                        fence: push.fence,
                        sender,
                        number: push.number,
                        derived,
                        rewritten,
                        follow_ups,
                        // The runner keeps a bound of its own, so that a failure can always be told.
                        largest_record: match push.origin {
                            Origin::Device => MAX_RECORD_BYTES,
                            Origin::Runner => usize::MAX,
                        },
                        room: push.room,
                    },
                )
                .await
                .map_err(|error| of_change(error, &event_ids))?;
            unchanged = pushed.unchanged.iter().cloned().collect();
            conflicts = self
                .conflicts(scope, &texts, &pushed.unseen_texts, since, &push.client_id)
                .await?;
            end = pushed.cursor;
            grown = pushed.grown;
            // The runner asks for nothing.
            let since = match push.origin {
                Origin::Device => since,
                Origin::Runner => pushed.before,
            };
            if let Some(page) = nothing_else(&pushed, since, push.known.as_ref()) {
                return Ok(PushAnswer {
                    adjusted: pushed.adjusted,
                    conflicts,
                    unchanged,
                    own_lists,
                    grown,
                    ..PushAnswer::new(page, now)
                });
            }
            adjusted = pushed.adjusted;
        }
        let query = ChangesQuery {
            // A copy of a device has its client id, so that Mana's own route leaves out what this very push brought.
            not_from: push.app.is_some().then_some(push.client_id),
            app: push.app,
            tables: Vec::new(),
            since,
            limit: PAGE,
            check: check(push.known),
        };
        let mut page = self.read(scope, query, now).await?;
        let pushed_ids: HashSet<&str> = event_ids.iter().map(String::as_str).collect();
        page.changes.retain(|row| {
            let event_id = row.change.event_id.as_deref();
            !event_id.is_some_and(|id| pushed_ids.contains(&id))
        });
        Ok(PushAnswer {
            adjusted,
            conflicts,
            unchanged,
            own_lists,
            log_end: page.cursor.max(end),
            grown,
            ..PushAnswer::new(page, now)
        })
    }

    /// Reads a page for a client.
    pub(crate) async fn read(
        &self,
        scope: &Scope,
        query: ChangesQuery,
        now: Micros,
    ) -> Result<ChangesPage, SyncError> {
        let check = query.check.clone();
        let page = self.log.changes(scope, query).await;
        self.noticing(scope, &check, page, now).await
    }

    /// Where the client knows more of the log than there is, the log takes back what devices hold (R8).
    pub(crate) async fn noticing<T>(
        &self,
        scope: &Scope,
        check: &CursorCheck,
        read: mana_store::Result<T>,
        now: Micros,
    ) -> Result<T, SyncError> {
        let named = matches!(check, CursorCheck::Exact(known) if !known.epoch.is_empty());
        // What an operator said of a restore holds for devices of other epochs.
        let anew = match &read {
            Err(StoreError::ResyncRequired(ResyncReason::Unknown { rolled_back: true })) => {
                Some(named)
            }
            Err(StoreError::ResyncRequired(ResyncReason::Epoch { rolled_back: true })) => {
                Some(false)
            }
            _ => None,
        };
        if let Some(anew) = anew {
            self.log.open_give_back(scope, now, anew).await?;
        }
        Ok(read?)
    }

    /// Refuses a device that is too old to read what the log holds: it must not pass over it (S17).
    async fn readable_by(&self, scope: &Scope, push: &AcceptPush) -> Result<(), SyncError> {
        let old = push.schema_version.filter(|sent| *sent < SCHEMA_VERSION);
        // The first client names authors in its own way, and reads any.
        let Some(sent) = old.filter(|_| push.app.is_none() && push.origin == Origin::Device) else {
            return Ok(());
        };
        let needed = self.log.schema_version(scope).await?;
        match needed > sent {
            true => Err(SyncError::UpdateRequired { sent, needed }),
            false => Ok(()),
        }
    }

    /// Reads whole arrays of iterations by what the log has, and refuses what is the server's alone to write (S10). The
    /// writes that the server adds come back.
    async fn admit_iterations(
        &self,
        scope: &Scope,
        changes: &mut [Change],
        now: Micros,
    ) -> Result<(Vec<FollowUp>, BTreeSet<String>), SyncError> {
        let mut rewritten = BTreeSet::new();
        let mut missions: HashMap<String, Option<RecordState>> = HashMap::new();
        let mut follow_ups = Vec::new();
        let schema = self.registry.schema(mission::APP, mission::MISSIONS);
        for (index, change) in changes.iter_mut().enumerate() {
            if !attribution::writes_iterations(change) {
                continue;
            }
            let stored = match missions.entry(change.id.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let key = RecordKey::new(mission::APP, mission::MISSIONS, &change.id);
                    entry.insert(self.log.record(scope, &key).await?)
                }
            };
            let sent = change.clone();
            let follow_up = whole_lists::admit(&self.registry, change, stored.as_ref(), now);
            if *change != sent {
                rewritten.extend(change.event_id.clone());
            }
            attribution::check_iterations(change, stored.as_ref())
                .map_err(|reason| SyncError::InvalidChange { index, reason })?;
            // A later change of the push is read by what this one makes.
            let state = stored.get_or_insert_default();
            apply(schema, state, change);
            if let Some(follow_up) = follow_up {
                apply(schema, state, &follow_up.change);
                follow_ups.push(follow_up);
            }
        }
        Ok((follow_ups, rewritten))
    }

    /// Commits and tells. In a task of its own: a caller that hangs up in between must not keep the others from
    /// hearing of what is committed.
    pub(crate) async fn commit(&self, scope: &Scope, push: Push) -> Result<Pushed, SyncError> {
        let (sync, scope) = (self.clone(), scope.clone());
        let task = tokio::spawn(async move {
            let sender = push.sender.clone();
            let turn = sync.turns.take(scope.owner()).await;
            let pushed = sync.log.push(&scope, push).await?;
            drop(turn);
            sync.tell(&scope, &pushed, sender.as_deref());
            Ok(pushed)
        });
        task.await.unwrap_or(Err(SyncError::Interrupted))
    }

    fn tell(&self, scope: &Scope, pushed: &Pushed, sender: Option<&str>) {
        for notice in Notice::of(&pushed.tables, sender) {
            self.hub.publish(scope.owner(), notice);
        }
        if pushed.schedule_changed {
            self.schedule.notify_one();
        }
    }
}

/// The name under which the pushing connection listens. The first client names its sockets and streams by its client
/// id; on Mana's own route that says nothing, because copies share it.
fn sender(push: &AcceptPush) -> Option<String> {
    let client = push.app.is_some().then(|| push.client_id.clone());
    push.connection.clone().or(client)
}

/// The answer to who had read all that was there before their push, to which the server added nothing: most pushes
/// come from the only device that is being used, and need no reading.
fn nothing_else(pushed: &Pushed, since: Cursor, known: Option<&KnownLog>) -> Option<ChangesPage> {
    let this_log = known.is_none_or(|known| {
        known.end <= since && (known.epoch.is_empty() || known.epoch == pushed.log.epoch)
    });
    (since == pushed.before && this_log && !pushed.added).then(|| ChangesPage {
        changes: Vec::new(),
        cursor: pushed.cursor,
        has_more: false,
        log: pushed.log.clone(),
    })
}

/// The refusal of a change that the store names.
fn of_change(error: SyncError, event_ids: &[String]) -> SyncError {
    let place = |event_id: &str| event_ids.iter().rposition(|id| id == event_id);
    let (index, reason) = match &error {
        SyncError::Store(StoreError::EventIdTaken { index }) => (
            Some(*index),
            "`eventId` stands for another change already; give this one an id of its own"
                .to_owned(),
        ),
        SyncError::Store(StoreError::Forgotten { event_id }) => {
            (place(event_id), FORGOTTEN.to_owned())
        }
        SyncError::Store(StoreError::RecordTooLarge { event_id, bytes }) => {
            (place(event_id), too_large(*bytes))
        }
        _ => (None, String::new()),
    };
    index.map_or(error, |index| SyncError::InvalidChange { index, reason })
}

enum Refusal {
    Reason(String),
    Error(SyncError),
}

impl From<SyncError> for Refusal {
    fn from(error: SyncError) -> Self {
        Self::Error(error)
    }
}

impl From<mana_core::ChangeError> for Refusal {
    fn from(error: mana_core::ChangeError) -> Self {
        Self::Reason(error.reason)
    }
}

fn known(version: Option<u64>) -> Result<(), SyncError> {
    match version {
        Some(sent) if sent > SCHEMA_VERSION => Err(SyncError::SchemaVersion {
            sent,
            known: SCHEMA_VERSION,
        }),
        _ => Ok(()),
    }
}

/// A mission's time zone is one that the server knows (MISSIONS C8): another name would be taken for the account's
/// zone, and the mission would run at another time than the person reads.
fn check_zone(change: &Change) -> Result<(), Refusal> {
    let writes = change.writes();
    let names = writes.iter().filter(|write| write.field == "timezone");
    for name in names.filter_map(|write| write.value.as_str()) {
        if !name.is_empty() {
            time_zone(name)
                .map_err(|problem| Refusal::Reason(format!("`timezone`: {}", problem.message)))?;
        }
    }
    Ok(())
}

/// Reads one change and makes everything explicit that the client may leave out.
fn read(
    registry: &Registry,
    push: &AcceptPush,
    value: Value,
    now: Micros,
) -> Result<Change, Refusal> {
    let mut change = Change::parse(value)?;
    known(change.schema_version)?;
    match (&push.app, &change.app_id) {
        (Some(app), None) => {
            Change::check_app_id(app)?;
            change.app_id = Some(app.clone());
        }
        (Some(app), Some(own)) if app != own => {
            return Err(Refusal::Reason(format!(
                "`appId` is \"{own}\" but the push is for \"{app}\"; push it to /sync/{own}, or all apps to /sync"
            )));
        }
        (None, None) => {
            return Err(Refusal::Reason(
                "`appId` is missing; name the app, or push to /sync/{appId}".to_owned(),
            ));
        }
        _ => {}
    }
    if push.origin == Origin::Device {
        attribution::check_actor(change.actor.as_ref()).map_err(Refusal::Reason)?;
    }
    let app_id = change.app_id.clone().unwrap_or_default();
    let place = (app_id.as_str(), change.table.as_str());
    if push.origin == Origin::Device && change.op == Op::Forget {
        return Err(Refusal::Reason(
            "`op` is forget, which the server alone writes; delete the records instead".to_owned(),
        ));
    }
    if push.origin == Origin::Device && place == (mission::APP, mission::RUNS) {
        return Err(Refusal::Reason(
            "`table` is aiRuns, which the server alone writes; leave the change out".to_owned(),
        ));
    }
    change.check_lists(registry.schema(&app_id, &change.table))?;
    if push.origin == Origin::Device && place == (mission::APP, mission::MISSIONS) {
        check_zone(&change)?;
    }
    let event_id = match change.event_id.take() {
        Some(id) => id,
        None => change.derived_event_id(&push.client_id),
    };
    // By what it takes to read the change, and not by what its device knows.
    let needed = change.needed_schema_version();
    change.schema_version = Some(change.schema_version.unwrap_or(needed).max(needed));
    let at = said_time(&change).filter(|said| *said < now).unwrap_or(now);
    Ok(change.normalize(Defaults {
        event_id,
        at,
        actor: Actor::user(),
        app_id,
    }))
}

/// The time that a record's own fields say an insert was made at, where the change names none.
///
/// The first client stamps its updates by its own clock and its inserts not at all: by the server's time an insert that
/// was made offline would win over the updates that came after it.
fn said_time(change: &Change) -> Option<Micros> {
    let data = change.data.as_ref().filter(|_| change.op == Op::Insert)?;
    let said = ["updatedAt", "createdAt"].into_iter();
    said.filter_map(|field| data.get(field)?.as_str())
        .find_map(|time| Micros::parse(time).ok())
}
