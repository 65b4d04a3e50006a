//! The body of a push, read so that a change which JSON cannot hold is named by its index like any other bad change.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::SyncError;
use crate::wire::MAX_CHANGES;

/// Unknown names of a body that a refusal lists.
const NAMES_SHOWN: usize = 5;

/// The body of a push.
#[derive(Debug, Clone, Default)]
pub struct PushBody {
    /// The client that pushes; the header `X-Client-Id` overrides it.
    pub client_id: Option<String>,
    /// The cursor of the last answer; empty or missing: from the beginning.
    pub since: Option<String>,
    /// The version of the data's shape.
    pub schema_version: Option<u64>,
    /// The number of the push, counted by the client, by which a copy of it is noticed.
    pub push_number: Option<u64>,
    /// The log's epoch, as Mana's devices name it; empty where the device has not heard of one. Without it no cursor is
    /// refused.
    pub log_epoch: Option<String>,
    /// The furthest `logEnd` that the device was told.
    pub log_end: Option<String>,
    /// The changes, oldest first.
    pub changes: Vec<Value>,
}

impl PushBody {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// The body is no JSON object or has no `changes`, it has more than [`MAX_CHANGES`], or one of them cannot be read.
    pub fn parse(body: &[u8]) -> Result<PushBody, SyncError> {
        let sent: SentBody<'_> = serde_json::from_slice(body)
            .map_err(|error| SyncError::InvalidBody(format!("the push can't be read: {error}")))?;
        let Some(SentChanges(changes)) = sent.changes else {
            return Err(SyncError::InvalidBody(without_changes(&sent.unknown)));
        };
        if changes.len() > MAX_CHANGES {
            return Err(SyncError::TooManyChanges);
        }
        let changes = changes.into_iter().enumerate().map(|(index, change)| {
            serde_json::from_str(change.get()).map_err(|error| SyncError::InvalidChange {
                index,
                reason: format!(
                    "it can't be read as JSON ({error}); a number lies within ±1.7e308, values are nested within 64 \
                     levels, and no text holds one half of a pair of surrogates, such as half an emoji"
                ),
            })
        });
        Ok(PushBody {
            client_id: sent.client_id,
            since: sent.since,
            schema_version: sent.schema_version,
            push_number: sent.push_number,
            log_epoch: sent.log_epoch,
            log_end: sent.log_end,
            changes: changes.collect::<Result<_, _>>()?,
        })
    }
}

/// The refusal of a body without `changes`, which names what it has instead.
fn without_changes(unknown: &[String]) -> String {
    let had = match unknown {
        [] => "nothing in its place".to_owned(),
        names => names
            .iter()
            .take(NAMES_SHOWN)
            .map(|name| format!("`{}`", name.chars().take(40).collect::<String>()))
            .collect::<Vec<_>>()
            .join(", "),
    };
    format!(
        "the push has no `changes` but {had}; send {{\"changes\": […]}}, an empty list to ask what others did"
    )
}

/// A body as it was sent.
#[derive(Default)]
struct SentBody<'b> {
    client_id: Option<String>,
    since: Option<String>,
    schema_version: Option<u64>,
    push_number: Option<u64>,
    log_epoch: Option<String>,
    log_end: Option<String>,
    changes: Option<SentChanges<'b>>,
    /// The names that no push has; one more than a refusal lists.
    unknown: Vec<String>,
}

impl<'de: 'b, 'b> Deserialize<'de> for SentBody<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Body;

        impl<'de> Visitor<'de> for Body {
            type Value = SentBody<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object with `changes`")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut fields: A,
            ) -> Result<SentBody<'de>, A::Error> {
                let mut body = SentBody::default();
                while let Some(name) = fields.next_key::<String>()? {
                    match name.as_str() {
                        "clientId" => body.client_id = fields.next_value()?,
                        "since" => body.since = fields.next_value()?,
                        "schemaVersion" => body.schema_version = fields.next_value()?,
                        "pushNumber" => body.push_number = fields.next_value()?,
                        "logEpoch" => body.log_epoch = fields.next_value()?,
                        "logEnd" => body.log_end = fields.next_value()?,
                        "changes" => body.changes = fields.next_value()?,
                        _ => {
                            fields.next_value::<IgnoredAny>()?;
                            if body.unknown.len() < NAMES_SHOWN {
                                body.unknown.push(name);
                            }
                        }
                    }
                }
                Ok(body)
            }
        }

        deserializer.deserialize_map(Body)
    }
}

/// The changes as they were sent. Of more than [`MAX_CHANGES`], which are refused, no further ones are kept in memory.
struct SentChanges<'b>(Vec<&'b RawValue>);

impl<'de: 'b, 'b> Deserialize<'de> for SentChanges<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Changes;

        impl<'de> Visitor<'de> for Changes {
            type Value = SentChanges<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of changes")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut elements: A,
            ) -> Result<Self::Value, A::Error> {
                let mut changes = Vec::new();
                while changes.len() <= MAX_CHANGES {
                    match elements.next_element()? {
                        Some(change) => changes.push(change),
                        None => return Ok(SentChanges(changes)),
                    }
                }
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(SentChanges(changes))
            }
        }

        deserializer.deserialize_seq(Changes)
    }
}
