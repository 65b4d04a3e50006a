//! Reservations: budgets that hold.

use std::sync::Arc;

use mana_core::Micros;
use mana_store::{
    Amount, CallStatus, Ledger, Limits, Line, Measure, Over, Reservation, Reserved, Settlement,
    StoreError, Tags, UsageBy, UsageQuery, UsageSum, UserId, VirtualKey,
};

use serde_json::json;

use super::support::*;

pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 24 * HOUR;

pub(super) fn line(account: &str, tokens: u64) -> Line {
    Line {
        account: account.to_owned(),
        since: NOW,
        limits: Limits {
            tokens: Some(tokens),
            ..Limits::default()
        },
    }
}

/// A reservation of so many tokens, each for a millionth of a dollar, by user `me` for an hour.
pub(super) fn reservation(id: &str, tokens: u64, lines: Vec<Line>) -> Reservation {
    Reservation {
        id: id.to_owned(),
        lines,
        amount: Amount {
            calls: 1,
            tokens,
            micros_usd: tokens,
        },
        expires_at: after(HOUR),
        tags: Tags {
            user: UserId("me".to_owned()),
            mission: None,
            agent: None,
            key: None,
            model: "asked".to_owned(),
        },
    }
}

pub(super) fn used(prompt: u64, completion: u64) -> Settlement {
    Settlement {
        calls: 1,
        prompt_tokens: prompt,
        completion_tokens: completion,
        micros_usd: prompt + completion,
        model: "box/answered".to_owned(),
        status: CallStatus::Ok,
    }
}

pub(super) async fn reserve(
    store: &impl Ledger,
    now: Micros,
    reservation: Reservation,
) -> Reserved {
    let reserved = store.reserve(now, reservation).await;
    reserved.expect("the ledger answers")
}

pub(super) async fn settle(store: &impl Ledger, id: &str, actual: Settlement) -> bool {
    store.settle(id, actual).await.expect("the ledger answers")
}

pub(super) async fn tokens(store: &impl Ledger, account: &str) -> u64 {
    let used = store.used(account, NOW).await;
    used.expect("the ledger answers").tokens
}

/// The sums of the first days, by this.
pub(super) async fn sums(
    store: &impl Ledger,
    now: Micros,
    days: i64,
    by: UsageBy,
) -> Vec<UsageSum> {
    let query = UsageQuery {
        now,
        bounds: (0..=days).map(|day| after(day * DAY)).collect(),
        by,
        user: None,
    };
    store.usage(query).await.expect("the ledger answers")
}

/// 256 callers reserve 1 % of a budget each: 100 may call, the others may not, and nothing is left over.
pub async fn calls_at_once_never_exceed_a_budget(store: Arc<impl Backend>) {
    let calls: Vec<_> = (0..256)
        .map(|n| {
            let store = share(&store);
            tokio::spawn(async move {
                let lines = vec![
                    line("user:me", 100_000),
                    line(&format!("mission:me/{n}"), 100_000),
                ];
                reserve(&*store, NOW, reservation(&n.to_string(), 1000, lines)).await
            })
        })
        .collect();
    let mut made = 0;
    for call in calls {
        match call.await.unwrap() {
            Reserved::Ok => made += 1,
            Reserved::Over(over) => assert_eq!(
                (&*over.account, over.measure, over.limit, over.used),
                ("user:me", Measure::Tokens, 100_000, 100_000)
            ),
        }
    }
    assert_eq!((made, tokens(&*store, "user:me").await), (100, 100_000));
}

pub async fn a_reservation_counts_in_all_its_accounts_or_in_none(store: Arc<impl Backend>) {
    let store = &*store;
    let both = || vec![line("user:me", 100), line("key:k", 50)];
    assert_eq!(
        reserve(store, NOW, reservation("1", 40, both())).await,
        Reserved::Ok
    );
    let over = Over {
        account: "key:k".to_owned(),
        since: NOW,
        measure: Measure::Tokens,
        limit: 50,
        used: 40,
    };
    assert_eq!(
        reserve(store, NOW, reservation("2", 11, both())).await,
        Reserved::Over(over)
    );
    assert_eq!(
        (tokens(store, "user:me").await, tokens(store, "key:k").await),
        (40, 40)
    );
    assert!(
        !settle(store, "2", used(1, 1)).await,
        "there is no such reservation"
    );
    assert_eq!(
        reserve(store, NOW, reservation("3", 10, both())).await,
        Reserved::Ok
    );
}

pub async fn what_was_not_used_comes_back(store: Arc<impl Backend>) {
    let store = &*store;
    let lines = || vec![line("user:me", 100)];
    assert_eq!(
        reserve(store, NOW, reservation("1", 100, lines())).await,
        Reserved::Ok
    );
    assert_ne!(
        reserve(store, NOW, reservation("2", 70, lines())).await,
        Reserved::Ok
    );
    assert!(settle(store, "1", used(20, 10)).await);
    assert_eq!(tokens(store, "user:me").await, 30);
    assert_eq!(
        reserve(store, NOW, reservation("2", 70, lines())).await,
        Reserved::Ok
    );
}

/// A reservation for many calls: its parts add up, and what is kept stays set aside until it expires.
pub async fn a_reservation_is_settled_in_parts(store: Arc<impl Backend>) {
    let store = &*store;
    let kept = |tokens| Amount {
        calls: u64::from(tokens > 0),
        tokens,
        micros_usd: tokens,
    };
    let part = async |used, kept| {
        let settled = store.settle_part("ahead", used, kept).await;
        settled.expect("the ledger answers")
    };
    let ahead = reservation("ahead", 1000, vec![line("key:k", 1000)]);
    assert_eq!(reserve(store, NOW, ahead).await, Reserved::Ok);

    let failed = Settlement {
        calls: 2,
        status: CallStatus::Failed,
        ..used(0, 0)
    };
    let good = Settlement {
        calls: 3,
        ..used(30, 60)
    };
    assert!(part(vec![failed, good], kept(910)).await);
    assert_eq!(tokens(store, "key:k").await, 1000);
    assert!(part(vec![used(1, 1)], kept(100)).await);
    assert_eq!(tokens(store, "key:k").await, 192);
    assert!(part(vec![], kept(100)).await, "nothing new is no end");
    let sum = &sums(store, NOW, 1, UsageBy::Model).await[0];
    assert_eq!(
        (sum.calls, sum.failed, sum.prompt_tokens, sum.micros_usd),
        (6, 2, 31, 92)
    );

    // More than was kept is counted as it was; with nothing kept it is over.
    assert!(part(vec![used(100, 50)], kept(0)).await);
    assert_eq!(tokens(store, "key:k").await, 242);
    assert!(!part(vec![used(1, 1)], kept(0)).await);
    assert!(!settle(store, "ahead", used(1, 1)).await);

    let dead = reservation("ahead", 500, vec![line("key:k", 1000)]);
    assert_eq!(reserve(store, NOW, dead).await, Reserved::Ok);
    assert!(part(vec![used(10, 10)], kept(300)).await);
    let sum = &sums(store, after(HOUR), 1, UsageBy::User).await[0];
    assert_eq!((sum.calls, sum.micros_usd), (9, 242 + 20 + 300));
    assert_eq!(tokens(store, "key:k").await, 562);
}

pub async fn settling_twice_is_settling_once(store: Arc<impl Backend>) {
    let store = &*store;
    let lines = vec![line("user:me", 100)];
    assert_eq!(
        reserve(store, NOW, reservation("1", 100, lines)).await,
        Reserved::Ok
    );
    assert!(settle(store, "1", used(20, 10)).await);
    assert!(!settle(store, "1", used(0, 0)).await);
    assert_eq!(tokens(store, "user:me").await, 30);
    assert_eq!(sums(store, NOW, 1, UsageBy::User).await[0].calls, 1);
}

pub async fn reserving_twice_under_one_id_is_reserving_once(store: Arc<impl Backend>) {
    let store = &*store;
    let lines = || vec![line("user:me", 100)];
    for _ in 0..2 {
        assert_eq!(
            reserve(store, NOW, reservation("1", 60, lines())).await,
            Reserved::Ok
        );
    }
    assert_eq!(tokens(store, "user:me").await, 60);
}

pub async fn a_reservation_that_expires_counts_in_full(store: Arc<impl Backend>) {
    let store = &*store;
    let lines = || vec![line("user:me", 100)];
    assert_eq!(
        reserve(store, NOW, reservation("1", 80, lines())).await,
        Reserved::Ok
    );
    assert_eq!(sums(store, after(HOUR - 1), 1, UsageBy::Model).await, []);
    assert_eq!(store.settle_expired(after(HOUR)).await.unwrap(), 1);
    assert_eq!(store.settle_expired(after(HOUR)).await.unwrap(), 0);
    assert!(!settle(store, "1", used(1, 1)).await, "it is too late");
    assert_eq!(tokens(store, "user:me").await, 80);
    assert_ne!(
        reserve(store, after(HOUR), reservation("2", 21, lines())).await,
        Reserved::Ok
    );
    let whole = UsageSum {
        period: 0,
        of: "asked".to_owned(),
        calls: 1,
        failed: 1,
        cancelled: 0,
        prompt_tokens: 0,
        completion_tokens: 80,
        micros_usd: 80,
    };
    assert_eq!(sums(store, after(HOUR), 1, UsageBy::Model).await, [whole]);
    // Whoever asks for sums need not have been preceded by somebody who tidies up.
    assert_eq!(
        reserve(store, NOW, reservation("3", 1, lines())).await,
        Reserved::Ok
    );
    assert_eq!(
        sums(store, after(HOUR), 1, UsageBy::Model).await[0].calls,
        2
    );
}

pub async fn money_is_limited_like_tokens(store: Arc<impl Backend>) {
    let store = &*store;
    let lines = || {
        vec![Line {
            limits: Limits {
                micros_usd: Some(500),
                ..Limits::default()
            },
            ..line("user:me", 1000)
        }]
    };
    assert_eq!(
        reserve(store, NOW, reservation("1", 500, lines())).await,
        Reserved::Ok
    );
    let Reserved::Over(over) = reserve(store, NOW, reservation("2", 1, lines())).await else {
        panic!("there is no money left");
    };
    assert_eq!(
        (over.measure, over.limit, over.used),
        (Measure::Money, 500, 500)
    );
}

/// The last call that fits is made by somebody, and a call that failed counts like the others.
pub async fn calls_are_limited_like_tokens(store: Arc<impl Backend>) {
    let store = &*store;
    let lines = || {
        vec![Line {
            limits: Limits {
                calls: Some(3),
                ..Limits::default()
            },
            ..line("member:me", 0)
        }]
    };
    for id in ["1", "2"] {
        let reserved = reserve(store, NOW, reservation(id, 10, lines())).await;
        assert_eq!(reserved, Reserved::Ok);
    }
    let failed = Settlement {
        status: CallStatus::Failed,
        ..used(0, 0)
    };
    assert!(settle(store, "1", failed).await);
    let mut ahead = reservation("3", 10, lines());
    ahead.amount.calls = 2;
    let over = Over {
        account: "member:me".to_owned(),
        since: NOW,
        measure: Measure::Calls,
        limit: 3,
        used: 2,
    };
    assert_eq!(
        reserve(store, NOW, ahead.clone()).await,
        Reserved::Over(over)
    );
    ahead.amount.calls = 1;
    assert_eq!(reserve(store, NOW, ahead).await, Reserved::Ok);
    // A call that was never made comes back.
    let unused = store.settle_part("3", vec![], Amount::default()).await;
    assert!(unused.unwrap());
    let used = store.used("member:me", NOW).await.unwrap();
    assert_eq!(used.calls, 2);
}

pub async fn a_new_window_begins_with_nothing_used(store: Arc<impl Backend>) {
    let store = &*store;
    let since = |since: Micros| {
        vec![Line {
            since,
            ..line("user:me", 100)
        }]
    };
    assert_eq!(
        reserve(store, NOW, reservation("1", 100, since(NOW))).await,
        Reserved::Ok
    );
    let tomorrow = after(DAY);
    assert_ne!(
        reserve(store, tomorrow, reservation("2", 1, since(NOW))).await,
        Reserved::Ok
    );
    assert_eq!(
        reserve(store, tomorrow, reservation("2", 100, since(tomorrow))).await,
        Reserved::Ok
    );
    // Somebody who moves to another time zone has used no less for that: 5 h 45 min is Nepal.
    let nepal = since(after(DAY - 5 * HOUR - 45 * 60));
    assert_ne!(
        reserve(store, tomorrow, reservation("3", 1, nepal)).await,
        Reserved::Ok
    );
}

pub async fn a_call_counts_on_the_day_it_was_reserved(store: Arc<impl Backend>) {
    let store = &*store;
    let before_midnight = after(DAY - 1);
    let mut call = reservation("1", 100, vec![line("user:me", 100)]);
    call.expires_at = after(DAY + HOUR);
    assert_eq!(reserve(store, before_midnight, call).await, Reserved::Ok);
    assert!(settle(store, "1", used(30, 30)).await);
    let of_days: Vec<_> = sums(store, after(DAY + 60), 2, UsageBy::User)
        .await
        .into_iter()
        .map(|sum| (sum.period, sum.of, sum.prompt_tokens))
        .collect();
    assert_eq!(of_days, [(0, "me".to_owned(), 30)]);
    let next_day = store.used("user:me", after(DAY)).await.unwrap();
    assert_eq!(next_day, Amount::default());
    let whole = Amount {
        calls: 1,
        tokens: 60,
        micros_usd: 60,
    };
    assert_eq!(store.used("user:me", NOW).await.unwrap(), whole);
}

pub async fn a_call_that_took_more_than_it_reserved_counts_as_it_was(store: Arc<impl Backend>) {
    let store = &*store;
    let lines = || vec![line("user:me", 100)];
    assert_eq!(
        reserve(store, NOW, reservation("1", 90, lines())).await,
        Reserved::Ok
    );
    assert!(settle(store, "1", used(100, 100)).await);
    let Reserved::Over(over) = reserve(store, NOW, reservation("2", 0, lines())).await else {
        panic!("nothing is left");
    };
    assert_eq!((over.limit, over.used), (100, 200));
}

pub async fn an_account_without_a_limit_is_counted_all_the_same(store: Arc<impl Backend>) {
    let store = &*store;
    let unlimited = Line {
        limits: Limits::default(),
        ..line("user:me", 0)
    };
    assert_eq!(
        reserve(store, NOW, reservation("1", 1_000_000, vec![unlimited])).await,
        Reserved::Ok
    );
    assert_eq!(tokens(store, "user:me").await, 1_000_000);
    // A limit that comes later knows of it.
    let late = vec![line("user:me", 1_000_001)];
    assert_ne!(
        reserve(store, NOW, reservation("2", 2, late)).await,
        Reserved::Ok
    );
}

pub async fn a_virtual_key_is_kept_by_its_hash_and_goes_when_it_is_told(store: Arc<impl Backend>) {
    let store = &*store;
    let ada = store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let key = VirtualKey {
        id: "k".to_owned(),
        user: ada.id,
        settings: json!({"name": "a program"}),
        created_at: NOW,
    };
    store.create_key(key.clone(), "hush").await.unwrap();
    let stored = store.keys().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].1, key);
    assert_eq!(stored[0].0.len(), 32, "a SHA-256, not the secret");
    assert!(
        store
            .update_key("k", json!({"name": "another"}))
            .await
            .unwrap()
    );
    assert_eq!(store.keys().await.unwrap()[0].1.settings["name"], "another");
    assert!(store.delete_key("k").await.unwrap());
    assert!(!store.delete_key("k").await.unwrap());
    assert!(!store.update_key("k", json!({})).await.unwrap());
    assert!(store.keys().await.unwrap().is_empty());
    let orphan = VirtualKey {
        user: UserId("nobody".to_owned()),
        ..key
    };
    let made = store.create_key(orphan, "other").await;
    assert!(matches!(made, Err(StoreError::NoSuchUser)), "{made:?}");
}

/// Each call names three of five accounts in an order of its own, and is settled while others reserve.
pub async fn calls_that_share_accounts_in_any_order_do_not_wait_in_a_circle(
    store: Arc<impl Backend>,
) {
    let calls: Vec<_> = (0..64)
        .map(|n| {
            let store = share(&store);
            tokio::spawn(async move {
                let mut rng = Rng(n);
                let mut accounts = ["a", "b", "c", "d", "e"];
                rng.shuffle(&mut accounts);
                let lines = accounts[..3]
                    .iter()
                    .map(|name| line(name, 1_000_000))
                    .collect();
                let mut call = reservation(&n.to_string(), 100, lines);
                call.tags.mission = Some(rng.below(3).to_string());
                assert_eq!(reserve(&*store, NOW, call).await, Reserved::Ok);
                assert!(settle(&*store, &n.to_string(), used(1, 2)).await);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let mut all = 0;
    for account in ["a", "b", "c", "d", "e"] {
        all += tokens(&*store, account).await;
    }
    assert_eq!(all, 64 * 3 * 3);
}

pub async fn a_reservation_is_renewed_while_it_is_open(store: Arc<impl Backend>) {
    let store = &*store;
    let call = reservation("1", 100, vec![line("user:me", 1000)]);
    assert_eq!(reserve(store, NOW, call).await, Reserved::Ok);
    assert!(store.renew_reservation("1", after(2 * HOUR)).await.unwrap());
    assert_eq!(store.settle_expired(after(HOUR)).await.unwrap(), 0);
    assert!(settle(store, "1", used(10, 1)).await);
    assert!(!store.renew_reservation("1", after(3 * HOUR)).await.unwrap());
    let call = reservation("2", 100, vec![line("user:me", 1000)]);
    assert_eq!(reserve(store, NOW, call).await, Reserved::Ok);
    assert_eq!(store.settle_expired(after(HOUR)).await.unwrap(), 1);
    assert!(!store.renew_reservation("2", after(3 * HOUR)).await.unwrap());
}
