//! A small server for tests: store, sync, a clock that stands still, and a model with canned answers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mana_ai::{Runner, RunnerConfig, RunnerParts, TickReport};
use mana_core::manifest::Registry;
use mana_core::mission::{AiRun, Iteration, Mission, RunStatus};
use mana_core::{Map, Micros, RecordKey, RecordState};
use mana_store::{
    Accounts, ChangesPage, ChangesQuery, HistoryQuery, Log, NewUser, Push, Pushed, RunRequest,
    Schedule as _, Scope, SnapshotPage, SnapshotQuery, SqliteStore, UserId,
};
use mana_sync::{AcceptPush, Hub, Origin, Sync};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::test_llm::TestLlm;

pub const MORNING: &str = "2026-11-20T08:00:00Z";

pub fn at(text: &str) -> Micros {
    Micros::parse(text).expect("a time")
}

pub struct World {
    pub store: Arc<SqliteStore>,
    pub registry: Arc<Registry>,
    pub hub: Arc<Hub>,
    pub sync: Sync,
    pub llm: Arc<TestLlm>,
    pub runner: Arc<Runner>,
    pub user: UserId,
    pub clock: Arc<AtomicI64>,
    pub config: RunnerConfig,
}

/// A module with a tool whose policy is `auto`.
const DIARY: &str = r#"{
  "id": "diary", "version": 1, "name": {"en": "Diary"}, "description": {"en": "What happened."},
  "tables": {"lines": {"name": {"en": "Line"}, "plural": {"en": "Lines"},
    "fields": {"text": {"type": "text", "label": {"en": "Text"}, "required": true, "max": 200},
      "more": {"type": "json", "label": {"en": "More"}}},
    "list": {"title": "text"}}},
  "tools": [{"name": "log_line", "label": {"en": "Diary line"}, "description": "Write a line.", "policy": "auto",
    "params": {"text": {"type": "text", "required": true, "max": 500, "description": "The line."},
      "more": {"type": "json", "description": "Anything."}},
    "effect": {"op": "insert", "table": "lines", "set": {"text": "$text", "more": "$more"}}}]
}"#;

/// The shipped modules and the diary: reading the manifests takes longer than making a world.
static REGISTRY: LazyLock<Arc<Registry>> = LazyLock::new(|| {
    let (registry, rejected) = Registry::builtin().with([("diary.json", DIARY)]);
    assert_eq!(rejected, []);
    Arc::new(registry)
});

impl World {
    pub async fn new() -> World {
        World::with(RunnerConfig::default()).await
    }

    pub async fn with(config: RunnerConfig) -> World {
        let registry = REGISTRY.clone();
        let store = SqliteStore::memory(registry.clone())
            .await
            .expect("a store");
        let clock = Arc::new(AtomicI64::new(at(MORNING).plus(-60_000_000).0));
        let user = NewUser {
            email: "a@example.org".into(),
            name: "A".into(),
            password_hash: "x".into(),
            timezone: "UTC".into(),
            locale: "en".into(),
        };
        let user = store
            .create_user(user, Micros(clock.load(Ordering::SeqCst)))
            .await
            .expect("an account")
            .id;
        let hub = Hub::new();
        let sync = Sync::new(store.clone(), registry.clone(), hub.clone());
        let llm = TestLlm::new();
        let world_clock = clock.clone();
        let runner = Arc::new(Runner::new(RunnerParts {
            store: store.clone(),
            sync: sync.clone(),
            llm: llm.clone(),
            registry: registry.clone(),
            accounts: store.clone(),
            ledger: store.clone(),
            config: config.clone(),
            clock: Arc::new(move || Micros(world_clock.load(Ordering::SeqCst))),
        }));
        World {
            store,
            registry,
            hub,
            sync,
            llm,
            runner,
            user,
            clock,
            config,
        }
    }

    /// A runner of another process over the same database. `wrap` may put a faulty log around its log.
    pub fn another_runner(&self, wrap: impl FnOnce(Arc<dyn Log>) -> Arc<dyn Log>) -> Arc<Runner> {
        let store = self.store.clone();
        let sync = Sync::new(store.clone(), self.registry.clone(), self.hub.clone())
            .with_log(wrap(store.clone()));
        let clock = self.clock.clone();
        Arc::new(Runner::new(RunnerParts {
            store,
            sync,
            llm: self.llm.clone(),
            registry: self.registry.clone(),
            accounts: self.store.clone(),
            ledger: self.store.clone(),
            config: RunnerConfig {
                worker: "another".into(),
                ..self.config.clone()
            },
            clock: Arc::new(move || Micros(clock.load(Ordering::SeqCst))),
        }))
    }

    /// Another person.
    pub async fn another_user(&self) -> UserId {
        let user = NewUser {
            email: "b@example.org".into(),
            name: "B".into(),
            password_hash: "x".into(),
            timezone: "UTC".into(),
            locale: "en".into(),
        };
        let made = self.store.create_user(user, self.now()).await;
        made.expect("an account").id
    }

    /// A device of a person pushes new missions, which are due now.
    pub async fn due_missions(&self, user: &UserId, count: usize) {
        let now = self.now();
        let change = |n: usize| {
            json!({"eventId": format!("{user}-{n}"), "appId": "ai", "table": "aiMissions", "id": format!("m{n}"),
                "op": "insert", "at": now, "actor": {"kind": "user"}, "data": {
                    "title": format!("Mission {n}"), "objective": "Get on.", "state": "active", "nextRunAt": now,
                    "cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}}})
        };
        let push = AcceptPush {
            since: now.to_string(),
            ..AcceptPush::new(Origin::Device, "device", (0..count).map(change).collect())
        };
        let pushed = self.sync.accept(&Scope::own(user), push, now).await;
        pushed.expect("a good push");
    }

    pub fn scope(&self) -> Scope {
        Scope::own(&self.user)
    }

    pub fn now(&self) -> Micros {
        Micros(self.clock.load(Ordering::SeqCst))
    }

    pub fn set_clock(&self, text: &str) {
        self.clock.store(at(text).0, Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.clock
            .fetch_add(by.as_micros() as i64, Ordering::SeqCst);
    }

    /// A device writes a record.
    pub async fn write(&self, app: &str, table: &str, id: &str, op: &str, data: Value) {
        let written = self.try_write(app, table, id, op, data).await;
        written.expect("a good push");
    }

    /// A device writes a record, or is refused.
    pub async fn try_write(
        &self,
        app: &str,
        table: &str,
        id: &str,
        op: &str,
        data: Value,
    ) -> Result<(), mana_sync::SyncError> {
        self.advance(Duration::from_millis(1));
        let now = self.now();
        let mut change = json!({"eventId": format!("{id}-{}", now.0), "appId": app, "table": table, "id": id,
            "op": op, "at": now, "actor": {"kind": "user"}});
        if op == "insert" {
            change["data"] = data;
        } else if op == "delete" {
            change["deletedAt"] = json!(now);
        } else {
            let fields = data.as_object().expect("fields").iter();
            change["fields"] = fields
                .map(|(f, v)| (f.clone(), json!({"value": v, "updatedAt": now})))
                .collect::<Map>()
                .into();
        }
        let push = AcceptPush {
            since: now.to_string(),
            ..AcceptPush::new(Origin::Device, "device", vec![change])
        };
        let pushed = self.sync.accept(&self.scope(), push, now).await;
        pushed.map(|_| ())
    }

    /// A mission that is due at [`MORNING`], which is now.
    pub async fn daily_mission(&self, title: &str) -> String {
        self.clock
            .store(at(MORNING).plus(-60_000_000).0, Ordering::SeqCst);
        let id = self
            .mission(
                title,
                json!({"cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}}),
            )
            .await;
        self.set_clock(MORNING);
        id
    }

    pub async fn mission(&self, title: &str, more: Value) -> String {
        let id = title.to_lowercase().replace(' ', "-");
        let mut data = json!({"title": title, "objective": "Get on.", "state": "active"});
        data.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        self.write("ai", "aiMissions", &id, "insert", data).await;
        id
    }

    /// Another person on the same server writes a record.
    pub async fn stranger_writes(&self, app: &str, table: &str, id: &str, data: Value) {
        let stranger = NewUser {
            email: "b@example.org".into(),
            name: "B".into(),
            password_hash: "x".into(),
            timezone: "UTC".into(),
            locale: "en".into(),
        };
        let stranger = self.store.create_user(stranger, self.now()).await;
        let scope = Scope::own(&stranger.expect("an account").id);
        let change = json!({"appId": app, "table": table, "id": id, "op": "insert", "data": data,
            "at": self.now(), "actor": {"kind": "user"}});
        let push = AcceptPush {
            since: self.now().to_string(),
            ..AcceptPush::new(Origin::Device, "stranger", vec![change])
        };
        let accepted = self.sync.accept(&scope, push, self.now()).await;
        accepted.expect("a good push");
    }

    /// The person approves every open step.
    pub async fn decide_all(&self, id: &str) {
        for iteration in self.iterations(id).await {
            let open = iteration.plan.iter().filter(|step| step.status.is_open());
            let plan: Vec<Value> = open
                .map(|step| {
                    let mut step = json!(step);
                    step["status"] = json!("approved");
                    step["decidedAt"] = json!(self.now());
                    step
                })
                .collect();
            let element =
                json!({"id": iteration.id, "startedAt": iteration.started_at, "plan": plan});
            self.update(id, json!({"iterations": [element]})).await;
        }
    }

    pub async fn update(&self, id: &str, set: Value) {
        self.write("ai", "aiMissions", id, "update", set).await;
    }

    pub async fn try_update(&self, id: &str, set: Value) -> Result<(), mana_sync::SyncError> {
        self.try_write("ai", "aiMissions", id, "update", set).await
    }

    pub async fn tick(&self) -> TickReport {
        self.runner.tick().await
    }

    /// Lets the time pass until `end`: the runner wakes whenever something is due.
    pub async fn pass_until(&self, end: Micros) {
        while let Some(wake) = self.store.next_wake().await.expect("the store reads") {
            if wake > end {
                break;
            }
            let now = self.now().max(wake);
            self.clock.store(now.0, Ordering::SeqCst);
            let report = self.tick().await;
            assert!(report.due_mission_count > 0, "nothing was due at {now}");
        }
        self.clock.store(end.0.max(self.now().0), Ordering::SeqCst);
    }

    pub async fn record(&self, app: &str, table: &str, id: &str) -> Option<RecordState> {
        self.store
            .record(&self.scope(), &RecordKey::new(app, table, id))
            .await
            .expect("the store reads")
    }

    pub async fn mission_now(&self, id: &str) -> Mission {
        let state = self
            .record("ai", "aiMissions", id)
            .await
            .expect("the mission");
        let mission = Mission::parse(id, &state.data);
        assert_eq!(mission.problems, [], "{:?}", state.data);
        mission
    }

    pub async fn iterations(&self, id: &str) -> Vec<Iteration> {
        self.mission_now(id).await.iterations
    }

    /// The run records of a mission, oldest first.
    pub async fn runs(&self, id: &str) -> Vec<AiRun> {
        let records = self
            .store
            .records(&self.scope(), "ai", "aiRuns")
            .await
            .expect("the store reads");
        let runs = records
            .into_iter()
            .map(|(_, state)| serde_json::from_value::<AiRun>(Value::Object(state.data)));
        let mut runs: Vec<AiRun> = runs
            .map(|run| run.expect("a run record"))
            .filter(|run| run.mission_id == id)
            .collect();
        runs.sort_by_key(|run| run.started_at);
        runs
    }

    /// Slot time and status of each run record.
    pub async fn run_statuses(&self, id: &str) -> Vec<(Micros, RunStatus)> {
        self.runs(id)
            .await
            .into_iter()
            .map(|run| (run.started_at, run.status))
            .collect()
    }

    /// The person rejects the first step of the newest iteration.
    pub async fn decide(&self, id: &str, status: &str, feedback: Option<&str>) {
        let iteration = self.iterations(id).await.pop().expect("an iteration");
        let mut step = json!(iteration.plan[0]);
        step["status"] = json!(status);
        step["decidedAt"] = json!(self.now());
        step["decidedBy"] = json!(self.user);
        if let Some(feedback) = feedback {
            step["feedback"] = json!(feedback);
        }
        let element =
            json!({"id": iteration.id, "startedAt": iteration.started_at, "plan": [step]});
        self.update(id, json!({"iterations": [element]})).await;
    }

    pub async fn request(&self, id: &str, slot: &str, inputs: Option<Value>) {
        let request = RunRequest {
            mission_id: id.to_owned(),
            slot: slot.to_owned(),
            iteration_id: mana_core::ids::iteration_id(id, slot),
            not_before: self.now(),
            inputs,
        };
        self.sync
            .request_run(&self.scope(), request)
            .await
            .expect("the store writes");
    }
}

/// The moment in a push at which the process stops.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dies {
    BeforeTheWrite,
    AfterTheWrite,
    /// A device pushes between the runner's reading of the mission and its push.
    Never,
}

/// A log whose process stops for ever around the push of a run's result.
pub struct Dying {
    pub inner: Arc<dyn Log>,
    pub when: Dies,
    pub died: Arc<Notify>,
    /// The push of another device just before.
    pub meanwhile: Mutex<VecDeque<Push>>,
}

impl Dying {
    pub fn around(inner: Arc<dyn Log>, when: Dies, died: Arc<Notify>) -> Arc<dyn Log> {
        let meanwhile = Mutex::default();
        Arc::new(Self {
            inner,
            when,
            died,
            meanwhile,
        })
    }
}

#[async_trait]
impl Log for Dying {
    async fn push(&self, scope: &Scope, push: Push) -> mana_store::Result<Pushed> {
        let meanwhile = self.meanwhile.lock().expect("unpoisoned").pop_front();
        if let Some(theirs) = meanwhile {
            self.inner.push(scope, theirs).await?;
        }
        if self.when == Dies::Never {
            return self.inner.push(scope, push).await;
        }
        if self.when == Dies::AfterTheWrite {
            self.inner.push(scope, push).await?;
        }
        self.died.notify_one();
        std::future::pending().await
    }
    async fn changes(&self, scope: &Scope, query: ChangesQuery) -> mana_store::Result<ChangesPage> {
        self.inner.changes(scope, query).await
    }
    async fn history(&self, scope: &Scope, query: HistoryQuery) -> mana_store::Result<ChangesPage> {
        self.inner.history(scope, query).await
    }
    async fn record(
        &self,
        scope: &Scope,
        key: &RecordKey,
    ) -> mana_store::Result<Option<RecordState>> {
        self.inner.record(scope, key).await
    }
    async fn records_by_key(
        &self,
        scope: &Scope,
        keys: &[RecordKey],
    ) -> mana_store::Result<Vec<(RecordKey, RecordState)>> {
        self.inner.records_by_key(scope, keys).await
    }
    async fn records(
        &self,
        scope: &Scope,
        app: &str,
        table: &str,
    ) -> mana_store::Result<Vec<(String, RecordState)>> {
        self.inner.records(scope, app, table).await
    }
    async fn snapshot(
        &self,
        scope: &Scope,
        query: SnapshotQuery,
    ) -> mana_store::Result<SnapshotPage> {
        self.inner.snapshot(scope, query).await
    }
    async fn identity(&self, scope: &Scope) -> mana_store::Result<mana_store::LogIdentity> {
        self.inner.identity(scope).await
    }
    async fn open_give_back(
        &self,
        scope: &Scope,
        now: Micros,
        anew: bool,
    ) -> mana_store::Result<()> {
        self.inner.open_give_back(scope, now, anew).await
    }
    async fn schema_version(&self, scope: &Scope) -> mana_store::Result<u64> {
        self.inner.schema_version(scope).await
    }
    async fn size(&self, scope: &Scope) -> mana_store::Result<mana_store::LogSize> {
        self.inner.size(scope).await
    }
}
