//! Appending to the log and folding into the projections, in one transaction.

use std::sync::Arc;

use mana_core::sync::record_key;
use sqlx::Postgres;

use super::{
    append,
    db::Db,
    lock::{self, Found, Wanted},
};
use crate::{
    Fence, Push, Pushed, Result, Scope, StoreError,
    apply_push::{self, Plan},
    message::Message,
    sql::schedule,
};

pub(super) async fn push(db: &Arc<Db>, scope: &Scope, push: Push) -> Result<Pushed> {
    let user = scope.owner();
    if push.changes.is_empty() && push.fence.is_none() {
        let mut tx = db.read(user).await?;
        let cursor = lock::folded_head(&mut tx, user).await?;
        tx.commit().await?;
        return Ok(Pushed {
            before: cursor,
            cursor,
            ..Pushed::default()
        });
    }

    let sent = push.changes.len();
    let events = push.changes.iter().filter_map(|c| c.event_id.as_deref());
    let mut wanted = Wanted {
        events: events.collect(),
        keys: push.changes.iter().map(record_key).collect(),
    };
    wanted.keys.extend(push.fence.iter().flat_map(Fence::keys));
    let (mut log, Found { stored, states }) = db.write(user, &wanted).await?;
    let tx = &mut log.tx;
    let now = push.received_at.max(log.head.0.plus(1));
    let plan = Plan::new(&db.registry, push.changes, stored, now)?;
    if let Some(fence) = &push.fence {
        let held = schedule::end(&mut **tx, user, fence).await?;
        // A run whose answer got lost after the commit comes again with nothing new: that is no late writer.
        let replay = sent > 0 && plan.fresh.is_empty();
        if !held && !replay {
            return Err(StoreError::LeaseLost);
        }
        if !replay && !fence.saw(&states) {
            return Err(StoreError::Moved);
        }
    }
    let mut pushed = Pushed {
        adjusted: plan.adjusted(),
        unseen_texts: plan.unseen_texts(None),
        before: log.head,
        cursor: log.head,
        ..Pushed::default()
    };
    if !plan.fresh.is_empty() {
        let folded = append::fold_plan(db, tx, user, &plan, states, push.received_at).await?;
        let (rows, end) =
            apply_push::log_rows(&plan, &folded, &push.client_id, push.received_at, log.head)?;
        pushed.cursor = end;
        pushed.unseen_texts = plan.unseen_texts(Some(&folded));
        pushed.tables = plan.tables();
        pushed.added = !folded.follow_ups.is_empty();
        pushed.schedule_changed = !folded.schedule.is_empty();
        let notice = Message::committed(user, &pushed.tables, Some(&push.client_id))
            .schedule(pushed.schedule_changed)
            .text(&db.instance)?;
        append::write(tx, user, &rows, end, &folded.records, Some(&notice)).await?;
        schedule::write_due::<Postgres>(&mut **tx, user, &folded.schedule).await?;
    }
    log.tx.commit().await?;
    Ok(pushed)
}
