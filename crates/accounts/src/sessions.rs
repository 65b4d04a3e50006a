//! Sessions: how they start, go on and end, and how open connections hear of an end.

use std::net::IpAddr;

use mana_core::Micros;
use mana_store::{NewSession, Session, SessionUse, SessionUsed, StoreNotice, User, UserId};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::audit_events::{AuditEvent, Origin};
use crate::auth::Auth;
use crate::browser::device_label;
use crate::error::{AccountError, Result};
use crate::known_devices::SignInAttempt;
use crate::random;
use crate::session_ended::SessionEnded;

/// How long a session lasts after its last use, in seconds.
pub const SESSION_LIFETIME_S: i64 = 30 * 24 * 60 * 60;
const LASTS: i64 = SESSION_LIFETIME_S * 1_000_000;

/// How long a session lasts at most, however it is used, in seconds.
const SESSION_AT_MOST_S: i64 = 180 * 24 * 60 * 60;

/// How long a secret of a session lasts before a use changes it, in microseconds. A copied browser profile has to sign
/// in again after it, because nothing tells it from a thief's.
const ROTATE_AFTER: i64 = 24 * 60 * 60 * 1_000_000;

/// For how long the secret before the present one counts without a further change, in microseconds: tabs ask at once.
const GRACE: i64 = 60 * 1_000_000;

/// A session after a use.
#[derive(Debug)]
pub struct SessionStep {
    /// The session.
    pub session: Session,
    /// The secret that takes the place of the one that was shown; none where that one stays.
    pub secret: Option<String>,
}

/// A new secret of a session. The id in front tells whose an old one was.
fn secret_of(id: &str) -> String {
    format!("{id}.{}", random::secret())
}

impl Auth {
    /// Starts a session. Returns it with its secret, which is stored as a hash only.
    pub async fn start_session(
        &self,
        user: &User,
        attempt: &SignInAttempt,
        proof: &str,
    ) -> Result<(Session, String)> {
        let now = self.now();
        let id = uuid::Uuid::now_v7().to_string();
        let secret = secret_of(&id);
        let address = attempt.address.to_string();
        let new = NewSession {
            id,
            device: &attempt.browser,
            address: &address,
            proof,
            ..NewSession::new(&user.id, &secret, now, now.plus(LASTS))
        };
        let session = self.accounts.create_session(new).await?;
        let detail = match attempt.browser.as_str() {
            "" => proof.to_owned(),
            browser => format!("{proof}, {browser}"),
        };
        let origin = attempt.origin_of(&user.id);
        self.note(AuditEvent::SignIn, &origin, Some(&user.id), detail)
            .await;
        Ok((session, secret))
    }

    /// Returns the open session of a secret.
    pub async fn session(&self, secret: &str) -> Result<Option<Session>> {
        Ok(self.accounts.session(secret, self.now()).await?)
    }

    /// Uses a session: it ends [`SESSION_LIFETIME_S`] from now, and no later than [`SESSION_AT_MOST_S`] after it began;
    /// its secret changes once a day. A secret that was replaced long ago ends the session, because two have it.
    pub async fn use_session(
        &self,
        secret: &str,
        address: IpAddr,
        user_agent: &str,
    ) -> Result<Option<SessionStep>> {
        let id = secret.split_once('.').map(|(id, _)| id);
        let next = secret_of(id.unwrap_or_default());
        let (device, address) = (device_label(user_agent), address.to_string());
        let used = SessionUse {
            token: secret,
            next_token: &next,
            now: self.now(),
            rotate_after: ROTATE_AFTER,
            grace: GRACE,
            lasts: LASTS,
            at_most: SESSION_AT_MOST_S * 1_000_000,
            device: &device,
            address: &address,
        };
        Ok(match self.accounts.use_session(used).await? {
            SessionUsed::Rotated(session) => Some(SessionStep {
                session,
                secret: Some(next),
            }),
            SessionUsed::Kept(session) => Some(SessionStep {
                session,
                secret: None,
            }),
            SessionUsed::Unknown => {
                if let Some(id) = id {
                    self.end_replayed(id, &address).await?;
                }
                None
            }
        })
    }

    /// Ends the session that an old secret names.
    async fn end_replayed(&self, id: &str, address: &str) -> Result<()> {
        let Some(session) = self.accounts.session_by_id(id, self.now()).await? else {
            return Ok(());
        };
        self.end_session(id).await?;
        let origin = Origin {
            actor: None,
            address: address.parse().ok(),
        };
        let user = Some(&session.user_id);
        self.note(AuditEvent::SessionReplayed, &origin, user, session.device)
            .await;
        Ok(())
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

    /// Announces that sessions ended, to this server's open connections.
    pub fn announce(&self, ended: SessionEnded) {
        self.verified.forget(&ended);
        // An error means that nobody is listening.
        let _ = self.ended.send(ended);
    }
}
