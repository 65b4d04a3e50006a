//! The listeners of this process, and what they are told. Nobody waits for a slow listener, and no listener misses
//! that something changed: what it has not heard yet is gathered, in bounded memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mana_store::{RunProgress, UserId};
use tokio::sync::Notify;

/// Notices that wait for a listener; past it they become [`Notice::Everything`].
const MAX_WAITING: usize = 64;

/// Something that happened in a person's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A commit.
    Sync {
        /// In this app.
        app: String,
        /// To these tables.
        tables: BTreeSet<String>,
        /// By the connection that listens under this name; none if several, or if nobody listens under it.
        sender: Option<String>,
    },
    /// A run went on. Its result is in the log once it ends.
    Run(RunProgress),
    /// More happened than was heard: pull all apps.
    Everything,
}

impl Notice {
    /// The notices of a commit: a notice for each app that it touched.
    pub(crate) fn of(tables: &BTreeSet<(String, String)>, sender: Option<&str>) -> Vec<Self> {
        let mut apps: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (app, table) in tables {
            apps.entry(app).or_default().insert(table.clone());
        }
        apps.into_iter()
            .map(|(app, tables)| Self::Sync {
                app: app.to_owned(),
                tables,
                sender: sender.map(str::to_owned),
            })
            .collect()
    }
}

/// Tells listeners of a person's log what happened.
#[derive(Default)]
pub struct Hub {
    listeners: Mutex<HashMap<UserId, Vec<Arc<Inbox>>>>,
}

impl Hub {
    /// A hub that nobody listens to yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Listens to a person's log from now on, until the subscription is dropped.
    pub fn subscribe(self: &Arc<Self>, user: &UserId) -> Subscription {
        let inbox = Arc::new(Inbox::default());
        lock(&self.listeners)
            .entry(user.clone())
            .or_default()
            .push(inbox.clone());
        Subscription {
            hub: self.clone(),
            user: user.clone(),
            inbox,
        }
    }

    /// Tells whoever listens to this person's log. Never waits.
    pub fn publish(&self, user: &UserId, notice: Notice) {
        let listeners = lock(&self.listeners);
        for inbox in listeners.get(user).into_iter().flatten() {
            lock(&inbox.waiting).add(&notice);
            inbox.arrived.notify_one();
        }
    }

    /// Tells everybody that anything could have happened.
    pub fn publish_everything(&self) {
        for inbox in lock(&self.listeners).values().flatten() {
            lock(&inbox.waiting).add(&Notice::Everything);
            inbox.arrived.notify_one();
        }
    }

    /// How many listen, over all people.
    pub fn listeners(&self) -> usize {
        lock(&self.listeners).values().map(Vec::len).sum()
    }
}

/// A listener's end. Made by [`Hub::subscribe`].
pub struct Subscription {
    hub: Arc<Hub>,
    user: UserId,
    inbox: Arc<Inbox>,
}

impl Subscription {
    /// The next notice. Nothing is lost if the future is dropped.
    pub async fn recv(&mut self) -> Notice {
        loop {
            let next = lock(&self.inbox.waiting).notices.pop_front();
            if let Some(notice) = next {
                return notice;
            }
            self.inbox.arrived.notified().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut listeners = lock(&self.hub.listeners);
        if let Some(inboxes) = listeners.get_mut(&self.user) {
            inboxes.retain(|inbox| !Arc::ptr_eq(inbox, &self.inbox));
            if inboxes.is_empty() {
                listeners.remove(&self.user);
            }
        }
    }
}

#[derive(Default)]
struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    notices: VecDeque<Notice>,
}

impl Waiting {
    /// Adds a notice, or what it says to one that waits already.
    fn add(&mut self, notice: &Notice) {
        if self.notices.iter_mut().any(|waiting| waiting.takes(notice)) {
            return;
        }
        self.notices.push_back(notice.clone());
        if self.notices.len() > MAX_WAITING {
            self.notices.clear();
            self.notices.push_back(Notice::Everything);
        }
    }
}

impl Notice {
    /// Whether this notice, which nobody has heard yet, now says what the other does as well.
    fn takes(&mut self, other: &Notice) -> bool {
        match (self, other) {
            (Self::Everything, Self::Sync { .. } | Self::Everything) => true,
            (
                Self::Sync {
                    app,
                    tables,
                    sender,
                },
                Self::Sync {
                    app: other_app,
                    tables: others,
                    sender: other_sender,
                },
            ) if app == other_app && tables.union(others).count() <= MAX_WAITING => {
                tables.extend(others.iter().cloned());
                if sender != other_sender {
                    *sender = None;
                }
                true
            }
            (Self::Run(run), Self::Run(other)) if run.iteration_id == other.iteration_id => {
                *run = other.clone();
                true
            }
            _ => false,
        }
    }
}

/// A panic elsewhere leaves these maps whole, so poison says nothing here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
