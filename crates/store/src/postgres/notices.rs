//! What the processes on one database tell each other: one small message a user and transaction.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgListener};

use super::{Db, lock::Tx, pending};
use crate::{Result, RunProgress, StoreError, StoreNotice, UserId};

/// The trigger in migration 0002 writes to it, too.
pub(super) const CHANNEL: &str = "mana_changes";

/// Postgres takes messages below 8000 bytes.
const MAX_BYTES: usize = 7900;

/// Notices that wait for a subscriber; one that is further behind learns that it missed some.
pub(super) const KEPT: usize = 1024;

/// How long to wait before the database is tried again: doubled each time, from the first to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// A message between processes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Message<'m> {
    /// The process that sends it, and doesn't need it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    from: String,
    /// Whose log was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<Cow<'m, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tables: Option<Cow<'m, BTreeSet<(String, String)>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<Cow<'m, str>>,
    /// How far a run of this user is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Cow<'m, RunProgress>>,
    /// The mission of this user whose run is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancel: Option<Cow<'m, str>>,
    /// A due time or a request changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    schedule: bool,
    /// The session that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<Cow<'m, str>>,
    /// Whose log has rows that came by SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<String>,
}

impl<'m> Message<'m> {
    /// Something was appended to a log.
    pub fn committed(
        user: &'m UserId,
        tables: &'m BTreeSet<(String, String)>,
        client: Option<&'m str>,
    ) -> Self {
        Self {
            user: Some(user.as_str().into()),
            tables: Some(Cow::Borrowed(tables)),
            client: client.map(Into::into),
            ..Self::default()
        }
    }

    /// A run went on.
    pub fn run(user: &'m UserId, progress: &'m RunProgress) -> Self {
        Self {
            user: Some(user.as_str().into()),
            run: Some(Cow::Borrowed(progress)),
            ..Self::default()
        }
    }

    /// A run is to end.
    pub fn cancel(user: &'m UserId, mission_id: &'m str) -> Self {
        Self {
            user: Some(user.as_str().into()),
            cancel: Some(mission_id.into()),
            ..Self::default()
        }
    }

    /// Somebody signed out.
    pub fn ended(session: &'m str) -> Self {
        Self {
            session: Some(session.into()),
            ..Self::default()
        }
    }

    /// Whether the schedule changed as well.
    pub fn schedule(mut self, changed: bool) -> Self {
        self.schedule = changed;
        self
    }

    /// What is sent, by `from`.
    pub fn text(mut self, from: &str) -> Result<String> {
        from.clone_into(&mut self.from);
        let mut text = write(&self)?;
        if text.len() > MAX_BYTES {
            self.tables = None;
            self.client = None;
            text = write(&self)?;
        }
        Ok(text)
    }

    /// Tells the other processes when the transaction commits.
    pub async fn send(self, tx: &mut Tx, from: &str) -> Result<()> {
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(self.text(from)?)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

fn write(message: &Message<'_>) -> Result<String> {
    crate::row::json("a notice", message)
}

/// Starts to listen. What is sent from now on is heard.
pub(super) async fn listen(connection: &PgPool) -> Result<PgListener> {
    let mut listener = PgListener::connect_with(connection).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Hears the other processes and the triggers, for as long as the store lives.
pub(super) async fn hear(db: Arc<Db>, connection: PgPool, mut listener: PgListener) {
    let folder = Folder::new(&db);
    loop {
        // Rows that came by SQL while nobody here listened.
        folder.fold_all().await;
        while let Ok(Some(notification)) = listener.try_recv().await {
            if let Ok(message) = serde_json::from_str::<Message>(notification.payload()) {
                heard(&db, &folder, message);
            }
        }
        drop(listener);
        let mut wait = RETRY.0;
        listener = loop {
            match listen(&connection).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(wait).await,
            }
            wait = (wait * 2).min(RETRY.1);
        };
        // Nobody subscribed: nobody to tell. So everywhere here.
        let _ = db.notices.send(StoreNotice::Missed);
    }
}

fn heard(db: &Db, folder: &Folder, message: Message<'_>) {
    if let Some(user) = message.pending {
        folder.fold(UserId(user));
        return;
    }
    if message.from == db.instance {
        return;
    }
    if let Some(user) = message.user {
        let user = UserId(user.into_owned());
        let _ = db.notices.send(match (message.run, message.cancel) {
            (Some(run), _) => StoreNotice::Run {
                user,
                progress: run.into_owned(),
            },
            (None, Some(mission)) => StoreNotice::Cancel {
                user,
                mission_id: mission.into_owned(),
            },
            (None, None) => StoreNotice::Committed {
                user,
                tables: message.tables.map(Cow::into_owned),
                client: message.client.map(Cow::into_owned),
            },
        });
    }
    if let Some(session) = message.session {
        let ended = StoreNotice::SessionEnded(session.into_owned());
        let _ = db.notices.send(ended);
    }
    if message.schedule {
        let _ = db.notices.send(StoreNotice::Schedule);
    }
}

/// Folds logs beside the listening, each by one task, with one more waiting at most.
struct Folder {
    db: Weak<Db>,
    waiting: Arc<Mutex<HashSet<UserId>>>,
}

impl Folder {
    fn new(db: &Arc<Db>) -> Self {
        Self {
            db: Arc::downgrade(db),
            waiting: Arc::default(),
        }
    }

    async fn fold_all(&self) {
        let Some(db) = self.db.upgrade() else { return };
        // Who fails here is folded with the next read, push or row.
        for user in pending::users(&db).await.unwrap_or_default() {
            self.fold(user);
        }
    }

    fn fold(&self, user: UserId) {
        if !lock(&self.waiting).insert(user.clone()) {
            return;
        }
        let (db, waiting) = (self.db.clone(), self.waiting.clone());
        tokio::spawn(async move {
            let mut wait = RETRY.0;
            loop {
                // From here on, what comes is not surely folded by this turn.
                lock(&waiting).remove(&user);
                let Some(db) = db.upgrade() else { return };
                match pending::fold(&db, &user).await {
                    Err(StoreError::Busy | StoreError::Unavailable) if !db.pool.is_closed() => {}
                    _ => return,
                }
                drop(db);
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY.1);
                // Somebody else waits to do the same.
                if !lock(&waiting).insert(user.clone()) {
                    return;
                }
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
