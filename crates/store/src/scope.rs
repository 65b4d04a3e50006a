//! Whose log a call reads, and from where.

use std::{fmt, str::FromStr};

use mana_core::Micros;
use serde::{Deserialize, Serialize};

/// The id of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub String);

impl UserId {
    /// An id that no account has yet.
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose log a call reads or writes. Every verb that touches content takes one.
///
/// Today a log belongs to a person. When logs are shared, a scope is what a member's right to one turns
/// into; nothing else assumes that owner and caller are the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    owner: UserId,
}

impl Scope {
    /// The person's own log.
    pub fn own(user: &UserId) -> Self {
        Self {
            owner: user.clone(),
        }
    }

    /// The owner of the log.
    pub fn owner(&self) -> &UserId {
        &self.owner
    }
}

/// A place in a log: the stamp of the last row scanned, never the wall clock.
///
/// On the wire a string, opaque to clients. An empty one is read as the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub Micros);

impl Cursor {
    /// Before the first row.
    pub const BEGINNING: Self = Self(Micros(0));
}

impl Default for Cursor {
    fn default() -> Self {
        Self::BEGINNING
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The error of a text that is no cursor.
#[derive(Debug, thiserror::Error)]
#[error("the cursor is not one that this server gave; leave it out to begin at the start")]
pub struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidCursor> {
        if text.is_empty() {
            return Ok(Self::BEGINNING);
        }
        Micros::parse(text).map(Self).map_err(|_| InvalidCursor)
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
