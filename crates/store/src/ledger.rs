//! The use of models by calls: reserved before a call, settled after it, and summed by period.
//!
//! An *account* has a budget and a name: `user:<id>`, `mission:<user>/<id>`, `agent:<user>/<id>`,
//! `key:<id>`, and `member:<user>` where the owner limits members. A reservation counts in each of its
//! accounts from the moment it is made, at its full amount; settling corrects that to what was used. So no moment
//! exists at which more could be spent than a budget allows, and a call whose process died stays counted at what it
//! reserved.
//!
//! Where the process dies, nothing of this is lost. Where the power fails, SQLite may lose the calls of the last
//! second, and with them what they used: a call does not wait for a sync of the disk, which takes ten times longer
//! than everything else that the gateway does. Postgres keeps them.
//!
//! Amounts are calls, tokens and millionths of a US dollar. No content is kept.

use async_trait::async_trait;
use mana_core::Micros;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Result, UserId, sql::columns};

/// The grain of time in the ledger, in microseconds: the day of every time zone begins with a quarter of an hour.
const QUARTER: i64 = 15 * 60 * 1_000_000;

/// How long sums are kept, in microseconds: 400 days, so that a year can be compared with the last.
const KEPT: i64 = 400 * 24 * 60 * 60 * 1_000_000;

/// The most that a cell of the ledger holds: tokens, calls, or millionths of a US dollar, within a quarter of an hour.
///
/// No honest call comes near it. A provider that reports more is counted at this, so that its number can't overflow a
/// sum: a million million tokens, or a million dollars.
pub const MAX_CELL: i64 = 1_000_000_000_000;

/// The most that a sum of cells says. A double holds every integer up to there exactly, and SQLite's one aggregate that
/// can't overflow sums doubles.
pub const MAX_SUM: i64 = 9_000_000_000_000_000;

/// The amount that a call may use, set aside before the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its own id, by which it is settled. Reserving twice under one id is reserving once.
    pub id: String,
    /// The accounts it counts in, each with its budget.
    pub lines: Vec<Line>,
    /// The most that it may use.
    pub amount: Amount,
    /// When the call is over for certain. A reservation that is open then is taken as used in full.
    pub expires_at: Micros,
    /// The keys of the sums.
    pub tags: Tags,
}

/// An account of a reservation, and the amount that it may use within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The account's name, such as `user:<id>`.
    pub account: String,
    /// Where the window begins; taken back to the quarter of an hour. Use from then on counts.
    pub since: Micros,
    /// The most of each measure in the window.
    pub limits: Limits,
}

/// The most that an account may use of each measure; `None` for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls.
    pub calls: Option<u64>,
    /// Tokens, of prompt and answer together.
    pub tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub micros_usd: Option<u64>,
}

impl Limits {
    /// Whether none of them holds, so that it does not matter what the account has used.
    pub fn is_unlimited(&self) -> bool {
        *self == Limits::default()
    }
}

/// On whose behalf a call is made, and of whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tags {
    /// The person who pays.
    pub user: UserId,
    /// The mission that is planned, if it is one.
    pub mission: Option<String>,
    /// The agent that plans it.
    pub agent: Option<String>,
    /// The virtual key that was shown.
    pub key: Option<String>,
    /// The model that was asked for.
    pub model: String,
}

/// The outcome of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a call that is over its budget must not be made"]
pub enum Reserved {
    /// The amount is set aside; make the call, and settle it.
    Ok,
    /// The amount is too much for one of the accounts. Nothing is set aside, in none of them.
    Over(Over),
}

/// The budget that a reservation does not fit into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over {
    /// Whose budget.
    pub account: String,
    /// Where its window began.
    pub since: Micros,
    /// Of what there is not enough.
    pub measure: Measure,
    /// The limit of the account in the window.
    pub limit: u64,
    /// The amount used or reserved in it.
    pub used: u64,
}

/// The measure that a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Calls.
    Calls,
    /// Tokens.
    Tokens,
    /// Millionths of a US dollar.
    Money,
}

/// The use of a call, or of several that ended alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// How many calls these are.
    pub calls: u64,
    /// Tokens of the prompts.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
    /// Their price, in millionths of a US dollar.
    pub micros_usd: u64,
    /// The model that answered, as `provider/model`.
    pub model: String,
    /// How they ended.
    pub status: CallStatus,
}

/// Something of each that a budget counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Calls.
    pub calls: u64,
    /// Tokens, of prompt and answer together.
    pub tokens: u64,
    /// Millionths of a US dollar.
    pub micros_usd: u64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallStatus {
    /// With an answer.
    Ok,
    /// Without one.
    Failed,
    /// The caller went away before the answer was complete.
    Cancelled,
}

/// The key by which sums are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UsageBy {
    /// By who pays.
    User,
    /// By mission.
    Mission,
    /// By agent.
    Agent,
    /// By virtual key.
    Key,
    /// By the model that answered.
    Model,
}

/// Which sums to make.
#[derive(Debug, Clone)]
pub struct UsageQuery {
    /// The server's time.
    pub now: Micros,
    /// Where periods begin and end, ascending: `n + 1` moments for `n` periods, such as the midnights of a time
    /// zone. Taken back to the quarter of an hour.
    pub bounds: Vec<Micros>,
    /// The key: a sum for each of its values in a period.
    pub by: UsageBy,
    /// This person's calls alone.
    pub user: Option<UserId>,
}

/// The use in a period, of one user, mission, agent, key or model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSum {
    /// Which of the query's periods, from 0.
    pub period: i64,
    /// Whose: an id, or a model's name; empty for calls that have none. A mission or agent is `<user>/<id>`.
    pub of: String,
    /// How many calls ended.
    pub calls: i64,
    /// How many of them without an answer.
    pub failed: i64,
    /// How many of them because the caller went away.
    pub cancelled: i64,
    /// Tokens of the prompts.
    pub prompt_tokens: i64,
    /// Tokens of the answers, and of calls that never settled.
    pub completion_tokens: i64,
    /// Their price, in millionths of a US dollar.
    pub micros_usd: i64,
}

columns!(UsageSum {
    period,
    of,
    calls,
    failed,
    cancelled,
    prompt_tokens,
    completion_tokens,
    micros_usd,
});

/// A key that a program shows instead of a provider's: an account of its own in the ledger, `key:<id>`.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualKey {
    /// Its id, which is no secret.
    pub id: String,
    /// The person who pays. The key ends with the account.
    pub user: UserId,
    /// The settings, as their author wrote them.
    pub settings: Value,
    /// When it was made.
    pub created_at: Micros,
}

/// The verbs around usage, each one transaction.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Sets the amount aside in every account, or in none: [`Reserved::Over`] names the first line that it does not
    /// fit into. Atomic over all lines, whoever else reserves at the same time.
    async fn reserve(&self, now: Micros, reservation: Reservation) -> Result<Reserved>;

    /// Moves the end of a reservation whose call takes longer. False where it is settled or expired already.
    async fn renew_reservation(&self, id: &str, expires_at: Micros) -> Result<bool>;

    /// Replaces what was set aside by what was used. False, and nothing happens, where the reservation is settled
    /// or expired already.
    async fn settle(&self, id: &str, actual: Settlement) -> Result<bool> {
        self.settle_part(id, vec![actual], Amount::default()).await
    }

    /// Replaces what was set aside by what was used so far, and by what is kept set aside under the same id for
    /// calls that go on or are to come. With nothing kept it is settled. False, and nothing happens, where it is
    /// settled or expired already.
    async fn settle_part(&self, id: &str, used: Vec<Settlement>, kept: Amount) -> Result<bool>;

    /// Sums by period, in their order, and within one by what they are made by. Reservations that have expired by
    /// `now` are settled first, at their full amount, as failed calls.
    async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageSum>>;

    /// Returns the use and the reservations of an account since then.
    async fn used(&self, account: &str, since: Micros) -> Result<Amount>;

    /// Keeps a virtual key: of its secret the SHA-256 only.
    async fn create_key(&self, key: VirtualKey, secret: &str) -> Result<()>;

    /// Replaces what a key may do. False if there is no such key.
    async fn update_key(&self, id: &str, settings: Value) -> Result<bool>;

    /// Forgets a key. False if there is no such key.
    async fn delete_key(&self, id: &str) -> Result<bool>;

    /// All keys, each with the SHA-256 of its secret.
    async fn keys(&self) -> Result<Vec<(Vec<u8>, VirtualKey)>>;

    /// Settles what has expired, at its full amount, and forgets sums older than 400 days. Answers how many
    /// reservations had expired.
    async fn settle_expired(&self, now: Micros) -> Result<u64>;
}

/// When the quarter of an hour began that a moment lies in, in microseconds: the grain of everything in the ledger.
pub fn quarter(at: Micros) -> i64 {
    at.0.div_euclid(QUARTER) * QUARTER
}

/// Sums before this may be forgotten.
pub(crate) fn forgotten(now: Micros) -> i64 {
    now.0.saturating_sub(KEPT)
}

/// An amount as the tables hold it: [`MAX_CELL`] at most.
pub(crate) fn amount(amount: u64) -> i64 {
    i64::try_from(amount).map_or(MAX_CELL, |amount| amount.min(MAX_CELL))
}

/// Of what there is not enough, given what the line's account has used.
pub(crate) fn over(line: &Line, used: Amount, wanted: Amount) -> Option<Over> {
    let limits = line.limits;
    let measures = [
        (Measure::Calls, used.calls, wanted.calls, limits.calls),
        (Measure::Tokens, used.tokens, wanted.tokens, limits.tokens),
        (
            Measure::Money,
            used.micros_usd,
            wanted.micros_usd,
            limits.micros_usd,
        ),
    ];
    measures
        .into_iter()
        .find_map(|(measure, used, wanted, limit)| {
            let limit = limit.filter(|limit| used.saturating_add(wanted) > *limit)?;
            Some(Over {
                account: line.account.clone(),
                since: line.since,
                measure,
                limit,
                used,
            })
        })
}

/// The accounts of a reservation, each once, in the order in which they are locked.
pub(crate) fn accounts(lines: &[Line]) -> Vec<&str> {
    let mut accounts: Vec<&str> = lines.iter().map(|line| line.account.as_str()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

/// A row of `virtual_keys`.
pub(crate) struct KeyRow {
    secret_hash: Vec<u8>,
    id: String,
    user_id: String,
    settings: String,
    created_at: i64,
}

columns!(KeyRow {
    secret_hash,
    id,
    user_id,
    settings,
    created_at,
});

impl KeyRow {
    pub fn key(self) -> Result<(Vec<u8>, VirtualKey)> {
        let settings =
            serde_json::from_str(&self.settings).map_err(|source| crate::StoreError::Corrupt {
                what: "a virtual key",
                source,
            })?;
        let key = VirtualKey {
            id: self.id,
            user: UserId(self.user_id),
            settings,
            created_at: Micros(self.created_at),
        };
        Ok((self.secret_hash, key))
    }
}

/// A row of `ledger_reservations`.
pub(crate) struct ReservationRow {
    pub id: String,
    reserved_at: i64,
    calls: i64,
    tokens: i64,
    micros_usd: i64,
    pub accounts: String,
    tags: String,
}

columns!(ReservationRow {
    id,
    reserved_at,
    calls,
    tokens,
    micros_usd,
    accounts,
    tags,
});

impl ReservationRow {
    pub fn quarter(&self) -> i64 {
        quarter(Micros(self.reserved_at))
    }

    /// The entries to add to the sums once the use is known, in the order in which rows are written, and how
    /// much more or less than was set aside the accounts have used then.
    pub fn entries(
        &self,
        used: Vec<Settlement>,
        kept: Amount,
    ) -> Result<(Vec<Entry>, AccountChange)> {
        let tags: Tags = serde_json::from_str(&self.tags).map_err(corrupt)?;
        // A row from before the bound may hold more than a cell does now; its accounts were held to the bound since.
        let reserved = |stored: i64| stored.clamp(0, MAX_CELL);
        let mut more = AccountChange {
            calls: amount(kept.calls) - reserved(self.calls),
            tokens: amount(kept.tokens) - reserved(self.tokens),
            micros_usd: amount(kept.micros_usd) - reserved(self.micros_usd),
        };
        let mut entries: Vec<Entry> = (used.into_iter())
            .map(|used| Entry {
                quarter: self.quarter(),
                calls: amount(used.calls),
                failed: amount(used.calls) * i64::from(used.status == CallStatus::Failed),
                cancelled: amount(used.calls) * i64::from(used.status == CallStatus::Cancelled),
                prompt_tokens: amount(used.prompt_tokens),
                completion_tokens: amount(used.completion_tokens),
                micros_usd: amount(used.micros_usd),
                tags: Tags {
                    model: used.model,
                    ..tags.clone()
                },
            })
            .collect();
        for entry in &entries {
            let tokens = entry.prompt_tokens.saturating_add(entry.completion_tokens);
            more.calls = more.calls.saturating_add(entry.calls).min(MAX_CELL);
            more.tokens = more.tokens.saturating_add(tokens).min(MAX_CELL);
            more.micros_usd = more
                .micros_usd
                .saturating_add(entry.micros_usd)
                .min(MAX_CELL);
        }
        entries.sort_by(|a, b| a.tags.cmp(&b.tags));
        Ok((entries, more))
    }

    /// The entry to add to the sums where the use will never be known.
    pub fn entry_in_full(&self) -> Result<Entry> {
        let tags: Tags = serde_json::from_str(&self.tags).map_err(corrupt)?;
        Ok(Entry {
            quarter: self.quarter(),
            tags,
            calls: 1,
            failed: 1,
            cancelled: 0,
            prompt_tokens: 0,
            completion_tokens: self.tokens.clamp(0, MAX_CELL),
            micros_usd: self.micros_usd.clamp(0, MAX_CELL),
        })
    }
}

/// The amounts that are added to an account's row; negative where more was set aside than was used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccountChange {
    pub calls: i64,
    pub tokens: i64,
    pub micros_usd: i64,
}

impl From<Amount> for AccountChange {
    fn from(all: Amount) -> Self {
        Self {
            calls: amount(all.calls),
            tokens: amount(all.tokens),
            micros_usd: amount(all.micros_usd),
        }
    }
}

/// The amounts that calls add to the sums.
pub(crate) struct Entry {
    pub quarter: i64,
    pub tags: Tags,
    pub calls: i64,
    pub failed: i64,
    pub cancelled: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub micros_usd: i64,
}

/// A value as the JSON that the tables hold.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("what the ledger keeps as JSON is JSON")
}

fn corrupt(source: serde_json::Error) -> crate::StoreError {
    crate::StoreError::Corrupt {
        what: "a reservation",
        source,
    }
}

/// The key of the sums, as SQL.
pub(crate) fn column(by: UsageBy) -> &'static str {
    match by {
        UsageBy::User => "user_id",
        UsageBy::Mission => "CASE mission_id WHEN '' THEN '' ELSE user_id || '/' || mission_id END",
        UsageBy::Agent => "CASE agent_id WHEN '' THEN '' ELSE user_id || '/' || agent_id END",
        UsageBy::Key => "key_id",
        UsageBy::Model => "model",
    }
}
