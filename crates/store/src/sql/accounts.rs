//! Accounts, sessions and single-use secrets.

use async_trait::async_trait;
use mana_core::Micros;

use super::{Backend, Connection, Dialect, composed, deleted, settings, sql};
use crate::{
    Accounts, Imported, Invitation, NewInvitation, NewSession, NewUser, Result, Role, Session,
    SessionUse, SessionUsed, StoreError, User, UserId,
    accounts::{INVITE, SETUP, SessionRow, UserRow, hash, new_user, normalise},
    json,
    message::Message,
};

/// Inserts an account unless its address, or its id, is taken. Returns whether it was inserted.
async fn insert(tx: &mut impl Connection, user: &User) -> Result<bool> {
    let insert = sql("INSERT INTO users
             (id, email, name, password_hash, timezone, locale, role, created_at, locked_at, limits)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING");
    let limits = user.limits.as_ref().map(crate::ledger::json);
    let insert = insert
        .bind(&user.id)
        .bind(&user.email)
        .bind(&user.name)
        .bind(&user.password_hash)
        .bind(&user.timezone)
        .bind(&user.locale)
        .bind(user.role.as_str())
        .bind(user.created_at)
        .bind(user.locked_at)
        .bind(limits.as_deref());
    Ok(tx.execute(insert).await? == 1)
}

async fn make_user(
    tx: &mut impl Connection,
    new: NewUser,
    role: Role,
    now: Micros,
) -> Result<User> {
    let user = new_user(new, role, now);
    if insert(tx, &user).await? {
        Ok(user)
    } else {
        Err(StoreError::EmailTaken)
    }
}

pub(super) async fn user_by_id(
    connection: &mut impl Connection,
    id: &UserId,
) -> Result<Option<User>> {
    let select = sql("SELECT * FROM users WHERE id = $1").bind(id);
    let row: Option<UserRow> = connection.fetch_optional(select).await?;
    Ok(row.map(User::from))
}

async fn owner_exists(connection: &mut impl Connection) -> Result<bool> {
    let exists = sql("SELECT EXISTS (SELECT 1 FROM users WHERE role = 'owner')");
    let (exists,): (bool,) = connection.fetch_one(exists).await?;
    Ok(exists)
}

pub(super) async fn put_secret(
    tx: &mut impl Connection,
    purpose: &str,
    secret: &str,
    expires_at: Option<Micros>,
) -> Result<()> {
    let put = sql(
        "INSERT INTO secrets (purpose, secret_hash, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (purpose, secret_hash) DO UPDATE SET expires_at = excluded.expires_at",
    );
    let hash = hash(secret);
    tx.execute(put.bind(purpose).bind(&hash).bind(expires_at))
        .await?;
    Ok(())
}

/// Spends a secret. Returns the role that it gives, if it was good.
async fn take_secret(
    tx: &mut impl Connection,
    purpose: &str,
    secret: &str,
    now: Micros,
) -> Result<Option<Role>> {
    let take = sql("DELETE FROM secrets
         WHERE purpose = $1 AND secret_hash = $2 AND (expires_at IS NULL OR expires_at > $3)
         RETURNING role");
    let hash = hash(secret);
    let taken: Option<(String,)> = tx
        .fetch_optional(take.bind(purpose).bind(&hash).bind(now))
        .await?;
    Ok(taken.and_then(|(role,)| Role::parse(&role)))
}

const SESSION: &str =
    "id, user_id, created_at, expires_at, used_at, device, address, proof FROM sessions";

/// The purpose of the secret with which a person sets another password.
pub(super) fn reset_of(id: &UserId) -> String {
    format!("reset:{}", id.as_str())
}

async fn replace_hash(tx: &mut impl Connection, id: &UserId, password_hash: &str) -> Result<()> {
    let update = sql("UPDATE users SET password_hash = $1 WHERE id = $2");
    match tx.execute(update.bind(password_hash).bind(id)).await? {
        0 => Err(StoreError::NoSuchUser),
        _ => Ok(()),
    }
}

/// Ends sessions of an account, and tells the other processes of each: its devices may be connected there.
pub(super) async fn end_sessions<B: Backend>(
    store: &B,
    tx: &mut sqlx::Transaction<'_, B::Db>,
    id: &UserId,
    keep: Option<&str>,
    only: Option<&str>,
) -> Result<Vec<String>> {
    let delete = sql("DELETE FROM sessions
         WHERE user_id = $1 AND id <> $2 AND ($3 = '' OR id = $3) RETURNING id");
    let delete = delete
        .bind(id)
        .bind(keep.unwrap_or_default())
        .bind(only.unwrap_or_default());
    let ended: Vec<(String,)> = tx.fetch_all(delete).await?;
    let ended: Vec<String> = ended.into_iter().map(|(id,)| id).collect();
    for id in &ended {
        store.tell(&mut *tx, Message::session_ended(id)).await?;
    }
    Ok(ended)
}

/// Makes an account that comes from another server, unless one with its id exists.
pub(crate) async fn import(tx: &mut impl Connection, mut user: User) -> Result<Imported> {
    let mut imported = Imported::default();
    if user_by_id(tx, &user.id).await?.is_some() {
        return Ok(imported);
    }
    imported.account_made = true;
    deleted::forget(tx, &user.id).await?;
    if user.role == Role::Owner && owner_exists(tx).await? {
        imported.made_member = true;
        user.role = Role::Member;
    }
    if insert(tx, &user).await? {
        Ok(imported)
    } else {
        Err(StoreError::EmailTaken)
    }
}

#[async_trait]
impl<B: Backend> Accounts for B {
    async fn create_user(&self, user: NewUser, now: Micros) -> Result<User> {
        let mut tx = self.begin().await?;
        let user = make_user(&mut *tx, user, Role::Member, now).await?;
        tx.commit().await?;
        Ok(user)
    }

    async fn create_owner(&self, user: NewUser, setup_secret: &str, now: Micros) -> Result<User> {
        let mut tx = self.begin().await?;
        if owner_exists(&mut *tx).await? {
            return Err(StoreError::OwnerExists);
        }
        if take_secret(&mut *tx, SETUP, setup_secret, now)
            .await?
            .is_none()
        {
            return Err(StoreError::SecretInvalid);
        }
        let user = make_user(&mut *tx, user, Role::Owner, now).await?;
        tx.commit().await?;
        Ok(user)
    }

    async fn create_invited(&self, user: NewUser, invite: &str, now: Micros) -> Result<User> {
        let mut tx = self.begin().await?;
        let role = take_secret(&mut *tx, INVITE, invite, now).await?;
        let role = role.ok_or(StoreError::SecretInvalid)?;
        let user = make_user(&mut *tx, user, role, now).await?;
        tx.commit().await?;
        Ok(user)
    }

    async fn admit(&self, user: User) -> Result<bool> {
        let mut tx = self.begin().await?;
        // A foreign token outlives the account that was deleted here.
        deleted::refuse(&mut *tx, &user.id).await?;
        let made = insert(&mut *tx, &user).await?;
        let there = user_by_id(&mut *tx, &user.id).await?.is_some();
        tx.commit().await?;
        if there {
            Ok(made)
        } else {
            Err(StoreError::EmailTaken)
        }
    }

    async fn owner_exists(&self) -> Result<bool> {
        owner_exists(&mut *self.reader().await?).await
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<User>> {
        let select = sql("SELECT * FROM users WHERE id > $1 ORDER BY id LIMIT $2");
        let select = select.bind(after.map_or("", UserId::as_str)).bind(limit);
        let rows: Vec<UserRow> = self.reader().await?.fetch_all(select).await?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>> {
        let email = normalise(email);
        let select = sql("SELECT * FROM users WHERE email = $1").bind(&email);
        let row: Option<UserRow> = self.reader().await?.fetch_optional(select).await?;
        Ok(row.map(User::from))
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        user_by_id(&mut *self.reader().await?, id).await
    }

    async fn set_password(
        &self,
        id: &UserId,
        password_hash: &str,
        keep: Option<&str>,
    ) -> Result<Vec<String>> {
        let mut tx = self.begin().await?;
        replace_hash(&mut *tx, id, password_hash).await?;
        let ended = end_sessions(self, &mut tx, id, keep, None).await?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn put_password_reset(
        &self,
        id: &UserId,
        secret: &str,
        expires_at: Micros,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        if user_by_id(&mut *tx, id).await?.is_none() {
            return Err(StoreError::NoSuchUser);
        }
        let purpose = reset_of(id);
        tx.execute(sql("DELETE FROM secrets WHERE purpose = $1").bind(&purpose))
            .await?;
        put_secret(&mut *tx, &purpose, secret, Some(expires_at)).await?;
        Ok(tx.commit().await?)
    }

    async fn reset_password(
        &self,
        id: &UserId,
        secret: &str,
        password_hash: &str,
        now: Micros,
    ) -> Result<Vec<String>> {
        let mut tx = self.begin().await?;
        let purpose = reset_of(id);
        if take_secret(&mut *tx, &purpose, secret, now)
            .await?
            .is_none()
        {
            return Err(StoreError::SecretInvalid);
        }
        replace_hash(&mut *tx, id, password_hash).await?;
        let ended = end_sessions(self, &mut tx, id, None, None).await?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn sessions(&self, id: &UserId, now: Micros) -> Result<Vec<Session>> {
        let select = composed(format!(
            "SELECT {SESSION} WHERE user_id = $1 AND expires_at > $2 ORDER BY created_at DESC, id"
        ));
        let rows: Vec<SessionRow> = self
            .reader()
            .await?
            .fetch_all(select.bind(id).bind(now))
            .await?;
        Ok(rows.into_iter().map(Session::from).collect())
    }

    async fn end_sessions(
        &self,
        id: &UserId,
        keep: Option<&str>,
        only: Option<&str>,
    ) -> Result<Vec<String>> {
        let mut tx = self.begin().await?;
        let ended = end_sessions(self, &mut tx, id, keep, only).await?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn create_session(&self, new: NewSession<'_>) -> Result<Session> {
        let hash = hash(new.token);
        let create = sql("INSERT INTO sessions (token_hash, id, user_id, created_at, expires_at,
                 rotated_at, used_at, device, address, proof)
             SELECT $1, $2, id, $3, $4, $3, $3, $5, $6, $7 FROM users WHERE id = $8 AND locked_at IS NULL");
        let create = create
            .bind(&hash)
            .bind(&new.id)
            .bind(new.now)
            .bind(new.expires_at)
            .bind(new.device)
            .bind(new.address)
            .bind(new.proof)
            .bind(new.user);
        let mut writer = self.writer().await?;
        if writer.execute(create).await? == 0 {
            return Err(match user_by_id(&mut *writer, new.user).await? {
                Some(_) => StoreError::AccountLocked,
                None => StoreError::NoSuchUser,
            });
        }
        Ok(Session {
            id: new.id,
            user_id: new.user.clone(),
            created_at: new.now,
            expires_at: new.expires_at,
            used_at: new.now,
            device: new.device.to_owned(),
            address: new.address.to_owned(),
            proof: new.proof.to_owned(),
        })
    }

    async fn session(&self, token: &str, now: Micros) -> Result<Option<Session>> {
        let hash = hash(token);
        let select = composed(format!(
            "SELECT {SESSION} WHERE (token_hash = $1 OR previous_hash = $1) AND expires_at > $2"
        ));
        let select = select.bind(&hash).bind(now);
        let row: Option<SessionRow> = self.reader().await?.fetch_optional(select).await?;
        Ok(row.map(Session::from))
    }

    async fn session_by_id(&self, id: &str, now: Micros) -> Result<Option<Session>> {
        let select = composed(format!(
            "SELECT {SESSION} WHERE id = $1 AND expires_at > $2"
        ));
        let select = select.bind(id).bind(now);
        let row: Option<SessionRow> = self.reader().await?.fetch_optional(select).await?;
        Ok(row.map(Session::from))
    }

    async fn use_session(&self, used: SessionUse<'_>) -> Result<SessionUsed> {
        let (shown, next) = (hash(used.token), hash(used.next_token));
        let mut tx = self.begin().await?;
        let select = composed(format!(
            "SELECT {SESSION} WHERE (token_hash = $1 OR previous_hash = $1) AND expires_at > $2{}",
            B::Db::FOR_UPDATE
        ));
        let row: Option<SessionRow> = tx
            .fetch_optional(select.bind(&shown).bind(used.now))
            .await?;
        let Some(mut session) = row.map(Session::from) else {
            return Ok(SessionUsed::Unknown);
        };
        let last = session.created_at.plus(used.at_most);
        session.expires_at = used.now.plus(used.lasts).min(last);
        session.used_at = used.now;
        session.device = used.device.to_owned();
        session.address = used.address.to_owned();
        // The secret before the present one, shown late: the answer with the present one was lost on its way.
        let rotate = sql(
            "UPDATE sessions SET previous_hash = $1, token_hash = $2, rotated_at = $3
             WHERE id = $4 AND (token_hash = $1 AND rotated_at <= $5 OR previous_hash = $1 AND rotated_at <= $6)",
        );
        let rotate = rotate
            .bind(&shown)
            .bind(&next)
            .bind(used.now)
            .bind(&session.id)
            .bind(used.now.plus(-used.rotate_after))
            .bind(used.now.plus(-used.grace));
        let rotated = tx.execute(rotate).await? == 1;
        let keep = sql(
            "UPDATE sessions SET expires_at = $1, used_at = $2, device = $3, address = $4 WHERE id = $5",
        );
        let keep = keep
            .bind(session.expires_at)
            .bind(used.now)
            .bind(used.device)
            .bind(used.address)
            .bind(&session.id);
        tx.execute(keep).await?;
        tx.commit().await?;
        Ok(match rotated {
            true => SessionUsed::Rotated(session),
            false => SessionUsed::Kept(session),
        })
    }

    async fn delete_session_by_id(&self, id: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.execute(sql("DELETE FROM sessions WHERE id = $1").bind(id))
            .await?;
        // The session's devices may be connected to another process.
        self.tell(&mut tx, Message::session_ended(id)).await?;
        Ok(tx.commit().await?)
    }

    async fn delete_expired(&self, now: Micros) -> Result<u64> {
        let mut tx = self.begin().await?;
        let mut deleted = 0;
        for delete in [
            "DELETE FROM sessions WHERE expires_at <= $1",
            "DELETE FROM secrets WHERE expires_at <= $1",
        ] {
            deleted += tx.execute(sql(delete).bind(now)).await?;
        }
        deleted += deleted::prune(&mut *tx, now).await?;
        tx.commit().await?;
        Ok(deleted)
    }

    async fn put_invitation(&self, secret: &str, made: NewInvitation) -> Result<Invitation> {
        let hash = hash(secret);
        let put = sql(
            "INSERT INTO secrets (purpose, secret_hash, expires_at, label, role, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        );
        let put = put
            .bind(INVITE)
            .bind(&hash)
            .bind(made.expires_at)
            .bind(&made.label)
            .bind(made.role.as_str())
            .bind(made.now);
        self.writer().await?.execute(put).await?;
        Ok(Invitation::of(&hash, made))
    }

    async fn invitations(
        &self,
        after: Option<(Micros, &str)>,
        limit: usize,
        now: Micros,
    ) -> Result<Vec<Invitation>> {
        let (end, hash) = match after {
            Some((end, id)) => (end, json::unhex(id).unwrap_or_default()),
            None => (now, Vec::new()),
        };
        let select = sql(
            "SELECT secret_hash, expires_at, label, role, created_at FROM secrets
             WHERE purpose = $1 AND expires_at > $2
               AND (expires_at > $3 OR (expires_at = $3 AND secret_hash > $4))
             ORDER BY expires_at, secret_hash LIMIT $5",
        );
        let select = select
            .bind(INVITE)
            .bind(now)
            .bind(end)
            .bind(&hash)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows: Vec<(Vec<u8>, i64, String, String, i64)> =
            self.reader().await?.fetch_all(select).await?;
        let invitation =
            |(hash, expires_at, label, role, created_at): (Vec<u8>, i64, _, String, i64)| {
                let made = NewInvitation {
                    expires_at: Micros(expires_at),
                    label,
                    role: Role::parse(&role).unwrap_or(Role::Member),
                    now: Micros(created_at),
                };
                Invitation::of(&hash, made)
            };
        Ok(rows.into_iter().map(invitation).collect())
    }

    async fn delete_invitation(&self, id: &str) -> Result<bool> {
        let Some(hash) = json::unhex(id) else {
            return Ok(false);
        };
        let delete = sql("DELETE FROM secrets WHERE purpose = $1 AND secret_hash = $2");
        Ok(self
            .writer()
            .await?
            .execute(delete.bind(INVITE).bind(&hash))
            .await?
            == 1)
    }

    async fn put_setup_secret(&self, secret: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        if owner_exists(&mut *tx).await? {
            return Err(StoreError::OwnerExists);
        }
        tx.execute(sql("DELETE FROM secrets WHERE purpose = $1").bind(SETUP))
            .await?;
        put_secret(&mut *tx, SETUP, secret, None).await?;
        Ok(tx.commit().await?)
    }

    async fn kv_init(&self, key: &str, value: &[u8]) -> Result<Vec<u8>> {
        settings::init(self, key, value).await
    }

    async fn kv_put(&self, key: &str, value: &[u8]) -> Result<()> {
        settings::put(self, key, value).await
    }

    async fn kv_replace(&self, key: &str, before: Option<&[u8]>, value: &[u8]) -> Result<bool> {
        settings::replace(self, key, before, value).await
    }

    async fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        settings::get(self, key).await
    }
}
