//! Accounts, sessions, secrets, settings.

use std::sync::Arc;

use mana_core::Micros;
use mana_store::{Invitation, NewSession, Role, SessionUse, SessionUsed, StoreError, User, UserId};

use super::support::*;

pub async fn an_address_has_one_account(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("  Ada@Example.org "), NOW)
        .await
        .unwrap();
    assert_eq!(
        (ada.email.as_str(), ada.role, ada.created_at),
        ("ada@example.org", Role::Member, NOW)
    );
    let again = store.create_user(new_user("ADA@example.ORG"), NOW).await;
    assert!(matches!(again, Err(StoreError::EmailTaken)));
    assert!(store.user_by_email("ada@EXAMPLE.org").await.unwrap() == Some(ada.clone()));
    assert!(store.user(&ada.id).await.unwrap() == Some(ada));
    assert!(
        store
            .user(&UserId("nobody".into()))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .user_by_email("bob@example.org")
            .await
            .unwrap()
            .is_none()
    );
}

pub async fn the_owner_is_made_once_by_the_setup_secret(store: Arc<impl Backend>) {
    store.put_setup_secret("s3cret").await.unwrap();
    assert!(!store.owner_exists().await.unwrap());
    let wrong = store
        .create_owner(new_user("eve@example.org"), "guess", NOW)
        .await;
    assert!(matches!(wrong, Err(StoreError::SecretInvalid)));
    let owner = store
        .create_owner(new_user("ada@example.org"), "s3cret", NOW)
        .await
        .unwrap();
    assert_eq!(owner.role, Role::Owner);
    assert!(store.owner_exists().await.unwrap());
    let second = store
        .create_owner(new_user("eve@example.org"), "s3cret", NOW)
        .await;
    assert!(matches!(second, Err(StoreError::OwnerExists)));
    assert!(matches!(
        store.put_setup_secret("other").await,
        Err(StoreError::OwnerExists)
    ));
    let eve = store.user_by_email("eve@example.org").await.unwrap();
    assert!(eve.is_none());
}

pub async fn a_failed_sign_up_leaves_the_secret_good(store: Arc<impl Backend>) {
    store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    store.put_setup_secret("setup").await.unwrap();
    store
        .put_invitation("come", invitation(after(60)))
        .await
        .unwrap();
    let taken = store
        .create_owner(new_user("ada@example.org"), "setup", NOW)
        .await;
    assert!(matches!(taken, Err(StoreError::EmailTaken)));
    let taken = store
        .create_invited(new_user("ada@example.org"), "come", NOW)
        .await;
    assert!(matches!(taken, Err(StoreError::EmailTaken)));
    store
        .create_owner(new_user("bob@example.org"), "setup", NOW)
        .await
        .unwrap();
    store
        .create_invited(new_user("eve@example.org"), "come", NOW)
        .await
        .unwrap();
}

pub async fn two_owners_at_once_make_one(store: Arc<impl Backend>) {
    store.put_setup_secret("setup").await.unwrap();
    let tries: Vec<_> = (0..8)
        .map(|n| {
            let store = share(&store);
            tokio::spawn(async move {
                store
                    .create_owner(new_user(&format!("{n}@x.org")), "setup", NOW)
                    .await
                    .is_ok()
            })
        })
        .collect();
    let (mut made, mut kept) = (0, 0);
    for (n, one) in tries.into_iter().enumerate() {
        made += usize::from(one.await.unwrap());
        let user = store.user_by_email(&format!("{n}@x.org")).await.unwrap();
        kept += usize::from(user.is_some());
    }
    assert_eq!((made, kept), (1, 1));
}

pub async fn a_new_setup_secret_replaces_the_old(store: Arc<impl Backend>) {
    store.put_setup_secret("old").await.unwrap();
    store.put_setup_secret("new").await.unwrap();
    let old = store
        .create_owner(new_user("ada@example.org"), "old", NOW)
        .await;
    assert!(matches!(old, Err(StoreError::SecretInvalid)));
    store
        .create_owner(new_user("ada@example.org"), "new", NOW)
        .await
        .unwrap();
}

pub async fn an_invitation_is_good_once_and_until_it_expires(store: Arc<impl Backend>) {
    store
        .put_invitation("a", invitation(after(60)))
        .await
        .unwrap();
    store
        .put_invitation("b", invitation(after(60)))
        .await
        .unwrap();
    assert_eq!(
        store
            .create_invited(new_user("a@x.org"), "a", after(59))
            .await
            .unwrap()
            .role,
        Role::Member
    );
    let again = store
        .create_invited(new_user("b@x.org"), "a", after(59))
        .await;
    assert!(matches!(again, Err(StoreError::SecretInvalid)));
    let late = store
        .create_invited(new_user("b@x.org"), "b", after(60))
        .await;
    assert!(matches!(late, Err(StoreError::SecretInvalid)));
    let owner = store.create_owner(new_user("b@x.org"), "b", NOW).await;
    assert!(
        matches!(owner, Err(StoreError::SecretInvalid)),
        "a secret is for one purpose"
    );
}

pub async fn a_session_ends_when_it_expires(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    store
        .create_session(NewSession::new(&ada.id, "token", NOW, after(60)))
        .await
        .unwrap();
    let session = store.session("token", after(59)).await.unwrap().unwrap();
    assert_eq!(
        (session.user_id, session.created_at, session.expires_at),
        (ada.id, NOW, after(60))
    );
    assert_eq!(store.session("token", after(60)).await.unwrap(), None);
    assert_eq!(store.session("other", NOW).await.unwrap(), None);
}

pub async fn a_session_is_found_and_ended_by_its_id(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let one = store
        .create_session(NewSession::new(&ada.id, "one", NOW, after(60)))
        .await
        .unwrap();
    let two = store
        .create_session(NewSession::new(&ada.id, "two", NOW, after(60)))
        .await
        .unwrap();
    assert!(one.id != two.id && one.id != "one");
    assert_eq!(store.session("one", NOW).await.unwrap(), Some(one.clone()));
    assert_eq!(
        store.session_by_id(&one.id, after(59)).await.unwrap(),
        Some(one.clone())
    );
    assert_eq!(store.session_by_id(&one.id, after(60)).await.unwrap(), None);
    assert_eq!(
        store.session(&one.id, NOW).await.unwrap(),
        None,
        "an id opens nothing"
    );
    store.delete_session_by_id(&one.id).await.unwrap();
    assert_eq!(store.session("one", NOW).await.unwrap(), None);
    assert_eq!(store.session_by_id(&two.id, NOW).await.unwrap(), Some(two));
}

/// The next use of a session, a minute's grace for the secret before.
fn using<'s>(token: &'s str, next_token: &'s str, now: Micros) -> SessionUse<'s> {
    SessionUse {
        token,
        next_token,
        now,
        rotate_after: 0,
        grace: 60_000_000,
        lasts: 600_000_000,
        at_most: 3_000_000_000,
        device: "Firefox on Linux",
        address: "192.0.2.7",
    }
}

pub async fn a_session_is_prolonged_by_its_use_until_its_last_day(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let session = store.create_session(NewSession::new(&ada.id, "s0", NOW, after(60)));
    session.await.unwrap();
    let used = store.use_session(using("s0", "s1", after(50))).await;
    let SessionUsed::Rotated(session) = used.unwrap() else {
        panic!("the secret changes with a use");
    };
    assert_eq!(
        (session.expires_at, session.used_at),
        (after(650), after(50))
    );
    let listed = store.sessions(&ada.id, after(649)).await.unwrap();
    assert_eq!(listed, [session]);
    assert_eq!(
        (listed[0].device.as_str(), listed[0].address.as_str()),
        ("Firefox on Linux", "192.0.2.7")
    );
    for (turn, at) in (1..).zip((600..=2_900).step_by(500)) {
        let (token, next) = (format!("s{turn}"), format!("s{}", turn + 1));
        let used = store.use_session(using(&token, &next, after(at))).await;
        assert!(matches!(used.unwrap(), SessionUsed::Rotated(_)), "{at}");
    }
    let listed = store.sessions(&ada.id, after(2_999)).await.unwrap();
    assert_eq!(listed[0].expires_at, after(3_000), "its last day");
    let late = store.use_session(using("s6", "s7", after(3_000))).await;
    assert_eq!(late.unwrap(), SessionUsed::Unknown);
}

pub async fn a_replaced_secret_of_a_session_is_good_until_the_new_one_was_used(
    store: Arc<impl Backend>,
) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let session = store.create_session(NewSession::new(&ada.id, "s0", NOW, after(600)));
    session.await.unwrap();
    let use_of = async |token: &str, next: &str, at: i64| {
        store
            .use_session(using(token, next, after(at)))
            .await
            .unwrap()
    };
    assert!(matches!(
        use_of("s0", "s1", 100).await,
        SessionUsed::Rotated(_)
    ));
    // Another tab asked at the same moment.
    assert!(matches!(
        use_of("s0", "s2", 110).await,
        SessionUsed::Kept(_)
    ));
    assert!(store.session("s0", after(110)).await.unwrap().is_some());
    assert!(store.session("s1", after(110)).await.unwrap().is_some());
    assert!(store.session("s2", after(110)).await.unwrap().is_none());
    // A secret that is young stays.
    let young = SessionUse {
        rotate_after: 60_000_000,
        ..using("s1", "s2", after(120))
    };
    let kept = store.use_session(young).await.unwrap();
    assert!(matches!(kept, SessionUsed::Kept(_)));
    // The answer with the new one was lost.
    assert!(matches!(
        use_of("s0", "s3", 200).await,
        SessionUsed::Rotated(_)
    ));
    assert_eq!(use_of("s1", "s4", 201).await, SessionUsed::Unknown);
    assert!(matches!(
        use_of("s3", "s5", 300).await,
        SessionUsed::Rotated(_)
    ));
    assert_eq!(use_of("s0", "s6", 301).await, SessionUsed::Unknown);
}

pub async fn a_new_password_ends_every_session(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let bob = store
        .create_user(new_user("bob@example.org"), NOW)
        .await
        .unwrap();
    for (user, token) in [(&ada, "one"), (&ada, "two"), (&bob, "his")] {
        store
            .create_session(NewSession::new(&user.id, token, NOW, after(60)))
            .await
            .unwrap();
    }
    store
        .set_password(&ada.id, "$argon2id$new", None)
        .await
        .unwrap();
    for token in ["one", "two"] {
        assert_eq!(store.session(token, NOW).await.unwrap(), None);
    }
    assert!(store.session("his", NOW).await.unwrap().is_some());
    assert_eq!(
        store.user(&ada.id).await.unwrap().unwrap().password_hash,
        "$argon2id$new"
    );
    let nobody = store
        .set_password(&UserId("nobody".into()), "x", None)
        .await;
    assert!(matches!(nobody, Err(StoreError::NoSuchUser)));
}

pub async fn a_password_change_keeps_the_session_that_asks(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let mut sessions = Vec::new();
    for token in ["laptop", "phone"] {
        let session = store.create_session(NewSession::new(&ada.id, token, NOW, after(60)));
        sessions.push(session.await.unwrap().id);
    }
    let listed = store.sessions(&ada.id, NOW).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(store.sessions(&ada.id, after(60)).await.unwrap(), []);
    let ended = store
        .set_password(&ada.id, "$argon2id$new", Some(&sessions[0]))
        .await
        .unwrap();
    assert_eq!(ended, [sessions[1].clone()]);
    assert!(store.session("laptop", NOW).await.unwrap().is_some());
    // Somebody else's session is none of theirs.
    let bob = store
        .create_user(new_user("bob@example.org"), NOW)
        .await
        .unwrap();
    let ended = store.end_sessions(&bob.id, None, Some(&sessions[0])).await;
    assert_eq!(ended.unwrap(), Vec::<String>::new());
    let ended = store.end_sessions(&ada.id, None, Some(&sessions[0])).await;
    assert_eq!(ended.unwrap(), [sessions[0].clone()]);
}

pub async fn a_password_reset_is_spent_once_and_for_its_person(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let bob = store
        .create_user(new_user("bob@example.org"), NOW)
        .await
        .unwrap();
    let nobody = UserId("nobody".into());
    let refused = store.put_password_reset(&nobody, "x", after(60)).await;
    assert!(matches!(refused, Err(StoreError::NoSuchUser)));
    for secret in ["earlier", "good"] {
        store
            .put_password_reset(&ada.id, secret, after(60))
            .await
            .unwrap();
    }
    store
        .create_session(NewSession::new(&ada.id, "phone", NOW, after(60)))
        .await
        .unwrap();
    for (user, secret, at) in [
        (&bob, "good", NOW),
        (&ada, "earlier", NOW),
        (&ada, "other", NOW),
        (&ada, "good", after(60)),
    ] {
        let refused = store.reset_password(&user.id, secret, "$new", at).await;
        assert!(matches!(refused, Err(StoreError::SecretInvalid)));
    }
    assert!(store.session("phone", NOW).await.unwrap().is_some());
    let ended = store.reset_password(&ada.id, "good", "$new", NOW).await;
    assert_eq!(ended.unwrap().len(), 1);
    assert_eq!(store.session("phone", NOW).await.unwrap(), None);
    let hash = store.user(&ada.id).await.unwrap().unwrap().password_hash;
    assert_eq!(hash, "$new");
    let again = store.reset_password(&ada.id, "good", "$other", NOW).await;
    assert!(matches!(again, Err(StoreError::SecretInvalid)));
}

pub async fn a_session_needs_an_account(store: Arc<impl Backend>) {
    let nobody = store
        .create_session(NewSession::new(
            &UserId("nobody".into()),
            "token",
            NOW,
            after(60),
        ))
        .await;
    assert!(matches!(nobody, Err(StoreError::NoSuchUser)));
    assert_eq!(store.session("token", NOW).await.unwrap(), None);
}

pub async fn an_invitation_is_listed_until_it_is_used_or_taken_back(store: Arc<impl Backend>) {
    let late = store
        .put_invitation("late", invitation(after(90)))
        .await
        .unwrap();
    let soon = store
        .put_invitation("soon", invitation(after(60)))
        .await
        .unwrap();
    let used = store
        .put_invitation("used", invitation(after(60)))
        .await
        .unwrap();
    store.put_setup_secret("setup").await.unwrap();
    store
        .create_invited(new_user("a@x.org"), "used", NOW)
        .await
        .unwrap();
    let listed = store.invitations(None, 9, NOW).await.unwrap();
    assert_eq!(listed, [soon.clone(), late.clone()]);
    let left = store.invitations(None, 9, after(60)).await.unwrap();
    assert_eq!(left, std::slice::from_ref(&late));
    assert_eq!(store.invitations(None, 9, after(90)).await.unwrap(), []);

    assert_eq!(
        (soon.label.as_str(), soon.role, soon.created_at),
        ("Ola", Role::Member, NOW)
    );
    assert!(store.delete_invitation(&soon.id).await.unwrap());
    for gone in [&soon.id, &used.id, "", "late"] {
        assert!(!store.delete_invitation(gone).await.unwrap(), "{gone}");
    }
    let taken_back = store.create_invited(new_user("b@x.org"), "soon", NOW).await;
    assert!(matches!(taken_back, Err(StoreError::SecretInvalid)));
    assert_eq!(store.invitations(None, 9, NOW).await.unwrap(), [late]);
}

/// Pages of two each, of which all end at one moment but the last: nothing is left out and nothing comes twice, also
/// where the invitation that a page ended with is gone by then.
pub async fn invitations_come_in_pages(store: Arc<impl Backend>) {
    for (number, end) in [60, 60, 60, 60, 90].into_iter().enumerate() {
        let secret = format!("page-{number}");
        let made = store.put_invitation(&secret, invitation(after(end)));
        made.await.unwrap();
    }
    let all = store.invitations(None, 9, NOW).await.unwrap();
    assert_eq!(all.len(), 5);
    let mut paged = Vec::new();
    loop {
        let place = paged
            .last()
            .map(|last: &Invitation| (last.expires_at, last.id.as_str()));
        let page = store.invitations(place, 2, NOW).await.unwrap();
        let Some(last) = page.last() else {
            break;
        };
        assert!(page.len() <= 2);
        assert!(store.delete_invitation(&last.id).await.unwrap());
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

pub async fn an_account_from_elsewhere_is_made_once(store: Arc<impl Backend>) {
    let ada = User {
        id: UserId("issuer|ada".to_owned()),
        email: "issuer|ada".to_owned(),
        name: "Ada".to_owned(),
        password_hash: String::new(),
        timezone: "Europe/Berlin".to_owned(),
        locale: "de".to_owned(),
        role: Role::Member,
        created_at: NOW,
        locked_at: None,
        limits: None,
    };
    let tries = (0..4).map(|_| {
        let (store, ada) = (share(&store), ada.clone());
        tokio::spawn(async move { store.admit(ada).await.unwrap() })
    });
    let mut made = 0;
    for one in tries.collect::<Vec<_>>() {
        made += usize::from(one.await.unwrap());
    }
    assert_eq!(made, 1);
    assert_eq!(store.user(&ada.id).await.unwrap(), Some(ada.clone()));
    let same_address = User {
        id: UserId("issuer|eve".to_owned()),
        ..ada
    };
    let refused = store.admit(same_address).await;
    assert!(matches!(refused, Err(StoreError::EmailTaken)));
}

pub async fn expired_things_are_forgotten(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    store
        .create_session(NewSession::new(&ada.id, "short", NOW, after(60)))
        .await
        .unwrap();
    store
        .create_session(NewSession::new(&ada.id, "long", NOW, after(600)))
        .await
        .unwrap();
    store
        .put_invitation("short", invitation(after(60)))
        .await
        .unwrap();
    store
        .put_invitation("longer", invitation(after(600)))
        .await
        .unwrap();
    assert_eq!(store.delete_expired(after(60)).await.unwrap(), 2);
    assert!(store.session("long", after(60)).await.unwrap().is_some());
    let gone = store
        .create_invited(new_user("b@x.org"), "short", NOW)
        .await;
    assert!(matches!(gone, Err(StoreError::SecretInvalid)));
    store
        .create_invited(new_user("b@x.org"), "longer", after(60))
        .await
        .unwrap();
}

pub async fn a_setting_is_the_first_that_was_kept(store: Arc<impl Backend>) {
    assert_eq!(store.kv_init("key", &[0, 255]).await.unwrap(), [0, 255]);
    assert_eq!(store.kv_init("key", b"second").await.unwrap(), [0, 255]);
}

pub async fn a_setting_can_be_replaced(store: Arc<impl Backend>) {
    assert_eq!(store.kv_get("k").await.unwrap(), None);
    for value in [&b"one"[..], b"two"] {
        store.kv_put("k", value).await.unwrap();
        assert_eq!(store.kv_get("k").await.unwrap().as_deref(), Some(value));
    }
}

pub async fn a_setting_is_replaced_by_whoever_read_it_last(store: Arc<impl Backend>) {
    assert!(store.kv_replace("k", None, b"one").await.unwrap());
    assert!(!store.kv_replace("k", None, b"two").await.unwrap());
    assert!(!store.kv_replace("k", Some(b"two"), b"three").await.unwrap());
    assert!(!store.kv_replace("other", Some(b"one"), b"x").await.unwrap());
    assert_eq!(
        store.kv_get("k").await.unwrap().as_deref(),
        Some(&b"one"[..])
    );
    assert!(store.kv_replace("k", Some(b"one"), b"three").await.unwrap());
    assert_eq!(
        store.kv_get("k").await.unwrap().as_deref(),
        Some(&b"three"[..])
    );
    assert_eq!(store.kv_get("other").await.unwrap(), None);
}

/// Every writer reads the value and adds itself to it: nobody's addition may be lost.
pub async fn settings_that_are_replaced_at_once_lose_nothing(store: Arc<impl Backend>) {
    store.kv_put("k", b"").await.unwrap();
    let writers: Vec<_> = (0..6u8)
        .map(|n| {
            let store = share(&store);
            tokio::spawn(async move {
                loop {
                    let before = store.kv_get("k").await.unwrap().unwrap();
                    let value = [before.clone(), vec![n]].concat();
                    if store.kv_replace("k", Some(&before), &value).await.unwrap() {
                        return;
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut kept = store.kv_get("k").await.unwrap().unwrap();
    kept.sort_unstable();
    assert_eq!(kept, [0, 1, 2, 3, 4, 5]);
}
