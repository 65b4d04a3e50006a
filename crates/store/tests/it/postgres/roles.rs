//! Row-level security, and the roles that a server can work as.

use std::sync::Arc;

use mana_core::manifest::Registry;
use mana_store::{DebugRecord, Log, PostgresStore, RunRequest, Runs, SharedDatabase, StoreError};
use mana_test_postgres::Cluster;
use serde_json::json;

use super::*;
use crate::contract::support::*;

const CONTENT: [&str; 4] = ["sync_changes", "records", "run_inputs", "run_debug"];

/// A log, a record, inputs and a debug record for each of these users.
async fn filled(store: &PostgresStore, users: &[&str]) {
    for user in users {
        let scope = scope(user);
        push(store, &scope, "c", vec![task("t", user, NOW)], NOW).await;
        let request = RunRequest {
            mission_id: "m".into(),
            slot: "run:1".into(),
            iteration_id: "i".into(),
            not_before: NOW,
            inputs: Some(json!("secret")),
        };
        store.enqueue_run(&scope, request).await.unwrap();
        let record = DebugRecord {
            iteration_id: "i".into(),
            at: NOW,
            body: json!("secret"),
        };
        store.keep_debug(&scope, record).await.unwrap();
    }
}

async fn users_in(connection: &mut PgConnection, table: &str) -> Vec<String> {
    let select = format!("SELECT user_id FROM {table} ORDER BY user_id");
    sqlx::query_scalar(AssertSqlSafe(select))
        .fetch_all(connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn by_sql_a_users_rows_are_reached_in_that_users_name_alone() {
    let (database, store) = database().await;
    filled(&store, &["me", "you"]).await;
    for table in CONTENT {
        let nobody: Vec<String> = Vec::new();
        assert_eq!(
            users_in(&mut sql_of(&database, None).await, table).await,
            nobody
        );
        assert_eq!(
            users_in(&mut sql_of(&database, Some("")).await, table).await,
            nobody
        );
        assert_eq!(
            users_in(&mut sql_of(&database, Some("them")).await, table).await,
            nobody
        );

        let mut me = sql_of(&database, Some("me")).await;
        assert_eq!(users_in(&mut me, table).await, ["me"]);
        let take = format!("UPDATE {table} SET user_id = 'me' WHERE user_id = 'you'");
        assert_eq!(run(&mut me, &take).await.unwrap(), 0, "{table}");
        let taken = run(&mut me, &format!("UPDATE {table} SET user_id = 'you'")).await;
        assert!(
            taken
                .unwrap_err()
                .to_string()
                .contains("row-level security"),
            "{table}"
        );
        assert_eq!(
            run(
                &mut me,
                &format!("DELETE FROM {table} WHERE user_id = 'you'")
            )
            .await
            .unwrap(),
            0
        );
        assert_eq!(
            run(&mut me, &format!("DELETE FROM {table}")).await.unwrap(),
            1
        );
        assert_eq!(
            users_in(&mut sql_of(&database, Some("you")).await, table).await,
            ["you"]
        );
    }
    let refused = insert_task(&mut sql_of(&database, Some("me")).await, "you", "t").await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("row-level security")
    );
    let unset = insert_task(&mut sql_of(&database, None).await, "me", "t").await;
    assert!(
        unset
            .unwrap_err()
            .to_string()
            .contains("row-level security")
    );
}

#[tokio::test]
async fn the_server_itself_obeys_row_level_security() {
    let (database, store) = database().await;
    filled(&store, &["me"]).await;
    let me = scope("me");
    for table in CONTENT {
        Cluster::shared().sql(
            &database,
            &format!("CREATE POLICY nobody ON {table} AS RESTRICTIVE USING (false)"),
        );
    }
    assert_eq!(log(&*store, &me).await.changes, []);
    assert_eq!(get_task(&*store, &me, "t").await, None);
    assert_eq!(store.run_inputs(&me, "m", "run:1").await.unwrap(), None);
    let refused = store
        .push(&me, pushing("c", vec![task("u", "x", NOW)], NOW))
        .await;
    assert!(
        matches!(refused, Err(StoreError::Database(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn nobody_is_no_user() {
    let (_, store) = database().await;
    for user in ["", "a\0b"] {
        let pushed = store
            .push(&scope(user), pushing("c", vec![task("t", "x", NOW)], NOW))
            .await;
        assert!(matches!(pushed, Err(StoreError::NoSuchUser)), "{pushed:?}");
    }
}

async fn open_as(role: &str, database: &str) -> mana_store::Result<Arc<PostgresStore>> {
    let url = Cluster::shared().url_as(role, database);
    PostgresStore::open(&url, Arc::new(Registry::builtin()), patient()).await
}

#[tokio::test]
async fn the_owner_of_an_empty_database_needs_nothing_else() {
    let cluster = Cluster::shared();
    cluster.sql("postgres", "CREATE ROLE keeper LOGIN");
    cluster.sql("postgres", "CREATE DATABASE kept OWNER keeper");
    let store = open_as("keeper", "kept").await.unwrap();
    filled(&store, &["me", "you"]).await;
    assert_eq!(ids_of(&log(&*store, &scope("me")).await), ["t"]);
    let mut owner = PgConnection::connect(&cluster.url_as("keeper", "kept"))
        .await
        .unwrap();
    for table in CONTENT {
        let owned: Vec<String> = users_in(&mut owner, table).await;
        assert!(
            owned.is_empty(),
            "row-level security is forced on the owner of {table}"
        );
    }
}

#[tokio::test]
async fn a_role_that_may_not_migrate_is_told_and_one_that_need_not_serves() {
    let cluster = Cluster::shared();
    let database = cluster.create();
    cluster.sql("postgres", "CREATE ROLE worker LOGIN");
    // As every version from 15 on has it from the beginning.
    cluster.sql(&database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let refused = open_as("worker", &database).await.map(drop);
    assert!(
        matches!(&refused, Err(StoreError::MayNotMigrate { role }) if role == "worker"),
        "{refused:?}"
    );
    open_as("mana_admin", &database)
        .await
        .unwrap()
        .close()
        .await;
    cluster.sql("postgres", "GRANT mana_app TO worker");
    let store = open_as("worker", &database).await.unwrap();
    filled(&store, &["me"]).await;
    assert_eq!(ids_of(&log(&*store, &scope("me")).await), ["t"]);
}

#[tokio::test]
async fn servers_may_start_on_an_empty_database_at_once() {
    let database = Cluster::shared().create();
    let open = || open_as("mana_admin", &database);
    let stores = tokio::join!(open(), open(), open(), open(), open(), open());
    let (one, two, ..) = stores;
    filled(&one.unwrap(), &["me"]).await;
    assert_eq!(ids_of(&log(&*two.unwrap(), &scope("me")).await), ["t"]);
    for another in [stores.2, stores.3, stores.4, stores.5] {
        another.unwrap();
    }
}
