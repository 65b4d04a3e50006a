//! The list of tables against SQLite's catalogue and against an import.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{StreamExt as _, stream};
use mana_core::{Actor, Change, Defaults, Micros, manifest::Registry};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::SqliteStore;
use crate::{
    Accounts as _, Cursor, Log as _, Maintenance as _, NewUser, People as _, Push, Scope, UserId,
    tables::{Export, On, Owned, TABLES},
};

async fn memory() -> Arc<SqliteStore> {
    SqliteStore::memory(Arc::new(Registry::builtin()))
        .await
        .unwrap()
}

#[tokio::test]
async fn the_catalogue_of_sqlite_is_the_list_of_tables() {
    let store = memory().await;
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table'
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '_sqlx_migrations'",
    )
    .fetch_all(&store.readers)
    .await
    .unwrap();
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let on_both = TABLES.iter().filter(|table| table.on == On::Both);
    assert_eq!(names, on_both.map(|table| table.name).collect());
}

async fn rows(store: &SqliteStore, table: &str) -> i64 {
    let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query_scalar(count)
        .fetch_one(&store.readers)
        .await
        .unwrap()
}

/// An account whose log has a mission, and a record that was written twice and compacted.
async fn grown(store: &SqliteStore) -> UserId {
    let user = NewUser {
        email: "ada@example.org".to_owned(),
        name: String::new(),
        password_hash: "x".to_owned(),
        timezone: "UTC".to_owned(),
        locale: "en".to_owned(),
    };
    let user = store.create_user(user, Micros(1)).await.unwrap().id;
    let change = |n: i64, value: Value| {
        let defaults = Defaults {
            event_id: n.to_string(),
            at: Micros(n),
            actor: Actor::user(),
            app_id: "todo".to_owned(),
        };
        Change::parse(value).unwrap().normalize(defaults)
    };
    let mission = json!({"appId": "ai", "table": "aiMissions", "id": "m", "op": "insert", "data":
        {"state": "active", "cadence": {"kind": "interval", "everyMinutes": 60}}});
    let task = |title: i64| {
        json!({"table": "tasks", "id": "t", "op": "update",
            "fields": {"title": {"value": title, "updatedAt": Micros(title)}}})
    };
    for (n, value) in (10..).zip([mission, task(1), task(2), task(3)]) {
        let push = Push::new("c", vec![change(n, value)], Micros(n));
        store.push(&Scope::own(&user), push).await.unwrap();
    }
    let compacted = store
        .compact(&Scope::own(&user), Micros(1_000))
        .await
        .unwrap();
    assert!(compacted.dropped > 0);
    user
}

/// Rows of a table with the id in a column of text.
async fn naming(store: &SqliteStore, table: &str, id: &UserId) -> i64 {
    let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT name FROM pragma_table_info('{table}') WHERE type = 'TEXT'"
    )))
    .fetch_all(&store.readers)
    .await
    .unwrap();
    let mut found = 0;
    for column in columns {
        let count = format!("SELECT count(*) FROM {table} WHERE instr({column}, ?) > 0");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .bind(id.as_str())
            .fetch_one(&store.readers)
            .await
            .unwrap();
        found += count;
    }
    found
}

#[tokio::test]
async fn no_table_names_a_person_who_was_deleted() {
    let store = memory().await;
    let user = grown(&store).await;
    fill(&store).await;
    for insert in [
        "INSERT INTO ledger_reservations SELECT 'r2', 1, 2, 1, 1, '[\"user:' || id || '\"]', '{}', 1 FROM users",
        "INSERT INTO ledger_accounts SELECT 'user:' || id, 1, 1, 1, 1 FROM users",
        "INSERT INTO ledger_accounts SELECT 'member:' || id, 1, 1, 1, 1 FROM users",
        "INSERT INTO ledger_accounts SELECT 'mission:' || id || '/m', 1, 1, 1, 1 FROM users",
        "INSERT INTO ledger_accounts SELECT 'agent:' || id || '/a', 1, 1, 1, 1 FROM users",
        "INSERT INTO usage SELECT 1, id, '', '', '', 'm', 1, 0, 0, 1, 1, 1 FROM users",
        "INSERT INTO ledger_accounts VALUES ('key:k', 1, 1, 1, 1)",
        "INSERT INTO users VALUES ('owner', 'o@x.org', '', 'x', 'UTC', 'en', 'owner', 1, NULL, NULL, NULL)",
        "INSERT INTO audit_log (at, class, event, subject, actor, detail) \
         SELECT 1, 'act', 'role-changed', 'owner', id, '' FROM users WHERE id <> 'owner'",
    ] {
        sqlx::query(insert).execute(&store.writer).await.unwrap();
    }
    for table in TABLES.iter().filter(|table| table.on == On::Both) {
        let is_named = naming(&store, table.name, &user).await > 0;
        let is_owned = table.owned != Owned::Nobody;
        assert_eq!(is_named, is_owned, "{} before the deletion", table.name);
    }
    store.delete_person(&user, Micros(9)).await.unwrap();
    for table in TABLES.iter().filter(|table| table.on == On::Both) {
        assert_eq!(naming(&store, table.name, &user).await, 0, "{}", table.name);
    }
    let keys: i64 =
        sqlx::query_scalar("SELECT count(*) FROM ledger_accounts WHERE account = 'key:k'")
            .fetch_one(&store.readers)
            .await
            .unwrap();
    assert_eq!(keys, 0);
}

#[tokio::test]
async fn an_import_carries_and_rebuilds_what_the_list_says() {
    let (from, to) = (memory().await, memory().await);
    let user = grown(&from).await;
    fill(&from).await;
    let me = Scope::own(&user);
    let page = from.export(&me, Cursor::BEGINNING, 1_000).await.unwrap();
    let account = from.user(&user).await.unwrap().unwrap();
    let logged = stream::iter(page.rows).map(Ok).boxed();
    let epoch = Some(page.epoch);
    to.import(account, page.floor, epoch, logged).await.unwrap();
    for table in TABLES.iter().filter(|table| table.on == On::Both) {
        let (before, after) = (rows(&from, table.name).await, rows(&to, table.name).await);
        assert!(before > 0, "{} has no row to move", table.name);
        match table.export {
            Export::Carried | Export::Rebuilt => assert_eq!(before, after, "{}", table.name),
            Export::LeftBehind(reason) => assert_eq!(after, 0, "{}: {reason}", table.name),
        }
    }
}

/// Gives the tables that hold no content of the log a row, so that one that comes along, or stays, is seen.
async fn fill(from: &SqliteStore) {
    for insert in [
        "INSERT INTO sessions (token_hash, id, user_id, created_at, expires_at) \
         VALUES (x'01', 's', (SELECT id FROM users), 1, 2)",
        "INSERT INTO secrets (secret_hash, purpose, expires_at) VALUES (x'01', 'invite', 2)",
        "INSERT INTO secrets (secret_hash, purpose, expires_at) SELECT x'01', 'reset:' || id, 2 FROM users",
        "INSERT INTO second_factors (user_id, secret) SELECT id, 's' FROM users",
        "INSERT INTO recovery_codes SELECT id, x'01' FROM users",
        "INSERT INTO external_identities SELECT 'i', 's', id, 1 FROM users",
        "INSERT INTO audit_log (at, class, event, subject, detail) SELECT 1, 'act', 'sign-in', id, '' FROM users",
        "INSERT INTO deleted_accounts VALUES (x'01', 1)",
        "INSERT INTO kv VALUES ('k', x'01')",
        "INSERT INTO client_pushes SELECT id, 'c', 1, 1, 'd', 1 FROM users",
        "INSERT INTO run_requests SELECT id, 'm', 's', 'i', 1 FROM users",
        "INSERT INTO run_inputs SELECT id, 'm', 's', '{}' FROM users",
        "INSERT INTO run_debug SELECT id, 'i', 1, '{}' FROM users",
        "INSERT INTO mission_claims (user_id, mission_id, slot, lease_until, attempts) \
         SELECT id, 'm', 's', 1, 1 FROM users",
        "INSERT INTO ledger_reservations VALUES ('r', 1, 2, 1, 1, '[]', '{}', 1)",
        "INSERT INTO ledger_accounts VALUES ('a', 1, 1, 1, 1)",
        "INSERT INTO usage VALUES (1, 'me', '', '', '', 'm', 1, 0, 0, 1, 1, 1)",
        "INSERT INTO virtual_keys SELECT 'k', x'01', id, '{}', 1 FROM users",
        "INSERT INTO log_epochs SELECT id, 'restored', 1, 2, 0 FROM users",
    ] {
        sqlx::query(insert).execute(&from.writer).await.unwrap();
    }
}
