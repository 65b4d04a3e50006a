//! Accounts, sessions, secrets, settings.

use std::sync::Arc;

use mana_store::{Role, StoreError, UserId};

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
    assert_eq!(store.count_users().await.unwrap(), 1);
}

pub async fn the_owner_is_made_once_by_the_setup_secret(store: Arc<impl Backend>) {
    store.put_setup_secret("s3cret").await.unwrap();
    assert!(!store.owner_exists().await.unwrap());
    assert!(store.has_secret("setup", "s3cret", NOW).await.unwrap());
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
    assert!(!store.has_secret("setup", "s3cret", NOW).await.unwrap());
    let second = store
        .create_owner(new_user("eve@example.org"), "s3cret", NOW)
        .await;
    assert!(matches!(second, Err(StoreError::OwnerExists)));
    assert!(matches!(
        store.put_setup_secret("other").await,
        Err(StoreError::OwnerExists)
    ));
    assert_eq!(store.count_users().await.unwrap(), 1);
}

pub async fn a_failed_sign_up_leaves_the_secret_good(store: Arc<impl Backend>) {
    store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    store.put_setup_secret("setup").await.unwrap();
    store.put_secret("invite", "come", None).await.unwrap();
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
    let mut made = 0;
    for one in tries {
        made += usize::from(one.await.unwrap());
    }
    assert_eq!((made, store.count_users().await.unwrap()), (1, 1));
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
        .put_secret("invite", "a", Some(after(60)))
        .await
        .unwrap();
    store
        .put_secret("invite", "b", Some(after(60)))
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
    assert!(!store.has_secret("invite", "b", after(60)).await.unwrap());
    let late = store
        .create_invited(new_user("b@x.org"), "b", after(60))
        .await;
    assert!(matches!(late, Err(StoreError::SecretInvalid)));
    assert!(
        !store.take_secret("setup", "b", NOW).await.unwrap(),
        "a secret is for one purpose"
    );
    assert!(store.take_secret("invite", "b", NOW).await.unwrap());
    assert!(!store.take_secret("invite", "b", NOW).await.unwrap());
}

pub async fn a_session_ends_when_it_expires(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    store
        .create_session(&ada.id, "token", NOW, after(60))
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
        .create_session(&ada.id, "one", NOW, after(60))
        .await
        .unwrap();
    let two = store
        .create_session(&ada.id, "two", NOW, after(60))
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

pub async fn a_session_can_be_prolonged_while_it_lasts(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    store
        .create_session(&ada.id, "token", NOW, after(60))
        .await
        .unwrap();
    assert!(
        store
            .extend_session("token", after(50), after(120))
            .await
            .unwrap()
    );
    assert!(store.session("token", after(119)).await.unwrap().is_some());
    assert!(
        !store
            .extend_session("token", after(120), after(999))
            .await
            .unwrap()
    );
}

pub async fn sign_out_ends_one_session_or_all(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let bob = store
        .create_user(new_user("bob@example.org"), NOW)
        .await
        .unwrap();
    for token in ["1", "2", "3"] {
        store
            .create_session(&ada.id, token, NOW, after(60))
            .await
            .unwrap();
    }
    store
        .create_session(&bob.id, "b", NOW, after(60))
        .await
        .unwrap();
    store.delete_session("1").await.unwrap();
    assert_eq!(store.session("1", NOW).await.unwrap(), None);
    assert!(store.session("2", NOW).await.unwrap().is_some());
    assert_eq!(store.delete_sessions(&ada.id).await.unwrap(), 2);
    assert_eq!(store.session("3", NOW).await.unwrap(), None);
    assert!(store.session("b", NOW).await.unwrap().is_some());
}

pub async fn a_new_password_ends_every_session(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    store
        .create_session(&ada.id, "token", NOW, after(60))
        .await
        .unwrap();
    store.set_password(&ada.id, "$argon2id$new").await.unwrap();
    assert_eq!(store.session("token", NOW).await.unwrap(), None);
    assert_eq!(
        store.user(&ada.id).await.unwrap().unwrap().password_hash,
        "$argon2id$new"
    );
    let nobody = store.set_password(&UserId("nobody".into()), "x").await;
    assert!(matches!(nobody, Err(StoreError::NoSuchUser)));
}

pub async fn a_profile_can_be_changed(store: Arc<impl Backend>) {
    let mut ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    (ada.name, ada.timezone, ada.locale) = ("Ada L.".into(), "Asia/Tokyo".into(), "en".into());
    store.update_profile(&ada).await.unwrap();
    assert!(store.user(&ada.id).await.unwrap() == Some(ada.clone()));
    ada.id = UserId("nobody".into());
    assert!(matches!(
        store.update_profile(&ada).await,
        Err(StoreError::NoSuchUser)
    ));
}

pub async fn a_session_needs_an_account(store: Arc<impl Backend>) {
    let nobody = store
        .create_session(&UserId("nobody".into()), "token", NOW, after(60))
        .await;
    assert!(matches!(nobody, Err(StoreError::NoSuchUser)));
    assert_eq!(store.session("token", NOW).await.unwrap(), None);
}

pub async fn expired_things_are_forgotten(store: Arc<impl Backend>) {
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    store
        .create_session(&ada.id, "short", NOW, after(60))
        .await
        .unwrap();
    store
        .create_session(&ada.id, "long", NOW, after(600))
        .await
        .unwrap();
    store
        .put_secret("invite", "short", Some(after(60)))
        .await
        .unwrap();
    store.put_secret("invite", "for ever", None).await.unwrap();
    assert_eq!(store.delete_expired(after(60)).await.unwrap(), 2);
    assert!(store.session("long", after(60)).await.unwrap().is_some());
    assert!(
        store
            .has_secret("invite", "for ever", after(60))
            .await
            .unwrap()
    );
    assert!(!store.has_secret("invite", "short", NOW).await.unwrap());
}

pub async fn settings_are_kept_and_the_first_wins(store: Arc<impl Backend>) {
    assert_eq!(store.kv_get("key").await.unwrap(), None);
    assert_eq!(store.kv_init("key", b"first").await.unwrap(), b"first");
    assert_eq!(store.kv_init("key", b"second").await.unwrap(), b"first");
    store.kv_put("key", &[0, 255]).await.unwrap();
    assert_eq!(store.kv_get("key").await.unwrap(), Some(vec![0, 255]));
}
