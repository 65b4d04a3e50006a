//! Requests, progress and cancellation of runs, their debug records, and the runs that ended.

use std::sync::Arc;

use mana_core::{RecordKey, RecordState, mission::StepStatus};
use mana_store::{
    Cancelled, Claim, DEBUG_KEPT, DebugRecord, Lease, MOST_WAITING, RunPhase, RunProgress,
    RunRequest, StoreError,
};
use serde_json::json;

use super::support::*;

pub async fn asking_twice_is_asking_once(store: Arc<impl Backend>) {
    let me = scope("me");
    let with = |inputs, not_before| RunRequest {
        inputs,
        ..request("run:1", not_before)
    };
    store.enqueue_run(&me, with(None, after(60))).await.unwrap();
    store
        .enqueue_run(&me, with(Some(json!("first")), after(10)))
        .await
        .unwrap();
    store
        .enqueue_run(&me, with(Some(json!("second")), after(90)))
        .await
        .unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(after(10)));
    assert_eq!(
        store.run_inputs(&me, "m", "run:1").await.unwrap(),
        Some(json!("first"))
    );
    let run = claim(&*store, "w", after(100), after(200)).await;
    assert_eq!(run.len(), 1);
    store.drop_run(&run[0]).await.unwrap();
    assert_eq!(claim(&*store, "w", after(100), after(200)).await, []);
}

pub async fn a_request_waits_for_its_time(store: Arc<impl Backend>) {
    store
        .enqueue_run(&scope("me"), request("run:1", after(5)))
        .await
        .unwrap();
    assert_eq!(claim(&*store, "w", after(4), after(99)).await, []);
    assert_eq!(claim(&*store, "w", after(5), after(99)).await.len(), 1);
}

pub async fn missions_q5_so_many_runs_of_a_person_wait(store: Arc<impl Backend>) {
    given_waiting(&*store, "me", MOST_WAITING, NOW).await;
    let one_more = RunRequest {
        mission_id: "more".into(),
        ..request("run:1", NOW)
    };
    let refused = store.enqueue_run(&scope("me"), one_more.clone()).await;
    assert!(
        matches!(refused, Err(StoreError::TooManyRuns(_))),
        "{refused:?}"
    );
    given_waiting(&*store, "me", 1, NOW).await;
    store
        .enqueue_run(&scope("you"), one_more.clone())
        .await
        .unwrap();
    let me = |claim: &Claim| claim.user.as_str() == "me";
    let claims = store
        .claim_due(&take("w", NOW, after(60), 1000))
        .await
        .unwrap();
    let mine = claims.iter().find(|claim| me(claim)).unwrap();
    store.drop_run(mine).await.unwrap();
    store.enqueue_run(&scope("me"), one_more).await.unwrap();
}

fn progress(claim: &Claim, phase: RunPhase) -> RunProgress {
    RunProgress {
        phase,
        started_at: Some(after(7)),
        ..RunProgress::queued("m", &claim.slot, format!("iteration of {}", claim.slot))
    }
}

pub async fn missions_t11_a_run_is_seen_while_it_waits_and_goes_on(store: Arc<impl Backend>) {
    let (me, you) = (scope("me"), scope("you"));
    store.enqueue_run(&me, request("run:1", NOW)).await.unwrap();
    let waits = RunProgress::queued("m", "run:1", "iteration of run:1".into());
    assert_eq!(store.running(&me, "m").await.unwrap(), [waits]);
    assert_eq!(store.running(&you, "m").await.unwrap(), []);
    assert_eq!(store.running(&me, "another").await.unwrap(), []);

    let run = claim(&*store, "w", NOW, after(60)).await.remove(0);
    assert_eq!(store.running(&me, "m").await.unwrap(), []);
    for phase in [RunPhase::Reading, RunPhase::Thinking, RunPhase::Writing] {
        let progress = progress(&run, phase);
        store.progress(&run, &progress).await.unwrap();
        assert_eq!(store.running(&me, "m").await.unwrap(), [progress]);
    }
    assert_eq!(store.running(&you, "m").await.unwrap(), []);
    store.push(&me, result(&run, after(30))).await.unwrap();
    assert_eq!(store.running(&me, "m").await.unwrap(), []);
    store
        .progress(&run, &progress(&run, RunPhase::Finished))
        .await
        .unwrap();

    store.enqueue_run(&me, request("run:2", NOW)).await.unwrap();
    let lost = claim(&*store, "a", after(60), after(70)).await.remove(0);
    store
        .progress(&lost, &progress(&lost, RunPhase::Thinking))
        .await
        .unwrap();
    let held = claim(&*store, "b", after(70), after(80)).await.remove(0);
    assert_eq!(
        store.running(&me, "m").await.unwrap(),
        [],
        "what the dead one was at is not what the next one is at"
    );
    store.release(&held).await.unwrap();
    let waits = RunProgress::queued("m", "run:2", "iteration of run:2".into());
    assert_eq!(store.running(&me, "m").await.unwrap(), [waits]);
}

pub async fn missions_q6_a_run_that_waits_is_taken_back(store: Arc<impl Backend>) {
    let (me, you) = (scope("me"), scope("you"));
    let with_inputs = RunRequest {
        inputs: Some(json!([1])),
        ..request("run:1", NOW)
    };
    store.enqueue_run(&me, with_inputs).await.unwrap();
    for (scope, mission, slot) in [
        (&you, "m", "run:1"),
        (&me, "n", "run:1"),
        (&me, "m", "run:2"),
    ] {
        let nothing = store.cancel_run(scope, mission, slot).await.unwrap();
        assert_eq!(nothing, Cancelled::Nothing, "{mission} {slot}");
    }
    let gone = RunProgress {
        phase: RunPhase::Cancelled,
        ..RunProgress::queued("m", "run:1", "iteration of run:1".into())
    };
    assert_eq!(
        store.cancel_run(&me, "m", "run:1").await.unwrap(),
        Cancelled::Waiting(gone)
    );
    assert_eq!(store.run_inputs(&me, "m", "run:1").await.unwrap(), None);
    assert_eq!(claim(&*store, "w", NOW, after(60)).await, []);
}

pub async fn missions_q6_a_run_that_goes_on_is_marked_for_whoever_holds_it(
    store: Arc<impl Backend>,
) {
    let me = scope("me");
    given_hourly(&*store).await;
    let run = claim(&*store, "a", after(3600), after(3700))
        .await
        .remove(0);
    assert!(!run.cancelled);
    assert_eq!(
        store
            .cancel_run(&scope("you"), "m", &run.slot)
            .await
            .unwrap(),
        Cancelled::Nothing
    );
    // The occurrence that is run need not be the one that was claimed.
    let newest = RunProgress {
        slot: "due:7".into(),
        ..progress(&run, RunPhase::Thinking)
    };
    store.progress(&run, &newest).await.unwrap();
    assert_eq!(store.renew(&run, after(3700)).await.unwrap(), Lease::Held);
    assert_eq!(
        store.cancel_run(&me, "m", "due:7").await.unwrap(),
        Cancelled::Running
    );
    assert_eq!(
        store.renew(&run, after(3700)).await.unwrap(),
        Lease::Cancelled
    );
    let next = claim(&*store, "b", after(3700), after(3800))
        .await
        .remove(0);
    assert!(next.cancelled, "the one after a dead one hears of it");
    store.push(&me, result(&next, after(3710))).await.unwrap();
    let later = claim(&*store, "b", after(9000), after(9100))
        .await
        .remove(0);
    assert!(!later.cancelled, "another slot is another run");
}

pub async fn debug_records_are_kept_the_newest_and_by_their_size(store: Arc<impl Backend>) {
    let (me, you) = (scope("me"), scope("you"));
    let record = |id: &str, at: i64, body: String| DebugRecord {
        iteration_id: id.to_owned(),
        at: after(at),
        body: json!({ "rounds": [body] }),
    };
    let (count, bytes) = DEBUG_KEPT;
    store
        .keep_debug(&you, record("0", 0, "theirs".into()))
        .await
        .unwrap();
    for n in 0..=count {
        let kept = record(&n.to_string(), n as i64, "a\u{0}b".into());
        store.keep_debug(&me, kept).await.unwrap();
    }
    assert_eq!(
        store.debug(&me, "0").await.unwrap(),
        None,
        "the oldest went"
    );
    assert_eq!(
        store.debug(&me, "1").await.unwrap(),
        Some(record("1", 1, "a\u{0}b".into()))
    );
    assert_eq!(
        store.debug(&you, "0").await.unwrap(),
        Some(record("0", 0, "theirs".into()))
    );
    assert_eq!(store.debug(&you, "1").await.unwrap(), None);
    let again = record("1", 99, "replaced".into());
    store.keep_debug(&me, again.clone()).await.unwrap();
    assert_eq!(store.debug(&me, "1").await.unwrap(), Some(again));

    let large = |id: &str, at| record(id, at, "x".repeat(bytes * 2 / 3));
    store.keep_debug(&me, large("l1", 100)).await.unwrap();
    store.keep_debug(&me, large("l2", 101)).await.unwrap();
    assert_eq!(store.debug(&me, "l1").await.unwrap(), None);
    assert!(store.debug(&me, "l2").await.unwrap().is_some());
}

pub async fn runs_of_a_mission_are_read_newest_first_a_page_at_a_time(store: Arc<impl Backend>) {
    let me = scope("me");
    let run = |id: &str, mission: &str, data: serde_json::Value| {
        let mut data = data;
        data["missionId"] = json!(mission);
        change(
            json!({"appId": "ai", "table": "aiRuns", "id": id, "op": "insert", "at": NOW, "data": data}),
        )
    };
    let at = |seconds| json!({"startedAt": after(seconds)});
    let runs = vec![
        run("b", "m", at(2)),
        run("a", "m", at(2)),
        run("c", "m", at(1)),
        run("d", "m", at(9)),
        run("gone", "m", at(5)),
        run("unknown", "m", json!({})),
        run("other", "another", at(3)),
    ];
    push(&*store, &me, "c", runs, NOW).await;
    let delete = json!({"appId": "ai", "table": "aiRuns", "id": "gone", "op": "delete", "deletedAt": after(1)});
    push(&*store, &me, "c", vec![change(delete)], after(1)).await;
    push(&*store, &scope("you"), "c", vec![run("e", "m", at(4))], NOW).await;
    push(
        &*store,
        &me,
        "c",
        vec![task("d", "a task of the same id", NOW)],
        NOW,
    )
    .await;

    let started = |state: &RecordState| match &state.data.get("startedAt") {
        Some(serde_json::Value::String(at)) => at.clone(),
        _ => String::new(),
    };
    for limit in 1..=6u32 {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = store
                .runs_of_mission(&me, "m", before, limit)
                .await
                .unwrap();
            assert!(page.len() <= limit as usize);
            let Some((id, state)) = page.last() else {
                break;
            };
            before = Some((started(state), id.clone()));
            seen.extend(page.into_iter().map(|(id, _)| id));
        }
        assert_eq!(seen, ["d", "b", "a", "c", "unknown"], "pages of {limit}");
    }
    assert_eq!(
        store.runs_of_mission(&me, "none", None, 9).await.unwrap(),
        []
    );
}

/// Each status that core knows, and what it does not know.
pub async fn missions_with_open_steps_are_those_that_wait_for_a_decision(store: Arc<impl Backend>) {
    let me = scope("me");
    let words = [
        "planned", "staged", "failed", "expired", "skipped", "rejected", "approved", "undone",
        "surprise",
    ];
    let mut expected = Vec::new();
    let plan = |steps: serde_json::Value| {
        json!({"title": "t", "state": "active", "cadence": {"kind": "manual"},
            "iterations": [{"id": "i", "startedAt": NOW, "updatedAt": NOW, "plan": steps}]})
    };
    let step = |n: usize, status: &str| json!({"id": format!("s{n}"), "index": n, "status": status, "updatedAt": NOW});
    for word in words {
        push(
            &*store,
            &me,
            "c",
            vec![mission(word, plan(json!([step(0, word)])), NOW)],
            NOW,
        )
        .await;
        if StepStatus::from(word.to_owned()).is_open() {
            expected.push(word.to_owned());
        }
    }
    let both = plan(json!([
        step(0, "approved"),
        step(1, "planned"),
        step(2, "rejected")
    ]));
    let missing = plan(json!([{"id": "s", "index": 0, "updatedAt": NOW}]));
    let none = json!({"title": "t", "state": "active", "cadence": {"kind": "manual"}});
    for (id, data) in [
        ("both", both.clone()),
        ("missing", missing),
        ("none", none),
        ("empty", plan(json!([]))),
        ("removed", both),
    ] {
        push(&*store, &me, "c", vec![mission(id, data, NOW)], NOW).await;
    }
    push(
        &*store,
        &scope("you"),
        "c",
        vec![mission("yours", plan(json!([step(0, "planned")])), NOW)],
        NOW,
    )
    .await;
    let delete = json!({"appId": "ai", "table": "aiMissions", "id": "removed", "op": "delete", "deletedAt": after(1)});
    push(&*store, &me, "c", vec![change(delete)], after(1)).await;
    expected.extend(["both".to_owned(), "missing".to_owned()]);
    expected.sort();
    let open = store.missions_with_open_steps(&me, 100).await.unwrap();
    for (id, state) in &open {
        assert_eq!(
            Some(state),
            store
                .record(&me, &RecordKey::new("ai", "aiMissions", id))
                .await
                .unwrap()
                .as_ref()
        );
    }
    let open: Vec<String> = open.into_iter().map(|(id, _)| id).collect();
    assert_eq!(open, expected);
}
