//! Records that the server forgets, and the size to which a record may grow.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use mana_core::{Change, Micros, Op, RecordKey, RecordState, manifest::Registry};
use mana_store::{
    Cursor, Log as _, Maintenance, Push, Scope, SnapshotQuery, SqliteStore, StoreError,
};
use serde_json::json;

use super::support::*;

fn run(id: &str, n: i64) -> Change {
    change(
        json!({"appId": "ai", "table": "aiRuns", "id": id, "op": "insert", "at": after(n),
        "data": {"missionId": "m", "slot": format!("due:{n}"), "startedAt": after(n)}}),
    )
}

fn forget(ids: &[&str]) -> Change {
    forgetting("ai", "aiRuns", ids)
}

fn forgetting(app: &str, table: &str, ids: &[&str]) -> Change {
    let mut change =
        change(json!({"appId": app, "table": table, "op": "forget", "ids": ids, "at": after(50)}));
    change.schema_version = Some(change.needed_schema_version());
    change
}

fn key(id: &str) -> RecordKey {
    RecordKey::new("ai", "aiRuns", id)
}

/// Four runs of which two are forgotten.
async fn given(store: &impl Backend, me: &Scope) {
    let runs = ["a", "b", "c", "d"].iter().zip(1..);
    let runs = runs.map(|(id, n)| run(id, n)).collect();
    push(store, me, "mana-runner", runs, after(10)).await;
    push(
        store,
        me,
        "mana-runner",
        vec![forget(&["a", "b"])],
        after(20),
    )
    .await;
}

pub async fn sync_f1_a_forgotten_record_is_gone_and_its_id_stays(store: Arc<impl Backend>) {
    let me = scope("me");
    given(&*store, &me).await;
    assert_eq!(store.record(&me, &key("a")).await.unwrap(), None);
    let left = store.records(&me, "ai", "aiRuns").await.unwrap();
    assert_eq!(
        left.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        ["c", "d"]
    );
    let known = store
        .records_by_key(&me, &[key("a"), key("c"), key("none")])
        .await
        .unwrap();
    let known: Vec<_> = known
        .iter()
        .map(|(key, state)| (&*key.id, state.is_forgotten()))
        .collect();
    assert_eq!(known, [("a", true), ("c", false)]);
    let newest = store.runs_of_mission(&me, "m", None, 10).await.unwrap();
    assert_eq!(
        newest.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        ["d", "c"]
    );
    assert_eq!(store.size(&me).await.unwrap().records, 2);
    let page = SnapshotQuery {
        limit: 100,
        ..SnapshotQuery::default()
    };
    let page = store.snapshot(&me, page).await.unwrap();
    let page: Vec<_> = read(page.records)
        .map(|(key, state)| (key.id, state.is_forgotten()))
        .collect();
    let expected = [("a", true), ("b", true), ("c", false), ("d", false)];
    assert_eq!(
        page,
        expected.map(|(id, forgotten)| (id.to_owned(), forgotten))
    );
    // The log hands the change on, to who can read it.
    let rows = log(&*store, &me).await.changes;
    let last = &rows.last().unwrap().change;
    assert_eq!(
        (last.op, last.ids.as_slice()),
        (Op::Forget, &["a".to_owned(), "b".to_owned()][..])
    );
    assert_eq!(store.schema_version(&me).await.unwrap(), 3);
}

pub async fn sync_f1_later_changes_of_a_forgotten_record_are_refused(store: Arc<impl Backend>) {
    let me = scope("me");
    given(&*store, &me).await;
    let late = change(
        json!({"appId": "ai", "table": "aiRuns", "id": "a", "op": "update", "eventId": "late",
        "fields": {"reason": {"value": "x", "updatedAt": after(60)}}}),
    );
    let both = vec![task("t", "x", after(60)), late.clone()];
    let refused = store
        .push(&me, pushing("c", both, after(60)))
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, StoreError::Forgotten { event_id } if event_id == "late"),
        "{refused}"
    );
    assert_eq!(
        get_task(&*store, &me, "t").await,
        None,
        "nothing of the push is stored"
    );
    // A replay of what was stored before is no change.
    push(&*store, &me, "mana-runner", vec![run("a", 1)], after(61)).await;
    push(
        &*store,
        &me,
        "mana-runner",
        vec![forget(&["a", "b"])],
        after(62),
    )
    .await;
    // A run's result is taken without its record of an occurrence that is forgotten.
    given_hourly(&*store).await;
    let claim = claim(&*store, "w", after(3600), after(7200))
        .await
        .remove(0);
    let mut result = result(&claim, after(3601));
    result.changes.push(late);
    store.push(&me, result).await.unwrap();
    assert_eq!(store.record(&me, &key("a")).await.unwrap(), None);
}

pub async fn sync_f1_forgetting_what_is_not_there_keeps_it_away(store: Arc<impl Backend>) {
    let me = scope("me");
    push(
        &*store,
        &me,
        "mana-runner",
        vec![forget(&["late"]), run("late", 1)],
        after(1),
    )
    .await;
    assert_eq!(store.record(&me, &key("late")).await.unwrap(), None);
    let refused = store
        .push(&me, pushing("c", vec![run("late", 2)], after(2)))
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Forgotten { .. }));
}

pub async fn sync_f1_the_log_proves_what_is_forgotten_and_drops_its_rows(store: Arc<impl Upkept>) {
    let me = scope("me");
    given(&*store, &me).await;
    let before = all_records(&*store, &me).await;
    for _ in 0..2 {
        let checked = store.check(&me).await.unwrap();
        assert_eq!(
            (checked.differing, checked.records),
            (0, 2),
            "{:?}",
            checked.differences
        );
        assert_eq!(store.reproject(&me).await.unwrap().differing, 0);
        let compacted = store.compact(&me, after(100)).await.unwrap();
        assert_eq!(compacted.left, []);
    }
    let rows = log(&*store, &me).await.changes;
    let ids: Vec<_> = rows.iter().map(|row| row.change.id.as_str()).collect();
    assert_eq!(
        ids,
        ["c", "d", ""],
        "the rows of forgotten records are gone"
    );
    assert_eq!(all_records(&*store, &me).await, before);
}

pub async fn sync_f1_a_log_moves_with_what_is_forgotten(store: Arc<impl Upkept>) {
    let user = store
        .create_user(new_user("a@example.org"), after(0))
        .await
        .unwrap();
    let me = Scope::own(&user.id);
    given(&*store, &me).await;
    let page = store.export(&me, Cursor::BEGINNING, 100).await.unwrap();
    let other = SqliteStore::memory(Arc::new(Registry::builtin()))
        .await
        .unwrap();
    let rows = stream::iter(page.rows).map(Ok).boxed();
    other
        .import(user, Cursor::BEGINNING, None, rows)
        .await
        .unwrap();
    assert_eq!(
        all_records(&*other, &me).await,
        all_records(&*store, &me).await
    );
    assert_eq!(other.check(&me).await.unwrap().differing, 0);
    let refused = other
        .push(&me, pushing("c", vec![run("b", 9)], after(99)))
        .await;
    assert!(matches!(
        refused,
        Err(StoreError::Forgotten { .. } | StoreError::EventIdTaken { .. })
    ));
}

fn removal(id: &str, at: Micros) -> Change {
    change(json!({"table": "tasks", "id": id, "op": "delete", "deletedAt": at}))
}

fn task_key(id: &str) -> RecordKey {
    RecordKey::new("todo", "tasks", id)
}

fn forget_task(id: &str) -> Change {
    forgetting("todo", "tasks", &[id])
}

pub async fn sync_f5_what_was_removed_long_ago_and_rests_expires(store: Arc<impl Upkept>) {
    let me = scope("me");
    let ids = ["old", "stands", "new", "touched", "late"];
    let tasks = ids.map(|id| task(id, "x", after(0))).into();
    push(&*store, &me, "c", tasks, after(1)).await;
    let mission = mission("m", json!({"title": "Plan"}), after(0));
    let mission_gone = change(
        json!({"appId": "ai", "table": "aiMissions", "id": "m", "op": "delete", "deletedAt": after(2)}),
    );
    let removals = vec![
        removal("old", after(2)),
        removal("touched", after(2)),
        mission,
        mission_gone,
    ];
    push(&*store, &me, "c", removals, after(3)).await;
    // Removed long ago on a device that was offline until now: nobody else could bring it back yet.
    let late = vec![
        removal("late", after(2)),
        removal("new", after(200)),
        set("touched", "title", json!("y"), after(200)),
    ];
    push(&*store, &me, "c", late, after(200)).await;
    let expired = store.expired_removals(&me, after(100), 10).await.unwrap();
    assert_eq!(expired, [task_key("old")]);
    let expired = store.expired_removals(&me, after(300), 2).await.unwrap();
    assert_eq!(
        expired,
        [task_key("late"), task_key("new")],
        "no more than asked for"
    );
    let none = store
        .expired_removals(&scope("you"), after(300), 10)
        .await
        .unwrap();
    assert_eq!(none, []);
}

pub async fn sync_f5_the_rows_of_what_was_taken_away_go_and_no_others(store: Arc<impl Upkept>) {
    let me = scope("me");
    given(&*store, &me).await;
    let changes = vec![
        task("gone", "a secret", after(30)),
        set("gone", "title", json!("another"), after(31)),
        removal("gone", after(32)),
        task("kept", "first", after(30)),
        set("kept", "title", json!("second"), after(31)),
    ];
    push(&*store, &me, "c", changes, after(40)).await;
    push(
        &*store,
        &me,
        "mana-server",
        vec![forget_task("gone")],
        after(50),
    )
    .await;
    push(
        &*store,
        &me,
        "c",
        vec![task("newest", "x", after(51))],
        after(60),
    )
    .await;
    let before = all_records(&*store, &me).await;
    let dropped = store.drop_forgotten(&me).await.unwrap();
    assert_eq!((dropped.dropped, dropped.left), (3, Vec::new()));
    let rows = log(&*store, &me).await.changes;
    let ids: Vec<_> = rows.iter().map(|row| row.change.id.as_str()).collect();
    // The overwritten title of a task that stands, and the rows of the missions' own records, stay.
    assert_eq!(ids, ["a", "b", "c", "d", "", "kept", "kept", "", "newest"]);
    assert_eq!(all_records(&*store, &me).await, before);
    assert_eq!(store.check(&me).await.unwrap().differences, []);
    assert_eq!(store.drop_forgotten(&me).await.unwrap().dropped, 0);
}

pub async fn sync_f5_what_was_brought_back_is_not_taken_away(store: Arc<impl Backend>) {
    let me = scope("me");
    push(&*store, &me, "c", vec![task("t", "x", after(0))], after(1)).await;
    let refused = store
        .push(
            &me,
            pushing("mana-server", vec![forget_task("t")], after(50)),
        )
        .await;
    assert!(matches!(refused, Err(StoreError::Stands)), "{refused:?}");
    assert!(get_task(&*store, &me, "t").await.is_some());
}

pub async fn missions_t15_the_runs_beyond_the_newest_are_found(store: Arc<impl Backend>) {
    let me = scope("me");
    let runs = (0..30).map(|n| run(&format!("r{n:02}"), n)).collect();
    push(&*store, &me, "mana-runner", runs, after(40)).await;
    let found = store.surplus_runs(&me, "m", 27, 100).await.unwrap();
    assert_eq!(found, ["r02", "r01", "r00"]);
    assert_eq!(
        store.surplus_runs(&me, "m", 10, 2).await.unwrap(),
        ["r19", "r18"]
    );
    assert_eq!(
        store.surplus_runs(&me, "m", 30, 2).await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(
        store.surplus_runs(&me, "other", 0, 2).await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(
        store.surplus_runs(&scope("you"), "m", 0, 2).await.unwrap(),
        Vec::<String>::new()
    );
}

pub async fn missions_r10_of_a_table_the_newest_records_are_read(store: Arc<impl Backend>) {
    let me = scope("me");
    let tasks = ["a", "b", "c", "d"].map(|id| task(id, id, after(1)));
    for (n, task) in tasks.into_iter().enumerate() {
        push(&*store, &me, "c", vec![task], after(1 + n as i64)).await;
    }
    push(
        &*store,
        &me,
        "c",
        vec![set("a", "title", json!("again"), after(9))],
        after(9),
    )
    .await;
    let gone = change(json!({"table": "tasks", "id": "d", "op": "delete", "deletedAt": after(10)}));
    let also_gone =
        change(json!({"table": "tasks", "id": "c", "op": "delete", "deletedAt": after(10)}));
    push(&*store, &me, "c", vec![gone, also_gone], after(10)).await;
    let mut forget =
        change(json!({"table": "tasks", "op": "forget", "ids": ["c"], "at": after(11)}));
    forget.schema_version = Some(3);
    push(&*store, &me, "mana-server", vec![forget], after(11)).await;
    let ids =
        |rows: Vec<(String, RecordState)>| rows.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    let read = store
        .newest_records(&me, "todo", "tasks", 10)
        .await
        .unwrap();
    assert_eq!(ids(read), ["a", "b"]);
    assert_eq!(
        ids(store.newest_records(&me, "todo", "tasks", 1).await.unwrap()),
        ["a"]
    );
    assert_eq!(
        ids(store
            .newest_records(&scope("you"), "todo", "tasks", 1)
            .await
            .unwrap()),
        [""; 0]
    );
}

fn bounded(changes: Vec<Change>, at: i64, largest_record: usize) -> Push {
    Push {
        largest_record,
        ..pushing("c", changes, after(at))
    }
}

pub async fn sync_s19_a_record_grows_to_its_bound_and_no_further(store: Arc<impl Backend>) {
    let me = scope("me");
    let long = |n: usize| json!("x".repeat(n));
    let notes = |n: usize, at: i64| set("t", "notes", long(n), after(at));
    store
        .push(
            &me,
            bounded(vec![task("t", "x", after(1)), notes(500, 2)], 2, 1000),
        )
        .await
        .unwrap();
    let grown = vec![task("other", "y", after(3)), notes(2000, 3)];
    let event_id = grown[1].event_id.clone().unwrap();
    let refused = store.push(&me, bounded(grown, 3, 1000)).await.unwrap_err();
    match refused {
        StoreError::RecordTooLarge {
            event_id: of,
            bytes,
        } => {
            assert_eq!(of, event_id);
            assert!((2000..2500).contains(&bytes));
        }
        other => panic!("{other}"),
    }
    assert_eq!(
        get_task(&*store, &me, "other").await,
        None,
        "nothing of the push is stored"
    );
    // What joins is taken whole, may shrink, and may be written as long as it does not grow.
    store
        .push(&me, bounded(vec![notes(3000, 4)], 4, usize::MAX))
        .await
        .unwrap();
    store
        .push(&me, bounded(vec![notes(2500, 5)], 5, 1000))
        .await
        .unwrap();
    assert!(
        store
            .push(&me, bounded(vec![notes(2600, 6)], 6, 1000))
            .await
            .is_err()
    );
    let removed = change(
        json!({"table": "tasks", "id": "t", "op": "update", "at": after(7),
        "fields": {"notes": {"value": null}}}),
    );
    store
        .push(&me, bounded(vec![removed], 7, 1000))
        .await
        .unwrap();
}
