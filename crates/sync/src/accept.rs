//! Taking a push: all of it or none.

use std::collections::HashMap;

use mana_core::{
    Actor, Change, Defaults, Micros, RecordKey, RecordState, manifest::Registry, mission,
};
use mana_store::{ChangesPage, ChangesQuery, Cursor, Fence, Push, Pushed, Scope};
use serde_json::Value;

use crate::attribution;
use crate::conflicts::PushedTexts;
use crate::{MAX_CHANGES, Notice, PAGE, PushAnswer, Sync, SyncError};

/// The newest version of the data's shape that this server knows.
pub const SCHEMA_VERSION: u64 = 1;

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
    /// The claim that the push depends on.
    pub fence: Option<Fence>,
    /// The person or program that pushes.
    pub origin: Origin,
}

impl Sync {
    /// Stores a push, tells everybody who listens, and answers what others did since the cursor.
    pub async fn accept(
        &self,
        scope: &Scope,
        mut push: AcceptPush,
        now: Micros,
    ) -> Result<PushAnswer, SyncError> {
        if push.client_id.is_empty() || push.client_id.len() > 256 || push.client_id.contains('\0')
        {
            return Err(SyncError::InvalidClientId);
        }
        if push.origin == Origin::Device && attribution::is_server_client(&push.client_id) {
            return Err(SyncError::ServerClientId);
        }
        if push.origin == Origin::Device && push.changes.len() > MAX_CHANGES {
            return Err(SyncError::TooManyChanges);
        }
        known(push.schema_version)?;
        let since: Cursor = push.since.parse().map_err(SyncError::InvalidCursor)?;
        let changes = std::mem::take(&mut push.changes)
            .into_iter()
            .enumerate()
            .map(|(index, value)| {
                let read = read(&self.registry, &push, value, now);
                read.map_err(|refusal| match refusal {
                    Refusal::Reason(reason) => SyncError::InvalidChange { index, reason },
                    Refusal::Error(error) => error,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;

        if push.origin == Origin::Device {
            self.only_own_iterations(scope, &changes).await?;
        }

        let (mut adjusted, mut conflicts) = (Vec::new(), Vec::new());
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
                    },
                )
                .await?;
            conflicts = self
                .conflicts(scope, &texts, &pushed.unseen_texts, since, &push.client_id)
                .await?;
            if let Some(page) = nothing_else(&pushed, since) {
                return Ok(PushAnswer {
                    adjusted: pushed.adjusted,
                    conflicts,
                    ..PushAnswer::new(page, now)
                });
            }
            adjusted = pushed.adjusted;
        }
        let query = ChangesQuery {
            app: push.app,
            tables: Vec::new(),
            since,
            limit: PAGE,
            not_from: Some(push.client_id),
        };
        let page = self.log.changes(scope, query).await?;
        Ok(PushAnswer {
            adjusted,
            conflicts,
            ..PushAnswer::new(page, now)
        })
    }

    /// The server alone makes iterations that say they are the server's (S10).
    async fn only_own_iterations(
        &self,
        scope: &Scope,
        changes: &[Change],
    ) -> Result<(), SyncError> {
        let mut missions: HashMap<&str, Option<RecordState>> = HashMap::new();
        for (index, change) in changes.iter().enumerate() {
            if !attribution::writes_iterations(change) {
                continue;
            }
            if !missions.contains_key(change.id.as_str()) {
                let key = RecordKey::new(mission::APP, mission::MISSIONS, &change.id);
                missions.insert(&change.id, self.log.record(scope, &key).await?);
            }
            let stored = missions.get(change.id.as_str()).and_then(Option::as_ref);
            attribution::check_iterations(change, stored)
                .map_err(|reason| SyncError::InvalidChange { index, reason })?;
        }
        Ok(())
    }

    /// Commits and tells. In a task of its own: a caller that hangs up in between must not keep the others from
    /// hearing of what is committed.
    async fn commit(&self, scope: &Scope, push: Push) -> Result<Pushed, SyncError> {
        let (sync, scope) = (self.clone(), scope.clone());
        let task = tokio::spawn(async move {
            let client = push.client_id.clone();
            let turn = sync.turns.take(scope.owner()).await;
            let pushed = sync.log.push(&scope, push).await?;
            drop(turn);
            sync.tell(&scope, &pushed, &client);
            Ok(pushed)
        });
        task.await.unwrap_or(Err(SyncError::Interrupted))
    }

    fn tell(&self, scope: &Scope, pushed: &Pushed, client: &str) {
        for notice in Notice::of(&pushed.tables, Some(client)) {
            self.hub.publish(scope.owner(), notice);
        }
        if pushed.schedule_changed {
            self.schedule.notify_one();
        }
    }
}

/// The answer to who had read all that was there before their push, to which the server added nothing: most pushes
/// come from the only device that is being used, and need no reading.
fn nothing_else(pushed: &Pushed, since: Cursor) -> Option<ChangesPage> {
    (since >= pushed.before && !pushed.added).then(|| ChangesPage {
        changes: Vec::new(),
        cursor: pushed.cursor.max(since),
        has_more: false,
    })
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
        (Some(app), None) => change.app_id = Some(app.clone()),
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
    if push.origin == Origin::Device && place == (mission::APP, mission::RUNS) {
        return Err(Refusal::Reason(
            "`table` is aiRuns, which the server alone writes; leave the change out".to_owned(),
        ));
    }
    change.check_lists(registry.schema(&app_id, &change.table))?;
    let event_id = match change.event_id.take() {
        Some(id) => id,
        None => change.derived_event_id(&push.client_id),
    };
    change
        .schema_version
        .get_or_insert(push.schema_version.unwrap_or(SCHEMA_VERSION));
    Ok(change.normalize(Defaults {
        event_id,
        at: now,
        actor: Actor::user(),
        app_id,
    }))
}
