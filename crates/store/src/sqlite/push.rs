//! Appending to the log and folding into the projections, in one transaction.

use sqlx::Sqlite;

use super::{append, db::SqliteStore, log};
use crate::{
    Push, Pushed, Result, Scope, StoreError,
    apply_push::{self, Plan},
    push_number::NumberedPush,
    sql::{client_pushes, records, schedule},
    stored_change::check_event_ids,
};

pub(super) async fn push(store: &SqliteStore, scope: &Scope, mut push: Push) -> Result<Pushed> {
    let user = scope.owner();
    if push.changes.is_empty() && push.fence.is_none() {
        let mut reader = store.readers.acquire().await?;
        let cursor = log::head(&mut reader, user).await?;
        return Ok(Pushed {
            before: cursor,
            cursor,
            log: records::identity(&mut *reader, user).await?,
            ..Pushed::default()
        });
    }

    let numbered = NumberedPush::of(&push);
    let mut tx = store.write().await?;
    let standing = append::standing(&mut tx, user, &push.client_id).await?;
    if standing.deleted {
        return Err(StoreError::NoSuchUser);
    }
    let sent = push.changes.len();
    let events = push
        .changes
        .iter()
        .filter_map(|change| change.event_id.as_deref());
    let stored = append::stored(&mut tx, user, events).await?;
    check_event_ids(&store.registry, &push, &stored)?;
    let by_server = push.add_follow_ups(|id| stored.contains_key(id));
    let mut cursor = standing.head;
    let now = push.received_at.max(cursor.0.plus(1));
    let mut plan = Plan::new(&store.registry, push.changes, stored, now)?;
    if let Some(numbered) = numbered.filter(|_| !plan.fresh.is_empty()) {
        numbered.check(standing.last_push.as_ref())?;
        client_pushes::keep(&mut *tx, user, numbered.client_id(), &numbered.kept(), now).await?;
        if standing.last_push.is_none() {
            client_pushes::prune(&mut *tx, user).await?;
        }
    }
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
        unchanged: plan.unchanged(None),
        before: cursor,
        log: standing.identity,
        ..Pushed::default()
    };
    if !plan.fresh.is_empty() {
        let states = append::states(&mut tx, user, &plan.keys()).await?;
        if push.fence.is_some() {
            plan.leave_out_forgotten(&states);
        }
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
            push.largest_record,
        )?;
        let (rows, end) = apply_push::log_rows(
            &plan,
            &folded,
            &push.client_id,
            &by_server,
            push.received_at,
            cursor,
        )?;
        pushed.grown = apply_push::growth(&plan, &folded, &rows, push.room)?;
        append::insert_rows(&mut tx, user, rows).await?;
        cursor = end;
        append::write_records(&mut tx, user, cursor, &folded.records).await?;
        if plan.forgets() {
            records::prune_forgotten(&mut *tx, user).await?;
        }
        schedule::write_due::<Sqlite>(&mut *tx, user, &folded.schedule).await?;
        pushed.unseen_texts = plan.unseen_texts(Some(&folded));
        pushed.unchanged = plan.unchanged(Some(&folded));
        pushed.tables = plan.tables();
        pushed.added = !folded.follow_ups.is_empty() || !by_server.is_empty();
        pushed.schedule_changed = !folded.schedule.is_empty();
    }
    tx.commit().await?;
    pushed.cursor = cursor;
    Ok(pushed)
}
