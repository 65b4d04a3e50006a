//! Passes on the notices of other processes on the same database to the devices that are connected here.

use mana_store::StoreNotice;
use tokio::sync::broadcast::error::RecvError;

use crate::{Notice, Sync};

impl Sync {
    /// Tells on what other processes do, until the store is closed. Ends at once where there can be none.
    pub async fn relay(self) {
        let Some(mut notices) = self.store.notices() else {
            return;
        };
        loop {
            match notices.recv().await {
                Ok(notice) => self.tell_on(notice),
                Err(RecvError::Lagged(_)) => self.tell_on(StoreNotice::Missed),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn tell_on(&self, notice: StoreNotice) {
        match notice {
            StoreNotice::Committed {
                user,
                tables: Some(tables),
                client,
            } => {
                for notice in Notice::of(&tables, client.as_deref()) {
                    self.hub.publish(&user, notice);
                }
            }
            StoreNotice::Committed { user, .. } => self.hub.publish(&user, Notice::Everything),
            StoreNotice::Run { user, progress } => {
                self.hub.publish(&user, Notice::Run(progress));
            }
            StoreNotice::Cancel { user, mission_id } => {
                // Nobody listens where no runner is.
                let _ = self.cancelled.send((user, mission_id));
            }
            StoreNotice::Schedule => self.schedule.notify_one(),
            StoreNotice::SessionEnded(_) => {}
            StoreNotice::Missed => {
                self.hub.publish_everything();
                self.schedule.notify_one();
            }
        }
    }
}
