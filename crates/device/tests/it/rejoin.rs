//! Servers that were put back to a copy, and the devices that meet them (R7, R8).

use std::sync::atomic::Ordering;

use mana_core::{Op, RecordKey};
use mana_device::Write;
use serde_json::{Map, json};

use crate::support::{Database, Device, Server, task};

/// Two devices that know `before` and `after`, and a server that was put back to `before`.
async fn put_back(database: Database) -> (Server, Device, Device) {
    let mut server = Server::on(database).await;
    let (a, b) = (Device::memory(0).await, Device::sqlite().await);
    a.add("before", "Before").await;
    a.replica.sync(&server).await.unwrap();
    let backup = server.backup().await;
    for n in 0..5 {
        a.add(&format!("after{n}"), "After").await;
    }
    a.set("before", "Changed").await;
    a.replica.sync(&server).await.unwrap();
    b.replica.sync(&server).await.unwrap();
    assert_eq!(a.tasks().await, b.tasks().await);
    server.put_back(&backup).await;
    assert_eq!(server.titles().await, ["Before"]);
    (server, a, b)
}

async fn everything_is_back(server: &Server, a: &Device, b: &Device) {
    let held = a.tasks().await;
    a.replica.sync(server).await.unwrap();
    let rows = server.rows().await;
    b.replica.sync(server).await.unwrap();
    assert_eq!(server.rows().await, rows, "the same states are stored once");
    assert_eq!(
        (a.tasks().await, b.tasks().await),
        (held.clone(), held.clone())
    );
    let fresh = Device::memory(0).await;
    fresh.replica.sync(server).await.unwrap();
    assert_eq!(fresh.tasks().await, held);
    let joins = server.joins.lock().unwrap().len();
    a.replica.sync(server).await.unwrap();
    b.replica.sync(server).await.unwrap();
    assert_eq!(
        server.joins.lock().unwrap().len(),
        joins,
        "each gives back once"
    );
}

#[tokio::test]
async fn sync_r8_a_restored_server_gets_back_what_it_lost_once() {
    for database in Database::ALL {
        let (server, a, b) = put_back(database).await;
        server.begin_epoch(false).await;
        a.add("waiting", "Waiting").await;
        everything_is_back(&server, &a, &b).await;
        assert_eq!(server.titles().await.len(), 7);
    }
}

#[tokio::test]
async fn sync_r7_a_server_that_was_rolled_back_underneath_is_noticed() {
    for database in Database::ALL {
        let (server, a, b) = put_back(database).await;
        everything_is_back(&server, &a, &b).await;
    }
}

#[tokio::test]
async fn sync_r7_a_rollback_is_noticed_also_after_others_have_written() {
    for database in Database::ALL {
        let (server, a, b) = put_back(database).await;
        let late = Device::memory(0).await;
        for n in 0..5 {
            late.add(&format!("late{n}"), "Late").await;
        }
        late.replica.sync(&server).await.unwrap();
        a.replica.sync(&server).await.unwrap();
        b.replica.sync(&server).await.unwrap();
        late.replica.sync(&server).await.unwrap();
        a.replica.sync(&server).await.unwrap();
        assert_eq!(server.titles().await.len(), 11);
        assert_eq!(late.tasks().await, a.tasks().await);
    }
}

/// The ways in which a server comes to its copy.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Its operator says so.
    Restored,
    /// The file is copied underneath.
    Underneath,
}

#[tokio::test]
async fn sync_r8_a_server_that_is_put_back_twice_gets_back_what_it_lost_each_time() {
    use Way::{Restored, Underneath};
    for database in Database::ALL {
        for (first, second) in [
            (Restored, Restored),
            (Restored, Underneath),
            (Underneath, Restored),
            (Underneath, Underneath),
        ] {
            let (mut server, a, b) = put_back(database).await;
            let copy = server.backup().await;
            if let Restored = first {
                server.begin_epoch(false).await;
            }
            a.replica.sync(&server).await.unwrap();
            a.add("between", "Between").await;
            a.replica.sync(&server).await.unwrap();
            // The other device never meets the server as it was between the two copies.
            server.put_back(&copy).await;
            if let Restored = second {
                server.begin_epoch(false).await;
            }
            b.add("waiting", "Waiting").await;
            a.replica.sync(&server).await.unwrap();
            b.replica.sync(&server).await.unwrap();
            a.replica.sync(&server).await.unwrap();
            let fresh = Device::memory(0).await;
            fresh.replica.sync(&server).await.unwrap();
            let held = fresh.tasks().await;
            assert_eq!(
                (a.tasks().await, b.tasks().await),
                (held.clone(), held),
                "{database:?}: {first:?}, {second:?}"
            );
            assert_eq!(server.titles().await.len(), 8);
        }
    }
}

/// Requests of a device that begins to read anew, after each of which it is cut off; the last number is enough.
const CUTS: std::ops::RangeInclusive<usize> = 1..=4;

#[tokio::test]
async fn sync_r8_a_copy_that_is_put_underneath_while_a_device_reads_anew_gets_back_what_it_lost() {
    for database in Database::ALL {
        for requests in CUTS {
            let (mut server, a, b) = put_back(database).await;
            let copy = server.backup().await;
            server.begin_epoch(false).await;
            server.requests_left.store(requests, Ordering::SeqCst);
            let cut_off = a.replica.sync(&server).await.is_err();
            assert_eq!(cut_off, requests < *CUTS.end(), "{requests} requests");
            server.requests_left.store(usize::MAX, Ordering::SeqCst);
            server.put_back(&copy).await;
            everything_is_back(&server, &a, &b).await;
        }
    }
}

#[tokio::test]
async fn sync_r8_what_was_given_back_is_missed_where_a_copy_is_put_underneath() {
    for database in Database::ALL {
        for requests in CUTS {
            let (mut server, a, b) = put_back(database).await;
            let copy = server.backup().await;
            server.requests_left.store(requests, Ordering::SeqCst);
            let _ = a.replica.sync(&server).await;
            server.requests_left.store(usize::MAX, Ordering::SeqCst);
            server.put_back(&copy).await;
            // The other device knows less of what was lost.
            everything_is_back(&server, &a, &b).await;
        }
    }
}

#[tokio::test]
async fn sync_r8_with_discard_newer_nothing_comes_back_and_devices_follow() {
    for database in Database::ALL {
        let (server, a, b) = put_back(database).await;
        server.begin_epoch(true).await;
        a.add("waiting", "Waiting").await;
        a.set("before", "Written since").await;
        a.replica.sync(&server).await.unwrap();
        b.replica.sync(&server).await.unwrap();
        assert!(server.joins.lock().unwrap().is_empty());
        assert_eq!(server.titles().await, ["Written since", "Waiting"]);
        b.replica.sync(&server).await.unwrap();
        let fresh = Device::memory(0).await;
        fresh.replica.sync(&server).await.unwrap();
        assert_eq!(a.tasks().await, fresh.tasks().await);
        assert_eq!(b.tasks().await, fresh.tasks().await);
    }
}

#[tokio::test]
async fn sync_r11_a_device_that_comes_after_the_time_of_giving_back_says_what_it_alone_holds() {
    for database in Database::ALL {
        let (server, a, b) = put_back(database).await;
        server.begin_epoch(false).await;
        server
            .now
            .fetch_add(31 * 86_400 * 1_000_000, Ordering::SeqCst);
        a.add("waiting", "Waiting").await;
        a.replica.sync(&server).await.unwrap();
        assert!(server.joins.lock().unwrap().is_empty());
        assert_eq!(server.titles().await, ["Before", "Waiting"]);
        let resynced = a.replica.take_resynced().unwrap();
        let kept: Vec<_> = resynced.kept.iter().map(|key| key.id.as_str()).collect();
        assert_eq!(
            kept,
            ["after0", "after1", "after2", "after3", "after4", "before"]
        );
        assert!(resynced.restored);
        assert_eq!((resynced.given_back, resynced.dropped), (0, 0));
        a.replica.sync(&server).await.unwrap();
        assert_eq!(a.replica.take_resynced(), None, "told once");
        b.replica.sync(&server).await.unwrap();
        assert_eq!(b.replica.take_resynced().unwrap().kept.len(), 6);
    }
}

#[tokio::test]
async fn sync_r11_a_log_that_was_shortened_or_put_back_is_told_with_what_became_of_the_records() {
    for database in Database::ALL {
        let (server, a, b) = put_back(database).await;
        server.begin_epoch(true).await;
        a.replica.sync(&server).await.unwrap();
        let resynced = a.replica.take_resynced().unwrap();
        assert_eq!((resynced.restored, resynced.dropped), (true, 5));
        for n in 0..3 {
            a.set("before", &format!("Changed {n}")).await;
            a.replica.sync(&server).await.unwrap();
        }
        b.replica.sync(&server).await.unwrap();
        b.replica.take_resynced().unwrap();
        let late = Device::memory(0).await;
        late.replica.sync(&server).await.unwrap();
        assert_eq!(late.replica.take_resynced(), None, "a new device");
        for n in 0..3 {
            a.set("before", &format!("Once more {n}")).await;
            a.replica.sync(&server).await.unwrap();
        }
        server.compact().await;
        late.add("waiting", "Waiting").await;
        late.replica.sync(&server).await.unwrap();
        let resynced = late.replica.take_resynced().unwrap();
        assert_eq!((resynced.restored, resynced.kept.len()), (false, 0));
        assert_eq!(late.tasks().await, {
            a.replica.sync(&server).await.unwrap();
            a.tasks().await
        });
    }
}

#[tokio::test]
async fn sync_r8_the_servers_iterations_come_back_and_prove_nothing() {
    for database in Database::ALL {
        let mut server = Server::on(database).await;
        let device = Device::memory(0).await;
        let backup = server.backup().await;
        let step = json!({"id": "s", "index": 0, "summary": "Make one", "rationale": "Because.", "status": "planned",
        "intent": {"kind": "toolCall", "toolName": "create_task", "params": {"title": "Milk"}}});
        let iteration = json!({"id": "i", "slot": "run:1", "startedAt": "2026-03-02T06:00:00Z", "source": "server",
        "updatedAt": "2026-03-02T06:00:00Z", "plan": [step]});
        let mission = json!({"title": "M", "state": "active", "iterations": [iteration]});
        server.plans("m", mission).await;
        device.replica.sync(&server).await.unwrap();
        server.put_back(&backup).await;
        device.replica.sync(&server).await.unwrap();
        let fresh = Device::memory(0).await;
        fresh.replica.sync(&server).await.unwrap();
        let missions = fresh.replica.records("ai", "aiMissions").await.unwrap();
        assert_eq!(missions[0].1.data["iterations"][0]["source"], "server");
        let marks = fresh.replica.records("ai", "aiGivenBack").await.unwrap();
        assert_eq!(
            (marks[0].0.as_str(), &marks[0].1.data["missionId"]),
            ("i", &json!("m"))
        );
        let given = server.backup().await;
        let noted = given
            .rows
            .iter()
            .filter(|row| row.logged.change.extra.contains_key("givenBackBy"));
        assert!(noted.count() > 0);
    }
}

#[tokio::test]
async fn sync_r8_a_record_that_was_deleted_and_brought_back_comes_back_as_it_is() {
    for database in Database::ALL {
        let mut server = Server::on(database).await;
        let device = Device::memory(0).await;
        let backup = server.backup().await;
        device.add("t", "Milk").await;
        device.replica.sync(&server).await.unwrap();
        let key = RecordKey::new("todo", "tasks", "t");
        let delete = Write {
            key: key.clone(),
            op: Op::Delete,
            set: Map::new(),
        };
        device.write(delete).await;
        device
            .write(task(
                Op::Update,
                "t",
                json!({"deletedAt": null, "notes": "Oat"}),
            ))
            .await;
        device.replica.sync(&server).await.unwrap();
        server.put_back(&backup).await;
        device.replica.sync(&server).await.unwrap();
        let fresh = Device::memory(0).await;
        fresh.replica.sync(&server).await.unwrap();
        let (held, there) = (
            device.replica.record(&key).await,
            fresh.replica.record(&key).await,
        );
        assert_eq!(there.unwrap(), held.unwrap());
    }
}
