//! Appending to the log and folding into the projections, in one transaction.

use std::sync::Arc;

use mana_core::Change;
use sqlx::Postgres;

use super::{
    append::{self, FoldInput, Written},
    db::Db,
    lock::{self, Found, Wanted},
};
use crate::{
    Fence, Push, Pushed, Result, Scope, StoreError,
    apply_push::{self, Plan},
    message::Message,
    push_number::NumberedPush,
    sql::{client_pushes, records, schedule},
    stored_change::check_event_ids,
};

pub(super) async fn push(db: &Arc<Db>, scope: &Scope, mut push: Push) -> Result<Pushed> {
    let user = scope.owner();
    if push.changes.is_empty() && push.fence.is_none() {
        let mut tx = db.read(user).await?;
        let cursor = lock::folded_head(&mut tx, user).await?;
        let log = records::identity(&mut *tx, user).await?;
        tx.commit().await?;
        return Ok(Pushed {
            before: cursor,
            cursor,
            log,
            ..Pushed::default()
        });
    }

    let numbered = NumberedPush::of(&push);
    let sent = push.changes.len();
    let events = push.changes.iter().filter_map(|c| c.event_id.as_deref());
    let mut wanted = Wanted {
        events: events.collect(),
        keys: push.changes.iter().flat_map(Change::keys).collect(),
        client: numbered.as_ref().map(NumberedPush::client_id),
    };
    wanted.keys.extend(push.fence.iter().flat_map(Fence::keys));
    let (mut log, found) = db.write(user, &wanted).await?;
    let Found {
        stored,
        states,
        last_push,
    } = found;
    check_event_ids(&db.registry, &push, &stored)?;
    let by_server = push.add_follow_ups(|id| stored.contains_key(id));
    let tx = &mut log.tx;
    let now = push.received_at.max(log.head.0.plus(1));
    let mut plan = Plan::new(&db.registry, push.changes, stored, now)?;
    let numbered = numbered.filter(|_| !plan.fresh.is_empty());
    if let Some(numbered) = &numbered {
        numbered.check(last_push.as_ref())?;
    }
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
        unchanged: plan.unchanged(None),
        before: log.head,
        cursor: log.head,
        log: log.identity.clone(),
        ..Pushed::default()
    };
    if !plan.fresh.is_empty() {
        if push.fence.is_some() {
            plan.leave_out_forgotten(&states);
        }
        let fold = FoldInput {
            states,
            now: push.received_at,
            largest: push.largest_record,
        };
        let folded = append::fold_plan(db, tx, user, &plan, fold).await?;
        let (rows, end) = apply_push::log_rows(
            &plan,
            &folded,
            &push.client_id,
            &by_server,
            push.received_at,
            log.head,
        )?;
        pushed.grown = apply_push::growth(&plan, &folded, &rows, push.room)?;
        pushed.cursor = end;
        pushed.unseen_texts = plan.unseen_texts(Some(&folded));
        pushed.unchanged = plan.unchanged(Some(&folded));
        pushed.tables = plan.tables();
        pushed.added = !folded.follow_ups.is_empty() || !by_server.is_empty();
        pushed.schedule_changed = !folded.schedule.is_empty();
        let notice = Message::committed(user, &pushed.tables, push.sender.as_deref())
            .schedule(pushed.schedule_changed)
            .text(&db.instance)?;
        let written = Written {
            rows: &rows,
            cursor: end,
            records: &folded.records,
            notice: Some(&notice),
            numbered: numbered.as_ref(),
        };
        append::write(tx, user, written).await?;
        if plan.forgets() {
            records::prune_forgotten(&mut **tx, user).await?;
        }
        if numbered.is_some() && last_push.is_none() {
            client_pushes::prune(&mut **tx, user).await?;
        }
        schedule::write_due::<Postgres>(&mut **tx, user, &folded.schedule).await?;
    }
    log.tx.commit().await?;
    Ok(pushed)
}
