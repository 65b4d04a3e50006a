//! A ledger for tests: an SQLite store in memory whose reads of keys can be held or made to fail, and whose
//! settlements can be made to fail for one reservation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mana_core::Micros;
use mana_core::manifest::Registry;
use mana_store::{
    Accounts, Amount, Ledger, NewUser, Reservation, Reserved, Result, Settlement, SqliteStore,
    StoreError, UsageQuery, UsageSum, UserId, VirtualKey,
};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};

pub(crate) struct TestLedger {
    pub store: Arc<SqliteStore>,
    /// The account that keys belong to.
    pub user: UserId,
    held: AtomicBool,
    failing: AtomicBool,
    read: Notify,
    go: Semaphore,
    /// The account whose reservations can't be settled.
    pub unsettled: Mutex<Option<String>>,
    reserved: Mutex<Vec<Reservation>>,
}

impl TestLedger {
    pub async fn new() -> Arc<Self> {
        let registry = Arc::new(Registry::builtin());
        let store = SqliteStore::memory(registry).await.unwrap();
        let owner = NewUser {
            email: "owner@example.org".to_owned(),
            name: String::new(),
            password_hash: String::new(),
            timezone: "UTC".to_owned(),
            locale: "en".to_owned(),
        };
        let user = store.create_user(owner, Micros(0)).await.unwrap().id;
        Arc::new(Self {
            store,
            user,
            held: AtomicBool::default(),
            failing: AtomicBool::default(),
            read: Notify::new(),
            go: Semaphore::new(0),
            unsettled: Mutex::default(),
            reserved: Mutex::default(),
        })
    }

    /// From now on a list of keys is read and not handed out.
    pub fn hold_reads(&self) {
        self.held.store(true, Ordering::SeqCst);
    }

    /// A list of keys has been read and is held.
    pub async fn has_read(&self) {
        self.read.notified().await;
    }

    pub fn let_reads_go(&self) {
        self.held.store(false, Ordering::SeqCst);
        self.go.add_permits(100);
    }

    pub fn fail_reads(&self, fail: bool) {
        self.failing.store(fail, Ordering::SeqCst);
    }
}

fn failure() -> StoreError {
    let source = serde_json::from_str::<Value>("").unwrap_err();
    StoreError::Corrupt {
        what: "a test",
        source,
    }
}

#[async_trait]
impl Ledger for TestLedger {
    async fn reserve(&self, now: Micros, reservation: Reservation) -> Result<Reserved> {
        self.reserved.lock().unwrap().push(reservation.clone());
        self.store.reserve(now, reservation).await
    }

    async fn renew_reservation(&self, id: &str, expires_at: Micros) -> Result<bool> {
        self.store.renew_reservation(id, expires_at).await
    }

    async fn settle_part(&self, id: &str, used: Vec<Settlement>, kept: Amount) -> Result<bool> {
        let unsettled = self.unsettled.lock().unwrap().clone();
        let fails = unsettled.is_some_and(|account| {
            let reserved = self.reserved.lock().unwrap();
            let mut of_account = reserved.iter().filter(|one| one.id == id);
            of_account.any(|one| one.lines.iter().any(|line| line.account == account))
        });
        if fails {
            return Err(failure());
        }
        self.store.settle_part(id, used, kept).await
    }

    async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageSum>> {
        self.store.usage(query).await
    }

    async fn used(&self, account: &str, since: Micros) -> Result<Amount> {
        self.store.used(account, since).await
    }

    async fn create_key(&self, key: VirtualKey, secret: &str) -> Result<()> {
        self.store.create_key(key, secret).await
    }

    async fn update_key(&self, id: &str, settings: Value) -> Result<bool> {
        self.store.update_key(id, settings).await
    }

    async fn delete_key(&self, id: &str) -> Result<bool> {
        self.store.delete_key(id).await
    }

    async fn keys(&self) -> Result<Vec<(Vec<u8>, VirtualKey)>> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(failure());
        }
        let keys = self.store.keys().await;
        if self.held.load(Ordering::SeqCst) {
            self.read.notify_one();
            self.go.acquire().await.unwrap().forget();
        }
        keys
    }

    async fn settle_expired(&self, now: Micros) -> Result<u64> {
        self.store.settle_expired(now).await
    }
}
