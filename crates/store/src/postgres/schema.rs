//! The schema, and the role that the server works as.

use std::sync::LazyLock;

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, migrate::Migrator,
    postgres::PgConnectOptions,
};

use crate::{DatabaseContents, MissingSteps, Result, StoreError, tables};

/// The grants of the application's role, with `{tables}` for the list of tables and `{may_take}` for [`MAY_TAKE`].
const ROLES: &str = include_str!("roles.sql");

pub(super) static MIGRATIONS: LazyLock<Migrator> =
    LazyLock::new(|| include!(concat!(env!("OUT_DIR"), "/migrations_postgres.rs")));

/// The statements that every connection begins with. A transaction that its server forgot must not hold a log for ever.
const SESSION: &str = "SET search_path TO public; SET idle_in_transaction_session_timeout TO '60s'";
const SESSION_AS_APP: &str = "SET search_path TO public; \
    SET idle_in_transaction_session_timeout TO '60s'; SET ROLE mana_app";

/// Connects, or says why not.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let connected = PgConnection::connect_with(options).await;
    connected.map_err(|error| StoreError::cannot_connect(options, &error))
}

/// Returns what the database holds.
pub(super) async fn contents(options: &PgConnectOptions) -> Result<DatabaseContents> {
    let mut connection = connect(options).await?;
    let tables: bool = sqlx::query_scalar("SELECT to_regclass('public.users') IS NOT NULL")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(DatabaseContents::of(tables))
}

/// Whether the database has the schema of this version.
pub(super) async fn is_current(options: &PgConnectOptions) -> Result<bool> {
    let mut connection = connect(options).await?;
    let current = up_to_date(&mut connection).await?;
    connection.close().await?;
    Ok(current)
}

/// The last step of the schema.
pub(super) async fn last_step(options: &PgConnectOptions) -> Result<i64> {
    let mut connection = connect(options).await?;
    let last: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM public._sqlx_migrations")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(last.unwrap_or_default())
}

/// The steps of the schema that opening a database with tables runs.
pub(super) async fn missing_steps(options: &PgConnectOptions) -> Result<Option<MissingSteps>> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max();
    let from = last_step(options).await?;
    Ok(MissingSteps::between(from, known.unwrap_or_default()))
}

/// The turn of one server, of several on a database, to keep the state before an upgrade and to upgrade. A lock of its
/// own: the migrator takes [`ONE_AT_A_TIME`] meanwhile.
#[derive(Debug)]
pub struct UpgradeTurn {
    /// The turn ends with the connection.
    _held: PgConnection,
}

/// Waits for the turn.
pub(super) async fn upgrade_turn(options: &PgConnectOptions) -> Result<UpgradeTurn> {
    let mut connection = connect(options).await?;
    // A server that waits is idle for as long as another one makes a backup.
    connection
        .execute("SELECT pg_advisory_lock(hashtextextended('mana upgrade', 0))")
        .await?;
    Ok(UpgradeTurn { _held: connection })
}

/// The state of a Postgres database, for its operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresState {
    /// Whether the role that Mana works as is missing, can't be taken, or lacks a grant.
    pub lacks_grants: bool,
    /// The server's version, such as 150004.
    pub version: i32,
    /// The encoding, such as `UTF8`.
    pub encoding: String,
    /// Whether transactions can't write: on a standby, or by a setting.
    pub is_read_only: bool,
}

/// Looks at the database and changes nothing.
pub(super) async fn state(options: &PgConnectOptions) -> Result<PostgresState> {
    let mut connection = connect(options).await?;
    connection.execute("SET search_path TO public").await?;
    let lacks_grants = role_lacks_grants(&mut connection).await?;
    let (version, is_read_only) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int, current_setting('transaction_read_only')::bool",
    )
    .fetch_one(&mut connection)
    .await?;
    let encoding = encoding(&mut connection).await?;
    connection.close().await?;
    Ok(PostgresState {
        lacks_grants,
        version,
        encoding,
        is_read_only,
    })
}

/// Brings the schema up to date if it isn't, and answers what every connection has to begin with.
pub(super) async fn prepare(options: &PgConnectOptions) -> Result<&'static str> {
    let mut connection = connect(options).await?;
    connection.execute("SET search_path TO public").await?;
    if !is_begun(&mut connection).await? {
        holds_every_character(&mut connection).await?;
    }
    if !up_to_date(&mut connection).await? || role_lacks_grants(&mut connection).await? {
        migrate(&mut connection).await?;
    }
    let session = session(&mut connection).await?;
    connection.close().await?;
    Ok(session)
}

async fn is_begun(connection: &mut PgConnection) -> Result<bool> {
    Ok(
        sqlx::query_scalar("SELECT to_regclass('public._sqlx_migrations') IS NOT NULL")
            .fetch_one(connection)
            .await?,
    )
}

/// Fails where the database's encoding lacks characters. A database that is in use goes on: `mana doctor` names it.
pub(super) async fn holds_every_character(connection: &mut PgConnection) -> Result<()> {
    match encoding(connection).await? {
        encoding if encoding == "UTF8" => Ok(()),
        encoding => Err(StoreError::Encoding(encoding)),
    }
}

async fn encoding(connection: &mut PgConnection) -> Result<String> {
    Ok(
        sqlx::query_scalar("SELECT current_setting('server_encoding')")
            .fetch_one(connection)
            .await?,
    )
}

async fn up_to_date(connection: &mut PgConnection) -> Result<bool> {
    if !is_begun(connection).await? {
        return Ok(false);
    }
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success")
            .fetch_all(connection)
            .await?;
    // Anything unexpected is for the migrator to name.
    Ok(applied.len() == MIGRATIONS.iter().count()
        && MIGRATIONS.iter().all(|known| {
            (applied.iter())
                .any(|(version, sum)| *version == known.version && **sum == *known.checksum)
        }))
}

/// The privilege by which a role may take another: from version 16 on, a member may be kept from it.
const MAY_TAKE: &str =
    "CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END";

/// Whether the URL's role owns the tables, and the application's role is missing, can't be taken, or lacks a grant. A
/// dump carries no roles: after it was put back, the schema is up to date without them.
async fn role_lacks_grants(connection: &mut PgConnection) -> Result<bool> {
    let lacks = format!(
        "SELECT pg_has_role(current_user, relowner, 'USAGE') AND NOT EXISTS (
            SELECT FROM pg_roles app WHERE rolname = 'mana_app' AND pg_has_role(current_user, app.oid, {MAY_TAKE})
                AND NOT EXISTS (
                    SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                        AND NOT has_table_privilege(app.oid, pg_class.oid, 'SELECT')))
         FROM pg_class WHERE oid = 'public.users'::regclass"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(lacks))
        .fetch_one(connection)
        .await?)
}

/// Lets one server at a time migrate a database, held until the connection ends: two that grant the same at once fail
/// with `tuple concurrently updated`, and the migrator's own lock ends before the grants.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_lock(hashtextextended('mana migrate', 0))";

async fn migrate(connection: &mut PgConnection) -> Result<()> {
    connection.execute(ONE_AT_A_TIME).await?;
    let done = match MIGRATIONS.run(&mut *connection).await {
        Ok(()) => Ok(connection.execute(AssertSqlSafe(roles())).await.map(drop)?),
        Err(error) => Err(StoreError::from(error)),
    };
    match done {
        Err(error) if is_forbidden(&error) => {
            let role: String = sqlx::query_scalar("SELECT current_user::text")
                .fetch_one(connection)
                .await?;
            Err(StoreError::MayNotMigrate { role })
        }
        done => done,
    }
}

/// The statements that make the application's role and its grants.
pub(super) fn roles() -> String {
    ROLES
        .replace("{tables}", &tables::names())
        .replace("{may_take}", MAY_TAKE)
}

/// Names the role that lacks a right.
pub(super) fn named<T>(options: &PgConnectOptions, done: Result<T>) -> Result<T> {
    match done {
        Err(error) if is_forbidden(&error) => Err(StoreError::MayNotMigrate {
            role: options.get_username().to_owned(),
        }),
        done => done,
    }
}

fn is_forbidden(error: &StoreError) -> bool {
    match error {
        StoreError::Database(error) => {
            let code = error.as_database_error().and_then(|error| error.code());
            code.as_deref() == Some(FORBIDDEN)
        }
        StoreError::Migration { cause, .. } => cause.ends_with(&format!("({FORBIDDEN})")),
        _ => false,
    }
}

/// `insufficient_privilege`.
const FORBIDDEN: &str = "42501";

/// Takes the application's role wherever the URL's may; one that may not has to obey row-level security itself.
async fn session(connection: &mut PgConnection) -> Result<&'static str> {
    let may_take = format!(
        "SELECT pg_has_role(current_user, oid, {MAY_TAKE}) FROM pg_roles WHERE rolname = 'mana_app'"
    );
    let may_take: Option<bool> = sqlx::query_scalar(AssertSqlSafe(may_take))
        .fetch_optional(&mut *connection)
        .await?;
    let session = if may_take == Some(true) {
        connection.execute("SET ROLE mana_app").await?;
        SESSION_AS_APP
    } else {
        SESSION
    };
    let (role, bypasses): (String, bool) = sqlx::query_as(
        "SELECT rolname::text, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(connection)
    .await?;
    if bypasses {
        return Err(StoreError::RoleBypassesSecurity { role });
    }
    Ok(session)
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
