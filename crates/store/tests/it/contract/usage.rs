//! Sums of usage by day, and their bounds.

use std::sync::Arc;

use mana_store::{
    Amount, CallStatus, MAX_CELL, MAX_SUM, Reserved, Settlement, Tags, UsageBy, UsageQuery, UserId,
};

use super::ledger::{DAY, HOUR, line, reservation, reserve, settle, sums, tokens, used};
use super::support::*;

pub async fn usage_is_summed_by_day_and_by_whatever_is_asked(store: Arc<impl Backend>) {
    let store = &*store;
    let calls = [
        ("1", "me", Some("m"), 0, CallStatus::Ok),
        ("2", "me", Some("m"), 0, CallStatus::Failed),
        ("3", "me", None, DAY, CallStatus::Cancelled),
        ("4", "you", Some("m"), DAY, CallStatus::Ok),
    ];
    for (id, user, mission, at, status) in calls {
        let mut call = reservation(id, 100, vec![line(&format!("user:{user}"), 1000)]);
        call.expires_at = after(at + HOUR);
        call.tags = Tags {
            user: UserId(user.to_owned()),
            mission: mission.map(str::to_owned),
            agent: mission.map(|_| "default".to_owned()),
            key: mission.is_none().then(|| "k".to_owned()),
            model: "asked".to_owned(),
        };
        assert_eq!(reserve(store, after(at), call).await, Reserved::Ok);
        let actual = Settlement {
            status,
            ..used(10, 1)
        };
        assert!(settle(store, id, actual).await);
    }
    let now = after(DAY + HOUR);
    let by = async |by| {
        let sums = sums(store, now, 2, by).await;
        sums.into_iter()
            .map(|sum| {
                assert_eq!(
                    (sum.prompt_tokens, sum.completion_tokens),
                    (10 * sum.calls, sum.calls)
                );
                assert_eq!(sum.micros_usd, 11 * sum.calls);
                (sum.period, sum.of, sum.calls, sum.failed, sum.cancelled)
            })
            .collect::<Vec<_>>()
    };
    let row = |period, of: &str, calls, failed, cancelled| {
        (period, of.to_owned(), calls, failed, cancelled)
    };
    assert_eq!(
        by(UsageBy::User).await,
        [
            row(0, "me", 2, 1, 0),
            row(1, "me", 1, 0, 1),
            row(1, "you", 1, 0, 0)
        ]
    );
    assert_eq!(
        by(UsageBy::Mission).await,
        [
            row(0, "me/m", 2, 1, 0),
            row(1, "", 1, 0, 1),
            row(1, "you/m", 1, 0, 0)
        ]
    );
    assert_eq!(
        by(UsageBy::Agent).await,
        [
            row(0, "me/default", 2, 1, 0),
            row(1, "", 1, 0, 1),
            row(1, "you/default", 1, 0, 0)
        ]
    );
    assert_eq!(
        by(UsageBy::Key).await,
        [
            row(0, "", 2, 1, 0),
            row(1, "", 1, 0, 0),
            row(1, "k", 1, 0, 1)
        ]
    );
    assert_eq!(
        by(UsageBy::Model).await,
        [
            row(0, "box/answered", 2, 1, 0),
            row(1, "box/answered", 2, 0, 1)
        ]
    );
    let mine = UsageQuery {
        now,
        bounds: vec![NOW, after(2 * DAY)],
        by: UsageBy::User,
        user: Some(UserId("me".to_owned())),
    };
    let mine = store.usage(mine).await.unwrap();
    assert_eq!((mine.len(), &*mine[0].of, mine[0].calls), (1, "me", 3));
}

pub async fn old_sums_are_forgotten(store: Arc<impl Backend>) {
    let store = &*store;
    let lines = vec![line("user:me", 100)];
    assert_eq!(
        reserve(store, NOW, reservation("1", 10, lines)).await,
        Reserved::Ok
    );
    assert!(settle(store, "1", used(1, 1)).await);
    store.settle_expired(after(400 * DAY)).await.unwrap();
    assert_eq!(sums(store, NOW, 1, UsageBy::User).await.len(), 1);
    store.settle_expired(after(400 * DAY + 1)).await.unwrap();
    assert_eq!(sums(store, NOW, 1, UsageBy::User).await, []);
    assert_eq!(tokens(store, "user:me").await, 0);
}

/// A provider may report any number: each call is settled, and every sum is read.
pub async fn absurd_amounts_stop_neither_a_settlement_nor_a_sum(store: Arc<impl Backend>) {
    let store = &*store;
    let most = u64::try_from(MAX_CELL).unwrap();
    let absurd = [
        u64::MAX,
        u64::MAX - 1,
        i64::MAX as u64,
        i64::MAX as u64 / 2,
        most + 1,
        most,
        0,
    ];
    let mut settled = 0;
    for (n, amount) in absurd.iter().cycle().take(4 * absurd.len()).enumerate() {
        for user in ["me", "you"] {
            let id = format!("{user} {n}");
            let mut call = reservation(&id, 10, vec![line(&format!("user:{user}"), u64::MAX)]);
            call.tags.user = UserId(user.to_owned());
            // Two quarters of an hour: sums within a cell and over cells.
            let at = after(i64::try_from(n % 2).unwrap() * 1800);
            assert_eq!(reserve(store, at, call).await, Reserved::Ok, "{amount}");
            let actual = Settlement {
                calls: *amount,
                prompt_tokens: if user == "me" { *amount } else { 10 },
                completion_tokens: if user == "me" { *amount } else { 1 },
                micros_usd: if user == "me" { *amount } else { 11 },
                ..used(0, 0)
            };
            let parts = vec![
                actual.clone(),
                Settlement {
                    model: "other".to_owned(),
                    ..actual
                },
            ];
            let kept = Amount {
                calls: 0,
                tokens: *amount,
                micros_usd: *amount,
            };
            if n % 3 == 0 && kept != Amount::default() {
                assert!(
                    store.settle_part(&id, parts.clone(), kept).await.unwrap(),
                    "{amount}"
                );
            }
            assert!(
                store
                    .settle_part(&id, parts, Amount::default())
                    .await
                    .unwrap(),
                "{amount}"
            );
            settled += 1;
        }
    }
    assert_eq!(settled, 8 * absurd.len());
    let mut whole = reservation("whole", u64::MAX, vec![line("user:whole", u64::MAX)]);
    whole.amount.micros_usd = u64::MAX;
    assert_eq!(reserve(store, NOW, whole).await, Reserved::Ok);
    assert_eq!(store.settle_expired(after(2 * HOUR)).await.unwrap(), 1);

    for by in [
        UsageBy::User,
        UsageBy::Mission,
        UsageBy::Agent,
        UsageBy::Key,
        UsageBy::Model,
    ] {
        for sum in sums(store, after(2 * HOUR), 1, by).await {
            for number in [
                sum.calls,
                sum.prompt_tokens,
                sum.completion_tokens,
                sum.micros_usd,
            ] {
                assert!((0..=MAX_SUM).contains(&number), "{sum:?}");
            }
        }
    }
    let used = store.used("user:me", NOW).await.unwrap();
    assert!(
        used.tokens >= most && used.micros_usd >= most,
        "the account is beyond any budget"
    );
    let tokens = store.used("user:you", NOW).await.unwrap().tokens;
    assert!(
        tokens > 0 && tokens < most,
        "another's account is counted as ever: {tokens}"
    );
    let later = reserve(
        store,
        after(HOUR),
        reservation("later", 1, vec![line("user:me", most)]),
    )
    .await;
    assert!(matches!(later, Reserved::Over(_)), "{later:?}");
}
