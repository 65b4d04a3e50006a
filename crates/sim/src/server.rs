//! The servers: the real ones, over one database in memory.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use mana_ai::{ChatAnswer, ChatRequest, Llm, LlmError, Runner, RunnerConfig, RunnerParts};
use mana_core::{
    Micros, RecordKey, RecordState, ids,
    manifest::Registry,
    sync::{JoinRequest, PushAnswer, PushRequest, Refusal, SnapshotRequest, TransportError},
};
use mana_store::{
    Accounts, ChangesQuery, Cursor, KnownLog, Log as _, LogPage, LoggedChange, Maintenance as _,
    NewUser, RunRequest, Scope, SqliteStore, UserId,
};
use mana_sync::{AcceptPush, Hub, JoinBody, Origin, SnapshotParams, Sync, SyncError};
use serde_json::{Value, json};
use tokio::{
    runtime::Runtime,
    sync::{Notify, Semaphore},
};

use crate::net::{Reply, Request, Response};

/// Records with such ids are refused while the servers refuse.
pub const POISON: &str = "poison";

/// The servers and their database.
pub struct Backend {
    runtime: Runtime,
    store: Arc<SqliteStore>,
    registry: Arc<Registry>,
    user: UserId,
    time: Arc<AtomicI64>,
    instances: Vec<Instance>,
    plans: Arc<AtomicU64>,
    /// Some changes are refused.
    pub refusing: bool,
}

struct Instance {
    sync: Sync,
    runner: Arc<Runner>,
    llm: Arc<Model>,
    skew: Arc<AtomicI64>,
}

/// A model that plans, or hangs.
struct Model {
    plans: Arc<AtomicU64>,
    hangs: AtomicBool,
    hung: Notify,
    gate: Semaphore,
}

#[async_trait]
impl Llm for Model {
    async fn chat(&self, _: ChatRequest) -> Result<ChatAnswer, LlmError> {
        let plan = self.plans.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            self.hung.notify_one();
            if let Ok(answer) = self.gate.acquire().await {
                answer.forget();
            }
        }
        if plan % 7 == 5 {
            return Err(LlmError::new("timeout", "The model did not answer."));
        }
        let steps = json!([
            {"summary": "Make one", "toolName": "create_task", "params": {"title": format!("Plan {plan}")},
             "rationale": format!("Because of {plan}.")},
            {"summary": "Change one", "toolName": "update_task",
             "params": {"taskId": format!("t{}", plan % 4), "priority": "high", "notes": format!("Of plan {plan}.")},
             "rationale": "It matters."},
            {"summary": "Make another", "toolName": "create_task", "params": {"title": format!("More {plan}")},
             "rationale": "More."},
        ]);
        let text = format!(
            "```json\n{}\n```",
            json!({"summary": "A plan", "steps": steps})
        );
        Ok(ChatAnswer {
            text,
            model: "sim/model".to_owned(),
            ..ChatAnswer::default()
        })
    }
}

/// For how long a log takes back what devices hold, in microseconds (SYNC R8).
const GIVES_BACK: i64 = 30 * 86_400 * 1_000_000;

/// A copy of the database.
#[derive(Clone)]
pub struct Backup {
    log: LogPage,
    gives_back_until: Option<Micros>,
}

impl Backend {
    /// So many instances over a new database.
    pub fn new(instances: usize, time: Arc<AtomicI64>) -> Backend {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let registry = Arc::new(Registry::builtin());
        let (store, user) = runtime.block_on(async {
            let store = SqliteStore::memory(registry.clone())
                .await
                .expect("a database in memory");
            let user = NewUser {
                email: "sim@example.org".to_owned(),
                name: String::new(),
                password_hash: String::new(),
                timezone: "Europe/Berlin".to_owned(),
                locale: "en".to_owned(),
            };
            let user = store
                .create_user(user, Micros(1))
                .await
                .expect("an account");
            (store, user.id)
        });
        let mut backend = Backend {
            runtime,
            store,
            registry,
            user,
            time,
            instances: Vec::new(),
            plans: Arc::default(),
            refusing: false,
        };
        for n in 0..instances {
            let instance = backend.instance(n, Arc::default());
            backend.instances.push(instance);
        }
        backend
    }

    fn instance(&self, n: usize, skew: Arc<AtomicI64>) -> Instance {
        let sync = Sync::new(self.store.clone(), self.registry.clone(), Hub::new());
        let llm = Arc::new(Model {
            plans: self.plans.clone(),
            hangs: AtomicBool::new(false),
            hung: Notify::new(),
            gate: Semaphore::new(0),
        });
        let (time, off) = (self.time.clone(), skew.clone());
        let config = RunnerConfig {
            parallel: 1,
            worker: format!("worker-{n}"),
            // So few that histories forget.
            runs_kept: 3,
            ..RunnerConfig::default()
        };
        let runner = Runner::new(RunnerParts {
            store: self.store.clone(),
            sync: sync.clone(),
            llm: llm.clone(),
            registry: self.registry.clone(),
            accounts: self.store.clone(),
            ledger: self.store.clone(),
            config,
            clock: Arc::new(move || {
                Micros(time.load(Ordering::SeqCst) + off.load(Ordering::SeqCst))
            }),
        });
        Instance {
            sync,
            runner: Arc::new(runner),
            llm,
            skew,
        }
    }

    /// How many instances there are.
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    fn now(&self, server: usize) -> Micros {
        let skew = self.instances[server].skew.load(Ordering::SeqCst);
        Micros(self.time.load(Ordering::SeqCst) + skew)
    }

    fn scope(&self) -> Scope {
        Scope::own(&self.user)
    }

    /// Sets an instance's clock, relative to the true time.
    pub fn set_clock(&self, server: usize, us: i64) {
        self.instances[server].skew.store(us, Ordering::SeqCst);
    }

    /// Answers a request.
    pub fn respond(&self, server: usize, request: &Request) -> Reply {
        match request {
            Request::Push(push) => self.push(server, push),
            Request::Snapshot(asked) => self.snapshot(server, asked),
            Request::Join(join) => self.join(server, join),
        }
    }

    fn join(&self, server: usize, join: &JoinRequest) -> Reply {
        let body = JoinBody {
            client_id: None,
            log_epoch: join.log_epoch.clone(),
            records: join.records.iter().map(|record| json!(record)).collect(),
            ..JoinBody::default()
        };
        let (sync, scope) = (&self.instances[server].sync, self.scope());
        let joined = sync.join(&scope, join.client_id.clone(), body, self.now(server));
        match self.runtime.block_on(joined) {
            Ok(answer) => Ok(Response::Joined(answer.log_end.to_string())),
            Err(error) => Err(refused(&error)),
        }
    }

    /// A copy of the database.
    pub fn backup(&self) -> Backup {
        let (scope, all) = (self.scope(), 10_000_000);
        let export = self.store.export(&scope, Cursor::BEGINNING, all);
        let log = self.runtime.block_on(export).expect("the log is readable");
        let identity = self.runtime.block_on(self.store.identity(&scope));
        Backup {
            log,
            gives_back_until: identity.expect("the store reads").give_back_until,
        }
    }

    /// The database becomes the copy, and every server starts again. Returns the event ids that the log had.
    pub fn put_back(&mut self, backup: &Backup, restored: bool) -> Vec<String> {
        let had = self.log().into_iter().filter_map(|row| row.change.event_id);
        let had = had.collect();
        let (registry, user) = (self.registry.clone(), self.user.clone());
        let rows = stream::iter(backup.log.rows.clone()).map(Ok).boxed();
        let now = Micros(self.time.load(Ordering::SeqCst));
        let old = self.store.clone();
        self.store = self.runtime.block_on(async move {
            let store = SqliteStore::memory(registry).await;
            let store = store.expect("a database in memory");
            let account = old.user(&user).await.expect("the store reads");
            let (account, epoch) = (account.expect("an account"), Some(backup.log.epoch.clone()));
            let imported = store.import(account, backup.log.floor, epoch, rows).await;
            imported.expect("the copy is whole");
            if restored {
                let begun = store.begin_epoch(&Scope::own(&user), now, false).await;
                begun.expect("the store writes");
            } else if let Some(until) = backup.gives_back_until {
                let scope = Scope::own(&user);
                let opened = store.open_give_back(&scope, until.plus(-GIVES_BACK), false);
                opened.await.expect("the store writes");
            }
            store
        });
        for n in 0..self.instances.len() {
            self.restart(n);
        }
        had
    }

    fn snapshot(&self, server: usize, asked: &SnapshotRequest) -> Reply {
        let params = SnapshotParams {
            after: asked.after.clone(),
            log_epoch: Some(asked.log_epoch.clone()),
            log_end: asked.log_end.clone(),
            lost_end: asked.lost_end.clone(),
            // Small pages, so that things happen between them.
            limit: Some(5),
        };
        let sync = &self.instances[server].sync;
        let scope = self.scope();
        let page = self
            .runtime
            .block_on(sync.snapshot(&scope, None, params, self.now(server)));
        match page {
            Ok(page) => Ok(Response::Page(
                serde_json::from_value(json!(page)).expect("a device reads what a server says"),
            )),
            Err(error) => Err(refused(&error)),
        }
    }

    /// Drops what is superseded from before a while ago. Answers the event ids that the log had.
    pub fn compact(&self, ago_us: i64) -> Vec<String> {
        let had = self.log().into_iter().filter_map(|row| row.change.event_id);
        let had = had.collect();
        let before = Micros(self.time.load(Ordering::SeqCst) - ago_us);
        let compacted = self
            .runtime
            .block_on(self.store.compact(&self.scope(), before));
        compacted.expect("the store compacts");
        had
    }

    fn push(&self, server: usize, push: &PushRequest) -> Reply {
        if self.refusing {
            let bad = push
                .changes
                .iter()
                .position(|change| change.record_id().starts_with(POISON));
            if let Some(index) = bad {
                let mut refusal = Refusal::new(400, "invalid_change", "A change was refused.");
                refusal.details = json!({ "index": index, "reason": "not today" });
                return Err(TransportError::Refused(refusal));
            }
        }
        let changes = push.changes.iter().map(|change| json!(change)).collect();
        let accept = AcceptPush {
            since: push.since.clone(),
            schema_version: Some(push.schema_version),
            known: Some(KnownLog {
                epoch: push.log_epoch.clone(),
                end: push.log_end.parse().expect("a cursor of this server"),
            }),
            number: push.push_number,
            ..AcceptPush::new(Origin::Device, &push.client_id, changes)
        };
        self.accept(server, accept)
    }

    /// Takes a push of a device of version 0.1, or its question for what others did.
    pub fn push_of_old_device(
        &self,
        server: usize,
        changes: &[Value],
        since: &str,
        schema_version: u64,
    ) -> Result<PushAnswer, TransportError> {
        let accept = AcceptPush {
            since: since.to_owned(),
            schema_version: Some(schema_version),
            ..AcceptPush::new(Origin::Device, "old-device", changes.to_vec())
        };
        match self.accept(server, accept)? {
            Response::Answer(answer) => Ok(answer),
            other => panic!("a push is answered: {other:?}"),
        }
    }

    fn accept(&self, server: usize, accept: AcceptPush) -> Reply {
        let sync = &self.instances[server].sync;
        let answer = self
            .runtime
            .block_on(sync.accept(&self.scope(), accept, self.now(server)));
        match answer {
            Ok(answer) => {
                let answer = serde_json::from_value(json!(answer));
                Ok(Response::Answer(
                    answer.expect("a device reads what a server says"),
                ))
            }
            Err(error) => Err(refused(&error)),
        }
    }

    /// Plans what is due; where the model hangs, until it does.
    pub fn tick(&self, server: usize, hangs: bool) {
        let Instance { runner, llm, .. } = &self.instances[server];
        llm.hangs.store(hangs, Ordering::SeqCst);
        if runner.is_running() {
            return;
        }
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = llm.hung.notified() => {}
                _ = runner.tick() => {}
            }
        });
    }

    /// Lets models that hang answer.
    pub fn answer(&self, server: usize) {
        let Instance { runner, llm, .. } = &self.instances[server];
        llm.hangs.store(false, Ordering::SeqCst);
        if !runner.is_running() {
            return;
        }
        llm.gate.add_permits(1);
        self.runtime.block_on(async {
            while runner.is_running() {
                tokio::task::yield_now().await;
            }
        });
    }

    /// The process is gone with what it was doing, and another is there.
    pub fn restart(&mut self, server: usize) {
        let skew = self.instances[server].skew.clone();
        self.instances[server] = self.instance(server, skew);
    }

    /// A person asks for a run.
    pub fn request_run(&self, server: usize, mission: &str, slot: &str) {
        let request = RunRequest {
            mission_id: mission.to_owned(),
            slot: slot.to_owned(),
            iteration_id: ids::iteration_id(mission, slot),
            not_before: self.now(server),
            inputs: None,
        };
        let sync = &self.instances[server].sync;
        let requested = self
            .runtime
            .block_on(sync.request_run(&self.scope(), request));
        requested.expect("the store writes");
    }

    /// Everything in the log, in its order.
    pub fn log(&self) -> Vec<LoggedChange> {
        let query = ChangesQuery {
            limit: 10_000_000,
            ..ChangesQuery::default()
        };
        let page = self
            .runtime
            .block_on(self.store.changes(&self.scope(), query));
        page.expect("the log is readable").changes
    }

    /// A record as the server holds it.
    pub fn record(&self, key: &RecordKey) -> Option<RecordState> {
        let record = self.runtime.block_on(self.store.record(&self.scope(), key));
        record.expect("the store reads")
    }

    /// The modules.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }
}

fn refused(error: &SyncError) -> TransportError {
    TransportError::Refused(Refusal {
        status: error.status(),
        code: error.code().to_owned(),
        message: error.to_string(),
        details: error.details().unwrap_or(Value::Null),
        retry_after_s: None,
    })
}

/// A shared thing, whatever became of who held it.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
