//! Every account, a page at a time.

use std::collections::VecDeque;

use anyhow::{Result, bail};
use mana_store::{Accounts, User, UserId};

use crate::config::Config;

/// Accounts in a page.
const PAGE: usize = 200;

/// Reads every account, a page at a time.
#[derive(Default)]
pub struct Users {
    page: VecDeque<User>,
    last: Option<UserId>,
}

impl Users {
    /// An error where no account was read: nothing was done then, and that is no success.
    pub fn some(&self, config: &Config) -> Result<()> {
        match self.last {
            Some(_) => Ok(()),
            None => bail!(
                "The database {} has no account, so there was nothing to do",
                config.storage.database.name()
            ),
        }
    }

    /// Returns the next account; none after the last one.
    pub async fn next<A: Accounts + ?Sized>(
        &mut self,
        accounts: &A,
    ) -> mana_store::Result<Option<User>> {
        if self.page.is_empty() {
            self.page = accounts.users(self.last.as_ref(), PAGE).await?.into();
        }
        let next = self.page.pop_front();
        self.last = next
            .as_ref()
            .map(|user| user.id.clone())
            .or(self.last.take());
        Ok(next)
    }
}
