use futures_util::future::join_all;
use mana_core::manifest::Registry;
use mana_store::{CallStatus, Limits, Line, SqliteStore, Tags, UserId};

use super::*;
use crate::metering::pool::{DRAWN_FOR_US, IDLE_FOR_US, PART};
use crate::metering::test_ledger::TestLedger;

const NOW: Micros = Micros(1_800_000_000_000_000);

fn tokens(tokens: u64) -> Amount {
    Amount {
        calls: 1,
        tokens,
        micros_usd: 0,
    }
}

/// Of a call at this moment.
fn payer(now: Micros, limit: Option<u64>) -> Payer {
    let line = |account: &str, since, tokens| Line {
        account: account.to_owned(),
        since,
        limits: Limits {
            tokens,
            ..Limits::default()
        },
    };
    Payer {
        lines: vec![line("user:me", now, None), line("key:k", NOW, limit)],
        tags: Tags {
            user: UserId("me".to_owned()),
            mission: None,
            agent: None,
            key: Some("k".to_owned()),
            model: "m".to_owned(),
        },
    }
}

fn used(tokens: u64) -> Settlement {
    Settlement {
        calls: 1,
        prompt_tokens: tokens,
        completion_tokens: 0,
        micros_usd: 0,
        model: "box/m".to_owned(),
        status: CallStatus::Ok,
    }
}

struct Books {
    store: Arc<SqliteStore>,
    all: Arc<Reservations>,
}

impl Books {
    async fn new() -> Books {
        let registry = Arc::new(Registry::builtin());
        let store = SqliteStore::memory(registry).await.unwrap();
        let all = Arc::new(Reservations::new(store.clone()));
        Books { store, all }
    }

    async fn draw(
        &self,
        now: Micros,
        limit: Option<u64>,
        amount: u64,
    ) -> Result<CallReservation, Over> {
        let drawn = self.all.draw(now, payer(now, limit), tokens(amount)).await;
        drawn.unwrap()
    }

    /// The amount that the ledger counts, reserved or used.
    async fn counted(&self) -> u64 {
        self.store.used("key:k", NOW).await.unwrap().tokens
    }

    /// The amount that is reserved ahead and that no call has drawn.
    fn free(&self) -> u64 {
        let pools = self.all.all();
        let state = pools.iter().map(|pool| lock(&pool.state));
        state
            .filter_map(|state| Some(state.current.as_ref()?.free.tokens))
            .sum()
    }

    async fn look(&self, now: Micros) {
        for pool in self.all.all() {
            self.all.look_after(&pool, now).await.unwrap();
        }
    }
}

#[tokio::test]
async fn calls_that_go_on_coming_do_not_ask_the_ledger() {
    let books = Books::new().await;
    for _ in 0..3 {
        books
            .draw(NOW, None, 100)
            .await
            .unwrap()
            .settle(used(30), Vec::new());
    }
    assert!(books.free() >= 200, "{}", books.free());
    let before = books.counted().await;
    let drawn = books.draw(NOW.plus(1), None, 100).await.unwrap();
    assert_eq!(books.counted().await, before, "it came from memory");
    drawn.settle(used(40), Vec::new());
    books.look(NOW).await;
    books.all.settle().await.unwrap();
    assert_eq!((books.counted().await, books.free()), (130, 0));
}

#[tokio::test]
async fn many_at_once_spend_no_more_than_a_budget_holds_and_all_of_it() {
    let books = Books::new().await;
    let calls = (0..256).map(|_| books.draw(NOW, Some(10_000), 100));
    let (good, over): (Vec<_>, Vec<_>) = join_all(calls).await.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), over.len()), (100, 156));
    assert_eq!(books.counted().await, 10_000);
    let over = over[0].as_ref().err().unwrap();
    assert_eq!((over.limit, over.used), (10_000, 10_000));
    // What they have not used is there for the next ones.
    for drawn in good {
        drawn.ok().unwrap().settle(used(10), Vec::new());
    }
    let rest = books.draw(NOW, Some(10_000), 9_000).await;
    assert!(rest.is_ok());
    assert!(books.draw(NOW, Some(10_000), 1).await.is_err());
}

#[tokio::test]
async fn a_process_that_dies_leaves_what_it_set_aside_counted_and_that_is_little() {
    let books = Books::new().await;
    for _ in 0..200 {
        let drawn = books.draw(NOW, Some(100_000), 100).await.unwrap();
        drawn.settle(used(100), Vec::new());
    }
    let going_on = books.draw(NOW, Some(100_000), 100).await.unwrap();
    std::mem::forget(going_on);
    let counted = books.counted().await;
    assert!(
        (20_100..=20_100 + 100_000 / PART).contains(&counted),
        "{counted}"
    );
    // The next process has all the rest.
    let next = Arc::new(Reservations::new(books.store.clone()));
    let rest = tokens(100_000 - counted);
    let drawn = next
        .draw(NOW, payer(NOW, Some(100_000)), rest)
        .await
        .unwrap();
    assert!(drawn.is_ok());
    let expired = books.store.settle_expired(NOW.plus(DRAWN_FOR_US * 2)).await;
    assert!(expired.unwrap() > 0);
    assert_eq!(books.counted().await, 100_000);
}

#[tokio::test]
async fn what_is_not_called_for_is_given_back() {
    let books = Books::new().await;
    for _ in 0..3 {
        books
            .draw(NOW, None, 100)
            .await
            .unwrap()
            .settle(used(10), Vec::new());
    }
    drop(books.draw(NOW, None, 100).await.unwrap());
    books.look(NOW).await;
    assert!(books.free() > 0);
    books.look(NOW.plus(IDLE_FOR_US)).await;
    assert_eq!((books.free(), books.counted().await), (0, 30));
}

#[tokio::test]
async fn a_call_that_goes_on_for_long_stays_set_aside_through_changes() {
    let books = Books::new().await;
    let long = books.draw(NOW, Some(10_000), 500).await.unwrap();
    for seconds in 1..=40 {
        let now = NOW.plus(seconds * 1_000_000);
        books
            .draw(now, Some(10_000), 100)
            .await
            .unwrap()
            .settle(used(1), Vec::new());
        books.look(now).await;
    }
    // Nothing is set aside ahead for a call that goes on, once no other comes.
    books.look(NOW.plus(60 * 1_000_000)).await;
    assert_eq!((books.free(), books.counted().await), (0, 540));
    long.settle(used(700), Vec::new());
    books.all.settle().await.unwrap();
    assert_eq!(
        books.counted().await,
        740,
        "more than was drawn counts as it was"
    );
}

#[tokio::test]
async fn a_call_may_wait_and_run_longer_than_any_reservation_holds() {
    let books = Books::new().await;
    let long = books.draw(NOW, Some(10_000), 500).await.unwrap();
    for seconds in (1..=3600).step_by(10) {
        let now = NOW.plus(seconds * 1_000_000);
        books.look(now).await;
        assert_eq!(books.store.settle_expired(now).await.unwrap(), 0);
        // The first second reserves ahead for a next call; what no call draws is given back.
        let counted = books.counted().await;
        assert!(counted >= 500, "after {seconds} s: {counted}");
        if seconds * 1_000_000 > IDLE_FOR_US {
            assert_eq!(counted, 500, "after {seconds} s");
        }
    }
    long.settle(used(7), Vec::new());
    books.all.settle().await.unwrap();
    assert_eq!(books.counted().await, 7, "usage says what was used");
}

#[tokio::test]
async fn what_a_call_lost_on_the_way_counts_with_it() {
    let books = Books::new().await;
    let drawn = books.draw(NOW, Some(10_000), 500).await.unwrap();
    drawn.settle(used(7), vec![used(100), used(100)]);
    books.all.settle().await.unwrap();
    assert_eq!(books.counted().await, 207);
}

#[tokio::test]
async fn another_budget_another_quarter_and_an_old_allotment_ask_anew() {
    let books = Books::new().await;
    for _ in 0..3 {
        books
            .draw(NOW, None, 100)
            .await
            .unwrap()
            .settle(used(10), Vec::new());
    }
    assert!(books.free() >= 100);
    assert!(
        books.draw(NOW, Some(50), 100).await.is_err(),
        "a new limit holds at once"
    );
    for later in [DRAWN_FOR_US, 15 * 60 * 1_000_000, -1] {
        let now = NOW.plus(later);
        let one = books.draw(now, None, 100).await.unwrap();
        let before = lock(&one.pool.state).current.as_ref().unwrap().made_at;
        assert_eq!(before, now);
    }
}

#[tokio::test]
async fn a_payer_that_can_not_be_settled_keeps_no_other_from_it() {
    let ledger = TestLedger::new().await;
    let all = Arc::new(Reservations::new(ledger.clone()));
    let payer = |name: &str| {
        let mut payer = payer(NOW, None);
        payer.lines.last_mut().unwrap().account = format!("key:{name}");
        payer
    };
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        let drawn = all.draw(NOW, payer(name), tokens(100)).await.unwrap();
        drawn.unwrap().settle(used(30), Vec::new());
    }
    *ledger.unsettled.lock().unwrap() = Some("key:c".to_owned());
    assert!(all.settle().await.is_err(), "it is said");
    for name in names {
        let counted = ledger
            .used(&format!("key:{name}"), NOW)
            .await
            .unwrap()
            .tokens;
        let settled = counted == 30;
        assert_eq!(settled, name != "c", "{name}: {counted}");
    }
    *ledger.unsettled.lock().unwrap() = None;
    all.settle().await.unwrap();
    assert_eq!(ledger.used("key:c", NOW).await.unwrap().tokens, 30);
}
