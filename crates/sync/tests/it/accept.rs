//! Taking a push.

use mana_core::{Actor, RecordKey};
use mana_store::{Fence, Log, StoreError};
use mana_sync::{AcceptPush, Notice, Origin, SyncError};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn sync_s5_the_answer_brings_what_others_did_and_covers_what_oneself_did() {
    let rig = Rig::new().await;
    rig.push("phone", json!([task("a"), task("b")]))
        .await
        .unwrap();
    let answer = rig.push("laptop", json!([task("c")])).await.unwrap();
    assert_eq!(brought(&answer), ["a", "b"]);
    assert!(!answer.has_more);
    assert_eq!(answer.server_time, NOW);
    let again = AcceptPush {
        since: answer.synced_until.to_string(),
        ..push("laptop", json!([]))
    };
    let again = rig.sync.accept(&me(), again, NOW).await.unwrap();
    assert_eq!(brought(&again), [""; 0]);
    assert_eq!(
        again.synced_until, answer.synced_until,
        "the cursor covers the caller's own row"
    );
}

#[tokio::test]
async fn sync_c4_an_answer_has_the_shape_of_the_wire() {
    let rig = Rig::new().await;
    let update = json!({"eventId": "e2", "table": "tasks", "id": "a", "op": "update",
        "fields": {"title": {"value": "Oat milk", "at": NOW}}, "actor": {"kind": "user"}});
    let delete =
        json!({"eventId": "e3", "table": "tasks", "id": "a", "op": "delete", "deletedAt": NOW});
    rig.push("phone", json!([task("a"), update, delete]))
        .await
        .unwrap();
    let answer = serde_json::to_value(rig.push("laptop", json!([])).await.unwrap()).unwrap();
    let at = "2026-03-02T06:00:00.000000Z";
    let user = json!({"kind": "user"});
    assert_eq!(
        answer,
        json!({
            "serverChanges": [
                {"eventId": "event of a", "schemaVersion": 1, "appId": "todo", "table": "tasks", "id": "a",
                    "op": "insert", "actor": user, "at": at, "data": {"title": "a"},
                    "fields": {"title": {"updatedAt": at}}},
                {"eventId": "e2", "schemaVersion": 1, "appId": "todo", "table": "tasks", "id": "a",
                    "op": "update", "actor": user, "at": at,
                    "fields": {"title": {"value": "Oat milk", "updatedAt": at}}},
                {"eventId": "e3", "schemaVersion": 1, "appId": "todo", "table": "tasks", "id": "a",
                    "op": "delete", "actor": user, "at": at, "deletedAt": at},
            ],
            "conflicts": [],
            "syncedUntil": "2026-03-02T06:00:00.000002Z",
            "hasMore": false,
            "serverTime": at,
            "adjusted": [],
            "logEpoch": "me",
            "logEnd": "2026-03-02T06:00:00.000002Z",
            "giveBack": false,
            "unchanged": [],
        })
    );
}

#[tokio::test]
async fn sync_s5_a_long_log_comes_in_pages() {
    let rig = Rig::new().await;
    for some in [0..1000, 1000..2000, 2000..2500] {
        let tasks: Value = some.map(|n| task(&format!("t{n:04}"))).collect();
        rig.push("phone", tasks).await.unwrap();
    }
    let mut since = String::new();
    let mut seen = Vec::new();
    let mut pages = Vec::new();
    loop {
        let page = AcceptPush {
            since,
            ..push("laptop", json!([]))
        };
        let page = rig.sync.accept(&me(), page, NOW).await.unwrap();
        seen.extend(brought(&page).into_iter().map(str::to_owned));
        pages.push(page.server_changes.len());
        since = page.synced_until.to_string();
        if !page.has_more {
            break;
        }
    }
    assert_eq!(pages, [1000, 1000, 500]);
    assert!(seen.is_sorted() && seen.len() == 2500);
}

#[tokio::test]
async fn sync_s12_a_push_of_too_many_changes_is_refused_with_the_bound() {
    let rig = Rig::new().await;
    let tasks = |count: usize| {
        (0..count)
            .map(|n| task(&format!("t{n}")))
            .collect::<Value>()
    };
    let refused = rig.push("phone", tasks(1001)).await.unwrap_err();
    assert_eq!((refused.code(), refused.status()), ("too_large", 413));
    assert_eq!(refused.details(), Some(json!({"maxChanges": 1000})));
    assert!(rig.log().await.is_empty());
    rig.push("phone", tasks(1000)).await.unwrap();

    // A body says so before any change is read.
    let body = json!({"changes": vec![task("a"); 90_000]});
    let refused = mana_sync::PushBody::parse(body.to_string().as_bytes()).unwrap_err();
    assert_eq!(refused.code(), "too_large");
}

#[tokio::test]
async fn sync_s3_one_bad_change_is_named_and_nothing_is_stored() {
    let rig = Rig::new().await;
    let bad = [
        (json!({"table": "tasks", "op": "delete"}), "`id`"),
        (json!({"table": "tasks", "id": "x", "op": "upsert"}), "`op`"),
        (
            json!({"table": "tasks", "id": "x", "op": "insert", "data": {"title": "a\0b"}}),
            "NUL",
        ),
        (json!("text"), "object"),
        (
            json!({"appId": "notes", "table": "tasks", "id": "x", "op": "delete"}),
            "`appId`",
        ),
        (
            json!({"table": "tasks", "id": "x", "op": "delete",
                "actor": {"kind": "system", "source": "mission-runner"}}),
            "`actor`",
        ),
    ];
    for (change, named) in bad {
        let refused = rig
            .push("phone", json!([task("a"), task("b"), change]))
            .await
            .unwrap_err();
        assert_eq!((refused.code(), refused.status()), ("invalid_change", 400));
        let details = refused.details().unwrap();
        assert_eq!(details["index"], 2);
        let reason = details["reason"].as_str().unwrap();
        assert!(reason.contains(named), "{reason}");
        assert!(refused.to_string().contains(reason));
        assert!(rig.log().await.is_empty());
    }
}

#[tokio::test]
async fn sync_s10_what_the_server_alone_writes_is_refused_from_a_device() {
    let rig = Rig::new().await;
    let ai = |changes: Value, origin: Origin| AcceptPush {
        app: Some("ai".into()),
        origin,
        ..push("phone", changes)
    };
    let iterations = |id: &str, source: &str, said: &str| {
        let one = json!({"id": id, "source": source, "startedAt": NOW, "updatedAt": after(1), "userFeedback": said});
        json!([{"table": "aiMissions", "id": "m", "op": "update", "fields": {"iterations": {"value": [one]}}}])
    };
    let run = json!([{"table": "aiRuns", "id": "r", "op": "insert", "data": {"missionId": "m"}}]);
    for forged in [run.clone(), iterations("i", "server", "")] {
        let answer = rig
            .sync
            .accept(&me(), ai(forged, Origin::Device), NOW)
            .await;
        let refused = answer.unwrap_err();
        assert_eq!(refused.code(), "invalid_change", "{refused}");
        assert!(refused.to_string().contains("server"), "{refused}");
    }
    assert!(rig.log().await.is_empty());
    for (made, origin) in [
        (run, Origin::Runner),
        (iterations("i", "server", ""), Origin::Runner),
        (iterations("mine", "browser", ""), Origin::Device),
        (iterations("i", "server", "Fewer, please"), Origin::Device),
    ] {
        rig.sync.accept(&me(), ai(made, origin), NOW).await.unwrap();
    }
    assert_eq!(rig.log().await.len(), 4);
}

#[tokio::test]
async fn sync_c6_a_keyed_list_that_could_not_be_merged_is_refused() {
    let rig = Rig::new().await;
    let change = json!({"table": "aiMissions", "id": "m", "op": "update",
        "fields": {"iterations": {"value": [{"startedAt": NOW}], "updatedAt": NOW}}});
    let push = AcceptPush {
        app: Some("ai".into()),
        ..push("phone", json!([change]))
    };
    let refused = rig.sync.accept(&me(), push, NOW).await.unwrap_err();
    assert!(
        refused.to_string().contains("iterations[0].id"),
        "{refused}"
    );
    assert!(rig.log().await.is_empty());
}

#[tokio::test]
async fn a_push_for_all_apps_names_the_app_in_each_change() {
    let rig = Rig::new().await;
    let note = json!({"appId": "notes", "table": "notes", "id": "n", "op": "insert", "data": {}});
    let unknown =
        json!({"appId": "future", "table": "things", "id": "f", "op": "insert", "data": {"a": 1}});
    let all = AcceptPush {
        app: None,
        ..push("phone", json!([note, unknown]))
    };
    rig.sync.accept(&me(), all, NOW).await.unwrap();
    let stored = rig
        .store
        .record(&me(), &RecordKey::new("future", "things", "f"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.data["a"], 1, "what no manifest knows is kept");
    let apps: Vec<_> = rig
        .log()
        .await
        .into_iter()
        .map(|logged| logged.change.app_id.unwrap())
        .collect();
    assert_eq!(apps, ["notes", "future"]);
    let nameless = AcceptPush {
        app: None,
        ..push("phone", json!([task("a")]))
    };
    let refused = rig.sync.accept(&me(), nameless, NOW).await.unwrap_err();
    assert!(refused.to_string().contains("appId"), "{refused}");
}

#[tokio::test]
async fn sync_c3_what_older_clients_leave_out_is_filled_in() {
    let rig = Rig::new().await;
    let bare = json!({"table": "tasks", "id": "a", "op": "insert", "data": {"title": "x"}});
    rig.push("old phone", json!([bare])).await.unwrap();
    let first = rig.log().await;
    assert_eq!(first[0].change.actor, Some(Actor::user()));
    assert_eq!(first[0].change.fields["title"].updated_at, Some(NOW));
    // The same change again, later, is a replay; from another client it is another change.
    rig.sync
        .accept(&me(), push("old phone", json!([bare])), after(60))
        .await
        .unwrap();
    assert_eq!(rig.log().await, first);
    rig.sync
        .accept(&me(), push("old laptop", json!([bare])), after(60))
        .await
        .unwrap();
    assert_eq!(rig.log().await.len(), 2);
}

#[tokio::test]
async fn sync_s4_stamps_from_the_future_are_answered_alike_on_a_replay() {
    let rig = Rig::new().await;
    let early = json!([{"eventId": "e", "table": "tasks", "id": "a", "op": "update",
        "fields": {"title": {"value": "x", "updatedAt": after(3600)}}}]);
    let first = rig.push("phone", early.clone()).await.unwrap();
    let field = serde_json::to_value(&first.adjusted[0]).unwrap();
    assert_eq!(field["eventId"], "e");
    assert_eq!(field["field"], "/fields/title/updatedAt");
    let replay = rig
        .sync
        .accept(&me(), push("phone", early), after(7200))
        .await
        .unwrap();
    assert_eq!(replay.adjusted, first.adjusted);
}

#[tokio::test]
async fn a_newer_schema_a_bad_cursor_and_a_nameless_client_are_refused() {
    let rig = Rig::new().await;
    let newer = AcceptPush {
        schema_version: Some(mana_sync::SCHEMA_VERSION + 1),
        ..push("phone", json!([task("a")]))
    };
    let newer_change = push(
        "phone",
        json!([{"table": "tasks", "id": "a", "op": "delete", "schemaVersion": mana_sync::SCHEMA_VERSION + 1}]),
    );
    for newer in [newer, newer_change] {
        let refused = rig.sync.accept(&me(), newer, NOW).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.status()),
            ("schema_version_too_new", 400)
        );
    }
    let lost = AcceptPush {
        since: "yesterday".into(),
        ..push("phone", json!([task("a")]))
    };
    let refused = rig.sync.accept(&me(), lost, NOW).await.unwrap_err();
    assert_eq!((refused.code(), refused.status()), ("invalid_cursor", 400));
    for client in ["", "a\0b"] {
        let refused = rig.push(client, json!([task("a")])).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.status()),
            ("invalid_client_id", 400)
        );
    }
    assert!(rig.log().await.is_empty());
}

#[tokio::test]
async fn sync_s2_a_time_of_any_offset_is_a_cursor() {
    let rig = Rig::new().await;
    rig.push("phone", json!([task("a"), task("b")]))
        .await
        .unwrap();
    let since = AcceptPush {
        since: "2026-03-02T07:00:00+01:00".into(),
        ..push("laptop", json!([]))
    };
    let answer = rig.sync.accept(&me(), since, NOW).await.unwrap();
    assert_eq!(brought(&answer), ["b"]);
}

#[tokio::test]
async fn the_runner_pushes_like_a_device_but_under_its_own_name_and_fence() {
    let rig = Rig::new().await;
    let change = json!({"eventId": "e", "table": "aiMissions", "id": "m", "op": "update",
        "actor": {"kind": "system", "source": "mission-runner"},
        "fields": {"iterations": {
            "value": [{"id": "i", "startedAt": NOW, "updatedAt": NOW, "plan": []}], "updatedAt": NOW}}});
    let run = |fence| AcceptPush {
        app: Some("ai".into()),
        origin: Origin::Runner,
        fence,
        ..push("runner", json!([change]))
    };
    let fence = Fence {
        mission_id: "m".into(),
        slot: "run:1".into(),
        token: 1,
        seen: None,
    };
    let refused = rig
        .sync
        .accept(&me(), run(Some(fence)), NOW)
        .await
        .unwrap_err();
    assert!(matches!(refused, SyncError::Store(StoreError::LeaseLost)));
    assert_eq!((refused.code(), refused.status()), ("lease_lost", 409));
    assert!(rig.log().await.is_empty());
    rig.sync.accept(&me(), run(None), NOW).await.unwrap();
    assert_eq!(rig.log().await.len(), 1);
}

#[tokio::test]
async fn a_mission_that_becomes_due_wakes_the_runner_and_nothing_else_does() {
    let rig = Rig::new().await;
    rig.push("phone", json!([task("a")])).await.unwrap();
    assert!(!woken(&rig).await);
    let mission = json!({"table": "aiMissions", "id": "m", "op": "insert",
        "data": {"title": "m", "state": "active", "cadence": {"kind": "interval", "everyMinutes": 5}}});
    let mission = AcceptPush {
        app: Some("ai".into()),
        ..push("phone", json!([mission]))
    };
    let answer = rig.sync.accept(&me(), mission, NOW).await.unwrap();
    assert!(woken(&rig).await);
    assert_eq!(
        brought(&answer),
        ["m"],
        "the due time that the server added comes back at once"
    );
    rig.sync
        .request_run(
            &me(),
            mana_store::RunRequest {
                mission_id: "m".into(),
                slot: "run:1".into(),
                iteration_id: "i".into(),
                not_before: NOW,
                inputs: None,
            },
        )
        .await
        .unwrap();
    assert!(woken(&rig).await);
}

async fn woken(rig: &Rig) -> bool {
    // A wake-up is kept until somebody waits for it, so it is there at the first poll or not at all.
    let woken = rig.sync.schedule_changed().notified();
    tokio::select! {
        biased;
        () = woken => true,
        () = std::future::ready(()) => false,
    }
}

#[tokio::test]
async fn sync_s8_everybody_is_told_after_the_commit_even_if_the_caller_hung_up() {
    let rig = Rig::new().await;
    let mut listener = rig.sync.hub().subscribe(me().owner());
    // Polled once: the commit is under way, and the caller is gone.
    {
        let mut hung_up = Box::pin(rig.push("phone", json!([task("a")])));
        assert!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(
                hung_up.as_mut().poll(cx).is_pending()
            ))
            .await
        );
    }
    let Notice::Sync {
        app,
        tables,
        sender,
    } = listener.recv().await
    else {
        panic!("a commit is told")
    };
    assert_eq!((app.as_str(), sender.as_deref()), ("todo", Some("phone")));
    assert_eq!(tables.into_iter().collect::<Vec<_>>(), ["tasks"]);
    assert_eq!(rig.log().await.len(), 1);
    // A replay is no news, and the next notice is of the next commit.
    rig.push("phone", json!([task("a")])).await.unwrap();
    rig.push("laptop", json!([task("b")])).await.unwrap();
    let Notice::Sync { sender, .. } = listener.recv().await else {
        panic!("a commit is told")
    };
    assert_eq!(sender.as_deref(), Some("laptop"));
}
