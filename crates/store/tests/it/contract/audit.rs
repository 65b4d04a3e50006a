//! The audit log.

use std::sync::Arc;

use mana_store::{AUDIT_KEPT, AuditClass, AuditEntry, UserId};

use super::support::*;

fn entry(class: AuditClass, event: &'static str, subject: &str) -> AuditEntry {
    AuditEntry {
        at: NOW,
        class,
        event,
        subject: Some(UserId(subject.to_owned())),
        actor: None,
        address: Some("192.0.2.1".to_owned()),
        detail: "member".to_owned(),
    }
}

pub async fn entries_are_read_newest_first_and_by_page_and_person(store: Arc<impl Backend>) {
    for (event, subject) in [("one", "ada"), ("two", "bob"), ("three", "ada")] {
        store
            .keep_audit(entry(AuditClass::Act, event, subject))
            .await
            .unwrap();
    }
    let events = |rows: Vec<mana_store::AuditRow>| -> Vec<String> {
        rows.into_iter().map(|row| row.event).collect()
    };
    let page = store.audit(None, None, 2).await.unwrap();
    let last = page[1].id;
    assert_eq!(
        (page[0].class.as_str(), page[0].detail.as_str()),
        ("act", "member")
    );
    assert_eq!(page[0].address.as_deref(), Some("192.0.2.1"));
    assert_eq!(events(page), ["three", "two"]);
    assert_eq!(
        events(store.audit(Some(last), None, 2).await.unwrap()),
        ["one"]
    );
    let ada = UserId("ada".to_owned());
    let hers = store.audit(None, Some(&ada), 10).await.unwrap();
    assert_eq!(events(hers), ["three", "one"]);
}

pub async fn failures_never_push_out_acts_and_both_are_bounded(store: Arc<impl Backend>) {
    store
        .keep_audit(entry(AuditClass::Act, "act", "ada"))
        .await
        .unwrap();
    for _ in 0..AUDIT_KEPT + 3 {
        store
            .keep_audit(entry(AuditClass::Failure, "failure", "ada"))
            .await
            .unwrap();
    }
    let all = store.audit(None, None, 3 * AUDIT_KEPT).await.unwrap();
    assert_eq!(all.len(), AUDIT_KEPT + 1);
    assert_eq!(all.last().unwrap().event, "act");
}

pub async fn an_operators_act_and_events_that_are_named_are_noticed(store: Arc<impl Backend>) {
    assert_eq!(store.newest_act(&["role-changed"]).await.unwrap(), 0);
    store
        .keep_audit(entry(AuditClass::Act, "from-afar", "ada"))
        .await
        .unwrap();
    assert_eq!(store.newest_act(&["role-changed"]).await.unwrap(), 0);
    let beside = AuditEntry {
        address: None,
        ..entry(AuditClass::Act, "beside", "ada")
    };
    store.keep_audit(beside).await.unwrap();
    let newest = store.audit(None, None, 1).await.unwrap()[0].id;
    assert_eq!(store.newest_act(&["role-changed"]).await.unwrap(), newest);
    let owners = entry(AuditClass::Act, "role-changed", "ada");
    store.keep_audit(owners).await.unwrap();
    let role = store.newest_act(&["role-changed"]).await.unwrap();
    assert!(role > newest);
    assert_eq!(store.newest_act(&[]).await.unwrap(), newest);
}
