//! Running a statement on either database.

use sqlx::{
    FromRow, PgConnection, Postgres, Sqlite, SqliteConnection, postgres::PgRow, sqlite::SqliteRow,
};

use super::statement::{Statement, Value};
use crate::Result;

/// A type that a row of either database is read as.
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}

impl<T> Row for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}

/// Reads a struct from a row of either database: each named field from the column of its name.
macro_rules! columns {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        columns!(@ sqlx::sqlite::SqliteRow, $name { $($field),+ });
        columns!(@ sqlx::postgres::PgRow, $name { $($field),+ });
    };
    (@ $row:ty, $name:ident { $($field:ident),+ }) => {
        impl sqlx::FromRow<'_, $row> for $name {
            fn from_row(row: &$row) -> sqlx::Result<$name> {
                Ok($name { $($field: sqlx::Row::try_get(row, stringify!($field))?),+ })
            }
        }
    };
}
pub(crate) use columns;

/// A connection to either database. Statements of the same text are prepared once a connection.
pub(crate) trait Connection: Send + 'static {
    /// Runs the statement and returns how many rows it changed.
    fn execute(&mut self, statement: Statement<'_>) -> impl Future<Output = Result<u64>> + Send;

    /// Returns every row.
    fn fetch_all<T: Row>(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Vec<T>>> + Send;

    /// Returns the first row, if there is one.
    fn fetch_optional<T: Row>(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Option<T>>> + Send;

    /// Returns the first row of a statement that always has one.
    fn fetch_one<T: Row>(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<T>> + Send;
}

/// Binds the values to a query of either database.
macro_rules! bound {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(text.as_deref()),
                Value::Integer(number) => query.bind(*number),
                Value::Boolean(value) => query.bind(*value),
                Value::Bytes(bytes) => query.bind(&**bytes),
            };
        }
        query
    }};
}

/// The same for both: sqlx's bounds for a function that is generic over the database are longer than its body.
macro_rules! connection {
    ($connection:ty, $database:ty) => {
        impl Connection for $connection {
            async fn execute(&mut self, statement: Statement<'_>) -> Result<u64> {
                let query = bound!(sqlx::query::<$database>(statement.text), &statement.values);
                Ok(query.execute(self).await?.rows_affected())
            }

            async fn fetch_all<T: Row>(&mut self, statement: Statement<'_>) -> Result<Vec<T>> {
                let query = bound!(
                    sqlx::query_as::<$database, T>(statement.text),
                    &statement.values
                );
                Ok(query.fetch_all(self).await?)
            }

            async fn fetch_optional<T: Row>(
                &mut self,
                statement: Statement<'_>,
            ) -> Result<Option<T>> {
                let query = bound!(
                    sqlx::query_as::<$database, T>(statement.text),
                    &statement.values
                );
                Ok(query.fetch_optional(self).await?)
            }

            async fn fetch_one<T: Row>(&mut self, statement: Statement<'_>) -> Result<T> {
                let row = self.fetch_optional(statement).await?;
                Ok(row.ok_or(sqlx::Error::RowNotFound)?)
            }
        }
    };
}

connection!(SqliteConnection, Sqlite);
connection!(PgConnection, Postgres);
