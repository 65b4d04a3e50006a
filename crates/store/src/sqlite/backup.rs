//! Reading every row of a SQLite file, whatever step its schema is at, beside a server that writes to it.

use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    sqlite::SqliteRow,
};

use super::db::{SqliteStore, options};
use crate::{
    BackupOrigin, BackupSink, Cell, DatabaseKind, Result, TableHead,
    backup::{CellKind, invalid, quoted},
    tables::TABLES,
};

/// A column as SQLite's catalogue tells it.
pub(super) struct Column {
    pub name: String,
    kind: CellKind,
    /// The place in the primary key, 0 for a column outside it.
    key: i64,
}

impl SqliteStore {
    /// Gives every row of the file to the sink, as they are at one moment. Others may write meanwhile. The schema stays
    /// as it is, so that a backup can be made before an upgrade.
    pub async fn back_up(path: impl AsRef<Path>, sink: &mut dyn BackupSink) -> Result<()> {
        let mut connection = options()
            .filename(path)
            .pragma("query_only", "ON")
            .connect()
            .await?;
        // The first read fixes what the transaction sees.
        let mut tx = connection.begin().await?;
        let schema: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&mut *tx)
            .await?;
        sink.origin(BackupOrigin {
            database: DatabaseKind::Sqlite,
            schema,
        })?;
        for table in &TABLES {
            let columns = columns(&mut tx, table.name).await?;
            if !columns.is_empty() {
                read(&mut tx, table.name, &columns, sink).await?;
            }
        }
        tx.rollback().await?;
        Ok(connection.close().await?)
    }
}

/// Returns the columns of a table; none where the file lacks the table.
pub(super) async fn columns(connection: &mut SqliteConnection, table: &str) -> Result<Vec<Column>> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid")
            .bind(table)
            .fetch_all(connection)
            .await?;
    let column = |(name, kind, key): (String, String, i64)| {
        let kind = match kind.as_str() {
            "INTEGER" => CellKind::Integer,
            "TEXT" => CellKind::Text,
            "BLOB" => CellKind::Bytes,
            _ => {
                return Err(invalid(format!(
                    "the column {table}.{name} has the type {kind}, which no backup holds"
                )));
            }
        };
        Ok(Column { name, kind, key })
    };
    rows.into_iter().map(column).collect()
}

async fn read(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[Column],
    sink: &mut dyn BackupSink,
) -> Result<()> {
    let names: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
    let mut key: Vec<_> = columns.iter().filter(|column| column.key > 0).collect();
    key.sort_by_key(|column| column.key);
    let key: Vec<_> = key.into_iter().map(|column| quoted(&column.name)).collect();
    let list: Vec<_> = names.iter().map(|name| quoted(name)).collect();
    let select = format!(
        "SELECT {} FROM {} ORDER BY {}",
        list.join(", "),
        quoted(table),
        key.join(", ")
    );
    sink.table(TableHead {
        name: table.to_owned(),
        columns: names,
    })?;
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        sink.row(cells(&row, columns)?)?;
    }
    Ok(())
}

fn cells(row: &SqliteRow, columns: &[Column]) -> Result<Vec<Cell>> {
    let cell = |(at, column): (usize, &Column)| {
        Ok(match column.kind {
            CellKind::Integer => row.try_get::<Option<i64>, _>(at)?.map(Cell::Integer),
            CellKind::Text => row.try_get::<Option<String>, _>(at)?.map(Cell::Text),
            CellKind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Cell::Bytes),
        }
        .unwrap_or(Cell::Null))
    };
    columns.iter().enumerate().map(cell).collect()
}
