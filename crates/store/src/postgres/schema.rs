//! The schema, and the role that the server works as.

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, migrate::Migrator,
    postgres::PgConnectOptions,
};

use crate::{Result, StoreError, tables};

/// The grants of the application's role, with `{tables}` for the list of tables.
const ROLES: &str = include_str!("roles.sql");

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The statements that every connection begins with. A transaction that its server forgot must not hold a log for ever.
const SESSION: &str = "SET search_path TO public; SET idle_in_transaction_session_timeout TO '60s'";
const SESSION_AS_APP: &str = "SET search_path TO public; \
    SET idle_in_transaction_session_timeout TO '60s'; SET ROLE mana_app";

/// Brings the schema up to date if it isn't, and answers what every connection has to begin with.
pub(super) async fn prepare(options: &PgConnectOptions) -> Result<&'static str> {
    let mut connection = PgConnection::connect_with(options).await?;
    connection.execute("SET search_path TO public").await?;
    if !up_to_date(&mut connection).await? {
        migrate(&mut connection).await?;
    }
    let session = session(&mut connection).await?;
    connection.close().await?;
    Ok(session)
}

async fn up_to_date(connection: &mut PgConnection) -> Result<bool> {
    let begun: bool =
        sqlx::query_scalar("SELECT to_regclass('public._sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await?;
    if !begun {
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

/// Lets one server at a time migrate a database, held until the connection ends: two that grant the same at once fail
/// with `tuple concurrently updated`, and the migrator's own lock ends before the grants.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_lock(hashtextextended('mana migrate', 0))";

async fn migrate(connection: &mut PgConnection) -> Result<()> {
    connection.execute(ONE_AT_A_TIME).await?;
    let done = match MIGRATIONS.run(&mut *connection).await {
        Ok(()) => Ok(connection
            .execute(AssertSqlSafe(ROLES.replace("{tables}", &tables::names())))
            .await
            .map(drop)?),
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

fn is_forbidden(error: &StoreError) -> bool {
    use sqlx::migrate::MigrateError;
    let error = match error {
        StoreError::Database(error)
        | StoreError::Migrate(
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _),
        ) => error,
        _ => return false,
    };
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some("42501")
}

/// Takes the application's role wherever the URL's may; one that may not has to obey row-level security itself.
async fn session(connection: &mut PgConnection) -> Result<&'static str> {
    let member: Option<bool> = sqlx::query_scalar(
        "SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = 'mana_app'",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let session = if member == Some(true) {
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
