//! The contract suite on Postgres, and the cases that only Postgres can show. The suite starts a cluster of its own.

use std::{sync::Arc, time::Duration};

use mana_core::manifest::Registry;
use mana_store::{PostgresOptions, PostgresStore, StoreNotice};
use mana_test_postgres::Cluster;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::broadcast::Receiver;

mod instances;
mod order;
mod owners;
mod roles;
mod sql;

async fn open() -> (Arc<PostgresStore>, ()) {
    (database().await.1, ())
}

contract!(open);

/// A new database and a store on it.
async fn database() -> (String, Arc<PostgresStore>) {
    let database = Cluster::shared().create();
    let store = store(&Cluster::shared().url(&database)).await;
    (database, store)
}

/// Patient enough for a slow machine.
fn patient() -> PostgresOptions {
    PostgresOptions {
        wait: Duration::from_secs(60),
        ..PostgresOptions::default()
    }
}

async fn store(url: &str) -> Arc<PostgresStore> {
    let store = PostgresStore::open(url, Arc::new(Registry::builtin()), patient()).await;
    store.expect("the store opens")
}

/// A program that works by SQL, as the application's role, in this user's name if one is given.
async fn sql_of(database: &str, user: Option<&str>) -> PgConnection {
    let mut connection = PgConnection::connect(&Cluster::shared().url(database))
        .await
        .expect("the database is there");
    connection.execute("SET ROLE mana_app").await.unwrap();
    if let Some(user) = user {
        sqlx::query("SELECT set_config('app.current_user_id', $1, false)")
            .bind(user)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    connection
}

async fn run(connection: &mut PgConnection, sql: &str) -> sqlx::Result<u64> {
    let done = connection.execute(AssertSqlSafe(sql.to_owned())).await?;
    Ok(done.rows_affected())
}

/// Inserts a task as WIRE.md tells a program to.
async fn insert_task(connection: &mut PgConnection, user: &str, id: &str) -> sqlx::Result<u64> {
    let insert = "INSERT INTO public.sync_changes
         (app_id, table_name, record_id, user_id, op, data, field_timestamps, client_id, schema_version)
         VALUES ('todo', 'tasks', $1, $2, 'insert', jsonb_build_object('title', $1), '{}', 'a program', 1)";
    let done = sqlx::query(insert)
        .bind(id)
        .bind(user)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

async fn next(notices: &mut Receiver<StoreNotice>) -> StoreNotice {
    tokio::time::timeout(Duration::from_secs(60), notices.recv())
        .await
        .expect("there is a notice")
        .expect("none is missed")
}
