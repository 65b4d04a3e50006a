//! The way to the server and back.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mana_core::{Adjusted, Change, Map, Micros, RecordKey, RecordState, Stamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

/// The version of the data's shape that this replica writes.
pub const SCHEMA_VERSION: u64 = 1;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// Who sends.
    pub client_id: String,
    /// The cursor of the last answer.
    pub since: String,
    /// [`SCHEMA_VERSION`].
    pub schema_version: u64,
    /// The changes, oldest first; may be empty, to hear what others did.
    pub changes: Vec<Change>,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// What others did, oldest first. One that this version can't read is left out, and the rest goes on.
    #[serde(deserialize_with = "readable")]
    pub server_changes: Vec<Change>,
    /// Where to read on from.
    pub synced_until: String,
    /// There is more.
    #[serde(default)]
    pub has_more: bool,
    /// The server's clock.
    pub server_time: Micros,
    /// Stamps that were set back.
    #[serde(default)]
    pub adjusted: Vec<Adjusted>,
}

/// A page of a snapshot.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Merged records, tombstones too, to be read once the next page is asked for.
    pub records: Box<RawValue>,
    /// Where to go on; none after the last page.
    pub after: Option<String>,
    /// The cursor to read the log on from, once the last page is in.
    pub synced_until: String,
    /// The server's clock.
    pub server_time: Micros,
}

impl Page {
    /// The records.
    pub fn read(&self) -> Result<Vec<(RecordKey, RecordState)>, serde_json::Error> {
        /// One of them. Flat, because serde reads what is nested in this shape far more slowly.
        #[derive(Deserialize)]
        struct Record {
            #[serde(rename = "appId")]
            app: String,
            table: String,
            id: String,
            data: Map,
            meta: BTreeMap<String, Stamp>,
        }
        let records: Vec<Record> = serde_json::from_str(self.records.get())?;
        let parts = records.into_iter().map(|record| {
            let Record {
                app,
                table,
                id,
                data,
                meta,
            } = record;
            (RecordKey { app, table, id }, RecordState { data, meta })
        });
        Ok(parts.collect())
    }
}

fn readable<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Change>, D::Error> {
    let values = Vec::<Value>::deserialize(from)?;
    Ok(values
        .into_iter()
        .filter_map(|value| Change::parse(value).ok())
        .collect())
}

/// What the server says instead of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// A word for programs.
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
    /// What belongs to it.
    pub details: Value,
    /// Seconds to wait before the next try.
    pub retry_after_s: Option<u64>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TransportError {
    /// The server can't be reached, or the connection broke: it may or may not have taken the push.
    #[error("the server can't be reached: {0}")]
    Offline(String),
    /// The server refused.
    #[error("{}", .0.message)]
    Refused(Refusal),
}

/// Brings a push to the server.
#[async_trait]
pub trait Transport: Send + Sync {
    /// `POST /sync`.
    async fn push(&self, push: &Push) -> Result<Answer, TransportError>;

    /// `GET /sync/snapshot`: a page after the one that said so, the first for an empty text.
    async fn snapshot(&self, after: &str) -> Result<Page, TransportError>;
}
