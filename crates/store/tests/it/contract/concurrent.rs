//! Many writers and readers at once.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use mana_store::{Cursor, Store};

use super::support::*;

const USERS: usize = 3;
const WRITERS: usize = 8;
const PUSHES: usize = 12;

/// Each writer pushes batches of 1 to 5 changes to logs drawn at random; a reader a log polls `> cursor` with pages
/// of 7 the whole time, and once more when the writers are done.
pub async fn sync_s1_readers_see_every_row_once_while_many_write(store: Arc<impl Backend>) {
    let running = Arc::new(AtomicUsize::new(WRITERS));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(share(&store), writer, running.clone())))
        .collect();
    let readers: Vec<_> = (0..USERS)
        .map(|user| tokio::spawn(read(share(&store), user, running.clone())))
        .collect();

    let mut written: HashMap<usize, Vec<String>> = HashMap::new();
    for writer in writers {
        for (user, id) in writer.await.expect("the writer ends well") {
            written.entry(user).or_default().push(id);
        }
    }
    for (user, reader) in readers.into_iter().enumerate() {
        let seen = reader.await.expect("the reader ends well");
        let in_order: Vec<String> = ids_of(&log(&*store, &scope(&user.to_string())).await)
            .into_iter()
            .map(str::to_owned)
            .collect();
        assert_eq!(
            seen, in_order,
            "user {user}: every row once, in the log's order"
        );
        let (mut seen, mut expected) = (seen, written.remove(&user).unwrap_or_default());
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "user {user}: every acknowledged row");
    }
}

async fn write(
    store: Arc<impl Store>,
    writer: usize,
    running: Arc<AtomicUsize>,
) -> Vec<(usize, String)> {
    let mut rng = Rng(writer as u64);
    let mut written = Vec::new();
    for n in 0..PUSHES {
        let user = rng.below(USERS);
        let ids: Vec<String> = (0..=rng.below(5))
            .map(|k| format!("{writer}-{n}-{k}"))
            .collect();
        let changes = ids.iter().map(|id| task(id, "x", NOW)).collect();
        // The server's clock, as several writers see it: it stands, jumps and goes back.
        let now = after(rng.below(3) as i64);
        push(
            &*store,
            &scope(&user.to_string()),
            &format!("client {writer}"),
            changes,
            now,
        )
        .await;
        written.extend(ids.into_iter().map(|id| (user, id)));
    }
    running.fetch_sub(1, Ordering::SeqCst);
    written
}

async fn read(store: Arc<impl Store>, user: usize, running: Arc<AtomicUsize>) -> Vec<String> {
    let mut cursor = Cursor::BEGINNING;
    let mut seen = Vec::new();
    loop {
        // Asked before the page is read: what it says is then surely in the page or a later one.
        let last = running.load(Ordering::SeqCst) == 0;
        let page = store
            .changes(&scope(&user.to_string()), from(cursor, 7))
            .await
            .expect("the log is readable");
        assert!(page.cursor >= cursor);
        cursor = page.cursor;
        seen.extend(ids_of(&page).into_iter().map(str::to_owned));
        if last && !page.has_more {
            return seen;
        }
        tokio::task::yield_now().await;
    }
}
