//! Sessions: how they start, go on and end, and how open connections hear of an end.

use mana_core::Micros;
use mana_store::{Session, StoreNotice, User, UserId};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::auth::Auth;
use crate::error::{AccountError, Result};
use crate::random;
use crate::session_ended::SessionEnded;

/// How long a session lasts after its last use, in seconds.
pub const SESSION_LIFETIME_S: i64 = 30 * 24 * 60 * 60;

impl Auth {
    /// Starts a session. Returns it with its secret, which is stored as a hash only.
    pub async fn start_session(&self, user: &User) -> Result<(Session, String)> {
        let now = self.now();
        let secret = random::secret();
        let session = self
            .accounts
            .create_session(&user.id, &secret, now, session_end(now))
            .await?;
        Ok((session, secret))
    }

    /// Returns the open session of a secret.
    pub async fn session(&self, secret: &str) -> Result<Option<Session>> {
        Ok(self.accounts.session(secret, self.now()).await?)
    }

    /// Moves the end of an open session to [`SESSION_LIFETIME_S`] from now. Returns none where the session has ended.
    pub async fn extend_session(&self, secret: &str) -> Result<Option<Session>> {
        let now = self.now();
        let Some(session) = self.accounts.session(secret, now).await? else {
            return Ok(None);
        };
        let extended = self
            .accounts
            .extend_session(secret, now, session_end(now))
            .await?;
        Ok(extended.then_some(session))
    }

    /// Issues a bearer token for a session. Returns it with the time of its end.
    pub fn issue_token(&self, session: &Session) -> Result<(String, Micros)> {
        self.tokens
            .issue(&session.user_id, &session.id, self.now())
            .map_err(AccountError::internal)
    }

    /// Ends a session, its tokens and the connections that were opened with them.
    pub async fn end_session(&self, id: &str) -> Result<()> {
        self.accounts.delete_session_by_id(id).await?;
        self.announce(SessionEnded::Id(id.to_owned()));
        Ok(())
    }

    /// Returns the sessions of an account that have not ended, the newest first.
    pub async fn sessions(&self, user: &UserId) -> Result<Vec<Session>> {
        Ok(self.accounts.sessions(user, self.now()).await?)
    }

    /// Ends sessions of an account: the one with the id `only`, else all but `keep`. Returns how many ended.
    pub async fn end_sessions(
        &self,
        user: &UserId,
        keep: Option<&str>,
        only: Option<&str>,
    ) -> Result<usize> {
        let ended = self.accounts.end_sessions(user, keep, only).await?;
        Ok(self.announce_all(ended))
    }

    /// Announces sessions that ended. Returns how many.
    pub(crate) fn announce_all(&self, ended: Vec<String>) -> usize {
        let count = ended.len();
        for id in ended {
            self.announce(SessionEnded::Id(id));
        }
        count
    }

    /// Subscribes to the ends of sessions, for open connections.
    pub fn ended_sessions(&self) -> broadcast::Receiver<SessionEnded> {
        self.ended.subscribe()
    }

    /// Whether a session is still open after a notice from [`Auth::ended_sessions`].
    pub async fn is_open_after(
        &self,
        session: &str,
        notice: Result<SessionEnded, RecvError>,
    ) -> bool {
        match notice {
            Ok(SessionEnded::Id(ended)) => ended != session,
            // Too many ended at once to hear of each: ask.
            Ok(SessionEnded::Any) | Err(RecvError::Lagged(_)) => self.is_open(session).await,
            Err(RecvError::Closed) => false,
        }
    }

    /// Whether the session has not ended. A database that can't answer doesn't disconnect anybody.
    pub async fn is_open(&self, id: &str) -> bool {
        // A foreign token has no session here, and ends at its own time only.
        if id.is_empty() {
            return true;
        }
        let session = self.accounts.session_by_id(id, self.now()).await;
        !matches!(session, Ok(None))
    }

    /// Passes on the ends of sessions at other servers, until the store is closed.
    pub async fn relay(&self, mut notices: broadcast::Receiver<StoreNotice>) {
        loop {
            let ended = match notices.recv().await {
                Ok(StoreNotice::SessionEnded(id)) => SessionEnded::Id(id),
                Ok(StoreNotice::Missed) | Err(RecvError::Lagged(_)) => SessionEnded::Any,
                Ok(_) => continue,
                Err(RecvError::Closed) => return,
            };
            self.announce(ended);
        }
    }

    fn announce(&self, ended: SessionEnded) {
        self.verified.forget(&ended);
        // An error means that nobody is listening.
        let _ = self.ended.send(ended);
    }
}

fn session_end(now: Micros) -> Micros {
    Micros(now.0 + SESSION_LIFETIME_S * 1_000_000)
}
