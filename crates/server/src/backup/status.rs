//! The last backups, as the database remembers them: all servers on it answer alike.

use std::sync::Arc;

use anyhow::Result;
use mana_core::Micros;
use mana_store::Accounts;
use metrics::gauge;
use serde::{Deserialize, Serialize};

use super::Made;

/// The setting that holds the status.
const KEY: &str = "backup.status";

/// Age of the last good backup past which the server is degraded: a night and a half.
const TOO_OLD: i64 = 36 * 60 * 60 * 1_000_000;

/// The last backups.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupStatus {
    /// When the last one was begun, or nightly backups were first thought of.
    pub attempted_at: Micros,
    /// When a server first looked, which stands for the last backup where there is none yet.
    pub since: Micros,
    /// The last good one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastBackup>,
    /// The reason of the last failure, until a good one is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A good backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastBackup {
    /// When it was made.
    pub at: Micros,
    /// Its size.
    pub bytes: u64,
    /// How long making and proving took, in seconds.
    pub seconds: f64,
    /// The file.
    pub file: String,
}

impl BackupStatus {
    /// Reads the status, with the bytes that it was read from.
    pub async fn read(accounts: &dyn Accounts) -> Result<(BackupStatus, Option<Vec<u8>>)> {
        let bytes = accounts.kv_get(KEY).await?;
        let status = bytes
            .as_deref()
            .and_then(|bytes| serde_json::from_slice(bytes).ok());
        Ok((status.unwrap_or_default(), bytes))
    }

    /// Writes the status over the one that was read. False where another process was first.
    pub async fn replace(&self, accounts: &dyn Accounts, read: Option<&[u8]>) -> Result<bool> {
        let bytes = serde_json::to_vec(self)?;
        Ok(accounts.kv_replace(KEY, read, &bytes).await?)
    }

    /// Remembers the outcome of an attempt.
    pub async fn remember(
        accounts: Arc<dyn Accounts>,
        outcome: Result<&Made, String>,
    ) -> Result<()> {
        loop {
            let (mut status, read) = BackupStatus::read(&*accounts).await?;
            match &outcome {
                Ok(made) => {
                    status.failure = None;
                    status.last = Some(LastBackup {
                        at: made.at,
                        bytes: made.bytes,
                        seconds: made.seconds,
                        file: made.path.display().to_string(),
                    });
                }
                Err(message) => status.failure = Some(message.clone()),
            }
            if status.replace(&*accounts, read.as_deref()).await? {
                return Ok(());
            }
        }
    }

    /// The age of the last good backup, in seconds.
    pub fn age_s(&self, now: Micros) -> Option<u64> {
        let age = now.0.saturating_sub(self.last.as_ref()?.at.0);
        Some(age.max(0).unsigned_abs() / 1_000_000)
    }

    /// Sets the meters of backups.
    pub fn measure(&self, now: Micros) {
        gauge!("mana_backup_failed").set(if self.failure.is_some() { 1.0 } else { 0.0 });
        if let Some(last) = &self.last {
            gauge!("mana_backup_age_seconds").set((now.0 - last.at.0) as f64 / 1e6);
            gauge!("mana_backup_bytes").set(last.bytes as f64);
            gauge!("mana_backup_seconds").set(last.seconds);
        }
    }

    /// Why an operator should look, in a sentence; none where all is well.
    pub fn problem(&self, now: Micros) -> Option<String> {
        if let Some(failure) = &self.failure {
            return Some(format!("The last backup failed: {failure}"));
        }
        let newest = self.last.as_ref().map_or(self.since, |last| last.at);
        let age = now.0.saturating_sub(newest.0);
        if newest.0 == 0 || age <= TOO_OLD {
            return None;
        }
        let hours = age / 3_600_000_000;
        Some(match self.last {
            Some(_) => format!("The last backup is {hours} hours old; look at the log."),
            None => format!("No backup was made in {hours} hours; look at the log."),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_names_failures_and_age() {
        let hour = |hours: i64| Micros(hours * 3_600_000_000);
        let fresh = BackupStatus {
            attempted_at: hour(1000),
            since: hour(1000),
            ..BackupStatus::default()
        };
        assert_eq!(BackupStatus::default().problem(hour(1000)), None);
        assert_eq!(fresh.problem(hour(1036)), None);
        assert!(fresh.problem(hour(1037)).unwrap().contains("37 hours"));
        let last = LastBackup {
            at: hour(1036),
            bytes: 1,
            seconds: 1.0,
            file: String::new(),
        };
        let made = BackupStatus {
            last: Some(last),
            ..fresh
        };
        assert_eq!(made.problem(hour(1037)), None);
        assert!(made.problem(hour(1073)).is_some());
        let failed = BackupStatus {
            failure: Some("the disk is full".to_owned()),
            ..made
        };
        assert!(
            failed
                .problem(hour(1037))
                .unwrap()
                .contains("the disk is full")
        );
    }
}
