//! Locks, roles, limits, profiles, deletion.

use std::sync::Arc;

use mana_store::{
    AuditClass, AuditEntry, DebugRecord, NewSession, PersonLimits, Role, RunRequest, Scope,
    StoreError, User,
};
use serde_json::json;

use super::support::*;

async fn person(store: &impl Backend, email: &str, role: Role) -> User {
    let user = store.create_user(new_user(email), NOW).await.unwrap();
    store.set_role(&user.id, role).await.unwrap();
    store.user(&user.id).await.unwrap().unwrap()
}

pub async fn the_last_owner_who_may_sign_in_stays(store: Arc<impl Backend>) {
    let ada = person(&*store, "ada@x.org", Role::Owner).await;
    let bob = person(&*store, "bob@x.org", Role::Member).await;
    let last = |result: Result<(), StoreError>| matches!(result, Err(StoreError::LastOwner));
    assert!(last(store.set_role(&ada.id, Role::Member).await));
    assert!(last(store.set_locked(&ada.id, Some(NOW)).await.map(drop)));
    assert!(last(store.delete_person(&ada.id, NOW).await.map(drop)));
    store.set_role(&bob.id, Role::Owner).await.unwrap();
    store.set_locked(&bob.id, Some(NOW)).await.unwrap();
    assert!(
        last(store.delete_person(&ada.id, NOW).await.map(drop)),
        "bob is locked"
    );
    store.set_locked(&bob.id, None).await.unwrap();
    // Of two owners that leave at once, one stays.
    let tries = [&ada, &bob].map(|user| {
        let (store, id) = (share(&store), user.id.clone());
        tokio::spawn(async move { store.set_role(&id, Role::Member).await.is_ok() })
    });
    let mut left = 0;
    for one in tries {
        left += usize::from(one.await.unwrap());
    }
    assert_eq!(left, 1);
}

pub async fn a_lock_ends_sessions_and_lets_nobody_in(store: Arc<impl Backend>) {
    let ada = person(&*store, "ada@x.org", Role::Member).await;
    let begin = async |token: &str| {
        let session = NewSession::new(&ada.id, token, NOW, after(60));
        store.create_session(session).await
    };
    let session = begin("one").await.unwrap();
    let ended = store.set_locked(&ada.id, Some(after(5))).await.unwrap();
    assert_eq!(ended, [session.id]);
    assert_eq!(store.session("one", NOW).await.unwrap(), None);
    assert!(matches!(begin("two").await, Err(StoreError::AccountLocked)));
    let locked = store.user(&ada.id).await.unwrap().unwrap();
    assert_eq!(locked.locked_at, Some(after(5)));
    store.set_locked(&ada.id, None).await.unwrap();
    begin("three").await.unwrap();
}

pub async fn missions_of_a_locked_account_wait_and_wake_nobody(store: Arc<impl Backend>) {
    let ada = person(&*store, "ada@x.org", Role::Member).await;
    let me = Scope::own(&ada.id);
    push(&*store, &me, "c", vec![hourly("m")], NOW).await;
    let claimed = |at: i64| {
        let take = take("w", after(at), after(at + 100), 10);
        let store = share(&store);
        async move { store.claim_due(&take).await.unwrap() }
    };
    let held = claimed(3600).await.remove(0);
    store.set_locked(&ada.id, Some(after(3601))).await.unwrap();
    let lease = store.renew(&held, after(3800)).await.unwrap();
    assert_eq!(lease, mana_store::Lease::Cancelled, "its run is to end");
    assert_eq!(store.next_wake().await.unwrap(), None);
    assert_eq!(store.next_requested_wake().await.unwrap(), None);
    assert_eq!(claimed(9000).await, []);
    let request = RunRequest {
        mission_id: "m".to_owned(),
        slot: "run:1".to_owned(),
        iteration_id: "i".to_owned(),
        not_before: NOW,
        inputs: None,
    };
    store.enqueue_run(&me, request).await.unwrap();
    assert_eq!(store.next_requested_wake().await.unwrap(), None);
    assert_eq!(claimed(9000).await, []);
    store.set_locked(&ada.id, None).await.unwrap();
    assert!(store.next_wake().await.unwrap().is_some());
    assert_eq!(claimed(9000).await.len(), 1);
}

pub async fn keys_of_a_locked_account_open_nothing(store: Arc<impl Backend>) {
    let ada = person(&*store, "ada@x.org", Role::Member).await;
    let key = mana_store::VirtualKey {
        id: "k".to_owned(),
        user: ada.id.clone(),
        settings: json!({}),
        created_at: NOW,
    };
    store.create_key(key, "secret").await.unwrap();
    assert_eq!(store.keys().await.unwrap().len(), 1);
    store.set_locked(&ada.id, Some(NOW)).await.unwrap();
    assert!(store.keys().await.unwrap().is_empty());
    store.set_locked(&ada.id, None).await.unwrap();
    assert_eq!(store.keys().await.unwrap().len(), 1);
}

pub async fn limits_and_profile_are_kept(store: Arc<impl Backend>) {
    let ada = person(&*store, "ada@x.org", Role::Member).await;
    let bob = person(&*store, "bob@x.org", Role::Member).await;
    assert!(!store.limits_people().await.unwrap());
    let limits = PersonLimits {
        records: Some(5),
        ..PersonLimits::default()
    };
    store.set_limits(&ada.id, Some(limits)).await.unwrap();
    assert!(store.limits_people().await.unwrap());
    let changed = User {
        email: "ada@new.org".to_owned(),
        name: "Ada L.".to_owned(),
        timezone: "Asia/Tokyo".to_owned(),
        locale: "en".to_owned(),
        limits: Some(limits),
        ..ada.clone()
    };
    store.set_profile(&changed).await.unwrap();
    assert_eq!(store.user(&ada.id).await.unwrap(), Some(changed.clone()));
    let taken = User {
        email: "ada@new.org".to_owned(),
        ..bob
    };
    let refused = store.set_profile(&taken).await;
    assert!(matches!(refused, Err(StoreError::EmailTaken)));
    store.set_limits(&ada.id, None).await.unwrap();
    assert!(!store.limits_people().await.unwrap());
}

pub async fn people_are_listed_with_what_an_owner_sees(store: Arc<impl Backend>) {
    let ada = person(&*store, "ada@x.org", Role::Owner).await;
    let bob = person(&*store, "bob@x.org", Role::Member).await;
    let session = NewSession::new(&bob.id, "one", after(5), after(60));
    store.create_session(session).await.unwrap();
    store.begin_factor(&bob.id, "s").await.unwrap();
    store
        .confirm_factor(&bob.id, 1, &[], after(7))
        .await
        .unwrap();
    let people = store.people(None, 10, after(10)).await.unwrap();
    let facts: Vec<_> = people
        .iter()
        .map(|person| {
            (
                &person.user,
                person.sessions,
                person.seen_at,
                person.factor_since,
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            (&ada, 0, None, None),
            (&bob, 1, Some(after(5)), Some(after(7)))
        ]
    );
    let rest = store.people(Some(&ada.id), 10, after(10)).await.unwrap();
    assert_eq!(rest.len(), 1);
}

pub async fn a_deleted_person_leaves_nothing_and_writes_nothing_more(store: Arc<impl Backend>) {
    person(&*store, "owner@x.org", Role::Owner).await;
    let ada = person(&*store, "ada@x.org", Role::Member).await;
    let bob = person(&*store, "bob@x.org", Role::Member).await;
    for user in [&ada, &bob] {
        let me = Scope::own(&user.id);
        let changes = vec![hourly("m"), task("t", "secret", NOW)];
        push(&*store, &me, "c", changes, NOW).await;
        let debug = DebugRecord {
            iteration_id: "i".to_owned(),
            at: NOW,
            body: json!([]),
        };
        store.keep_debug(&me, debug).await.unwrap();
        let token = format!("session of {}", user.id);
        let session = NewSession::new(&user.id, &token, NOW, after(60));
        store.create_session(session).await.unwrap();
        store
            .put_password_reset(&user.id, "reset", after(60))
            .await
            .unwrap();
    }
    let ended = store.delete_person(&ada.id, after(1)).await.unwrap();
    assert_eq!(ended.len(), 1);
    let me = Scope::own(&ada.id);
    assert!(store.user(&ada.id).await.unwrap().is_none());
    assert!(log(&*store, &me).await.changes.is_empty());
    assert!(get_task(&*store, &me, "t").await.is_none());
    assert!(store.debug(&me, "i").await.unwrap().is_none());
    let reset = store.reset_password(&ada.id, "reset", "x", after(2)).await;
    assert!(matches!(reset, Err(StoreError::SecretInvalid)));

    // A push that was on its way, a run's debug record, a foreign token: all come too late.
    let late = store.push(&me, pushing("c", vec![task("t2", "late", NOW)], after(2)));
    assert!(matches!(late.await, Err(StoreError::NoSuchUser)));
    let debug = DebugRecord {
        iteration_id: "late".to_owned(),
        at: NOW,
        body: json!([]),
    };
    let late = store.keep_debug(&me, debug).await;
    assert!(matches!(late, Err(StoreError::NoSuchUser)));
    assert!(matches!(
        store.admit(ada.clone()).await,
        Err(StoreError::NoSuchUser)
    ));

    // The others have everything.
    let his = Scope::own(&bob.id);
    assert!(get_task(&*store, &his, "t").await.is_some());
    let claims = store
        .claim_due(&take("w", after(3600), after(3700), 10))
        .await
        .unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].user, bob.id);
}

pub async fn a_claim_of_a_deleted_person_is_lost(store: Arc<impl Backend>) {
    person(&*store, "owner@x.org", Role::Owner).await;
    let ada = person(&*store, "ada@x.org", Role::Member).await;
    let me = Scope::own(&ada.id);
    push(&*store, &me, "c", vec![hourly("m")], NOW).await;
    let take = take("w", after(3600), after(3700), 10);
    let held = store.claim_due(&take).await.unwrap().remove(0);
    store.delete_person(&ada.id, after(3601)).await.unwrap();
    let lease = store.renew(&held, after(3800)).await.unwrap();
    assert_eq!(lease, mana_store::Lease::Lost);
    assert_eq!(store.next_wake().await.unwrap(), None);
}

pub async fn the_audit_log_forgets_who_was_deleted(store: Arc<impl Backend>) {
    let owner = person(&*store, "owner@x.org", Role::Owner).await;
    let ada = person(&*store, "ada@x.org", Role::Owner).await;
    let entry = |event, subject: &User, actor: &User| AuditEntry {
        at: NOW,
        class: AuditClass::Act,
        event,
        subject: Some(subject.id.clone()),
        actor: Some(actor.id.clone()),
        address: None,
        detail: String::new(),
    };
    store
        .keep_audit(entry("about-ada", &ada, &owner))
        .await
        .unwrap();
    store
        .keep_audit(entry("by-ada", &owner, &ada))
        .await
        .unwrap();
    store.delete_person(&ada.id, NOW).await.unwrap();
    let left = store.audit(None, None, 10).await.unwrap();
    let left: Vec<_> = left
        .iter()
        .map(|row| (row.event.as_str(), &row.actor))
        .collect();
    assert_eq!(left, [("by-ada", &None)]);
}
