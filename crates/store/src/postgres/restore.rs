//! Filling a Postgres database from a backup, in one transaction: all of it or nothing.

use std::str::FromStr as _;

use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _, SqlStr, migrate::Migrator,
    postgres::PgConnectOptions,
};

use super::{
    backup::{Column, act_as, columns},
    schema,
    store::PostgresStore,
};
use crate::{
    BackupEntry, BackupSource, Cell, DatabaseKind, RestoreOptions, Restored, Result, StoreError,
    TableHead,
    backup::{CellKind, FILLED, check_row, check_schema, invalid, placed, quoted},
    sql::records,
    tables::{self, TABLES},
};

/// Rows and bytes that are sent at once.
const BATCH: (usize, usize) = (500, 4 << 20);

/// The table that a row by SQL fills by a trigger as well.
const BY_TRIGGER: &str = "pending_folds";

/// How the rows of a table are stored.
struct Target {
    head: TableHead,
    /// The statement; none where this database lacks the table, so that its rows are passed over.
    insert: Option<SqlStr>,
    /// The columns of the backup that the table has, and their kinds here.
    kept: Vec<(usize, CellKind)>,
    /// The place of the account's id in a table of content.
    person: Option<usize>,
    waiting: Vec<Vec<Cell>>,
    bytes: usize,
}

impl PostgresStore {
    /// Fills the database with the rows of a backup. Mana's tables are made; those of a server that never had an
    /// account are made anew.
    pub async fn restore(
        url: &str,
        source: &mut dyn BackupSource,
        options: RestoreOptions,
    ) -> Result<Restored> {
        let latest = schema::MIGRATIONS.iter().map(|step| step.version).max();
        check_schema(options.origin, latest.unwrap_or_default())?;
        let connect = PgConnectOptions::from_str(url)?.application_name("mana restore");
        let mut connection = schema::connect(&connect).await?;
        schema::holds_every_character(&mut connection).await?;
        let mut tx = connection.begin().await?;
        sqlx::raw_sql(
            "SET LOCAL search_path TO public; SET LOCAL idle_in_transaction_session_timeout TO 0;
             SET LOCAL statement_timeout TO 0",
        )
        .execute(&mut *tx)
        .await?;
        let filled = fill(&mut tx, source, options).await;
        let restored = schema::named(&connect, filled)?;
        tx.commit().await?;
        connection.close().await?;
        Ok(restored)
    }
}

async fn fill(
    tx: &mut PgConnection,
    source: &mut dyn BackupSource,
    options: RestoreOptions,
) -> Result<Restored> {
    clear(tx).await?;
    let before = schema::MIGRATIONS
        .iter()
        .filter(|step| step.version <= options.origin.schema);
    Migrator::with_migrations(before.cloned().collect())
        .run(&mut *tx)
        .await?;
    let mut restored = rows(tx, source, options).await?;
    schema::MIGRATIONS.run(&mut *tx).await?;
    // The next claim has a greater token than every earlier one.
    sqlx::query(
        "SELECT setval('mission_claim_tokens', greatest(max(token), 1)) FROM mission_claims",
    )
    .execute(&mut *tx)
    .await?;
    sqlx::raw_sql(AssertSqlSafe(schema::roles()))
        .execute(&mut *tx)
        .await?;
    restored.users = records::begin_epochs(tx, options.epoch).await?;
    Ok(restored)
}

/// Drops the tables of a server that never had an account.
async fn clear(tx: &mut PgConnection) -> Result<()> {
    let users: bool = sqlx::query_scalar("SELECT to_regclass('public.users') IS NOT NULL")
        .fetch_one(&mut *tx)
        .await?;
    if !users {
        return Ok(());
    }
    let accounts: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM users)")
        .fetch_one(&mut *tx)
        .await?;
    if accounts {
        return Err(StoreError::HasAccounts);
    }
    let drop = format!(
        "DROP TABLE IF EXISTS {}, _sqlx_migrations CASCADE; DROP SEQUENCE IF EXISTS mission_claim_tokens;
         DO $$ DECLARE name text; BEGIN
             FOR name IN SELECT CAST(CAST(oid AS regprocedure) AS text) FROM pg_proc
                 WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'mana\\_%'
             LOOP EXECUTE 'DROP FUNCTION ' || name || ' CASCADE'; END LOOP;
         END $$",
        tables::names()
    );
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(tx).await?;
    Ok(())
}

async fn rows(
    tx: &mut PgConnection,
    source: &mut dyn BackupSource,
    options: RestoreOptions,
) -> Result<Restored> {
    let same_kind = options.origin.database == DatabaseKind::Postgres;
    let mut target: Option<Target> = None;
    let mut restored = Restored::default();
    while let Some(entry) = source.next()? {
        match entry {
            BackupEntry::Table(head) => {
                if let Some(last) = &mut target {
                    last.send(tx).await?;
                }
                target = Some(prepare(tx, head, same_kind).await?);
            }
            BackupEntry::Row(cells) => {
                check_row(target.as_ref().map(|target| &target.head), &cells)?;
                let Some(target) = &mut target else { continue };
                restored.rows += u64::from(target.insert.is_some());
                target.add(tx, cells).await?;
            }
        }
    }
    if let Some(last) = &mut target {
        last.send(tx).await?;
    }
    Ok(restored)
}

async fn prepare(tx: &mut PgConnection, head: TableHead, same_kind: bool) -> Result<Target> {
    let here = columns(tx, &head.name).await?;
    let names: Vec<_> = here.iter().map(|column| column.name.clone()).collect();
    let places = placed(&head, &names, same_kind)?;
    let kept: Vec<(usize, &Column)> = places
        .iter()
        .enumerate()
        .filter_map(|(at, place)| Some((at, &here[(*place)?])))
        .collect();
    let known = TABLES.iter().find(|table| table.name == head.name);
    let content = known.is_some_and(|table| table.content);
    let insert = (!kept.is_empty()).then(|| statement(&head, &here, &kept));
    Ok(Target {
        person: head
            .columns
            .iter()
            .position(|column| content && column == "user_id"),
        kept: kept
            .into_iter()
            .map(|(at, column)| (at, column.kind))
            .collect(),
        head,
        insert,
        waiting: Vec::new(),
        bytes: 0,
    })
}

/// The statement that stores many rows, given as an array a column.
fn statement(head: &TableHead, here: &[Column], kept: &[(usize, &Column)]) -> SqlStr {
    let mut names: Vec<_> = kept
        .iter()
        .map(|(_, column)| quoted(&column.name))
        .collect();
    let mut values: Vec<_> = kept
        .iter()
        .enumerate()
        .map(|(n, (_, column))| column.written(&format!("c{n}")))
        .collect();
    for (table, column, value) in FILLED {
        let lacks = !head.columns.iter().any(|name| name == column);
        if table == head.name && lacks && here.iter().any(|known| known.name == column) {
            names.push(quoted(column));
            values.push(value.to_owned());
        }
    }
    let arrays: Vec<_> = kept
        .iter()
        .enumerate()
        .map(|(n, (_, column))| format!("CAST(${} AS {})", n + 1, column.array()))
        .collect();
    let given: Vec<_> = (0..kept.len()).map(|n| format!("c{n}")).collect();
    let twice = match head.name == BY_TRIGGER {
        true => " ON CONFLICT DO NOTHING",
        false => "",
    };
    let text = format!(
        "INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS given ({}){twice}",
        quoted(&head.name),
        names.join(", "),
        values.join(", "),
        arrays.join(", "),
        given.join(", ")
    );
    AssertSqlSafe(text).into_sql_str()
}

impl Target {
    async fn add(&mut self, tx: &mut PgConnection, cells: Vec<Cell>) -> Result<()> {
        if let (Some(at), Some(last)) = (self.person, self.waiting.last())
            && last[at] != cells[at]
        {
            self.send(tx).await?;
        }
        if let Some((at, _)) = self.kept.iter().find(|(at, kind)| !cells[*at].fits(*kind)) {
            return Err(invalid(format!(
                "the backup holds another kind of value for {}.{} than its column takes",
                self.head.name, self.head.columns[*at]
            )));
        }
        self.bytes += cells.iter().map(Cell::size).sum::<usize>();
        self.waiting.push(cells);
        if self.waiting.len() >= BATCH.0 || self.bytes >= BATCH.1 {
            self.send(tx).await?;
        }
        Ok(())
    }

    async fn send(&mut self, tx: &mut PgConnection) -> Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        let (Some(insert), Some(first)) = (&self.insert, rows.first()) else {
            return Ok(());
        };
        if let Some(at) = self.person
            && let Cell::Text(person) = &first[at]
        {
            act_as(tx, person).await?;
        }
        let mut query = sqlx::query(insert.clone());
        for (at, kind) in &self.kept {
            let cells = rows.iter().map(|row| &row[*at]);
            query = match kind {
                CellKind::Integer => query.bind(
                    cells
                        .map(|cell| match cell {
                            Cell::Integer(number) => Some(*number),
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                ),
                CellKind::Text => query.bind(
                    cells
                        .map(|cell| match cell {
                            Cell::Text(text) => Some(text.as_str()),
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                ),
                CellKind::Bytes => query.bind(
                    cells
                        .map(|cell| match cell {
                            Cell::Bytes(bytes) => Some(bytes.as_slice()),
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                ),
            };
        }
        query.execute(tx).await?;
        Ok(())
    }
}
