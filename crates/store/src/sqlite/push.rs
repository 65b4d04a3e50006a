//! Appending to the log and folding into the projections, in one transaction.

use sqlx::Sqlite;

use super::{append, db::SqliteStore, log};
use crate::{
    Push, Pushed, Result, Scope, StoreError,
    apply_push::{self, Plan},
    sql::{records, schedule},
};

pub(super) async fn push(store: &SqliteStore, scope: &Scope, push: Push) -> Result<Pushed> {
    let user = scope.owner();
    if push.changes.is_empty() && push.fence.is_none() {
        let cursor = log::head(&mut *store.readers.acquire().await?, user).await?;
        return Ok(Pushed {
            before: cursor,
            cursor,
            ..Pushed::default()
        });
    }

    let mut tx = store.write().await?;
    let sent = push.changes.len();
    let events = push
        .changes
        .iter()
        .filter_map(|change| change.event_id.as_deref());
    let stored = append::stored(&mut tx, user, events).await?;
    let mut cursor = log::head(&mut tx, user).await?;
    let now = push.received_at.max(cursor.0.plus(1));
    let plan = Plan::new(&store.registry, push.changes, stored, now)?;
    if let Some(fence) = &push.fence {
        let held = schedule::end(&mut *tx, user, fence).await?;
        // A run whose answer got lost after the commit comes again with nothing new: that is no late writer.
        let replay = sent > 0 && plan.fresh.is_empty();
        if !held && !replay {
            return Err(StoreError::LeaseLost);
        }
        if !replay && !fence.saw(&append::states(&mut tx, user, &fence.keys()).await?) {
            return Err(StoreError::Moved);
        }
    }
    let mut pushed = Pushed {
        adjusted: plan.adjusted(),
        unseen_texts: plan.unseen_texts(None),
        before: cursor,
        ..Pushed::default()
    };
    if !plan.fresh.is_empty() {
        let states = append::states(&mut tx, user, &plan.keys()).await?;
        let timezone = if plan.touches_missions() {
            records::timezone(&mut *tx, user).await?
        } else {
            None
        };
        let folded = apply_push::fold(
            &store.registry,
            states,
            &plan.fresh,
            timezone.as_deref(),
            push.received_at,
        )?;
        let (rows, end) =
            apply_push::log_rows(&plan, &folded, &push.client_id, push.received_at, cursor)?;
        append::insert_rows(&mut tx, user, rows).await?;
        cursor = end;
        append::write_records(&mut tx, user, cursor, &folded.records).await?;
        schedule::write_due::<Sqlite>(&mut *tx, user, &folded.schedule).await?;
        pushed.unseen_texts = plan.unseen_texts(Some(&folded));
        pushed.tables = plan.tables();
        pushed.added = !folded.follow_ups.is_empty();
        pushed.schedule_changed = !folded.schedule.is_empty();
    }
    tx.commit().await?;
    pushed.cursor = cursor;
    Ok(pushed)
}
