//! Owners' care of people.

use async_trait::async_trait;
use mana_core::Micros;

use super::{
    Backend, Connection, Dialect,
    accounts::{end_sessions, reset_of, user_by_id},
    composed, deleted, sql,
};
use crate::{
    People, Person, PersonLimits, Result, Role, StoreError, User, UserId,
    accounts::UserRow,
    ledger::json,
    message::Message,
    people::PersonRow,
    tables::{Owned, TABLES},
};

/// The account, with the rows of all owners locked: of two owners that go at once, one is the last.
async fn locked<D: Dialect>(tx: &mut impl Connection, id: &UserId) -> Result<User> {
    let owners = composed(format!(
        "SELECT id FROM users WHERE role = 'owner' ORDER BY id{}",
        D::FOR_UPDATE
    ));
    let _: Vec<(String,)> = tx.fetch_all(owners).await?;
    user_by_id(tx, id).await?.ok_or(StoreError::NoSuchUser)
}

/// Refuses where no other owner may sign in.
async fn keep_an_owner(tx: &mut impl Connection, user: &User) -> Result<()> {
    if user.role != Role::Owner || user.locked_at.is_some() {
        return Ok(());
    }
    let others = sql(
        "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'owner' AND locked_at IS NULL AND id <> $1)",
    );
    let (others,): (bool,) = tx.fetch_one(others.bind(&user.id)).await?;
    match others {
        true => Ok(()),
        false => Err(StoreError::LastOwner),
    }
}

async fn update(
    tx: &mut impl Connection,
    statement: super::statement::Statement<'_>,
) -> Result<()> {
    match tx.execute(statement).await? {
        0 => Err(StoreError::NoSuchUser),
        _ => Ok(()),
    }
}

/// Deletes the rows of a table that are a person's.
async fn delete_rows<D: Dialect>(
    tx: &mut impl Connection,
    table: &'static str,
    owned: Owned,
    id: &UserId,
) -> Result<()> {
    let user = format!("user:{id}");
    let member = format!("member:{id}");
    match owned {
        Owned::Nobody => {}
        Owned::ById => {
            let delete = composed(format!("DELETE FROM {table} WHERE user_id = $1"));
            tx.execute(delete.bind(id)).await?;
        }
        Owned::Account => {
            tx.execute(sql("DELETE FROM users WHERE id = $1").bind(id))
                .await?;
        }
        Owned::Secrets => {
            let delete = sql("DELETE FROM secrets WHERE purpose = $1");
            tx.execute(delete.bind(reset_of(id).as_str())).await?;
        }
        Owned::Reservations => {
            // A list of texts as JSON, in which an account's name stands between quotes.
            let quoted = json(&user);
            let delete =
                sql("DELETE FROM ledger_reservations WHERE replace(accounts, $1, '') <> accounts");
            tx.execute(delete.bind(&quoted)).await?;
        }
        Owned::LedgerAccounts => {
            let keys = sql("DELETE FROM ledger_accounts WHERE account IN (
                     SELECT 'key:' || id FROM virtual_keys WHERE user_id = $1)");
            tx.execute(keys.bind(id)).await?;
            for start in ["mission:", "agent:"] {
                let start = format!("{start}{id}/");
                // Not `LIKE`: an id may hold its wildcards.
                let delete = sql(
                    "DELETE FROM ledger_accounts WHERE substr(account, 1, CAST($1 AS integer)) = $2",
                );
                let length = start.chars().count();
                tx.execute(delete.bind(length).bind(&start)).await?;
            }
            for account in [&user, &member] {
                let delete = sql("DELETE FROM ledger_accounts WHERE account = $1");
                tx.execute(delete.bind(account)).await?;
            }
        }
        Owned::Audit => {
            let about = sql("DELETE FROM audit_log WHERE subject = $1");
            tx.execute(about.bind(id)).await?;
            let by = sql("UPDATE audit_log SET actor = NULL WHERE actor = $1");
            tx.execute(by.bind(id)).await?;
        }
    }
    Ok(())
}

#[async_trait]
impl<B: Backend> People for B {
    async fn people(
        &self,
        after: Option<&UserId>,
        limit: usize,
        now: Micros,
    ) -> Result<Vec<Person>> {
        let after = after.map_or("", UserId::as_str);
        let mut reader = self.reader().await?;
        let users = sql("SELECT * FROM users WHERE id > $1 ORDER BY id LIMIT $2");
        let users: Vec<UserRow> = reader.fetch_all(users.bind(after).bind(limit)).await?;
        let mut people = Vec::with_capacity(users.len());
        for user in users {
            let facts = sql(
                "SELECT (SELECT count(*) FROM sessions WHERE user_id = $1 AND expires_at > $2) AS sessions,
                        (SELECT max(CASE WHEN used_at > created_at THEN used_at ELSE created_at END)
                         FROM sessions WHERE user_id = $1) AS seen_at,
                        (SELECT confirmed_at FROM second_factors WHERE user_id = $1) AS factor_since,
                        (SELECT asked_for_factor_at FROM users WHERE id = $1) AS asked_at",
            );
            let facts: PersonRow = reader.fetch_one(facts.bind(user.id()).bind(now)).await?;
            people.push(facts.person(user));
        }
        Ok(people)
    }

    async fn set_locked(&self, id: &UserId, at: Option<Micros>) -> Result<Vec<String>> {
        let mut tx = self.begin().await?;
        let user = locked::<B::Db>(&mut *tx, id).await?;
        if at.is_some() {
            keep_an_owner(&mut *tx, &user).await?;
        }
        let lock = sql("UPDATE users SET locked_at = $1 WHERE id = $2");
        update(&mut *tx, lock.bind(at).bind(id)).await?;
        let mut ended = Vec::new();
        if at.is_some() {
            ended = end_sessions(self, &mut tx, id, None, None).await?;
            let cancel = sql(
                "UPDATE mission_claims SET cancelled = true WHERE user_id = $1 AND worker IS NOT NULL
                 RETURNING mission_id",
            );
            let cancelled: Vec<(String,)> = tx.fetch_all(cancel.bind(id)).await?;
            for (mission,) in &cancelled {
                self.tell(&mut tx, Message::cancel(id, mission)).await?;
            }
        }
        // Missions that waited are due now.
        let moved = Message::default().schedule(true);
        self.tell(&mut tx, moved).await?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn set_role(&self, id: &UserId, role: Role) -> Result<()> {
        let mut tx = self.begin().await?;
        let user = locked::<B::Db>(&mut *tx, id).await?;
        if role != Role::Owner {
            keep_an_owner(&mut *tx, &user).await?;
        }
        let set = sql("UPDATE users SET role = $1 WHERE id = $2");
        update(&mut *tx, set.bind(role.as_str()).bind(id)).await?;
        Ok(tx.commit().await?)
    }

    async fn set_limits(&self, id: &UserId, limits: Option<PersonLimits>) -> Result<()> {
        let limits = limits.as_ref().map(json);
        let set = sql("UPDATE users SET limits = $1 WHERE id = $2");
        let mut writer = self.writer().await?;
        update(&mut *writer, set.bind(limits.as_deref()).bind(id)).await
    }

    async fn limits_people(&self) -> Result<bool> {
        let exists = sql("SELECT EXISTS (SELECT 1 FROM users WHERE limits IS NOT NULL)");
        let (exists,): (bool,) = self.reader().await?.fetch_one(exists).await?;
        Ok(exists)
    }

    async fn set_profile(&self, user: &User) -> Result<()> {
        let mut tx = self.begin().await?;
        let taken = sql("SELECT EXISTS (SELECT 1 FROM users WHERE email = $1 AND id <> $2)");
        let (taken,): (bool,) = tx.fetch_one(taken.bind(&user.email).bind(&user.id)).await?;
        if taken {
            return Err(StoreError::EmailTaken);
        }
        let set =
            sql("UPDATE users SET email = $1, name = $2, timezone = $3, locale = $4 WHERE id = $5");
        let set = set
            .bind(&user.email)
            .bind(&user.name)
            .bind(&user.timezone)
            .bind(&user.locale)
            .bind(&user.id);
        update(&mut *tx, set).await?;
        Ok(tx.commit().await?)
    }

    async fn delete_person(&self, id: &UserId, now: Micros) -> Result<Vec<String>> {
        let mut tx = self.begin_alone(id).await?;
        let user = locked::<B::Db>(&mut *tx, id).await?;
        keep_an_owner(&mut *tx, &user).await?;
        let ended = end_sessions(self, &mut tx, id, None, None).await?;
        // The account last: its keys name what the ledger has of them.
        let (account, rest): (Vec<_>, Vec<_>) = TABLES
            .iter()
            .filter(|table| table.on.has::<B::Db>())
            .partition(|table| table.owned == Owned::Account);
        let keys_last = |table: &&&crate::tables::Table| table.name == "virtual_keys";
        let (keys, rest): (Vec<_>, Vec<_>) = rest.iter().partition(keys_last);
        for table in rest.into_iter().chain(keys).chain(account.iter()) {
            delete_rows::<B::Db>(&mut *tx, table.name, table.owned, id).await?;
        }
        deleted::remember(&mut *tx, id, now).await?;
        self.tell(&mut tx, Message::default().schedule(true))
            .await?;
        tx.commit().await?;
        self.scrub().await;
        Ok(ended)
    }
}
