//! Accounts, sessions, single-use secrets and settings.

use async_trait::async_trait;
use mana_core::Micros;
use sqlx::SqliteConnection;

use super::SqliteStore;
use crate::{
    Accounts, Imported, Invitation, NewUser, Result, Role, Session, StoreError, User, UserId,
    accounts::{INVITE, SETUP, SessionRow, UserRow, hash, new_user},
};

async fn insert_user(
    tx: &mut SqliteConnection,
    new: NewUser,
    role: Role,
    now: Micros,
) -> Result<User> {
    let user = new_user(new, role, now);
    insert(tx, &user).await?;
    Ok(user)
}

async fn insert(tx: &mut SqliteConnection, user: &User) -> Result<()> {
    let done = sqlx::query(
        "INSERT INTO users (id, email, name, password_hash, timezone, locale, role, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (email) DO NOTHING",
    )
    .bind(&user.id.0)
    .bind(&user.email)
    .bind(&user.name)
    .bind(&user.password_hash)
    .bind(&user.timezone)
    .bind(&user.locale)
    .bind(user.role.as_str())
    .bind(user.created_at.0)
    .execute(tx)
    .await?;
    if done.rows_affected() == 0 {
        Err(StoreError::EmailTaken)
    } else {
        Ok(())
    }
}

async fn owner_exists(tx: &mut SqliteConnection) -> Result<bool> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE role = 'owner')")
            .fetch_one(tx)
            .await?,
    )
}

async fn put_secret(
    tx: &mut SqliteConnection,
    purpose: &str,
    secret: &str,
    expires_at: Option<Micros>,
) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO secrets (purpose, secret_hash, expires_at) VALUES (?, ?, ?)",
    )
    .bind(purpose)
    .bind(hash(secret))
    .bind(expires_at.map(|at| at.0))
    .execute(tx)
    .await?;
    Ok(())
}

async fn take_secret(
    tx: &mut SqliteConnection,
    purpose: &str,
    secret: &str,
    now: Micros,
) -> Result<bool> {
    let done = sqlx::query(
        "DELETE FROM secrets WHERE purpose = ? AND secret_hash = ? AND (expires_at IS NULL OR expires_at > ?)",
    )
    .bind(purpose)
    .bind(hash(secret))
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Makes an account that comes from elsewhere, unless it is there.
pub(super) async fn import(tx: &mut SqliteConnection, mut user: User) -> Result<Imported> {
    let mut imported = Imported::default();
    let known: Option<(String,)> = sqlx::query_as("SELECT id FROM users WHERE id = ?")
        .bind(user.id.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    if known.is_some() {
        return Ok(imported);
    }
    imported.account_made = true;
    if user.role == Role::Owner && owner_exists(tx).await? {
        imported.made_member = true;
        user.role = Role::Member;
    }
    insert(tx, &user).await?;
    Ok(imported)
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn create_user(&self, user: NewUser, now: Micros) -> Result<User> {
        let mut tx = self.write().await?;
        let user = insert_user(&mut tx, user, Role::Member, now).await?;
        tx.commit().await?;
        Ok(user)
    }

    async fn create_owner(&self, user: NewUser, setup_secret: &str, now: Micros) -> Result<User> {
        let mut tx = self.write().await?;
        if owner_exists(&mut tx).await? {
            return Err(StoreError::OwnerExists);
        }
        if !take_secret(&mut tx, SETUP, setup_secret, now).await? {
            return Err(StoreError::SecretInvalid);
        }
        let user = insert_user(&mut tx, user, Role::Owner, now).await?;
        tx.commit().await?;
        Ok(user)
    }

    async fn create_invited(&self, user: NewUser, invite: &str, now: Micros) -> Result<User> {
        let mut tx = self.write().await?;
        if !take_secret(&mut tx, INVITE, invite, now).await? {
            return Err(StoreError::SecretInvalid);
        }
        let user = insert_user(&mut tx, user, Role::Member, now).await?;
        tx.commit().await?;
        Ok(user)
    }

    async fn admit(&self, user: User) -> Result<bool> {
        let mut tx = self.write().await?;
        let made = sqlx::query(
            "INSERT INTO users (id, email, name, password_hash, timezone, locale, role, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&user.id.0)
        .bind(&user.email)
        .bind(&user.name)
        .bind(&user.password_hash)
        .bind(&user.timezone)
        .bind(&user.locale)
        .bind(user.role.as_str())
        .bind(user.created_at.0)
        .execute(&mut *tx)
        .await?
        .rows_affected()
            == 1;
        let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = ?)")
            .bind(user.id.as_str())
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        if there {
            Ok(made)
        } else {
            Err(StoreError::EmailTaken)
        }
    }

    async fn owner_exists(&self) -> Result<bool> {
        owner_exists(&mut *self.readers.acquire().await?).await
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<User>> {
        let rows: Vec<UserRow> =
            sqlx::query_as("SELECT * FROM users WHERE id > ? ORDER BY id LIMIT ?")
                .bind(after.map_or("", UserId::as_str))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.readers)
                .await?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>> {
        let row: Option<UserRow> = sqlx::query_as("SELECT * FROM users WHERE email = ?")
            .bind(crate::accounts::normalise(email))
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(User::from))
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        let row: Option<UserRow> = sqlx::query_as("SELECT * FROM users WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(User::from))
    }

    async fn set_password(&self, id: &UserId, password_hash: &str) -> Result<()> {
        let mut tx = self.write().await?;
        let done = sqlx::query("UPDATE users SET password_hash = ? WHERE id = ?")
            .bind(password_hash)
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NoSuchUser);
        }
        sqlx::query("DELETE FROM sessions WHERE user_id = ?")
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    async fn create_session(
        &self,
        id: &UserId,
        token: &str,
        now: Micros,
        expires_at: Micros,
    ) -> Result<Session> {
        let session = Session {
            id: uuid::Uuid::now_v7().to_string(),
            user_id: id.clone(),
            created_at: now,
            expires_at,
        };
        let done = sqlx::query(
            "INSERT INTO sessions (token_hash, id, user_id, created_at, expires_at)
             SELECT ?, ?, id, ?, ? FROM users WHERE id = ?",
        )
        .bind(hash(token))
        .bind(&session.id)
        .bind(now.0)
        .bind(expires_at.0)
        .bind(id.as_str())
        .execute(&self.writer)
        .await?;
        if done.rows_affected() == 0 {
            Err(StoreError::NoSuchUser)
        } else {
            Ok(session)
        }
    }

    async fn session(&self, token: &str, now: Micros) -> Result<Option<Session>> {
        let row: Option<SessionRow> = sqlx::query_as(
            "SELECT id, user_id, created_at, expires_at FROM sessions
             WHERE token_hash = ? AND expires_at > ?",
        )
        .bind(hash(token))
        .bind(now.0)
        .fetch_optional(&self.readers)
        .await?;
        Ok(row.map(Session::from))
    }

    async fn session_by_id(&self, id: &str, now: Micros) -> Result<Option<Session>> {
        let row: Option<SessionRow> = sqlx::query_as(
            "SELECT id, user_id, created_at, expires_at FROM sessions
             WHERE id = ? AND expires_at > ?",
        )
        .bind(id)
        .bind(now.0)
        .fetch_optional(&self.readers)
        .await?;
        Ok(row.map(Session::from))
    }

    async fn extend_session(&self, token: &str, now: Micros, expires_at: Micros) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE sessions SET expires_at = ? WHERE token_hash = ? AND expires_at > ?",
        )
        .bind(expires_at.0)
        .bind(hash(token))
        .bind(now.0)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn delete_session_by_id(&self, id: &str) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE id = ?")
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn delete_expired(&self, now: Micros) -> Result<u64> {
        let mut tx = self.write().await?;
        let sessions = sqlx::query("DELETE FROM sessions WHERE expires_at <= ?")
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let secrets = sqlx::query("DELETE FROM secrets WHERE expires_at <= ?")
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(sessions.rows_affected() + secrets.rows_affected())
    }

    async fn put_invitation(&self, secret: &str, expires_at: Micros) -> Result<Invitation> {
        let mut connection = self.writer.acquire().await?;
        put_secret(&mut connection, INVITE, secret, Some(expires_at)).await?;
        Ok(Invitation::of(&hash(secret), expires_at))
    }

    async fn invitations(&self, now: Micros) -> Result<Vec<Invitation>> {
        let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT secret_hash, expires_at FROM secrets WHERE purpose = ? AND expires_at > ?
             ORDER BY expires_at, secret_hash",
        )
        .bind(INVITE)
        .bind(now.0)
        .fetch_all(&self.readers)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(hash, expires_at)| Invitation::of(&hash, Micros(expires_at)))
            .collect())
    }

    async fn delete_invitation(&self, id: &str) -> Result<bool> {
        let done =
            sqlx::query("DELETE FROM secrets WHERE purpose = ? AND lower(hex(secret_hash)) = ?")
                .bind(INVITE)
                .bind(id)
                .execute(&self.writer)
                .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn put_setup_secret(&self, secret: &str) -> Result<()> {
        let mut tx = self.write().await?;
        if owner_exists(&mut tx).await? {
            return Err(StoreError::OwnerExists);
        }
        sqlx::query("DELETE FROM secrets WHERE purpose = ?")
            .bind(SETUP)
            .execute(&mut *tx)
            .await?;
        put_secret(&mut tx, SETUP, secret, None).await?;
        Ok(tx.commit().await?)
    }

    async fn kv_init(&self, key: &str, value: &[u8]) -> Result<Vec<u8>> {
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO kv (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(key)
            .bind(value)
            .execute(&mut *tx)
            .await?;
        let kept = sqlx::query_scalar("SELECT value FROM kv WHERE key = ?")
            .bind(key)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(kept)
    }

    async fn kv_put(&self, key: &str, value: &[u8]) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO kv (key, value) VALUES (?, ?)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(value)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    async fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(sqlx::query_scalar("SELECT value FROM kv WHERE key = ?")
            .bind(key)
            .fetch_optional(&self.readers)
            .await?)
    }
}
