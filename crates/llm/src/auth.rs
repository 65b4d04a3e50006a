//! The authenticator that a server gives the gateway: who calls, what they may ask, and who pays.

use async_trait::async_trait;

use crate::call_usage::{CallEstimate, MeterGuard};
use crate::error::Result;

/// A caller who is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A signed-in person, by user id.
    User(String),
    /// A program with a virtual key.
    Key {
        /// The key's id, which is no secret.
        id: String,
        /// The user who pays.
        user: String,
    },
    /// Mana itself, by the service key, which meters its own calls.
    Service,
}

impl Caller {
    /// A name that no other caller has.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Key { id, .. } => format!("key:{id}"),
            Self::Service => "service".to_owned(),
        }
    }
}

/// Decides who a bearer belongs to, what they may ask, and keeps their account.
/// Nobody else is let in.
#[async_trait]
pub trait Auth: Send + Sync {
    /// The caller whose bearer this is, if it is anybody's.
    async fn caller(&self, bearer: &str) -> Option<Caller>;

    /// Whether a caller is told of a model or an alias.
    fn may_see(&self, _caller: &Caller, _model: &str) -> bool {
        true
    }

    /// Sets aside what a call may take, or says why it may not be made. Asked
    /// for everybody but the service; `None` where nobody keeps an account.
    async fn reserve(&self, _caller: &Caller, _ask: CallEstimate) -> Result<Option<MeterGuard>> {
        Ok(None)
    }
}
