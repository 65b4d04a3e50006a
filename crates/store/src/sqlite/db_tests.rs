use mana_core::{Actor, Change, Defaults, Micros};
use serde_json::json;

use super::*;
use crate::{
    Amount, ChangesQuery, Ledger as _, Limits, Line, Log as _, Push, Reservation, Scope,
    SharedDatabase as _, Tags, UserId,
};

fn note(body: String) -> Push {
    let change = json!({"table": "notes", "id": "n", "op": "insert", "data": {"body": body}});
    let defaults = Defaults {
        event_id: body.len().to_string(),
        at: Micros(1),
        actor: Actor::user(),
        app_id: "notes".to_owned(),
    };
    let change = Change::parse(change).unwrap().normalize(defaults);
    Push::new("c", vec![change], Micros(1))
}

#[tokio::test]
async fn a_full_disk_is_said_stores_nothing_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("mana.db"), Arc::new(Registry::builtin()))
        .await
        .unwrap();
    let me = Scope::own(&UserId("me".to_owned()));
    let pages: u32 = sqlx::query_scalar("PRAGMA page_count")
        .fetch_one(&store.writer)
        .await
        .unwrap();
    // Holds for this connection, as a full disk holds for a while.
    let room = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 20));
    sqlx::query(room).execute(&store.writer).await.unwrap();

    let large = store.push(&me, note("x".repeat(1 << 20))).await;
    assert!(matches!(large, Err(StoreError::DiskFull)), "{large:?}");
    let all = ChangesQuery {
        limit: 10,
        ..ChangesQuery::default()
    };
    assert_eq!(store.changes(&me, all.clone()).await.unwrap().changes, []);
    store.push(&me, note("x".repeat(1 << 20))).await.unwrap();
    assert_eq!(store.changes(&me, all).await.unwrap().changes.len(), 1);
}

async fn level(connection: &mut SqliteConnection) -> i64 {
    let level = sqlx::query_scalar("PRAGMA synchronous").persistent(false);
    level.fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn the_ledger_does_not_wait_for_the_disk_and_all_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("mana.db"), Arc::new(Registry::builtin()))
        .await
        .unwrap();
    for _ in 0..2 {
        let mut soon = store.write_soon().await.unwrap();
        assert_eq!(level(&mut soon).await, 1);
        soon.commit().await.unwrap();
        assert_eq!(level(&mut store.write().await.unwrap()).await, 2);
        // Given up, as when a call is over its budget.
        drop(store.write_soon().await.unwrap());
        assert_eq!(level(&mut store.writer.acquire().await.unwrap()).await, 2);
    }
}

#[tokio::test]
async fn a_reservation_whose_caller_went_away_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("mana.db"), Arc::new(Registry::builtin()))
        .await
        .unwrap();
    let line = Line {
        account: "key:k".to_owned(),
        since: Micros(0),
        limits: Limits {
            tokens: Some(1_000_000),
            ..Limits::default()
        },
    };
    let reservation = |n: u32| Reservation {
        id: n.to_string(),
        lines: vec![line.clone()],
        amount: Amount {
            calls: 1,
            tokens: 1,
            micros_usd: 0,
        },
        expires_at: Micros(1 << 40),
        tags: Tags {
            user: UserId("me".to_owned()),
            mission: None,
            agent: None,
            key: Some("k".to_owned()),
            model: "a/m".to_owned(),
        },
    };
    for n in 0..200 {
        // Gone after a time that is too short for some and enough for others.
        let patience = Duration::from_micros(u64::from(n));
        let _ = tokio::time::timeout(patience, store.reserve(Micros(1), reservation(n))).await;
    }
    let last = store.reserve(Micros(1), reservation(1_000)).await.unwrap();
    assert_eq!(last, crate::Reserved::Ok);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_reservations")
        .fetch_one(&store.readers)
        .await
        .unwrap();
    let used = store.used("key:k", Micros(0)).await.unwrap().tokens;
    assert_eq!(i64::try_from(used).unwrap(), rows);
    assert_eq!(level(&mut store.write().await.unwrap()).await, 2);
}

#[tokio::test]
async fn a_store_that_is_closing_says_that_it_is_busy() {
    let store = SqliteStore::memory(Arc::new(Registry::builtin()))
        .await
        .unwrap();
    let me = Scope::own(&UserId("me".to_owned()));
    store.close().await;
    assert!(matches!(
        store.push(&me, note(String::new())).await,
        Err(StoreError::Busy)
    ));
}

#[tokio::test]
async fn no_sync_of_the_disk_outlives_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("mana.db"), Arc::new(Registry::builtin()))
        .await
        .unwrap();
    store.write_soon().await.unwrap().commit().await.unwrap();
    assert!(store.sync.is_planned());
    store.close().await;
    assert!(
        !store.sync.is_planned(),
        "the sync was done, or its task was stopped"
    );
    assert!(!folder.path().join("mana.db-wal").exists());
    // The ledger of a store that is closed plans nothing any more.
    assert!(store.write_soon().await.is_err());
    assert!(!store.sync.is_planned());
}

#[tokio::test]
async fn absurd_amounts_from_before_the_bound_are_read_and_added_to() {
    let store = SqliteStore::memory(Arc::new(Registry::builtin()))
        .await
        .unwrap();
    let absurd = i64::MAX / 2;
    for quarter in 0..4 {
        for insert in [
            "INSERT INTO ledger_accounts VALUES ('user:me', $1, $2, $2, 0)",
            "INSERT INTO usage VALUES ($1, 'me', '', '', '', 'm', 1, 0, 0, $2, $2, $2)",
        ] {
            let insert = sqlx::query(insert)
                .bind(quarter * 900_000_000_i64)
                .bind(absurd);
            insert.execute(&store.writer).await.unwrap();
        }
    }
    sqlx::query(
        "INSERT INTO ledger_reservations VALUES ('unreadable', 1, 2, 1, 1, '[]', 'no JSON', 1)",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    let query = crate::UsageQuery {
        now: Micros(1 << 40),
        bounds: vec![Micros(0), Micros(1 << 40)],
        by: crate::UsageBy::User,
        user: None,
    };
    let sums = store.usage(query).await.unwrap();
    assert_eq!(
        (sums.len(), sums[0].prompt_tokens),
        (1, 4 * crate::MAX_CELL)
    );
    let used = store.used("user:me", Micros(0)).await.unwrap().tokens;
    assert_eq!(i64::try_from(used).unwrap(), 4 * crate::MAX_CELL);
    let reservation = Reservation {
        id: "1".to_owned(),
        lines: vec![Line {
            account: "user:me".to_owned(),
            since: Micros(0),
            limits: Limits::default(),
        }],
        amount: Amount {
            calls: 1,
            tokens: 10,
            micros_usd: 10,
        },
        expires_at: Micros(1 << 41),
        tags: Tags {
            user: UserId("me".to_owned()),
            mission: None,
            agent: None,
            key: None,
            model: "a/m".to_owned(),
        },
    };
    assert_eq!(
        store.reserve(Micros(1), reservation).await.unwrap(),
        crate::Reserved::Ok
    );
}
