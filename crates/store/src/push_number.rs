//! The numbers of a client's pushes, by which a copy of a device is told from the device (S16).

use mana_core::ids;
use serde::Deserialize;

use crate::{Push, Result, StoreError};

/// The last numbered push of a client.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct LastPush {
    pub number: i64,
    /// How many changes it had.
    pub changes: i64,
    /// Of their event ids, in their order.
    pub digest: String,
}

/// A push with its number, and the event ids that it came with.
pub(crate) struct NumberedPush {
    client_id: String,
    number: i64,
    event_ids: Vec<String>,
}

impl NumberedPush {
    /// None where the push has no number, or nothing to be told by.
    pub fn of(push: &Push) -> Option<NumberedPush> {
        let number = push.number.filter(|_| !push.changes.is_empty())?;
        let event_ids = push.changes.iter();
        Some(NumberedPush {
            client_id: push.client_id.clone(),
            number: i64::try_from(number).unwrap_or(i64::MAX),
            event_ids: event_ids
                .filter_map(|change| change.event_id.clone())
                .collect(),
        })
    }

    /// The client that pushes.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Refuses a number that was seen with other changes.
    ///
    /// A device that got no answer sends the same number again, with the same changes first and those that it wrote
    /// since after them. For a push of which some changes are not in the log yet; any other is a late repetition.
    pub fn check(&self, last: Option<&LastPush>) -> Result<()> {
        let Some(last) = last.filter(|last| self.number <= last.number) else {
            return Ok(());
        };
        let same = usize::try_from(last.changes).unwrap_or(usize::MAX);
        let repeated = self.event_ids.get(..same).map(digest);
        if self.number == last.number && repeated.as_ref() == Some(&last.digest) {
            return Ok(());
        }
        Err(StoreError::Copied)
    }

    /// The part of the push that is kept.
    pub fn kept(&self) -> LastPush {
        LastPush {
            number: self.number,
            changes: i64::try_from(self.event_ids.len()).unwrap_or(i64::MAX),
            digest: digest(&self.event_ids),
        }
    }
}

fn digest(event_ids: &[String]) -> String {
    ids::derive("push", &event_ids.join("\n"))
}
