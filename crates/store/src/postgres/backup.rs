//! Reading every row of a Postgres database in one snapshot. Row-level security stands before whoever reads a table
//! whole, a superuser apart, so content is read in the name of each person.

use std::str::FromStr as _;

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgRow},
};

use super::{schema, store::PostgresStore};
use crate::{
    BackupOrigin, BackupSink, Cell, DatabaseKind, Result, TableHead,
    backup::{CellKind, invalid, quoted},
    tables::TABLES,
};

/// A column as the catalogue tells it.
pub(super) struct Column {
    pub name: String,
    /// The type, such as `bigint`.
    pub type_name: String,
    pub kind: CellKind,
}

impl Column {
    /// The type of an array of its values, as a restore sends them.
    pub fn array(&self) -> &'static str {
        match self.kind {
            CellKind::Integer => "bigint[]",
            CellKind::Text => "text[]",
            CellKind::Bytes => "bytea[]",
        }
    }

    /// The SQL that reads the column as a value of its kind.
    fn read(&self) -> String {
        let name = quoted(&self.name);
        match self.type_name.as_str() {
            "boolean" => format!("CAST(CAST({name} AS integer) AS bigint)"),
            "timestamp with time zone" => format!("mana_micros({name})"),
            "jsonb" => format!("CAST({name} AS text)"),
            _ => name,
        }
    }

    /// The SQL that makes the column's value from a value of its kind.
    pub fn written(&self, value: &str) -> String {
        match self.type_name.as_str() {
            "boolean" => format!("{value} <> 0"),
            "timestamp with time zone" => format!("mana_at({value})"),
            "jsonb" => format!("CAST({value} AS jsonb)"),
            _ => value.to_owned(),
        }
    }
}

impl PostgresStore {
    /// Gives every row to the sink, as they are at one moment. Others may write meanwhile. The schema stays as it is,
    /// so that a backup can be made before an upgrade.
    pub async fn back_up(url: &str, sink: &mut dyn BackupSink) -> Result<()> {
        let connect = PgConnectOptions::from_str(url)?.application_name("mana backup");
        let mut connection = schema::connect(&connect).await?;
        let mut tx = connection.begin().await?;
        // Without a bound, a slow disk would end the transaction between two tables.
        sqlx::raw_sql(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
             SET LOCAL search_path TO public; SET LOCAL idle_in_transaction_session_timeout TO 0;
             SET LOCAL statement_timeout TO 0",
        )
        .execute(&mut *tx)
        .await?;
        let schema: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&mut *tx)
            .await?;
        sink.origin(BackupOrigin {
            database: DatabaseKind::Postgres,
            schema,
        })?;
        let people = people(&mut tx).await?;
        for table in &TABLES {
            let columns = columns(&mut tx, table.name).await?;
            if columns.is_empty() {
                continue;
            }
            sink.table(TableHead {
                name: table.name.to_owned(),
                columns: columns.iter().map(|column| column.name.clone()).collect(),
            })?;
            if !table.content {
                read(&mut tx, table.name, &columns, None, sink).await?;
                continue;
            }
            for person in &people {
                act_as(&mut tx, person).await?;
                read(&mut tx, table.name, &columns, Some(person), sink).await?;
            }
        }
        tx.rollback().await?;
        Ok(connection.close().await?)
    }
}

/// Lets the transaction reach a person's rows.
pub(super) async fn act_as(tx: &mut PgConnection, person: &str) -> Result<()> {
    sqlx::query("SELECT set_config('app.current_user_id', $1, true)")
        .bind(person)
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns everybody whose rows some table without content names: accounts, and logs whose account is gone.
async fn people(tx: &mut PgConnection) -> Result<Vec<String>> {
    let mut parts = vec!["SELECT id FROM users".to_owned()];
    for table in TABLES.iter().filter(|table| !table.content) {
        let columns = columns(tx, table.name).await?;
        if columns.iter().any(|column| column.name == "user_id") {
            parts.push(format!("SELECT user_id FROM {}", quoted(table.name)));
        }
    }
    let union = format!(
        "SELECT id FROM ({}) AS people (id) WHERE id <> '' ORDER BY id",
        parts.join(" UNION ")
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(union))
        .fetch_all(tx)
        .await?)
}

/// Returns the columns of a table; none where the database lacks the table.
pub(super) async fn columns(connection: &mut PgConnection, table: &str) -> Result<Vec<Column>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
         WHERE attrelid = to_regclass('public.' || quote_ident($1)) AND attnum > 0 AND NOT attisdropped
         ORDER BY attnum",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let column = |(name, type_name): (String, String)| {
        let kind = match type_name.as_str() {
            "bigint" | "boolean" | "timestamp with time zone" => CellKind::Integer,
            "text" | "jsonb" => CellKind::Text,
            "bytea" => CellKind::Bytes,
            _ => {
                return Err(invalid(format!(
                    "the column {table}.{name} has the type {type_name}, which no backup holds"
                )));
            }
        };
        Ok(Column {
            name,
            type_name,
            kind,
        })
    };
    rows.into_iter().map(column).collect()
}

async fn read(
    tx: &mut PgConnection,
    table: &str,
    columns: &[Column],
    person: Option<&str>,
    sink: &mut dyn BackupSink,
) -> Result<()> {
    let list: Vec<_> = columns.iter().map(Column::read).collect();
    let key: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(attname) FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
         WHERE indrelid = to_regclass('public.' || quote_ident($1)) AND indisprimary
         ORDER BY array_position(CAST(indkey AS smallint[]), attnum)",
    )
    .bind(table)
    .fetch_all(&mut *tx)
    .await?;
    let whose = person.map_or("", |_| " WHERE user_id = $1");
    let order = match key.is_empty() {
        true => String::new(),
        false => format!(" ORDER BY {}", key.join(", ")),
    };
    let select = format!(
        "SELECT {} FROM {}{whose}{order}",
        list.join(", "),
        quoted(table)
    );
    let mut query = sqlx::query(AssertSqlSafe(select));
    if let Some(person) = person {
        query = query.bind(person);
    }
    let mut rows = query.fetch(tx);
    while let Some(row) = rows.try_next().await? {
        sink.row(cells(&row, columns)?)?;
    }
    Ok(())
}

fn cells(row: &PgRow, columns: &[Column]) -> Result<Vec<Cell>> {
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
