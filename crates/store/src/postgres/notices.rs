//! Listening to the other processes on the database, and to the triggers that announce rows written by SQL.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use sqlx::{PgPool, postgres::PgListener};

use super::{db::Db, pending};
use crate::{
    Result, StoreNotice, UserId,
    message::{CHANNEL, Message},
};

/// Notices that wait for a subscriber; one that is further behind learns that it missed some.
pub(super) const KEPT: usize = 1024;

/// How long to wait before the database is tried again: doubled each time, from the first to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Starts to listen. Messages sent from now on are heard.
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
                tables: message.tables.map(|tables| tables.into_owned()),
                client: message.client.map(|client| client.into_owned()),
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
                    Err(error) if error.may_pass() && !db.pool.is_closed() => {}
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
