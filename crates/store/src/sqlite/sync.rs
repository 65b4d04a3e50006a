//! What was committed without a sync of the disk gets one soon after.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How much a power cut may lose, and how often the disk is bothered.
const WITHIN: Duration = Duration::from_secs(1);

/// The write-ahead log on its way to the disk. Without a file there is nothing to do.
#[derive(Default)]
pub(super) struct WalSync {
    wal: Option<PathBuf>,
    /// One is under way, and takes along what is committed until it begins.
    planned: Arc<AtomicBool>,
}

impl WalSync {
    /// Of the database in this file.
    pub fn of(database: &Path) -> WalSync {
        let mut wal = database.as_os_str().to_owned();
        wal.push("-wal");
        WalSync {
            wal: Some(wal.into()),
            planned: Arc::default(),
        }
    }

    /// What is committed from now on is on the disk in a second.
    pub fn soon(&self) {
        let Some(wal) = &self.wal else { return };
        if self.planned.swap(true, Ordering::AcqRel) {
            return;
        }
        let (wal, planned) = (wal.clone(), self.planned.clone());
        tokio::spawn(async move {
            tokio::time::sleep(WITHIN).await;
            planned.store(false, Ordering::Release);
            // SQLite has no lock on this file that closing it here could lose: those are on the two others.
            let synced = tokio::task::spawn_blocking(move || File::open(wal)?.sync_data()).await;
            if let Ok(Err(error)) = synced {
                tracing::warn!("The write-ahead log could not be brought to the disk: {error}");
            }
        });
    }
}
