//! The lines of a backup, in JSON: the head, each file of the data directory, each table, each row, and the end.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mana_core::Micros;
use mana_store::Cell;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// Version of the file that this program writes, and the only version that it reads.
pub const VERSION: u64 = 1;

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The kind of the file: `backup`.
    pub mana: String,
    /// [`VERSION`].
    pub version: u64,
    /// Time of the backup.
    pub made_at: Micros,
    /// Version of the program that made the file.
    pub made_by: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// The last step of the database's schema.
    pub schema: i64,
}

/// A line that is an object. A row is an array.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// A file of the data directory.
    File {
        /// Its name inside the directory, with `/` between folder and name.
        name: String,
        /// Its bytes in Base64.
        data: String,
    },
    /// A table; its rows follow.
    Table {
        /// Its name.
        name: String,
        /// The names of its columns.
        columns: Vec<String>,
    },
    /// The last line.
    End(End),
}

/// Counts of the file's content, and its checksum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The number of rows of each table.
    pub tables: BTreeMap<String, u64>,
    /// SHA-256 of every line before, in hexadecimal.
    pub sha256: String,
}

/// A row as its line.
pub struct RowLine<'r>(pub &'r [Cell]);

impl Serialize for RowLine<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(CellValue))
    }
}

struct CellValue<'r>(&'r Cell);

impl Serialize for CellValue<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Cell::Null => to.serialize_none(),
            Cell::Integer(number) => to.serialize_i64(*number),
            Cell::Text(text) => to.serialize_str(text),
            Cell::Bytes(bytes) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry("base64", &STANDARD.encode(bytes))?;
                map.end()
            }
        }
    }
}

/// Reads the line of a row.
pub fn row(line: &[u8]) -> Result<Vec<Cell>> {
    let values: Vec<Value> = serde_json::from_slice(line)?;
    values.into_iter().map(cell).collect()
}

fn cell(value: Value) -> Result<Cell> {
    match value {
        Value::Null => Some(Cell::Null),
        Value::Number(number) => number.as_i64().map(Cell::Integer),
        Value::String(text) => Some(Cell::Text(text)),
        Value::Object(map) => map
            .get("base64")
            .and_then(Value::as_str)
            .and_then(|text| STANDARD.decode(text).ok())
            .map(Cell::Bytes),
        _ => None,
    }
    .ok_or_else(|| anyhow!("a value of a row is of no known kind"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read_as_it_was_written() {
        let cells = vec![
            Cell::Null,
            Cell::Integer(i64::MIN),
            Cell::Text("a \"line\"\nand 🦆".to_owned()),
            Cell::Bytes(vec![0, 255, 10]),
        ];
        let line = serde_json::to_vec(&RowLine(&cells)).unwrap();
        assert!(!line.contains(&b'\n'));
        assert_eq!(row(&line).unwrap(), cells);
        for wrong in ["[true]", "[1.5]", "[{}]", "{}", "["] {
            assert!(row(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
