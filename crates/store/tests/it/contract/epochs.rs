//! The identity of a log, and cursors that are none of it.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use mana_store::{
    ChangesQuery, Cursor, CursorCheck, KnownLog, LogIdentity, ResyncReason, Scope, StoreError,
};

use super::support::*;

const DAY: i64 = 24 * 60 * 60;

/// A log of four rows, of which the first two are compacted into their floor where `compacted`.
async fn of_four(store: &impl Upkept, compacted: bool) -> (Scope, Vec<Cursor>) {
    let user = store.create_user(new_user("a@b.de"), NOW).await.unwrap();
    let me = Scope::own(&user.id);
    for n in 0..4 {
        let change = task("t", &format!("title {n}"), after(n));
        push(store, &me, "c", vec![change], after(n)).await;
    }
    let places = log(store, &me).await.changes;
    let places = places.iter().map(|row| row.cursor).collect();
    if compacted {
        let done = store.compact(&me, after(2)).await.unwrap();
        assert_eq!(done.dropped, 2);
    }
    (me, places)
}

async fn begun(
    store: &impl Upkept,
    me: &Scope,
    since: Cursor,
    check: CursorCheck,
) -> Result<usize, ResyncReason> {
    let query = ChangesQuery {
        since,
        limit: 100,
        check,
        ..ChangesQuery::default()
    };
    match store.changes(me, query).await {
        Ok(page) => Ok(page.changes.len()),
        Err(StoreError::ResyncRequired(reason)) => Err(reason),
        Err(error) => panic!("{error}"),
    }
}

fn exact(epoch: &str, end: Cursor) -> CursorCheck {
    CursorCheck::Exact(KnownLog {
        epoch: epoch.to_owned(),
        end,
    })
}

pub async fn a_log_has_the_epoch_of_its_account_until_it_is_restored(store: Arc<impl Upkept>) {
    let (me, _) = of_four(&*store, false).await;
    let account = me.owner().as_str();
    let first = store.identity(&me).await.unwrap();
    assert_eq!(first.epoch, account);
    assert!(!first.gives_back(NOW) && first.restored_at.is_none() && !first.discards_newer);
    store.begin_epoch(&me, after(9), false).await.unwrap();
    let second = store.identity(&me).await.unwrap();
    assert_ne!(second.epoch, first.epoch);
    assert_eq!(second.restored_at, Some(after(9)));
    assert!(second.gives_back(after(9 + 29 * DAY)) && !second.gives_back(after(9 + 31 * DAY)));
    store.begin_epoch(&me, after(10), true).await.unwrap();
    let third = store.identity(&me).await.unwrap();
    assert_ne!(third.epoch, second.epoch);
    assert!(third.discards_newer && !third.gives_back(after(11)));
    // Every answer names it.
    assert_eq!(log(&*store, &me).await.log, third);
    let pushed = push(&*store, &me, "c", vec![task("u", "x", NOW)], after(20)).await;
    assert_eq!(pushed.log, third);
    let again = push(&*store, &me, "c", Vec::new(), after(21)).await;
    assert_eq!(again.log, third);
    let page = store.snapshot(&me, Default::default()).await.unwrap();
    assert_eq!((page.log, page.end), (third, pushed.cursor));
    let export = store.export(&me, Cursor::BEGINNING, 1).await.unwrap();
    assert_eq!(export.epoch, pushed.log.epoch);
    let other = store.create_user(new_user("c@d.de"), NOW).await.unwrap();
    let theirs = store.identity(&Scope::own(&other.id)).await.unwrap();
    assert_eq!(theirs.epoch, other.id.as_str(), "an epoch is one log's");
}

pub async fn a_cursor_that_is_none_of_the_log_is_refused_exactly(store: Arc<impl Upkept>) {
    use ResyncReason::Compacted;
    let epoch = |rolled_back| Err(ResyncReason::Epoch { rolled_back });
    let unknown = |rolled_back| Err(ResyncReason::Unknown { rolled_back });
    let (me, places) = of_four(&*store, true).await;
    let mine = me.owner().as_str().to_owned();
    let (floor, end) = (places[1], places[3]);
    let between = Cursor(places[2].0.plus(1));
    let later = Cursor(end.0.plus(1));
    let none = Cursor::BEGINNING;
    for (since, check, expected) in [
        (none, exact(&mine, none), Ok(2)),
        (none, exact(&mine, end), Ok(2)),
        (floor, exact(&mine, end), Ok(2)),
        (places[2], exact(&mine, end), Ok(1)),
        (places[2], exact("", end), Ok(1)),
        (places[2], exact("other", end), epoch(false)),
        (places[2], exact("other", later), epoch(true)),
        (places[0], exact(&mine, end), Err(Compacted)),
        (between, exact(&mine, end), unknown(false)),
        (later, exact(&mine, none), unknown(true)),
        (places[2], exact(&mine, later), unknown(true)),
        (none, exact(&mine, later), unknown(true)),
        // A client that names no epoch is never refused.
        (places[0], CursorCheck::Lenient, Ok(2)),
        (between, CursorCheck::Lenient, Ok(2)),
        (later, CursorCheck::Lenient, Ok(2)),
        (places[2], CursorCheck::Lenient, Ok(1)),
        (end, CursorCheck::Lenient, Ok(0)),
        // The server's own readers begin at any time.
        (between, CursorCheck::Floor, Ok(1)),
        (later, CursorCheck::Floor, Ok(0)),
        (places[0], CursorCheck::Floor, Err(Compacted)),
    ] {
        let found = begun(&*store, &me, since, check.clone()).await;
        assert_eq!(found, expected, "{since:?} {check:?}");
    }
}

pub async fn a_client_without_an_epoch_pages_through_a_compacted_log(store: Arc<impl Upkept>) {
    let user = store.create_user(new_user("a@b.de"), NOW).await.unwrap();
    let me = Scope::own(&user.id);
    for (n, id) in (0..).zip(["a", "b", "c", "t", "t", "t"]) {
        let change = task(id, &format!("title {n}"), after(n));
        push(&*store, &me, "c", vec![change], after(n)).await;
    }
    let done = store.compact(&me, after(5)).await.unwrap();
    assert_eq!(
        done.dropped, 2,
        "the floor lies behind the first three rows"
    );
    let (mut since, mut read) = (Cursor::BEGINNING, Vec::new());
    loop {
        let query = ChangesQuery {
            since,
            limit: 1,
            check: CursorCheck::Lenient,
            ..ChangesQuery::default()
        };
        let page = store.changes(&me, query).await.unwrap();
        read.extend(page.changes.into_iter().map(|row| row.change.id));
        since = page.cursor;
        assert!(read.len() <= 4, "begins anew for ever: {read:?}");
        if !page.has_more {
            break;
        }
    }
    assert_eq!(read, ["a", "b", "c", "t"]);
}

pub async fn a_log_without_rows_knows_no_cursor(store: Arc<impl Upkept>) {
    let user = store.create_user(new_user("a@b.de"), NOW).await.unwrap();
    let me = Scope::own(&user.id);
    let rolled_back = Err(ResyncReason::Unknown { rolled_back: true });
    let found = begun(&*store, &me, Cursor(NOW), exact("", Cursor(NOW))).await;
    assert_eq!(found, rolled_back);
    assert_eq!(
        begun(&*store, &me, Cursor(NOW), CursorCheck::Lenient).await,
        Ok(0)
    );
    assert_eq!(
        begun(
            &*store,
            &me,
            Cursor::BEGINNING,
            exact("", Cursor::BEGINNING)
        )
        .await,
        Ok(0)
    );
}

pub async fn a_log_opens_to_take_back_unless_what_is_newer_is_discarded(store: Arc<impl Upkept>) {
    let (me, _) = of_four(&*store, false).await;
    store.open_give_back(&me, NOW, false).await.unwrap();
    let opened = store.identity(&me).await.unwrap();
    assert_eq!(opened.epoch, me.owner().as_str(), "the epoch stays");
    assert!(opened.gives_back(after(1)));
    store.begin_epoch(&me, NOW, true).await.unwrap();
    store.open_give_back(&me, NOW, false).await.unwrap();
    assert!(!store.identity(&me).await.unwrap().gives_back(after(1)));
    store.open_give_back(&me, NOW, true).await.unwrap();
    let LogIdentity { discards_newer, .. } = store.identity(&me).await.unwrap();
    assert!(!discards_newer);
}

pub async fn an_import_into_an_empty_log_keeps_the_epoch(store: Arc<impl Upkept>) {
    let (me, places) = of_four(&*store, false).await;
    let user = store.user(me.owner()).await.unwrap().unwrap();
    let rows = store.export(&me, Cursor::BEGINNING, 2).await.unwrap().rows;
    let import = async |user: &mana_store::User, epoch: &str| {
        let rows = stream::iter(rows.clone()).map(Ok).boxed();
        let done = store.import(
            user.clone(),
            Cursor::BEGINNING,
            Some(epoch.to_owned()),
            rows,
        );
        done.await.unwrap();
        store.identity(&Scope::own(&user.id)).await.unwrap().epoch
    };
    let mine = me.owner().as_str();
    assert_eq!(
        import(&user, "theirs").await,
        mine,
        "the log has rows of its own"
    );
    let mut moved = user.clone();
    moved.id = mana_store::UserId("moved".to_owned());
    moved.email = "m@b.de".to_owned();
    moved.role = mana_store::Role::Member;
    assert_eq!(import(&moved, "theirs").await, "theirs");
    let there = Scope::own(&moved.id);
    let cursor = exact("theirs", places[1]);
    assert_eq!(begun(&*store, &there, places[1], cursor).await, Ok(0));
    assert_eq!(
        begun(&*store, &there, places[3], exact("theirs", places[3])).await,
        Err(ResyncReason::Unknown { rolled_back: true }),
        "a device that has come further than the export"
    );
}
