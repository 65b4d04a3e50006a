//! A change as a row of the log, and what else is kept as JSON text. The same for every backend.

use std::collections::BTreeMap;

use mana_core::{AdjustedStamp, Change, Map, Micros, Op, RecordState, change::FieldWrite};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use crate::{
    ChangesPage, Cursor, HistoryQuery, LogIdentity, LoggedChange, Result, StoreError,
    json::{json, read},
};

/// The version of the data's shape that a change has if it names none.
const SCHEMA_VERSION: i64 = 1;

/// A page ends after the row that takes it past this, so that a thousand large changes don't fill the memory.
pub(crate) const PAGE_BYTES: usize = 4 << 20;

/// A row of `sync_changes`, without its user.
#[derive(Debug)]
pub(crate) struct ChangeRow {
    pub created_at: i64,
    pub event_id: String,
    pub app_id: String,
    pub table_name: String,
    pub record_id: String,
    pub op: String,
    /// The values by field; none for a delete.
    pub data: Option<String>,
    /// The stamps by field; a delete has that of `deletedAt`.
    pub field_timestamps: String,
    pub actor: String,
    pub client_id: String,
    pub schema_version: i64,
    pub at: Option<i64>,
    pub extra: Option<String>,
    /// The change left everything as it was. Written with the row, and not read with it.
    pub unchanged: bool,
}

/// By the place of each column, in the order of the fields: Postgres has to convert some, and a converted column that
/// kept its name would be sorted by instead of the index.
impl<'r, R> FromRow<'r, R> for ChangeRow
where
    R: Row,
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            created_at: row.try_get(0)?,
            event_id: row.try_get(1)?,
            app_id: row.try_get(2)?,
            table_name: row.try_get(3)?,
            record_id: row.try_get(4)?,
            op: row.try_get(5)?,
            data: row.try_get(6)?,
            field_timestamps: row.try_get(7)?,
            actor: row.try_get(8)?,
            client_id: row.try_get(9)?,
            schema_version: row.try_get(10)?,
            at: row.try_get(11)?,
            extra: row.try_get(12)?,
            unchanged: false,
        })
    }
}

impl ChangeRow {
    /// The row of a normalised change.
    pub fn new(change: &Change, client_id: &str, created_at: Micros) -> Result<Self> {
        let writes = change.writes();
        let stamps: BTreeMap<&str, Micros> =
            writes.iter().map(|write| (write.field, write.at)).collect();
        let values: BTreeMap<&str, &Value> = writes
            .iter()
            .map(|write| (write.field, &*write.value))
            .collect();
        let data = match change.op {
            Op::Delete => None,
            Op::Forget => Some(json("a change", &serde_json::json!({ IDS: change.ids }))?),
            _ => Some(json("a change", &values)?),
        };
        let named =
            |what: &str| StoreError::Invalid(format!("a change to be stored has no {what}"));
        Ok(Self {
            created_at: created_at.0,
            event_id: change.event_id.clone().ok_or_else(|| named("eventId"))?,
            app_id: change.app_id.clone().ok_or_else(|| named("appId"))?,
            table_name: change.table.clone(),
            record_id: change.id.clone(),
            op: op_name(change.op).to_owned(),
            data,
            field_timestamps: json("a change", &stamps)?,
            actor: json(
                "an actor",
                change.actor.as_ref().ok_or_else(|| named("actor"))?,
            )?,
            client_id: client_id.to_owned(),
            schema_version: change
                .schema_version
                .map_or(SCHEMA_VERSION, |version| version as i64),
            at: change.at.map(|at| at.0),
            extra: extra(change)?,
            unchanged: false,
        })
    }

    /// Roughly the memory that the row takes.
    pub fn size(&self) -> usize {
        self.content_size() + self.extra.as_ref().map_or(0, String::len)
    }

    /// The bytes of its content, as [`LogSize`](crate::LogSize) counts them.
    pub fn content_size(&self) -> usize {
        self.data.as_ref().map_or(0, String::len) + self.field_timestamps.len() + self.actor.len()
    }

    /// The change again.
    pub fn into_logged(self) -> Result<LoggedChange> {
        let mut data: Map = self
            .data
            .as_deref()
            .map_or(Ok(Map::new()), |text| read("a change", text))?;
        let stamps: BTreeMap<String, Micros> = read("a change", &self.field_timestamps)?;
        let op = op_of(&self.op);
        let mut change = Change::new(self.table_name, self.record_id, op);
        change.event_id = Some(self.event_id);
        change.app_id = Some(self.app_id);
        change.schema_version = Some(self.schema_version.unsigned_abs());
        change.actor = Some(read("an actor", &self.actor)?);
        change.at = self.at.map(Micros);
        change.extra = self
            .extra
            .as_deref()
            .map_or(Ok(Map::new()), |text| read("a change", text))?;
        let bases: BTreeMap<String, Base> = match change.extra.remove(BASES) {
            Some(bases) => serde_json::from_value(bases).unwrap_or_default(),
            None => BTreeMap::new(),
        };
        match op {
            Op::Delete => change.deleted_at = stamps.get("deletedAt").copied(),
            Op::Forget => {
                let ids = data.remove(IDS).unwrap_or_default();
                change.ids = serde_json::from_value(ids).unwrap_or_default();
            }
            Op::Insert | Op::Update => {
                for (field, at) in stamps {
                    let value = if op == Op::Update {
                        data.remove(&field)
                    } else {
                        None
                    };
                    let base = bases.get(&field).map(|write| write.base);
                    let write = FieldWrite {
                        value,
                        updated_at: Some(at),
                        base,
                    };
                    change.fields.insert(field, write);
                }
            }
        }
        if op == Op::Insert {
            change.data = Some(data);
        }
        Ok(LoggedChange {
            change,
            client_id: self.client_id,
            cursor: Cursor(Micros(self.created_at)),
        })
    }
}

/// The name in `data` of the records that a change forgets.
pub(crate) const IDS: &str = "ids";

/// The field of `extra` that holds the bases of texts. No change has a further field of that name, because its own
/// field of that name is known.
const BASES: &str = "fields";

/// A text's write, as far as `extra` holds it.
#[derive(Serialize, Deserialize)]
struct Base {
    base: Micros,
}

/// The fields of a change that this version doesn't know, and the stamps that its texts replaced.
fn extra(change: &Change) -> Result<Option<String>> {
    let bases: BTreeMap<&String, Base> = (change.fields.iter())
        .filter_map(|(field, write)| Some((field, Base { base: write.base? })))
        .collect();
    let mut extra = change.extra.clone();
    if !bases.is_empty() {
        let bases = serde_json::to_value(&bases).map_err(|source| StoreError::Corrupt {
            what: "a change",
            source,
        })?;
        extra.insert(BASES.to_owned(), bases);
    }
    (!extra.is_empty())
        .then(|| json("a change", &extra))
        .transpose()
}

/// The operation of a row.
pub(crate) fn op_of(name: &str) -> Op {
    match name {
        "insert" => Op::Insert,
        "update" => Op::Update,
        "forget" => Op::Forget,
        _ => Op::Delete,
    }
}

fn op_name(op: Op) -> &'static str {
    match op {
        Op::Insert => "insert",
        Op::Update => "update",
        Op::Delete => "delete",
        Op::Forget => "forget",
    }
}

/// A page of a record's rows, newest first, as it is read.
pub(crate) struct HistoryPage {
    page: ChangesPage,
    limit: usize,
    bytes: usize,
}

impl HistoryPage {
    pub fn new(query: &HistoryQuery) -> HistoryPage {
        HistoryPage {
            page: ChangesPage {
                changes: Vec::new(),
                cursor: query.before.unwrap_or_default(),
                has_more: false,
                log: LogIdentity::default(),
            },
            limit: query.limit.max(1),
            bytes: 0,
        }
    }

    /// Whether the next row begins another page.
    pub fn is_full(&self) -> bool {
        self.page.changes.len() >= self.limit || self.bytes > PAGE_BYTES
    }

    pub fn add(&mut self, row: ChangeRow) -> Result<()> {
        self.bytes += row.size();
        let logged = row.into_logged()?;
        self.page.cursor = logged.cursor;
        self.page.changes.push(logged);
        Ok(())
    }

    pub fn with_more(mut self) -> ChangesPage {
        self.page.has_more = true;
        self.page
    }

    pub fn complete(self) -> ChangesPage {
        self.page
    }
}

/// A record's stored state.
pub(crate) fn state(text: &str) -> Result<RecordState> {
    read("a record", text)
}

/// Records as `(id, state)`.
pub(crate) fn states(rows: Vec<(String, String)>) -> Result<Vec<(String, RecordState)>> {
    rows.into_iter()
        .map(|(id, text)| Ok((id, state(&text)?)))
        .collect()
}

/// The stamps that were set back when a change was stored.
pub(crate) fn adjusted(text: &str) -> Result<Vec<AdjustedStamp>> {
    read("a change", text)
}
