//! Following a log.

use std::time::Duration;

use mana_sync::{Follow, Followed, Follower};
use serde_json::json;
use tokio::time::timeout;

use crate::support::*;

fn of(since: &str) -> Follow {
    Follow {
        app: Some("todo".into()),
        since: since.into(),
        ..Follow::default()
    }
}

async fn follow(rig: &Rig, follow: Follow) -> Follower {
    rig.sync.follow(&me(), follow).await.unwrap()
}

fn ids(followed: &Followed) -> Vec<&str> {
    followed.changes.iter().map(|change| &*change.id).collect()
}

/// Nothing is ready and nothing becomes ready by itself.
async fn quiet(follower: &mut Follower) {
    let next = timeout(Duration::from_millis(20), follower.next()).await;
    assert!(next.is_err(), "{next:?}");
}

#[tokio::test]
async fn sync_s11_what_is_there_comes_first_and_then_what_comes() {
    let rig = Rig::new().await;
    rig.push("phone", json!([task("a"), task("b")]))
        .await
        .unwrap();
    let mut follower = follow(&rig, of("")).await;
    let first = follower.next().await.unwrap();
    assert_eq!((ids(&first), first.has_more), (vec!["a", "b"], false));
    quiet(&mut follower).await;
    rig.push("phone", json!([task("c")])).await.unwrap();
    let second = follower.next().await.unwrap();
    assert_eq!(ids(&second), ["c"]);
    assert_eq!(follower.cursor(), second.synced_until);

    let mut resumed = follow(&rig, of(&first.synced_until.to_string())).await;
    assert_eq!(resumed.next().await.unwrap(), second);
}

#[tokio::test]
async fn sync_s11_a_cursor_passes_no_row_that_was_not_handed_out() {
    let rig = Rig::new().await;
    let list = |id: &str| json!({"table": "lists", "id": id, "op": "insert", "data": {}});
    rig.push("phone", json!([task("a"), list("l"), task("b"), list("m")]))
        .await
        .unwrap();
    let mut follower = follow(&rig, of("")).await;
    let tasks = follower.next().await.unwrap();
    assert_eq!(
        (&*tasks.table, ids(&tasks), tasks.has_more),
        ("tasks", vec!["a", "b"], true)
    );

    // Torn off here, nothing of the lists is lost.
    let mut resumed = follow(&rig, of(&tasks.synced_until.to_string())).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.extend(
            ids(&resumed.next().await.unwrap())
                .into_iter()
                .map(str::to_owned),
        );
    }
    assert_eq!(seen, ["a", "b", "l", "m"]);

    let lists = follower.next().await.unwrap();
    assert_eq!(
        (&*lists.table, ids(&lists), lists.has_more),
        ("lists", vec!["l", "m"], false)
    );
    let mut after = follow(&rig, of(&lists.synced_until.to_string())).await;
    quiet(&mut after).await;
}

#[tokio::test]
async fn sync_s11_a_slow_reader_gets_everything_in_pages() {
    let rig = Rig::new().await;
    let mut follower = follow(&rig, of("")).await;
    for n in 0..5 {
        let many = (0..150).map(|i| task(&format!("{n}-{i}"))).collect();
        rig.push("phone", many).await.unwrap();
    }
    let mut seen = Vec::new();
    loop {
        let next = follower.next().await.unwrap();
        assert!(next.changes.len() <= 200, "one page is read ahead, no more");
        seen.extend(ids(&next).into_iter().map(str::to_owned));
        if !next.has_more {
            break;
        }
    }
    let all: Vec<_> = (0..5)
        .flat_map(|n| (0..150).map(move |i| format!("{n}-{i}")))
        .collect();
    assert_eq!(seen, all);
    quiet(&mut follower).await;
}

#[tokio::test]
async fn sync_s11_other_tables_other_apps_and_ones_own_are_passed_over() {
    let rig = Rig::new().await;
    let mut follower = follow(
        &rig,
        Follow {
            tables: vec!["tasks".into()],
            client_id: Some("me".into()),
            ..of("")
        },
    )
    .await;
    let list = json!({"table": "lists", "id": "l", "op": "insert", "data": {}});
    rig.push("phone", json!([list])).await.unwrap();
    rig.push("me", json!([task("own")])).await.unwrap();
    let mut notes = push(
        "phone",
        json!([{"table": "tasks", "id": "n", "op": "insert", "data": {}}]),
    );
    notes.app = Some("notes".into());
    rig.sync.accept(&me(), notes, NOW).await.unwrap();
    quiet(&mut follower).await;
    rig.push("phone", json!([task("theirs")])).await.unwrap();
    let next = follower.next().await.unwrap();
    assert_eq!(ids(&next), ["theirs"]);
    assert_eq!(next.synced_until, rig.log().await.last().unwrap().cursor);
}

#[tokio::test]
async fn sync_s11_dropping_the_wait_loses_nothing() {
    let rig = Rig::new().await;
    let mut follower = follow(&rig, of("")).await;
    for n in 0..20 {
        rig.push("phone", json!([task(&format!("t{n}"))]))
            .await
            .unwrap();
        // Polled once, and dropped halfway unless it was ready.
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            next = follower.next() => { assert_eq!(ids(&next.unwrap()).len(), 1); }
        }
    }
    let mut seen = follow(&rig, of(&follower.cursor().to_string())).await;
    let rest = rig
        .log()
        .await
        .iter()
        .filter(|row| row.cursor > follower.cursor())
        .count();
    let mut got = 0;
    while got < rest {
        got += seen.next().await.unwrap().changes.len();
    }
    let mut mine = 0;
    while mine < rest {
        mine += follower.next().await.unwrap().changes.len();
    }
    assert_eq!((got, mine), (rest, rest));
}

#[tokio::test]
async fn sync_s11_a_cursor_that_is_none_is_said_at_once() {
    let rig = Rig::new().await;
    assert_eq!(
        rig.sync.follow(&me(), of("1")).await.err().unwrap().code(),
        "invalid_cursor"
    );
}
