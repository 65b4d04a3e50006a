//! Second factors, recovery codes and identities of an OpenID provider.

use std::sync::Arc;

use mana_store::{StoreError, UserId};

use super::support::*;

const QUARTER_HOUR: i64 = 15 * 60 * 1_000_000;

async fn ada(store: &impl Backend) -> UserId {
    let ada = store.create_user(new_user("ada@example.org"), NOW).await;
    ada.unwrap().id
}

fn codes(codes: &[&str]) -> Vec<String> {
    codes.iter().map(|code| (*code).to_owned()).collect()
}

pub async fn a_factor_counts_once_it_is_confirmed(store: Arc<impl Backend>) {
    let ada = ada(&*store).await;
    assert!(store.factor_state(&ada).await.unwrap().is_none());
    assert!(store.begin_factor(&ada, "first").await.unwrap());
    assert!(store.begin_factor(&ada, "second").await.unwrap());
    assert!(store.factor_state(&ada).await.unwrap().is_none());
    let guess = store.take_guess(&ada, NOW, 5, QUARTER_HOUR).await.unwrap();
    let guess = guess.unwrap();
    assert_eq!(
        (guess.secret.as_str(), guess.confirmed_at),
        ("second", None)
    );
    let unconfirmed = store.take_code(&ada, 7).await;
    assert!(matches!(unconfirmed, Err(StoreError::CodeWrong)));
    store
        .confirm_factor(&ada, 7, &codes(&["one", "two"]), after(1))
        .await
        .unwrap();
    let state = store.factor_state(&ada).await.unwrap().unwrap();
    assert_eq!((state.confirmed_at, state.codes_left), (after(1), 2));
    assert!(!store.begin_factor(&ada, "third").await.unwrap());
    let again = store.confirm_factor(&ada, 8, &[], after(2)).await;
    assert!(matches!(again, Err(StoreError::CodeWrong)));
    assert!(store.remove_factor(&ada).await.unwrap());
    assert!(!store.remove_factor(&ada).await.unwrap());
    assert!(store.factor_state(&ada).await.unwrap().is_none());
}

pub async fn a_code_is_taken_once_and_no_earlier_one_after_it(store: Arc<impl Backend>) {
    let ada = ada(&*store).await;
    store.begin_factor(&ada, "s").await.unwrap();
    store.confirm_factor(&ada, 10, &[], NOW).await.unwrap();
    for replayed in [10, 9] {
        let taken = store.take_code(&ada, replayed).await;
        assert!(matches!(taken, Err(StoreError::CodeWrong)), "{replayed}");
    }
    // Of many that show the same code at once one is let in.
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let (store, ada) = (share(&store), ada.clone());
            tokio::spawn(async move { store.take_code(&ada, 11).await.is_ok() })
        })
        .collect();
    let mut taken = 0;
    for one in tries {
        taken += usize::from(one.await.unwrap());
    }
    assert_eq!(taken, 1);
}

pub async fn wrong_codes_in_a_row_close_the_second_step_for_a_while(store: Arc<impl Backend>) {
    let ada = ada(&*store).await;
    store.begin_factor(&ada, "s").await.unwrap();
    store
        .confirm_factor(&ada, 10, &codes(&["one"]), NOW)
        .await
        .unwrap();
    let guess = async |at: i64| store.take_guess(&ada, after(at), 5, QUARTER_HOUR).await;
    for _ in 0..4 {
        assert!(guess(0).await.unwrap().is_some());
    }
    // A right one forgets the wrong ones before it.
    store.take_code(&ada, 11).await.unwrap();
    // Guesses at once are counted one by one.
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (store, ada) = (share(&store), ada.clone());
            tokio::spawn(async move { store.take_guess(&ada, NOW, 5, QUARTER_HOUR).await.is_ok() })
        })
        .collect();
    let mut looked_at = 0;
    for one in tries {
        looked_at += usize::from(one.await.unwrap());
    }
    assert_eq!(looked_at, 5);
    let closed = guess(899).await;
    assert!(matches!(closed, Err(StoreError::CodesClosed { until }) if until == after(900)));
    assert!(guess(900).await.unwrap().is_some());
}

pub async fn a_recovery_code_is_good_once_and_for_its_person(store: Arc<impl Backend>) {
    let ada = ada(&*store).await;
    let bob = store
        .create_user(new_user("bob@example.org"), NOW)
        .await
        .unwrap()
        .id;
    for user in [&ada, &bob] {
        store.begin_factor(user, "s").await.unwrap();
        store
            .confirm_factor(user, 1, &codes(&["one", "two"]), NOW)
            .await
            .unwrap();
    }
    store.take_recovery_code(&ada, "one").await.unwrap();
    for wrong in ["one", "three"] {
        let taken = store.take_recovery_code(&ada, wrong).await;
        assert!(matches!(taken, Err(StoreError::CodeWrong)), "{wrong}");
    }
    store
        .replace_recovery_codes(&ada, &codes(&["new"]))
        .await
        .unwrap();
    let old = store.take_recovery_code(&ada, "two").await;
    assert!(matches!(old, Err(StoreError::CodeWrong)));
    assert_eq!(
        store.factor_state(&ada).await.unwrap().unwrap().codes_left,
        1
    );
    store.take_recovery_code(&bob, "one").await.unwrap();
}

pub async fn a_request_for_a_second_factor_is_kept_with_its_person(store: Arc<impl Backend>) {
    let ada = ada(&*store).await;
    assert_eq!(store.asked_for_factor(&ada).await.unwrap(), None);
    store.ask_for_factor(&ada, NOW).await.unwrap();
    store.ask_for_factor(&ada, after(1)).await.unwrap();
    assert_eq!(store.asked_for_factor(&ada).await.unwrap(), Some(after(1)));
    let listed = store.people(None, 10, after(2)).await.unwrap();
    assert_eq!(listed[0].asked_at, Some(after(1)));
    let nobody = store
        .ask_for_factor(&UserId("nobody".to_owned()), NOW)
        .await;
    assert!(matches!(nobody, Err(StoreError::NoSuchUser)));
}

pub async fn an_identity_is_joined_to_one_account(store: Arc<impl Backend>) {
    let ada = ada(&*store).await;
    let bob = store
        .create_user(new_user("bob@example.org"), NOW)
        .await
        .unwrap()
        .id;
    let join = async |user: &UserId| {
        store
            .join_identity(user, "https://id", "s1", NOW)
            .await
            .unwrap()
    };
    assert!(join(&ada).await && join(&ada).await);
    assert!(!join(&bob).await);
    let found = store.user_of_identity("https://id", "s1").await.unwrap();
    assert_eq!(found.as_ref(), Some(&ada));
    assert_eq!(
        store.user_of_identity("https://other", "s1").await.unwrap(),
        None
    );
    assert!(store.has_identity(&ada, "https://id").await.unwrap());
    assert!(store.remove_identity(&ada, "https://id").await.unwrap());
    assert!(!store.has_identity(&ada, "https://id").await.unwrap());
}
