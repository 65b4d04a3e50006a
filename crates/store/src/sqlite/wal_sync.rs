//! Commits that did not wait for a sync of the disk get one soon after.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;

/// The most that a power cut may lose, and the shortest time between two syncs.
const WITHIN: Duration = Duration::from_secs(1);

/// Syncs the write-ahead log to the disk. Without a file there is nothing to do.
#[derive(Default)]
pub(super) struct WalSync {
    wal: Option<PathBuf>,
    /// A sync is planned, and takes along what is committed until it begins.
    planned: Arc<AtomicBool>,
    /// The task of the planned sync, which must not outlive the database's connections: the last of them to close
    /// removes the file.
    task: Mutex<Option<JoinHandle<()>>>,
}

impl WalSync {
    /// Syncs the write-ahead log of the database in this file.
    pub fn of(database: &Path) -> WalSync {
        let mut wal = database.as_os_str().to_owned();
        wal.push("-wal");
        WalSync {
            wal: Some(wal.into()),
            ..WalSync::default()
        }
    }

    /// Plans a sync: what is committed from now on is on the disk in a second.
    pub fn soon(&self) {
        let Some(wal) = &self.wal else { return };
        if self.planned.swap(true, Ordering::AcqRel) {
            return;
        }
        let (wal, planned) = (wal.clone(), self.planned.clone());
        let task = tokio::spawn(async move {
            tokio::time::sleep(WITHIN).await;
            planned.store(false, Ordering::Release);
            warn_of(sync(wal).await);
        });
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Whether a sync is to come.
    #[cfg(test)]
    pub fn is_planned(&self) -> bool {
        self.planned.load(Ordering::Acquire)
    }

    /// Does the planned sync now and plans none any more. To be called while the connections are open.
    pub async fn finish(&self) {
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(task) = task else { return };
        task.abort();
        // A task that had begun to sync ends first.
        let _ = task.await;
        if let Some(wal) = self
            .wal
            .clone()
            .filter(|_| self.planned.swap(false, Ordering::AcqRel))
        {
            warn_of(sync(wal).await);
        }
    }
}

async fn sync(wal: PathBuf) -> io::Result<()> {
    // SQLite has no lock on this file that closing it here could lose: those are on the two others.
    let synced = tokio::task::spawn_blocking(move || File::open(wal)?.sync_data()).await;
    match synced.unwrap_or(Ok(())) {
        // The last connection of a store that was dropped has brought everything to the disk and removed the file.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}

fn warn_of(synced: io::Result<()>) {
    if let Err(error) = synced {
        tracing::warn!(%error, "The write-ahead log could not be synced to the disk");
    }
}
