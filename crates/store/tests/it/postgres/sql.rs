//! Rows that another program inserts: ordered, folded and told like any other.

use std::collections::BTreeSet;

use mana_core::{Actor, Micros};
use mana_store::{Log, Schedule, SharedDatabase, StoreNotice};
use mana_test_postgres::Cluster;
use serde_json::{Value, json};

use super::*;
use crate::contract::support::*;

#[tokio::test]
async fn sync_s8_a_row_by_sql_is_told_and_merged() {
    let (database, store) = database().await;
    let me = scope("me");
    let mut notices = store.notices().unwrap();
    let mut program = sql_of(&database, Some("me")).await;
    insert_task(&mut program, "me", "t").await.unwrap();

    let told = StoreNotice::Committed {
        user: me.owner().clone(),
        tables: Some(BTreeSet::from([("todo".into(), "tasks".into())])),
        client: Some("a program".into()),
    };
    assert_eq!(next(&mut notices).await, told);
    let page = log(&*store, &me).await;
    let change = &page.changes[0].change;
    let at = page.changes[0].cursor.0;
    assert_eq!(change.actor, Some(Actor::user()));
    assert_eq!(
        change.fields["title"].updated_at,
        Some(at),
        "no stamp of its own: the server's time"
    );
    let record = get_task(&*store, &me, "t").await.unwrap();
    assert_eq!(record.data["title"], "t");
    assert_eq!(record.meta["title"].at, at);
}

#[tokio::test]
async fn sync_s1_rows_by_sql_have_their_place_in_the_order() {
    let (database, store) = database().await;
    let me = scope("me");
    let mut program = sql_of(&database, Some("me")).await;
    run(
        &mut program,
        "INSERT INTO sync_changes (created_at, app_id, table_name, record_id, op, data)
         SELECT '2001-01-01', 'todo', 'tasks', 'a' || n, 'insert', '{\"title\": \"x\"}' FROM generate_series(1, 3) n",
    )
    .await
    .unwrap();
    // The server's clock is behind that of the database: what comes later stands later all the same.
    push(&*store, &me, "c", vec![task("b", "x", NOW)], NOW).await;
    insert_task(&mut program, "me", "c").await.unwrap();
    let page = log(&*store, &me).await;
    assert_eq!(ids_of(&page), ["a1", "a2", "a3", "b", "c"]);
    let places: Vec<_> = page.changes.iter().map(|logged| logged.cursor).collect();
    assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
    assert_eq!(store.records(&me, "todo", "tasks").await.unwrap().len(), 5);
}

#[tokio::test]
async fn every_kind_of_row_by_sql_counts() {
    let (database, store) = database().await;
    let me = scope("me");
    let mut program = sql_of(&database, Some("me")).await;
    let future = "2999-01-01T00:00:00Z";
    for (op, data, stamps) in [
        (
            "insert",
            r#"'{"title": "x", "notes": "n"}'"#,
            r#"{"title": "2020-01-01T00:00:00Z"}"#.to_owned(),
        ),
        (
            "update",
            r#"'{"title": "y"}'"#,
            r#"{"title": "2020-01-01T00:00:01+00:00"}"#.to_owned(),
        ),
        (
            "update",
            r#"'{"notes": "later"}'"#,
            format!(r#"{{"notes": "{future}"}}"#),
        ),
        ("delete", "NULL", "{}".to_owned()),
    ] {
        let insert = format!(
            "INSERT INTO sync_changes (app_id, table_name, record_id, op, data, field_timestamps, actor)
             VALUES ('todo', 'tasks', 't', '{op}', {data}, '{stamps}',
                 '{{\"kind\": \"user\", \"displayName\": \"cron\"}}')"
        );
        run(&mut program, &insert).await.unwrap();
    }
    let record = get_task(&*store, &me, "t").await.unwrap();
    assert_eq!(record.data["title"], "y");
    assert!(record.is_deleted());
    let page = log(&*store, &me).await;
    let set_back = page.changes[2].change.fields["notes"].updated_at.unwrap();
    assert_eq!(record.meta["notes"].at, set_back);
    let newest = page.changes[3].cursor.0;
    assert!(
        set_back < newest.plus(120_000_000),
        "a stamp in the future is set back"
    );
}

#[tokio::test]
async fn sync_s9_a_mission_by_sql_is_scheduled() {
    let (database, store) = database().await;
    let me = scope("me");
    let mut notices = store.notices().unwrap();
    run(
        &mut sql_of(&database, Some("me")).await,
        r#"INSERT INTO sync_changes (app_id, table_name, record_id, op, data) VALUES ('ai', 'aiMissions', 'm', 'insert',
           '{"title": "m", "state": "active", "cadence": {"kind": "interval", "everyMinutes": 60}}')"#,
    )
    .await
    .unwrap();
    assert!(matches!(
        next(&mut notices).await,
        StoreNotice::Committed { .. }
    ));
    assert_eq!(next(&mut notices).await, StoreNotice::Schedule);
    let wake = store
        .next_wake()
        .await
        .unwrap()
        .expect("it is due some time");
    let page = log(&*store, &me).await;
    assert_eq!(page.changes.len(), 2, "the server adds when it is due");
    assert!(wake > page.changes[1].cursor.0);
}

#[tokio::test]
async fn what_is_no_change_is_set_aside_and_blocks_nothing() {
    let (database, store) = database().await;
    let me = scope("me");
    let mut program = sql_of(&database, Some("me")).await;
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for (data, stamps) in [
        ("'[]'", "{}"),
        ("NULL", "{}"),
        (r#"'{"n": 1e400}'"#, "{}"),
        (&*format!("'{{\"n\": {deep}}}'"), "{}"),
        (r#"'{"title": "x"}'"#, r#"{"title": "yesterday"}"#),
        (r#"'{"title": "x"}'"#, "7"),
    ] {
        let insert = format!(
            "INSERT INTO sync_changes (app_id, table_name, record_id, op, data, field_timestamps)
             VALUES ('todo', 'tasks', 'bad', 'insert', {data}, '{stamps}')"
        );
        run(&mut program, &insert).await.unwrap();
    }
    insert_task(&mut program, "me", "good").await.unwrap();
    assert_eq!(ids_of(&log(&*store, &me).await), ["good"]);
    let reasons: Vec<String> = sqlx::query_scalar("SELECT reason FROM sync_refused")
        .fetch_all(&mut program)
        .await
        .unwrap();
    assert_eq!(reasons.len(), 6);
    assert!(
        reasons
            .iter()
            .all(|reason| reason.contains('`') || reason.contains('"')),
        "{reasons:?}"
    );
    for nonsense in [
        "INSERT INTO sync_changes (app_id, table_name, record_id, op) VALUES ('a', 'b', 'c', 'upsert')",
        "BEGIN ISOLATION LEVEL REPEATABLE READ; \
         INSERT INTO sync_changes (app_id, table_name, record_id, op) VALUES ('a', 'b', 'c', 'delete')",
    ] {
        assert!(run(&mut program, nonsense).await.is_err(), "{nonsense}");
        run(&mut program, "ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn rows_that_came_while_no_server_ran_are_there_at_once() {
    let (database, store) = database().await;
    store.close().await;
    drop(store);
    let mut program = sql_of(&database, Some("me")).await;
    for n in 0..3 {
        insert_task(&mut program, "me", &format!("t{n}"))
            .await
            .unwrap();
    }
    let store = super::store(&Cluster::shared().url(&database)).await;
    let me = scope("me");
    assert_eq!(store.records(&me, "todo", "tasks").await.unwrap().len(), 3);
    assert_eq!(ids_of(&log(&*store, &me).await), ["t0", "t1", "t2"]);
}

#[tokio::test]
async fn thousands_of_rows_in_one_transaction_are_folded() {
    let (database, store) = database().await;
    let me = scope("me");
    run(
        &mut sql_of(&database, Some("me")).await,
        "INSERT INTO sync_changes (app_id, table_name, record_id, op, data)
         SELECT 'todo', 'tasks', 't' || n, 'insert', '{\"title\": \"x\"}' FROM generate_series(1, 2500) n",
    )
    .await
    .unwrap();
    assert_eq!(log(&*store, &me).await.changes.len(), 2500);
    assert_eq!(
        store.records(&me, "todo", "tasks").await.unwrap().len(),
        2500
    );
}

/// The statement with which later programs of this protocol write.
async fn insert_as_peer(program: &mut PgConnection, record: [&str; 4], data: &str, meta: &str) {
    let [app, table, id, op] = record;
    sqlx::query(
        "INSERT INTO sync_changes (app_id, table_name, record_id, user_id, space_id, op, data, field_meta, client_id,
             schema_version, actor, origin)
         VALUES ($1, $2, $3, 'me', 'home', $4, $5::jsonb, $6::jsonb, 'mana-ai-runner', 1,
             '{\"kind\": \"system\", \"principalId\": \"system:bootstrap\"}', 'system')",
    )
    .bind(app)
    .bind(table)
    .bind(id)
    .bind(op)
    .bind(data)
    .bind(meta)
    .execute(program)
    .await
    .unwrap();
}

/// The mission's title as later programs merge it: every row by the stamps of `field_meta`, the texts compared.
async fn title_as_peer_merges(program: &mut PgConnection, id: &str) -> Value {
    let rows: Vec<(Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT data::text, field_meta::text FROM sync_changes
         WHERE app_id = 'ai' AND table_name = 'aiMissions' AND record_id = $1 ORDER BY created_at",
    )
    .bind(id)
    .fetch_all(program)
    .await
    .unwrap();
    let mut title = (String::new(), Value::Null);
    for (data, meta) in rows {
        let [data, meta] = [data, meta].map(|text| {
            let text = text.expect("rows of the app `ai` carry both");
            serde_json::from_str::<Value>(&text).expect("JSON")
        });
        if let Some(at) = meta["title"].as_str().filter(|at| *at >= title.0.as_str()) {
            title = (at.to_owned(), data["title"].clone());
        }
    }
    title.1
}

#[tokio::test]
async fn rows_in_the_columns_of_later_programs_count_and_can_be_read_in_them() {
    let (database, store) = database().await;
    let me = scope("me");
    let mut program = sql_of(&database, Some("me")).await;
    let (early, late) = ("2020-01-01T00:00:01.000Z", "2020-01-01T00:00:02.000Z");
    let meta = |at: &str| format!(r#"{{"title": "{at}"}}"#);
    let task = |id, op| ["todo", "tasks", id, op];
    insert_as_peer(
        &mut program,
        task("t", "insert"),
        r#"{"title": "late"}"#,
        &meta(late),
    )
    .await;
    insert_as_peer(
        &mut program,
        task("t", "update"),
        r#"{"title": "early"}"#,
        &meta(early),
    )
    .await;
    let record = get_task(&*store, &me, "t").await.unwrap();
    assert_eq!(
        record.data["title"], "late",
        "the stamps are those of `field_meta`"
    );
    assert_eq!(record.meta["title"].at, Micros::parse(late).unwrap());
    let page = log(&*store, &me).await;
    for logged in &page.changes {
        assert_eq!(logged.change.extra["origin"], "system");
        assert_eq!(logged.change.extra["spaceId"], "home");
    }

    // Missions: a device's write, then an older one of a program's, merged by the program as Mana merges them.
    let mission = |op| ["ai", "aiMissions", "m", op];
    let data = r#"{"title": "first", "state": "active", "cadence": {"kind": "manual"}}"#;
    insert_as_peer(&mut program, mission("insert"), data, &meta(early)).await;
    let device = json!({"eventId": "by-device", "appId": "ai", "table": "aiMissions", "id": "m", "op": "update",
        "fields": {"title": {"value": "of the device", "updatedAt": "2020-01-01T00:00:03.000Z"}}});
    push(&*store, &me, "c", vec![change(device)], NOW).await;
    insert_as_peer(
        &mut program,
        mission("update"),
        r#"{"title": "older"}"#,
        &meta(late),
    )
    .await;
    let missions = store.records(&me, "ai", "aiMissions").await.unwrap();
    assert_eq!(missions[0].1.data["title"], "of the device");
    assert_eq!(
        title_as_peer_merges(&mut program, "m").await,
        "of the device"
    );

    // A row that can't be read is set aside like any other row.
    insert_as_peer(
        &mut program,
        task("bad", "insert"),
        r#"{"title": "x"}"#,
        "7",
    )
    .await;
    insert_as_peer(
        &mut program,
        task("bad", "insert"),
        r#"{"title": "x"}"#,
        &meta("soon"),
    )
    .await;
    assert_eq!(store.records(&me, "todo", "tasks").await.unwrap().len(), 1);
    let refused: i64 = sqlx::query_scalar("SELECT count(*) FROM sync_refused")
        .fetch_one(&mut program)
        .await
        .unwrap();
    assert_eq!(refused, 2);
}
