//! The sync step of a replica that was copied.

use mana_core::sync::TransportError;
use serde_json::Value;

use crate::sync_step::{Replica, Request, answer, page, refused};

#[test]
fn sync_s16_a_copied_replica_takes_another_id_reads_a_snapshot_and_goes_on() {
    let mut replica = Replica::at("5");
    replica.meta.client_id = "one".to_owned();
    replica.meta.push_number = 7;
    replica.queue(&["a", "b"]);
    let mut pushed = Vec::new();
    let mut server = |request: Request| match request {
        Request::Page(_) => page(Vec::new(), None, "9"),
        Request::Push(push) => {
            let copied = push.client_id == "one";
            pushed.push((push.client_id, push.push_number, push.changes.len()));
            match copied {
                true => refused(409, "copied", Value::Null),
                false => answer("9", Vec::new()),
            }
        }
    };
    replica.sync(&mut server, |_| {}).unwrap();
    let renamed = mana_core::ids::derive("one", "event-a\nevent-b");
    assert_eq!(pushed[0], ("one".to_owned(), Some(8), 2));
    assert_eq!(pushed[1], (renamed.clone(), Some(1), 2));
    assert_eq!(replica.meta.client_id, renamed);
    assert_eq!(replica.meta.push_number, 1);
    assert!(replica.outbox.is_empty());
}

#[test]
fn sync_s16_a_server_that_answers_copied_for_ever_ends_the_sync() {
    let mut replica = Replica::at("5");
    replica.queue(&["a"]);
    let mut pushes = 0;
    let mut server = |request: Request| match request {
        Request::Page(_) => page(Vec::new(), None, "9"),
        Request::Push(_) => {
            pushes += 1;
            refused(409, "copied", Value::Null)
        }
    };
    let error = replica.sync(&mut server, |_| {}).unwrap_err();
    assert!(matches!(error, TransportError::Refused(refusal) if refusal.code == "copied"));
    assert!(pushes < 12, "{pushes}");
    assert_eq!(replica.outbox.len(), 1);
}

#[test]
fn sync_s16_numbers_count_pushes_that_were_answered_and_an_empty_push_has_none() {
    let mut replica = Replica::at("5");
    let mut numbers = Vec::new();
    let mut fails = true;
    for ids in [&["a"][..], &["b"], &[]] {
        replica.queue(ids);
        let _ = replica.sync(
            |request| {
                let Request::Push(push) = request else {
                    unreachable!("there is a cursor")
                };
                numbers.push(push.push_number);
                match std::mem::take(&mut fails) {
                    true => refused(503, "busy", Value::Null),
                    false => answer("5", Vec::new()),
                }
            },
            |_| {},
        );
    }
    assert_eq!(numbers, [Some(1), Some(1), None]);
}
