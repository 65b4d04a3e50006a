//! The server's own settings, by key.

use super::{Backend, Connection, sql};
use crate::Result;

pub(super) async fn init(store: &impl Backend, key: &str, value: &[u8]) -> Result<Vec<u8>> {
    let mut tx = store.begin().await?;
    let insert = sql("INSERT INTO kv (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");
    tx.execute(insert.bind(key).bind(value)).await?;
    let (kept,) = tx
        .fetch_one(sql("SELECT value FROM kv WHERE key = $1").bind(key))
        .await?;
    tx.commit().await?;
    Ok(kept)
}

pub(super) async fn put(store: &impl Backend, key: &str, value: &[u8]) -> Result<()> {
    let put = sql("INSERT INTO kv (key, value) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value");
    store
        .writer()
        .await?
        .execute(put.bind(key).bind(value))
        .await?;
    Ok(())
}

/// Writes only over the value that the caller has read, in one statement: whichever process is first wins.
pub(super) async fn replace(
    store: &impl Backend,
    key: &str,
    before: Option<&[u8]>,
    value: &[u8],
) -> Result<bool> {
    let replace = match before {
        Some(before) => {
            let update = sql("UPDATE kv SET value = $2 WHERE key = $1 AND value = $3");
            update.bind(key).bind(value).bind(before)
        }
        None => {
            let insert = sql("INSERT INTO kv (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");
            insert.bind(key).bind(value)
        }
    };
    Ok(store.writer().await?.execute(replace).await? == 1)
}

pub(super) async fn get(store: &impl Backend, key: &str) -> Result<Option<Vec<u8>>> {
    let select = sql("SELECT value FROM kv WHERE key = $1").bind(key);
    let found: Option<(Vec<u8>,)> = store.reader().await?.fetch_optional(select).await?;
    Ok(found.map(|(value,)| value))
}
