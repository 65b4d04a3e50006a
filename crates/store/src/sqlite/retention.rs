//! Dropping what is superseded, and proving the projections by a replay.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::{TryStreamExt, stream::BoxStream};
use mana_core::{Micros, RecordKey, RecordState, apply};
use serde_json::json;
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteRow};

use super::{SqliteStore, log, moving, push};
use crate::{
    Compacted, Cursor, Imported, LogPage, LogRow, Maintenance, Projected, Result, Scope, User,
    UserId,
    fold::{self, Folded},
    replay::{Comparison, Mend, Schedule, Sieve},
};

/// Records looked at in one go.
const BATCH: i64 = 100;

#[async_trait]
impl Maintenance for SqliteStore {
    async fn compact(&self, scope: &Scope, before: Micros) -> Result<Compacted> {
        let user = scope.owner();
        let mut connection = self.writer.acquire().await?;
        let mut seen = log::head(&mut connection, user).await?;
        by_record(&mut connection).await?;
        // A record with one row has nothing that could be superseded.
        sqlx::query(
            "INSERT INTO temp.by_record SELECT app_id, table_name, record_id, created_at FROM sync_changes
             WHERE user_id = ?1 AND created_at <= ?2 AND (app_id, table_name, record_id) IN (
                 SELECT app_id, table_name, record_id FROM sync_changes WHERE user_id = ?1
                 GROUP BY app_id, table_name, record_id HAVING count(*) > 1 AND min(created_at) < ?3)
             ORDER BY app_id, table_name, record_id, created_at",
        )
        .bind(user.as_str())
        .bind(seen.0.0)
        .bind(before.0)
        .execute(&mut *connection)
        .await?;

        let mut compacted = Compacted::default();
        let mut after = None;
        loop {
            let keys = next_keys(&mut connection, after.as_ref()).await?;
            let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
            // What others wrote since the last look belongs to the records now.
            let head = log::head(&mut tx, user).await?;
            add_rows(&mut tx, user, seen).await?;
            seen = head;
            let mut going = Vec::new();
            for key in &keys {
                match superseded(self, &mut tx, user, key, before, head).await? {
                    Some(places) => going.extend(places),
                    None => compacted.left.push(key.clone()),
                }
            }
            compacted.dropped += drop_rows(&mut tx, user, &going).await?;
            compacted.floor = log::floor(&mut tx, user).await?;
            tx.commit().await?;
            match keys.into_iter().next_back() {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        forget(&mut connection).await?;
        Ok(compacted)
    }

    async fn check(&self, scope: &Scope) -> Result<Projected> {
        let mut connection = self.writer.acquire().await?;
        by_record(&mut connection).await?;
        let mut tx = connection.begin().await?;
        let (projected, _) = replay(self, &mut tx, scope.owner(), None).await?;
        tx.commit().await?;
        forget(&mut connection).await?;
        Ok(projected)
    }

    async fn reproject(&self, scope: &Scope) -> Result<Projected> {
        let user = scope.owner();
        let mut connection = self.writer.acquire().await?;
        by_record(&mut connection).await?;
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        let head = log::head(&mut tx, user).await?;
        let (projected, schedule) = replay(self, &mut tx, user, Some(head)).await?;
        let folded = Folded {
            schedule,
            ..Folded::default()
        };
        push::write_schedule(&mut tx, user, &folded).await?;
        tx.commit().await?;
        forget(&mut connection).await?;
        Ok(projected)
    }

    async fn export(&self, scope: &Scope, after: Cursor, limit: usize) -> Result<LogPage> {
        moving::export(self, scope.owner(), after, limit).await
    }

    async fn import(
        &self,
        account: User,
        floor: Cursor,
        rows: BoxStream<'_, Result<LogRow>>,
    ) -> Result<Imported> {
        moving::import(self, account, floor, rows).await
    }
}

/// An empty place on this connection, outside the database, that sorts a log by record. An index would cost every
/// push what only maintenance needs.
async fn by_record(connection: &mut SqliteConnection) -> Result<()> {
    forget(connection).await?;
    sqlx::query(
        "CREATE TEMP TABLE by_record (
             app_id TEXT, table_name TEXT, record_id TEXT, created_at INTEGER,
             PRIMARY KEY (app_id, table_name, record_id, created_at)) WITHOUT ROWID",
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn forget(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query("DROP TABLE IF EXISTS temp.by_record")
        .execute(connection)
        .await?;
    Ok(())
}

async fn add_rows(tx: &mut SqliteConnection, user: &UserId, after: Cursor) -> Result<()> {
    sqlx::query(
        "INSERT INTO temp.by_record SELECT app_id, table_name, record_id, created_at FROM sync_changes
         WHERE user_id = ? AND created_at > ? ORDER BY app_id, table_name, record_id, created_at",
    )
    .bind(user.as_str())
    .bind(after.0.0)
    .execute(tx)
    .await?;
    Ok(())
}

async fn next_keys(
    tx: &mut SqliteConnection,
    after: Option<&RecordKey>,
) -> Result<BTreeSet<RecordKey>> {
    let (app, table, id) = after.map_or(("", "", ""), |key| (&key.app, &key.table, &key.id));
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT DISTINCT app_id, table_name, record_id FROM temp.by_record
         WHERE (app_id, table_name, record_id) > (?, ?, ?) ORDER BY app_id, table_name, record_id LIMIT ?",
    )
    .bind(app)
    .bind(table)
    .bind(id)
    .bind(BATCH)
    .fetch_all(tx)
    .await?;
    let keys = rows.into_iter();
    Ok(keys
        .map(|(app, table, id)| RecordKey::new(app, table, id))
        .collect())
}

/// The places of a record's rows that can go. None if its rows don't make it.
async fn superseded(
    store: &SqliteStore,
    tx: &mut SqliteConnection,
    user: &UserId,
    key: &RecordKey,
    before: Micros,
    head: Cursor,
) -> Result<Option<Vec<i64>>> {
    let keys = BTreeSet::from([key.clone()]);
    let stored = push::states(tx, user, &keys).await?;
    let stored = stored.into_values().next().unwrap_or_default();
    let mut sieve = Sieve::new(store.registry.schema(&key.app, &key.table), &stored);
    let mut rows = sqlx::query(
        "SELECT c.created_at, event_id, c.app_id, c.table_name, c.record_id, op, data, field_timestamps, actor,
             client_id, schema_version, at, extra, adjusted IS NOT NULL
         FROM temp.by_record k CROSS JOIN sync_changes c ON c.user_id = ? AND c.created_at = k.created_at
         WHERE k.app_id = ? AND k.table_name = ? AND k.record_id = ? ORDER BY k.created_at DESC",
    )
    .bind(user.as_str())
    .bind(&key.app)
    .bind(&key.table)
    .bind(&key.id)
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        let set_back: bool = row.try_get(13)?;
        let logged = log::change_row(&row)?.into_logged()?;
        let place = logged.cursor;
        if place.0 >= before || place == head || set_back {
            sieve.keep(&logged.change);
        } else {
            sieve.weigh(&logged.change, place.0.0);
        }
    }
    drop(rows);
    Ok(sieve.superseded())
}

async fn drop_rows(tx: &mut SqliteConnection, user: &UserId, places: &[i64]) -> Result<u64> {
    let Some(newest) = places.iter().max() else {
        return Ok(0);
    };
    let done = sqlx::query(
        "DELETE FROM sync_changes WHERE user_id = ? AND created_at IN (SELECT value FROM json_each(?))",
    )
    .bind(user.as_str())
    .bind(json!(places).to_string())
    .execute(&mut *tx)
    .await?;
    raise_floor(tx, user, Cursor(Micros(*newest))).await?;
    Ok(done.rows_affected())
}

pub(super) async fn raise_floor(
    tx: &mut SqliteConnection,
    user: &UserId,
    floor: Cursor,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO log_floors (user_id, floor) VALUES (?, ?)
         ON CONFLICT (user_id) DO UPDATE SET floor = max(floor, excluded.floor)",
    )
    .bind(user.as_str())
    .bind(floor.0.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Replays a log and compares. Where there is a place to mend at, records that differ are put right; the missions
/// whose due times differ are answered.
async fn replay(
    store: &SqliteStore,
    tx: &mut SqliteConnection,
    user: &UserId,
    mend: Option<Cursor>,
) -> Result<(Projected, Schedule)> {
    let mut comparison = Comparison::new(schedule(tx, user).await?);
    add_rows(tx, user, Cursor::BEGINNING).await?;
    // Records that no row makes are found too. No row of a log stands at 0.
    sqlx::query("INSERT INTO temp.by_record SELECT app_id, table_name, record_id, 0 FROM records WHERE user_id = ?")
        .bind(user.as_str())
        .execute(&mut *tx)
        .await?;
    let mut after = None;
    loop {
        let keys = next_keys(tx, after.as_ref()).await?;
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            break;
        };
        let mut made = made(store, tx, user, first, last).await?;
        let mut stored = stored(tx, user, first, last).await?;
        let mut right = Vec::new();
        let mut surplus = Vec::new();
        for key in &keys {
            let stored = stored.remove(key);
            match comparison.record(key, made.remove(key), stored.as_deref())? {
                Mend::Nothing => {}
                Mend::Write(state) => right.push((key.clone(), state)),
                Mend::Delete => surplus.push(key.clone()),
            }
        }
        if let Some(head) = mend {
            push::write_records(tx, user, head, &right).await?;
            delete_records(tx, user, &surplus).await?;
        }
        after = Some(last.clone());
    }
    Ok(comparison.finish())
}

/// What the log makes of the records from one key to another.
async fn made(
    store: &SqliteStore,
    tx: &mut SqliteConnection,
    user: &UserId,
    first: &RecordKey,
    last: &RecordKey,
) -> Result<BTreeMap<RecordKey, RecordState>> {
    let mut made: BTreeMap<RecordKey, RecordState> = BTreeMap::new();
    let mut rows = sqlx::query(
        "SELECT c.created_at, event_id, c.app_id, c.table_name, c.record_id, op, data, field_timestamps, actor,
             client_id, schema_version, at, extra
         FROM temp.by_record k CROSS JOIN sync_changes c ON c.user_id = ?1 AND c.created_at = k.created_at
         WHERE (k.app_id, k.table_name, k.record_id) >= (?2, ?3, ?4)
           AND (k.app_id, k.table_name, k.record_id) <= (?5, ?6, ?7)
         ORDER BY k.app_id, k.table_name, k.record_id, k.created_at",
    )
    .bind(user.as_str())
    .bind(&first.app)
    .bind(&first.table)
    .bind(&first.id)
    .bind(&last.app)
    .bind(&last.table)
    .bind(&last.id)
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        let change = log::change_row(&row)?.into_logged()?.change;
        let schema = fold::schema_of(&store.registry, &change);
        apply(
            schema,
            made.entry(fold::key_of(&change)).or_default(),
            &change,
        );
    }
    // A change that writes nothing makes nothing (M8).
    made.retain(|_, state| !state.meta.is_empty());
    Ok(made)
}

async fn stored(
    tx: &mut SqliteConnection,
    user: &UserId,
    first: &RecordKey,
    last: &RecordKey,
) -> Result<BTreeMap<RecordKey, String>> {
    let rows: Vec<SqliteRow> = sqlx::query(
        "SELECT app_id, table_name, record_id, state FROM records WHERE user_id = ?
           AND (app_id, table_name, record_id) >= (?, ?, ?) AND (app_id, table_name, record_id) <= (?, ?, ?)",
    )
    .bind(user.as_str())
    .bind(&first.app)
    .bind(&first.table)
    .bind(&first.id)
    .bind(&last.app)
    .bind(&last.table)
    .bind(&last.id)
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| {
            let text = |column| row.try_get::<String, usize>(column);
            Ok((RecordKey::new(text(0)?, text(1)?, text(2)?), text(3)?))
        })
        .collect()
}

async fn delete_records(
    tx: &mut SqliteConnection,
    user: &UserId,
    keys: &[RecordKey],
) -> Result<()> {
    for key in keys {
        sqlx::query(
            "DELETE FROM records WHERE user_id = ? AND app_id = ? AND table_name = ? AND record_id = ?",
        )
        .bind(user.as_str())
        .bind(&key.app)
        .bind(&key.table)
        .bind(&key.id)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn schedule(
    tx: &mut SqliteConnection,
    user: &UserId,
) -> Result<BTreeMap<String, (i64, String)>> {
    let rows: Vec<(String, i64, String)> = sqlx::query_as(
        "SELECT mission_id, next_run_at, slot FROM mission_schedule WHERE user_id = ?",
    )
    .bind(user.as_str())
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, at, slot)| (id, (at, slot)))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mana_core::{Actor, Change, Defaults, manifest::Registry};
    use serde_json::{Value, json};

    use super::*;
    use crate::{Push, Store, StoreError};

    async fn grown() -> (Arc<SqliteStore>, Scope) {
        let store = SqliteStore::memory(Arc::new(Registry::builtin()))
            .await
            .unwrap();
        let me = Scope::own(&UserId("me".to_owned()));
        let mission = json!({"appId": "ai", "table": "aiMissions", "id": "m", "op": "insert", "data":
            {"state": "active", "cadence": {"kind": "interval", "everyMinutes": 60}}});
        let task = |id: &str, at: i64| {
            json!({"appId": "todo", "table": "tasks", "id": id, "op": "insert", "at": Micros(at),
                "data": {"title": at}})
        };
        for (n, change) in [
            task("a", 1),
            task("a", 2),
            task("b", 3),
            task("c", 4),
            mission,
        ]
        .into_iter()
        .enumerate()
        {
            store.push(&me, push(n as i64 + 1, change)).await.unwrap();
        }
        (store, me)
    }

    fn push(at: i64, change: Value) -> Push {
        let defaults = Defaults {
            event_id: at.to_string(),
            at: Micros(at),
            actor: Actor::user(),
            app_id: String::new(),
        };
        Push {
            client_id: "c".to_owned(),
            changes: vec![Change::parse(change).unwrap().normalise(defaults)],
            received_at: Micros(at),
            fence: None,
        }
    }

    async fn spoil(store: &SqliteStore) {
        for sql in [
            "UPDATE records SET state = replace(state, '\"title\":2', '\"title\":7') WHERE record_id = 'a'",
            "DELETE FROM records WHERE record_id = 'b'",
            "INSERT INTO records SELECT user_id, app_id, table_name, 'd', state, updated_at FROM records WHERE record_id = 'c'",
            "UPDATE mission_schedule SET next_run_at = next_run_at + 1",
            "INSERT INTO mission_schedule VALUES ('me', 'gone', 1, 'due:1')",
        ] {
            let done = sqlx::query(sql).execute(&store.writer).await.unwrap();
            assert_eq!(done.rows_affected(), 1, "{sql}");
        }
    }

    #[tokio::test]
    async fn sync_r5_what_differs_is_named_and_put_right() {
        let (store, me) = grown().await;
        let right = store
            .record(&me, &RecordKey::new("todo", "tasks", "a"))
            .await;
        let due = store.next_wake().await.unwrap();
        spoil(&store).await;
        for projected in [store.check(&me).await, store.reproject(&me).await] {
            let projected = projected.unwrap();
            let names: Vec<_> = projected
                .differences
                .iter()
                .map(crate::Difference::to_string)
                .collect();
            let expected = [
                "schedule m",
                "changed todo/tasks/a",
                "missing todo/tasks/b",
                "surplus todo/tasks/d",
                "schedule gone",
            ];
            assert_eq!(
                (names, projected.differing),
                (expected.map(str::to_owned).to_vec(), 5)
            );
            assert_eq!(projected.records, 4);
        }
        assert_eq!(store.check(&me).await.unwrap().differing, 0);
        let mended = store
            .record(&me, &RecordKey::new("todo", "tasks", "a"))
            .await;
        assert_eq!(mended.unwrap(), right.unwrap());
        assert_eq!(store.next_wake().await.unwrap(), due);
    }

    #[tokio::test]
    async fn sync_r1_a_record_that_its_rows_do_not_make_is_left_alone() {
        let (store, me) = grown().await;
        spoil(&store).await;
        let compacted = store.compact(&me, Micros(100)).await.unwrap();
        assert_eq!(compacted.left, [RecordKey::new("todo", "tasks", "a")]);
        assert_eq!((compacted.dropped, compacted.floor), (0, Cursor::BEGINNING));
        store.reproject(&me).await.unwrap();
        assert_eq!(store.compact(&me, Micros(100)).await.unwrap().dropped, 1);
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_read_stops_before_anything_changes() {
        let (store, me) = grown().await;
        spoil(&store).await;
        sqlx::query("UPDATE sync_changes SET actor = 'x' WHERE record_id = 'c'")
            .execute(&store.writer)
            .await
            .unwrap();
        let failed = store.reproject(&me).await;
        assert!(
            matches!(failed, Err(StoreError::Corrupt { .. })),
            "{failed:?}"
        );
        sqlx::query("UPDATE sync_changes SET actor = '{\"kind\":\"user\"}' WHERE record_id = 'c'")
            .execute(&store.writer)
            .await
            .unwrap();
        assert_eq!(
            store.check(&me).await.unwrap().differing,
            5,
            "nothing was put right by half"
        );
    }
}
