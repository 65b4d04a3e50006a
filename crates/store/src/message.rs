//! The message that processes on one database send each other: one small message a user and transaction.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Result, RunProgress, UserId, json};

/// The channel of Postgres. The trigger in migration 0002 writes to it, too.
pub(crate) const CHANNEL: &str = "mana_changes";

/// Postgres takes messages below 8000 bytes.
const MAX_BYTES: usize = 7900;

/// A message between processes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Message<'m> {
    /// The process that sends the message, and doesn't need it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// Whose log was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Cow<'m, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<Cow<'m, BTreeSet<(String, String)>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Cow<'m, str>>,
    /// How far a run of this user is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Cow<'m, RunProgress>>,
    /// The mission of this user whose run is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cow<'m, str>>,
    /// A due time or a request changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub schedule: bool,
    /// The session that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Cow<'m, str>>,
    /// Whose log has rows that came by SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
}

impl<'m> Message<'m> {
    /// Says that changes were appended to a log.
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

    /// Says how far a run is.
    pub fn run(user: &'m UserId, progress: &'m RunProgress) -> Self {
        Self {
            user: Some(user.as_str().into()),
            run: Some(Cow::Borrowed(progress)),
            ..Self::default()
        }
    }

    /// Says that a run is to end.
    pub fn cancel(user: &'m UserId, mission_id: &'m str) -> Self {
        Self {
            user: Some(user.as_str().into()),
            cancel: Some(mission_id.into()),
            ..Self::default()
        }
    }

    /// Says that a session ended.
    pub fn session_ended(session: &'m str) -> Self {
        Self {
            session: Some(session.into()),
            ..Self::default()
        }
    }

    /// Says whether the schedule changed as well.
    pub fn schedule(mut self, changed: bool) -> Self {
        self.schedule = changed;
        self
    }

    /// The text to send, from the process `from`. A message that is too long loses its tables: its readers look
    /// everywhere.
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
}

fn write(message: &Message<'_>) -> Result<String> {
    json::json("a notice", message)
}
