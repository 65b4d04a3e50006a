//! Devices, servers and what is between them, moved on by one action after the other.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use mana_core::{
    Micros, ids,
    mission::{APP, MISSIONS, Mission, StepStatus},
    staging::Decision,
    sync::{Refusal, TransportError},
    undo::UndoExtent,
};
use mana_device::{DeviceError, Env, Replica, StorageError, SyncError};
use serde_json::Value;

use crate::{
    action::{Action, Direction, Fate, MISSION},
    disk::Disk,
    face::Face,
    failure::{Failure, Kind},
    figures::Figures,
    net::{Connection, Net, Packet, broken, described},
    old_device::OldDevice,
    person::{mission_id, writes},
    server::{Backend, Backup, lock},
};

/// How many tabs each device has. The tabs of a device share its disk.
const TABS: [usize; 4] = [2, 1, 2, 1];
const SERVERS: usize = 3;
/// Devices at most; more copies are not made.
const MAX_DEVICES: usize = 7;
/// Things under way at once; more are not begun.
const MAX_TASKS: usize = 16;
/// 2026-03-02, a Monday, 06:00 UTC.
const START: i64 = 1_772_431_200_000_000;

/// The outcome of a task.
enum Done {
    /// Changes that were acknowledged, and which of them write texts.
    Wrote(Vec<String>, Vec<String>),
    /// A sync ended.
    Synced(Result<(), SyncError>),
    /// Nothing to tell.
    Nothing,
}

type Job = Pin<Box<dyn Future<Output = Done>>>;

struct Task {
    tab: usize,
    job: Job,
}

pub(crate) struct Device {
    pub disk: Disk,
    skew: Arc<AtomicI64>,
}

pub(crate) struct World {
    face: Face,
    time: Arc<AtomicI64>,
    new_ids: Arc<AtomicU64>,
    pub backend: Backend,
    net: Net,
    pub devices: Vec<Device>,
    /// The device of each tab.
    tabs: Vec<usize>,
    tasks: Vec<Task>,
    /// Device, server, and whether up.
    cuts: BTreeSet<(usize, usize, bool)>,
    /// The device of an older version.
    pub old: OldDevice,
    /// Event ids of what devices acknowledged.
    pub acknowledged: Vec<String>,
    /// Event ids that the log had when it was compacted.
    pub once_logged: BTreeSet<String>,
    /// Event ids of the texts among what devices acknowledged.
    pub texts: Vec<String>,
    /// Whether devices may have joined states, which tell of no conflict.
    pub joined: bool,
    /// The last copy of the database.
    backup: Option<Backup>,
    /// Whether the database was put back to a copy: what was overwritten before it is gone with the log's rows.
    pub put_back: bool,
    /// Whether that happened underneath, so that the runner may have planned a slot again.
    pub rolled_back: bool,
    pub figures: Figures,
    pub failure: Option<Failure>,
    pub trace: Vec<String>,
}

impl World {
    pub fn new(face: Face) -> World {
        let time = Arc::new(AtomicI64::new(START));
        let devices = TABS.map(|_| Device {
            disk: Disk::default(),
            skew: Arc::default(),
        });
        let tabs = TABS.iter().enumerate();
        World {
            face,
            backend: Backend::new(SERVERS, time.clone()),
            time,
            new_ids: Arc::default(),
            net: Net::default(),
            devices: devices.into(),
            tabs: tabs
                .flat_map(|(device, count)| vec![device; *count])
                .collect(),
            tasks: Vec::new(),
            cuts: BTreeSet::new(),
            old: OldDevice::new(),
            acknowledged: Vec::new(),
            once_logged: BTreeSet::new(),
            texts: Vec::new(),
            joined: false,
            backup: None,
            put_back: false,
            rolled_back: false,
            figures: Figures::default(),
            failure: None,
            trace: Vec::new(),
        }
    }

    fn tab(&self, n: u32) -> usize {
        n as usize % self.tabs.len()
    }

    fn device(&self, n: u32) -> usize {
        n as usize % self.devices.len()
    }

    fn server(&self, n: u32) -> usize {
        n as usize % self.backend.len()
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        let at = self.time.load(Ordering::SeqCst) - START;
        self.trace
            .push(format!("{:>14.6} s  {}", at as f64 / 1e6, what()));
    }

    pub fn act(&mut self, action: &Action) {
        match *action {
            Action::Write { tab, what, value } => self.write(self.tab(tab), what, value),
            Action::Decide {
                tab,
                proposal,
                approve,
            } => self.decide(self.tab(tab), proposal as usize, approve),
            Action::Undo { tab, step } => self.undo(self.tab(tab), step as usize),
            Action::Sync { tab, server } => self.sync(self.tab(tab), self.server(server)),
            Action::Go { task } if !self.tasks.is_empty() => {
                self.go(task as usize % self.tasks.len());
            }
            Action::Deliver { packet, fate } => {
                let waiting = lock(&self.net).len();
                if waiting > 0 {
                    self.deliver(packet as usize % waiting, fate);
                }
            }
            Action::Crash { tab } => {
                let tab = self.tab(tab);
                let before = self.tasks.len();
                self.tasks.retain(|task| task.tab != tab);
                let ended = before - self.tasks.len();
                self.figures.crashed += ended as u64;
                self.say(|| format!("tab {tab} crashes with {ended} things under way"));
            }
            Action::Cut {
                device,
                server,
                direction,
            } => {
                let (device, server) = (self.device(device), self.server(server));
                if direction != Direction::Down {
                    self.cuts.insert((device, server, true));
                }
                if direction != Direction::Up {
                    self.cuts.insert((device, server, false));
                }
                self.say(|| format!("device {device} and server {server} are cut: {direction:?}"));
            }
            Action::Mend { device } => {
                let device = self.device(device);
                self.cuts.retain(|cut| cut.0 != device);
            }
            Action::Wait { us } => {
                self.time.fetch_add(us, Ordering::SeqCst);
            }
            Action::SetClock { device, us } => {
                let device = self.device(device);
                self.devices[device].skew.store(us, Ordering::SeqCst);
                self.say(|| format!("device {device}'s clock is {us} µs off"));
            }
            Action::SetServerClock { server, us } => {
                let server = self.server(server);
                self.backend.set_clock(server, us);
                self.say(|| format!("server {server}'s clock is {us} µs off"));
            }
            Action::Tick { server, hangs } => {
                let server = self.server(server);
                self.backend.tick(server, hangs);
                self.say(|| format!("server {server} plans; its model hangs: {hangs}"));
            }
            Action::Answer { server } => self.backend.answer(self.server(server)),
            Action::Restart { server } => {
                let server = self.server(server);
                self.backend.restart(server);
                self.say(|| format!("server {server} starts again"));
            }
            Action::Run {
                mission,
                slot,
                server,
            } => {
                let mission = mission_id(mission);
                let slot = format!("run:{}", ids::derive("slot", &(slot % 3).to_string()));
                self.backend
                    .request_run(self.server(server), &mission, &slot);
                self.say(|| format!("a run of {mission} is asked for: {slot}"));
            }
            Action::Copy { device } => self.copy(self.device(device)),
            Action::Refuse { on } => self.backend.refusing = on,
            Action::Compact { ago_us } => {
                let had = self.backend.compact(ago_us);
                self.once_logged.extend(had);
                self.joined = true;
                self.say(|| format!("the log is compacted before {ago_us} µs ago"));
            }
            Action::Retry { tab } => self.retry(self.tab(tab)),
            Action::Backup => {
                self.backup = Some(self.backend.backup());
                self.say(|| "the database is copied".to_owned());
            }
            Action::PutBack { restored } => self.put_back(restored),
            Action::OldDevice {
                what,
                value,
                server,
                lost,
            } => self.old_device(what, value, self.server(server), lost),
            Action::Go { .. } => {}
        }
    }

    fn put_back(&mut self, restored: bool) {
        let Some(backup) = self.backup.clone() else {
            return;
        };
        // Copying a file takes a while, in which no row gets a place.
        self.time.fetch_add(10_000_000, Ordering::SeqCst);
        let had = self.backend.put_back(&backup, restored);
        self.once_logged.extend(had);
        self.joined = true;
        self.put_back = true;
        self.figures.put_back += 1;
        self.rolled_back |= !restored;
        self.say(|| format!("the database is put back; its operator says so: {restored}"));
    }

    fn old_device(&mut self, what: u32, value: u32, server: usize, lost: bool) {
        if what % 8 > 4 {
            return self.sync_old_device(server, lost);
        }
        let (now, made) = (self.time.load(Ordering::SeqCst), self.new_ids.clone());
        let new_id = move || ids::derive("old", &made.fetch_add(1, Ordering::SeqCst).to_string());
        let wrote = self.old.act(what, value, Micros(now), new_id);
        self.say(|| format!("the older device writes {}", wrote.join(", ")));
        self.figures.acknowledged += wrote.len() as u64;
        self.acknowledged.extend(wrote);
    }

    fn sync_old_device(&mut self, server: usize, lost: bool) {
        let synced = self.old.sync(&self.backend, server, lost);
        self.say(|| format!("the older device syncs with {server}, lost: {lost}; {synced:?}"));
        match synced {
            Ok(updated) => self.figures.updated += u64::from(updated),
            Err(error) => self.failure = Some(Failure::new(Kind::Refused, error.to_string())),
        }
    }

    /// A replica as a tab has it, or a process: opened anew each time, so nothing but the disk remembers.
    fn open(&self, tab: usize) -> impl Future<Output = Result<Replica, StorageError>> + 'static {
        let device = &self.devices[self.tabs[tab]];
        let (time, off, new_ids) = (self.time.clone(), device.skew.clone(), self.new_ids.clone());
        let env = Env {
            now: Arc::new(move || Micros(time.load(Ordering::SeqCst) + off.load(Ordering::SeqCst))),
            new_id: Arc::new(move || {
                ids::derive("sim", &new_ids.fetch_add(1, Ordering::SeqCst).to_string())
            }),
            zone: Arc::new(mana_core::zone::Utc),
        };
        let (disk, registry) = (device.disk.clone(), self.backend.registry().clone());
        let (face, number) = (self.face, self.tabs[tab]);
        async move {
            let replica = Replica::open(Arc::new(disk), registry, "me", env).await?;
            Ok(face.of(number, replica))
        }
    }

    fn begin(&mut self, tab: usize, job: impl Future<Output = Done> + 'static) {
        if self.tasks.len() < MAX_TASKS {
            let job = Box::pin(job);
            self.tasks.push(Task { tab, job });
        }
    }

    fn write(&mut self, tab: usize, what: u32, value: u32) {
        let writes = writes(what, value);
        self.say(|| {
            let all = writes.iter().map(|write| {
                let set = Value::Object(write.set.clone());
                format!("{:?} {}/{} {set}", write.op, write.key.table, write.key.id)
            });
            format!("tab {tab} writes {}", all.collect::<Vec<_>>().join(", "))
        });
        let open = self.open(tab);
        self.begin(tab, async move {
            let replica = open.await.expect("memory opens");
            wrote(replica.write(writes).await)
        });
    }

    fn decide(&mut self, tab: usize, which: usize, approve: bool) {
        let open = self.open(tab);
        self.say(|| format!("tab {tab} decides: {}", if approve { "yes" } else { "no" }));
        self.begin(tab, async move {
            let replica = open.await.expect("memory opens");
            let inbox = replica.inbox().await.expect("memory reads");
            if inbox.is_empty() {
                return Done::Nothing;
            }
            let id = inbox[which % inbox.len()].id.clone();
            let decision = match approve {
                true => Decision::Approve {
                    edited_params: None,
                    over: None,
                },
                false => Decision::Reject {
                    reason: Some("No.".to_owned()),
                },
            };
            match replica.decide(&id, &decision).await {
                Err(DeviceError::Decision(error)) if error.code == "stale" => {
                    replica.renew(&id).await.expect("memory writes");
                    Done::Nothing
                }
                // Decided meanwhile, or its record is gone: a person reads that and goes on.
                Err(DeviceError::Decision(_)) => Done::Nothing,
                other => wrote(other),
            }
        });
    }

    fn undo(&mut self, tab: usize, which: usize) {
        let open = self.open(tab);
        self.say(|| format!("tab {tab} takes something back"));
        self.begin(tab, async move {
            let replica = open.await.expect("memory opens");
            let missions = replica.records(APP, MISSIONS).await.expect("memory reads");
            let steps: Vec<(String, String)> = missions
                .iter()
                .flat_map(|(id, state)| {
                    let iterations = Mission::parse(id, &state.data).iterations.into_iter();
                    let steps = iterations.flat_map(|iteration| iteration.plan);
                    let done = steps.filter(|step| step.status == StepStatus::Approved);
                    done.map(|step| (id.clone(), step.id))
                })
                .collect();
            if steps.is_empty() {
                return Done::Nothing;
            }
            let (mission, step_id) = steps[which % steps.len()].clone();
            let extent = UndoExtent::Step { step_id };
            let preview = replica.undo_preview(&mission, &extent).await;
            let hash = preview.expect("the mission is here").hash;
            match replica.undo(&mission, &extent, &hash).await {
                Ok(undone) => wrote(Ok(undone.changes)),
                // Written since, or nothing is left of it: a person reads that and goes on.
                Err(DeviceError::Decision(_)) => Done::Nothing,
                Err(error) => wrote(Err(error)),
            }
        });
    }

    fn sync(&mut self, tab: usize, server: usize) {
        let open = self.open(tab);
        let connection = Connection {
            net: self.net.clone(),
            device: self.tabs[tab],
            server,
        };
        self.say(|| format!("tab {tab} begins to sync with server {server}"));
        self.begin(tab, async move {
            let replica = open.await.expect("memory opens");
            Done::Synced(replica.sync(&connection).await)
        });
    }

    fn copy(&mut self, device: usize) {
        let copy = self.devices.len();
        let disk = self.devices[device].disk.copied();
        if let Some(disk) = disk.filter(|_| copy < MAX_DEVICES) {
            let skew = Arc::default();
            self.devices.push(Device { disk, skew });
            self.tabs.push(copy);
            self.say(|| format!("device {device} is copied: device {copy}"));
        }
    }

    fn retry(&mut self, tab: usize) {
        let open = self.open(tab);
        self.begin(tab, async move {
            let replica = open.await.expect("memory opens");
            for one in replica.set_aside().await.expect("memory reads") {
                replica.retry(one.event_id()).await.expect("memory writes");
            }
            Done::Nothing
        });
    }

    /// Polls a task once.
    fn go(&mut self, task: usize) {
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(done) = self.tasks[task].job.as_mut().poll(&mut context) else {
            return;
        };
        let tab = self.tasks.swap_remove(task).tab;
        match done {
            Done::Wrote(ids, texts) => {
                self.texts.extend(texts);
                self.figures.acknowledged += ids.len() as u64;
                self.say(|| format!("tab {tab} has written {}", ids.join(", ")));
                self.acknowledged.extend(ids);
            }
            Done::Synced(Ok(())) => self.say(|| format!("tab {tab} has synced")),
            Done::Synced(Err(error)) => {
                let expected = match &error {
                    SyncError::Transport(TransportError::Refused(refusal)) => refusal.status == 503,
                    SyncError::Transport(TransportError::Offline(_)) => true,
                    SyncError::Transport(TransportError::Unexpected(_)) => false,
                    SyncError::Storage(_) => false,
                };
                self.say(|| format!("tab {tab} gives up syncing: {error}"));
                if !expected {
                    let message = format!("tab {tab} was refused: {error}");
                    self.failure = Some(Failure::new(Kind::Refused, message));
                }
            }
            Done::Nothing => {}
        }
    }

    fn deliver(&mut self, packet: usize, fate: Fate) {
        let packet = lock(&self.net).swap_remove(packet);
        match packet {
            Packet::Request {
                device,
                server,
                request,
                reply_to,
            } => {
                let lost = fate == Fate::Lost || self.cuts.contains(&(device, server, true));
                let copy = matches!(fate, Fate::Doubled | Fate::Late).then(|| Packet::Request {
                    device,
                    server,
                    request: request.clone(),
                    reply_to: None,
                });
                if lost || fate == Fate::Late {
                    self.figures.lost += 1;
                    self.say(|| format!("a push of device {device} to server {server}: {fate:?}"));
                    if let Some(waiting) = reply_to {
                        let _ = waiting.send(broken());
                    }
                    lock(&self.net).extend(copy.filter(|_| !lost));
                    return;
                }
                let reply = match fate {
                    Fate::Busy => Err(TransportError::Refused(Refusal::new(503, "busy", "Busy."))),
                    _ => {
                        self.figures.pushes += 1;
                        self.backend.respond(server, &request)
                    }
                };
                self.say(|| described(device, server, &request, &reply));
                let answer = Packet::Reply {
                    device,
                    server,
                    reply,
                    reply_to,
                };
                lock(&self.net).extend([Some(answer), copy].into_iter().flatten());
            }
            Packet::Reply {
                device,
                server,
                reply,
                reply_to,
            } => {
                let Some(waiting) = reply_to else { return };
                let lost = matches!(fate, Fate::Lost | Fate::Late)
                    || self.cuts.contains(&(device, server, false));
                self.figures.lost += u64::from(lost);
                self.say(|| {
                    let what = if lost { "is lost" } else { "arrives" };
                    format!("an answer of server {server} to device {device} {what}")
                });
                let _ = waiting.send(if lost { broken() } else { reply });
            }
        }
    }

    /// There are missions before anything goes wrong: otherwise few histories would have plans.
    pub fn begin_missions(&mut self) -> Result<(), Failure> {
        for mission in 0..2 {
            self.write(0, MISSION, mission);
        }
        self.drain()?;
        self.sync(0, 0);
        self.drain()
    }

    /// Mends everything, and syncs until nothing moves any more.
    pub fn settle(&mut self) -> Result<(), Failure> {
        self.say(|| "everything is mended".to_owned());
        self.cuts.clear();
        self.backend.refusing = false;
        for server in 0..self.backend.len() {
            self.backend.answer(server);
        }
        self.drain()?;
        // Claims of servers that are gone end.
        self.time.fetch_add(600_000_000, Ordering::SeqCst);
        for server in 0..self.backend.len() {
            self.backend.tick(server, false);
        }
        let mut rows = usize::MAX;
        for round in 0..10 {
            for device in 0..self.devices.len() {
                let tab = self.tabs.iter().position(|of| *of == device).unwrap_or(0);
                self.retry(tab);
                self.drain()?;
                self.sync(tab, (device + round) % self.backend.len());
                self.drain()?;
            }
            self.sync_old_device(round % self.backend.len(), false);
            self.drain()?;
            let now = self.backend.log().len();
            if now == rows && self.old.waiting.is_empty() {
                self.figures.rows = now as u64;
                return Ok(());
            }
            rows = now;
        }
        let message = "the log still grows after ten rounds of syncing".to_owned();
        Err(Failure::new(Kind::Stuck, message))
    }

    /// Lets everything under way come to its end, with nothing going wrong.
    fn drain(&mut self) -> Result<(), Failure> {
        for _ in 0..10_000 {
            for task in (0..self.tasks.len()).rev() {
                self.go(task);
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            let waiting = lock(&self.net).len();
            match (waiting, self.tasks.is_empty()) {
                (0, true) => return Ok(()),
                (0, false) => {}
                _ => self.deliver(0, Fate::Arrives),
            }
        }
        let message = format!("{} things never end", self.tasks.len());
        Err(Failure::new(Kind::Stuck, message))
    }
}

fn wrote(written: Result<Vec<mana_core::Change>, DeviceError>) -> Done {
    let changes = written.expect("what is written here is in order");
    let texts = changes
        .iter()
        .filter(|change| change.fields.values().any(|write| write.base.is_some()));
    let texts = texts.filter_map(|change| change.event_id.clone()).collect();
    let ids = changes.into_iter().filter_map(|change| change.event_id);
    Done::Wrote(ids.collect(), texts)
}
