//! Reading a log on and on: what is there, and then what comes, a page at a time and at the reader's pace (S11).

use std::collections::VecDeque;

use mana_core::Change;
use mana_store::{ChangesQuery, Cursor, KnownLog, LoggedChange, Scope};
use serde::Serialize;

use crate::{Notice, Subscription, Sync, SyncError, check};

/// Rows that are read ahead of the reader at most.
const AHEAD: usize = 200;

/// The changes that a reader wants to hear of.
#[derive(Debug, Clone, Default)]
pub struct Follow {
    /// The app; none for all.
    pub app: Option<String>,
    /// The tables; empty for all.
    pub tables: Vec<String>,
    /// The cursor; empty for the beginning.
    pub since: String,
    /// The client that reads, to leave out what it pushed itself.
    pub client_id: Option<String>,
    /// The client's knowledge of the log; none: its cursor is never refused.
    pub known: Option<KnownLog>,
}

/// Changes of one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Followed {
    /// The table.
    pub table: String,
    /// Oldest first.
    pub changes: Vec<Change>,
    /// A cursor that passes no row that has not been handed out. Where a page has several tables, it is the
    /// page's start until the last of them.
    pub synced_until: Cursor,
    /// There is more after the cursor already.
    pub has_more: bool,
}

/// A reader that follows a log. Holds one page at most, however slow its reader is.
pub struct Follower {
    sync: Sync,
    scope: Scope,
    query: ChangesQuery,
    notices: Subscription,
    /// Of the page that was read last, what has not been handed out.
    ready: VecDeque<Followed>,
    /// The log may have rows after the page.
    more: bool,
    cursor: Cursor,
}

impl Sync {
    /// Follows a log from a cursor. A wrong cursor is an error here, not later.
    pub async fn follow(&self, scope: &Scope, follow: Follow) -> Result<Follower, SyncError> {
        let since: Cursor = follow.since.parse().map_err(SyncError::InvalidCursor)?;
        let mut follower = Follower {
            // Before the first page is read, so that nothing falls between.
            notices: self.hub.subscribe(scope.owner()),
            sync: self.clone(),
            scope: scope.clone(),
            query: ChangesQuery {
                app: follow.app,
                tables: follow.tables,
                since,
                limit: AHEAD,
                not_from: follow.client_id,
                check: check(follow.known),
            },
            ready: VecDeque::new(),
            more: true,
            cursor: since,
        };
        follower.read().await?;
        Ok(follower)
    }
}

impl Follower {
    /// The next changes, as soon as there are any. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<Followed, SyncError> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                self.cursor = next.synced_until;
                return Ok(next);
            }
            if self.more {
                self.read().await?;
            } else {
                let notice = self.notices.recv().await;
                self.more = self.concerns(&notice);
            }
        }
    }

    /// Where to resume: it passes no row that has not been handed out.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    async fn read(&mut self) -> Result<(), SyncError> {
        let page = self
            .sync
            .log
            .changes(&self.scope, self.query.clone())
            .await?;
        self.more = page.has_more;
        self.ready = by_table(page.changes, self.query.since, page.cursor, page.has_more);
        self.query.since = page.cursor;
        if self.ready.is_empty() {
            self.cursor = page.cursor;
        }
        Ok(())
    }

    fn concerns(&self, notice: &Notice) -> bool {
        match notice {
            Notice::Everything => true,
            Notice::Run(_) => false,
            Notice::Sync {
                app,
                tables,
                sender,
            } => {
                let own = sender.is_some() && *sender == self.query.not_from;
                let wanted = &self.query.tables;
                !own && self.query.app.as_ref().is_none_or(|only| only == app)
                    && (wanted.is_empty() || wanted.iter().any(|table| tables.contains(table)))
            }
        }
    }
}

/// A page's changes, a table each, in the order in which the tables come first.
fn by_table(rows: Vec<LoggedChange>, start: Cursor, end: Cursor, more: bool) -> VecDeque<Followed> {
    let mut tables: VecDeque<Followed> = VecDeque::new();
    for LoggedChange { change, .. } in rows {
        match tables
            .iter_mut()
            .find(|followed| followed.table == change.table)
        {
            Some(followed) => followed.changes.push(change),
            None => tables.push_back(Followed {
                table: change.table.clone(),
                changes: vec![change],
                synced_until: start,
                has_more: true,
            }),
        }
    }
    if let Some(last) = tables.back_mut() {
        last.synced_until = end;
        last.has_more = more;
    }
    tables
}
