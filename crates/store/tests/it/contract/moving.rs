//! Logs on their way from one database to another: here and SQLite in memory, both ways.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use mana_core::{Micros, manifest::Registry};
use mana_store::{
    Accounts, Cursor, Imported, LogRow, Maintenance, Result, Role, Scope, SqliteStore, StoreError,
    User,
};
use serde_json::json;

use super::support::*;

async fn elsewhere() -> Arc<SqliteStore> {
    SqliteStore::memory(Arc::new(Registry::builtin()))
        .await
        .unwrap()
}

/// Rows and floor of a log.
async fn export(store: &impl Maintenance, scope: &Scope) -> (Vec<LogRow>, Cursor) {
    let (mut rows, mut after): (Vec<LogRow>, _) = (Vec::new(), Cursor::BEGINNING);
    loop {
        let page = store.export(scope, after, 7).await.unwrap();
        assert!(page.rows.len() <= 7);
        rows.extend(page.rows);
        after = rows.last().map_or(after, |row| row.logged.cursor);
        if !page.has_more {
            return (rows, page.floor);
        }
    }
}

async fn import(store: &impl Maintenance, user: &User, floor: Cursor, rows: &[LogRow]) -> Imported {
    let rows = stream::iter(rows.to_vec()).map(Ok).boxed();
    store.import(user.clone(), floor, None, rows).await.unwrap()
}

/// An account with a log: of missions, of what was set back, compacted.
async fn grown(store: &impl Upkept, email: &str) -> (User, Scope) {
    let user = store.create_user(new_user(email), NOW).await.unwrap();
    let me = Scope::own(&user.id);
    let mut rng = Rng(23);
    for n in 0..10 {
        push(
            store,
            &me,
            "c",
            meeting(&mut rng, 12, &format!("{n}")),
            after(30 + n),
        )
        .await;
    }
    push(store, &me, "c", vec![hourly("m")], after(50)).await;
    push(
        store,
        &me,
        "c",
        vec![task("ahead", "x", after(9000))],
        after(51),
    )
    .await;
    let unknown = change(
        json!({"table": "tasks", "id": "u", "op": "update", "trace": {"a": 1}, "schemaVersion": 1,
        "fields": {"title": {"value": 1.5, "updatedAt": after(1)}}}),
    );
    push(store, &me, "d", vec![unknown], after(52)).await;
    assert!(store.compact(&me, after(35)).await.unwrap().dropped > 0);
    (user, me)
}

async fn moves(from_: &impl Upkept, to: &impl Upkept) {
    let (user, me) = grown(from_, "ada@example.org").await;
    let (rows, floor) = export(from_, &me).await;
    let imported = import(to, &user, floor, &rows).await;
    let expected = Imported {
        account_made: true,
        stored: rows.len() as u64,
        ..Imported::default()
    };
    assert_eq!(imported, expected);

    assert!(
        to.user(&user.id).await.unwrap() == Some(user),
        "the account, password and all"
    );
    assert_eq!(
        export(to, &me).await,
        (rows.clone(), floor),
        "every row, in its place"
    );
    assert_eq!(all_records(to, &me).await, all_records(from_, &me).await);
    assert_eq!(to.check(&me).await.unwrap().differing, 0);
    assert_eq!(
        to.next_wake().await.unwrap(),
        from_.next_wake().await.unwrap()
    );
    assert!(to.next_wake().await.unwrap().is_some());
    // A device goes on with the cursor and the pushes that it had.
    let middle = rows[rows.len() / 2].logged.cursor;
    let on = to.changes(&me, from(middle, 1000)).await.unwrap();
    assert_eq!(on, from_.changes(&me, from(middle, 1000)).await.unwrap());
    let below = to.changes(&me, from(Cursor(floor.0.plus(-1)), 10)).await;
    assert!(matches!(below, Err(StoreError::ResyncRequired(_))));
    let ahead = vec![task("ahead", "x", after(9000))];
    let (here, there) = (
        push(from_, &me, "c", ahead.clone(), after(60)).await,
        push(to, &me, "c", ahead, after(60)).await,
    );
    assert_eq!(here.adjusted.len(), 2, "the change's time and its field's");
    assert_eq!(here, there);
}

pub async fn sync_r6_a_log_that_comes_from_elsewhere_is_the_same(store: Arc<impl Upkept>) {
    moves(&*elsewhere().await, &*store).await;
}

pub async fn sync_r6_a_log_that_goes_elsewhere_is_the_same(store: Arc<impl Upkept>) {
    moves(&*store, &*elsewhere().await).await;
}

pub async fn sync_r6_an_import_that_comes_again_stores_nothing(store: Arc<impl Upkept>) {
    let other = elsewhere().await;
    let (user, me) = grown(&*other, "ada@example.org").await;
    let (rows, floor) = export(&*other, &me).await;
    import(&*store, &user, floor, &rows).await;
    store
        .set_password(&user.id, "$argon2id$newer", None)
        .await
        .unwrap();
    let again = import(&*store, &user, floor, &rows).await;
    let expected = Imported {
        present: rows.len() as u64,
        ..Imported::default()
    };
    assert_eq!(again, expected);
    assert_eq!(export(&*store, &me).await, (rows, floor));
    let kept = store.user(&user.id).await.unwrap().unwrap();
    assert_eq!(kept.password_hash, "$argon2id$newer", "what is there stays");
}

pub async fn sync_r6_an_error_on_the_way_undoes_the_account_and_its_rows(store: Arc<impl Upkept>) {
    let other = elsewhere().await;
    let (user, me) = grown(&*other, "ada@example.org").await;
    // More than one batch before the error.
    let many = (0..1200)
        .map(|n| task(&format!("t{n}"), "x", after(60)))
        .collect();
    push(&*other, &me, "c", many, after(60)).await;
    let (rows, floor) = export(&*other, &me).await;
    let broken = rows
        .into_iter()
        .map(Ok)
        .chain([Err(StoreError::Invalid("line 7 is no JSON".into()))]);
    let failed: Result<Imported> = store
        .import(user.clone(), floor, None, stream::iter(broken).boxed())
        .await;
    assert!(matches!(failed, Err(StoreError::Invalid(_))), "{failed:?}");
    assert!(store.user(&user.id).await.unwrap().is_none());
    assert_eq!(export(&*store, &me).await, (Vec::new(), Cursor::BEGINNING));
    assert_eq!(all_records(&*store, &me).await.len(), 0);
    assert_eq!(store.next_wake().await.unwrap(), None);
}

pub async fn sync_r6_an_address_that_another_account_has_is_refused(store: Arc<impl Upkept>) {
    let other = elsewhere().await;
    let (user, me) = grown(&*other, "ada@example.org").await;
    let (rows, floor) = export(&*other, &me).await;
    store
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let refused = store
        .import(
            user,
            floor,
            None,
            stream::iter(rows.into_iter().map(Ok)).boxed(),
        )
        .await;
    assert!(
        matches!(refused, Err(StoreError::EmailTaken)),
        "{refused:?}"
    );
    assert_eq!(export(&*store, &me).await.0, []);
}

pub async fn sync_r6_a_second_owner_becomes_a_member(store: Arc<impl Upkept>) {
    store.put_setup_secret("s").await.unwrap();
    let owner = store
        .create_owner(new_user("owner@example.org"), "s", NOW)
        .await
        .unwrap();
    let mut second = owner.clone();
    second.id = mana_store::UserId("second".into());
    second.email = "second@example.org".into();
    let imported = import(&*store, &second, Cursor::BEGINNING, &[]).await;
    assert!(imported.account_made && imported.made_member);
    assert_eq!(
        store.user(&second.id).await.unwrap().unwrap().role,
        Role::Member
    );
    let other = elsewhere().await;
    assert!(
        !import(&*other, &owner, Cursor::BEGINNING, &[])
            .await
            .made_member
    );
    assert_eq!(
        other.user(&owner.id).await.unwrap().unwrap().role,
        Role::Owner
    );
}

pub async fn sync_r6_rows_for_a_log_that_went_on_come_after_its_end(store: Arc<impl Upkept>) {
    let other = elsewhere().await;
    let user = other
        .create_user(new_user("ada@example.org"), NOW)
        .await
        .unwrap();
    let me = Scope::own(&user.id);
    push(&*other, &me, "c", vec![task("shared", "x", NOW)], after(0)).await;
    let (shared, _) = export(&*other, &me).await;
    import(&*store, &user, Cursor::BEGINNING, &shared).await;
    push(&*other, &me, "c", vec![task("old", "x", NOW)], after(1)).await;
    let reader = push(&*store, &me, "c", vec![task("new", "x", NOW)], after(5))
        .await
        .cursor;
    push(&*other, &me, "c", vec![task("later", "x", NOW)], after(9)).await;

    let (rows, floor) = export(&*other, &me).await;
    let imported = import(&*store, &user, floor, &rows).await;
    assert_eq!((imported.stored, imported.present), (2, 1));
    let page = store.changes(&me, from(reader, 10)).await.unwrap();
    let places: Vec<(&str, Micros)> = page
        .changes
        .iter()
        .map(|row| (&*row.change.id, row.cursor.0))
        .collect();
    assert_eq!(
        places,
        [("old", after(5).plus(1)), ("later", after(9))],
        "no reader misses them"
    );
}

pub async fn accounts_are_listed_by_id_a_page_at_a_time(store: Arc<impl Upkept>) {
    let mut ids = Vec::new();
    for n in 0..5 {
        let user = store
            .create_user(new_user(&format!("{n}@example.org")), NOW)
            .await;
        ids.push(user.unwrap().id);
    }
    ids.sort();
    let mut seen = Vec::new();
    loop {
        let page = store.users(seen.last(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        seen.extend(page.into_iter().map(|user| user.id));
    }
    assert_eq!(seen, ids);
}
