//! Helpers of the cases.

use std::{collections::BTreeMap, sync::Arc};

use mana_core::{Actor, Change, Defaults, Micros, RecordKey, RecordState, ids};
use mana_store::{
    AccountStore, ChangesPage, ChangesQuery, Claim, Cursor, Ledger, Maintenance, NewInvitation,
    NewUser, Push, Pushed, RawState, Role, RunRequest, Scope, SnapshotQuery, Store, Take, UserId,
};
use serde_json::{Value, json};

/// A backend, as the cases see it.
pub trait Backend: Store + AccountStore + Ledger + 'static {}
impl<T: Store + AccountStore + Ledger + 'static> Backend for T {}

/// A backend that its operator can look after.
pub trait Upkept: Backend + Maintenance {}
impl<T: Backend + Maintenance> Upkept for T {}

/// The time at which the cases begin: 2026-03-02, a Monday, 06:00 UTC.
pub const NOW: Micros = Micros(1_772_431_200_000_000);

/// So many seconds after [`NOW`].
pub fn after(seconds: i64) -> Micros {
    NOW.plus(seconds * 1_000_000)
}

/// A person's own log.
pub fn scope(user: &str) -> Scope {
    Scope::own(&UserId(user.to_owned()))
}

/// A normalised change of app `todo`, unless it names another; `at` and `eventId` as given, else derived.
pub fn change(value: Value) -> Change {
    let event_id = ids::derive("test", &value.to_string());
    Change::parse(value)
        .expect("the case's change is valid")
        .normalize(Defaults {
            event_id,
            at: NOW,
            actor: Actor::user(),
            app_id: "todo".to_owned(),
        })
}

/// A new task.
pub fn task(id: &str, title: &str, at: Micros) -> Change {
    change(json!({"table": "tasks", "id": id, "op": "insert", "at": at, "data": {"title": title}}))
}

/// A field of a task written.
pub fn set(id: &str, field: &str, value: Value, at: Micros) -> Change {
    change(
        json!({"table": "tasks", "id": id, "op": "update", "fields": {field: {"value": value, "updatedAt": at}}}),
    )
}

/// Fields of a mission written, as an insert.
pub fn mission(id: &str, data: Value, at: Micros) -> Change {
    change(
        json!({"appId": "ai", "table": "aiMissions", "id": id, "op": "insert", "at": at, "data": data}),
    )
}

/// Fields of a mission written, as an update.
pub fn set_mission(id: &str, fields: Value, at: Micros) -> Change {
    let fields: serde_json::Map<String, Value> = fields
        .as_object()
        .expect("fields are an object")
        .iter()
        .map(|(field, value)| (field.clone(), json!({"value": value, "updatedAt": at})))
        .collect();
    change(
        json!({"appId": "ai", "table": "aiMissions", "id": id, "op": "update", "fields": fields}),
    )
}

/// A mission that runs every hour from [`NOW`] on.
pub fn hourly(id: &str) -> Change {
    mission(
        id,
        json!({"title": id, "state": "active", "cadence": {"kind": "interval", "everyMinutes": 60}}),
        NOW,
    )
}

/// A push of these changes at a time.
pub fn pushing(client: &str, changes: Vec<Change>, at: Micros) -> Push {
    Push {
        sender: Some(client.to_owned()),
        ..Push::new(client, changes, at)
    }
}

/// The request of a worker: so many runs, whoever's they are.
pub fn take(worker: &str, now: Micros, lease_until: Micros, limit: usize) -> Take {
    Take {
        worker: worker.to_owned(),
        now,
        lease_until,
        limit,
        per_user: usize::MAX,
        requested_only: false,
    }
}

/// Pushes, which has to succeed.
pub async fn push(
    store: &impl Store,
    scope: &Scope,
    client: &str,
    changes: Vec<Change>,
    at: Micros,
) -> Pushed {
    store
        .push(scope, pushing(client, changes, at))
        .await
        .expect("the push is taken")
}

/// The whole log in one page.
pub async fn log(store: &impl Store, scope: &Scope) -> ChangesPage {
    store
        .changes(
            scope,
            ChangesQuery {
                limit: 1_000_000,
                ..ChangesQuery::default()
            },
        )
        .await
        .expect("the log is readable")
}

/// Ids of the records in a page, in its order.
pub fn ids_of(page: &ChangesPage) -> Vec<&str> {
    page.changes
        .iter()
        .map(|logged| logged.change.id.as_str())
        .collect()
}

/// A record of app `todo`, table `tasks`.
pub async fn get_task(store: &impl Store, scope: &Scope, id: &str) -> Option<RecordState> {
    store
        .record(scope, &RecordKey::new("todo", "tasks", id))
        .await
        .expect("the record is readable")
}

/// A mission's record.
pub async fn get_mission(store: &impl Store, scope: &Scope, id: &str) -> RecordState {
    let record = store
        .record(scope, &RecordKey::new("ai", "aiMissions", id))
        .await;
    record
        .expect("the record is readable")
        .expect("the mission exists")
}

/// Reads from the cursor.
pub fn from(since: Cursor, limit: usize) -> ChangesQuery {
    ChangesQuery {
        since,
        limit,
        ..ChangesQuery::default()
    }
}

/// An account to be made.
pub fn new_user(email: &str) -> NewUser {
    NewUser {
        email: email.to_owned(),
        name: "Ada".to_owned(),
        password_hash: "$argon2id$test".to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        locale: "de".to_owned(),
    }
}

/// An invitation to be made, for a member.
pub fn invitation(expires_at: Micros) -> NewInvitation {
    NewInvitation {
        expires_at,
        label: "Ola".to_owned(),
        role: Role::Member,
        now: NOW,
    }
}

/// Changes that meet in the same records: inserts, updates, deletes, restores, list elements. Their event ids begin
/// with the name.
pub fn meeting(rng: &mut Rng, count: usize, name: &str) -> Vec<Change> {
    (0..count)
        .map(|n| {
            let id = format!("r{}", rng.below(4));
            let at = after(rng.below(20) as i64);
            let value = json!(rng.below(5));
            let mut change = match rng.below(6) {
                0 => task(&id, &value.to_string(), at),
                1 => change(json!({"table": "tasks", "id": id, "op": "delete", "deletedAt": at})),
                2 => set(&id, "deletedAt", json!(null), at),
                3 => set(&id, "title", value, at),
                4 => set(&id, "notes", value, at),
                _ => set_mission(
                    &id,
                    json!({"iterations": [{"id": format!("i{value}"), "startedAt": after(0), "updatedAt": at,
                        "summary": value, "plan": [{"id": "s", "index": 0, "status": "planned", "updatedAt": at}]}]}),
                    at,
                ),
            };
            change.event_id = Some(format!("{name}-{n}"));
            change
        })
        .collect()
}

/// Every record of a log, read as a snapshot.
pub async fn all_records(store: &impl Store, scope: &Scope) -> BTreeMap<RecordKey, RecordState> {
    let mut query = SnapshotQuery {
        limit: 1000,
        ..SnapshotQuery::default()
    };
    let mut all = BTreeMap::new();
    loop {
        let page = store
            .snapshot(scope, query.clone())
            .await
            .expect("the records are readable");
        query.after = page.records.last().map(|(key, _)| key.clone());
        all.extend(read(page.records));
        if !page.has_more {
            return all;
        }
    }
}

/// The records of a page.
pub fn read(records: Vec<(RecordKey, RawState)>) -> impl Iterator<Item = (RecordKey, RecordState)> {
    (records.into_iter()).map(|(key, state)| (key, state.read().expect("a state is readable")))
}

/// A small generator with a seed, so that a failure can be repeated.
pub struct Rng(pub u64);

impl Rng {
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    /// Another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// A handle for tasks.
pub fn share<T>(store: &Arc<T>) -> Arc<T> {
    Arc::clone(store)
}

/// Claims up to a hundred runs.
pub async fn claim(store: &impl Store, worker: &str, now: Micros, lease: Micros) -> Vec<Claim> {
    store
        .claim_due(&take(worker, now, lease, 100))
        .await
        .unwrap()
}

/// A mission `m` of user `me` that is due after an hour.
pub async fn given_hourly(store: &impl Store) {
    push(store, &scope("me"), "c", vec![hourly("m")], NOW).await;
}

/// A request for a run of mission `m`.
pub fn request(slot: &str, not_before: Micros) -> RunRequest {
    RunRequest {
        mission_id: "m".into(),
        slot: slot.into(),
        iteration_id: format!("iteration of {slot}"),
        not_before,
        inputs: None,
    }
}

/// A run's result: an iteration, and for a slot of the schedule the due time moved.
pub fn result(claim: &Claim, now: Micros) -> Push {
    let mut fields =
        json!({"iterations": [{"id": claim.slot, "startedAt": now, "updatedAt": now, "plan": []}]});
    if claim.slot.starts_with("due:") {
        fields["nextRunAt"] = json!(now.plus(3_600_000_000));
    }
    Push {
        fence: Some(claim.fence()),
        sender: None,
        ..pushing("runner", vec![set_mission("m", fields, now)], now)
    }
}

/// So many runs that wait, of missions `0`, `1` … of a person.
pub async fn given_waiting(store: &impl Store, user: &str, count: usize, not_before: Micros) {
    for n in 0..count {
        let due = RunRequest {
            mission_id: n.to_string(),
            ..request("run:1", not_before)
        };
        store.enqueue_run(&scope(user), due).await.unwrap();
    }
}

/// Whose claims these are.
pub fn users(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.user.as_str()).collect()
}
