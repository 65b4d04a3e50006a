//! The charging of calls over HTTP: a reservation before each, its settlement after it, in an account of the ledger
//! for the person and one for the virtual key.
//!
//! The only part of the gateway that knows the store. A call reaches it through [`Auth`](crate::http::Auth).

pub mod keys;
mod pool;
mod reservations;
#[cfg(test)]
mod test_ledger;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mana_core::Micros;
use mana_store::{
    Accounts, Amount, CallStatus, Ledger, Limits, Line, Measure, Over, Role, Settlement,
    StoreError, Tags, UserId,
};
use quick_cache::sync::Cache;

use self::keys::{Key, Keys, Window};
use self::pool::Payer;
use self::reservations::Reservations;
use crate::auth::Caller;
use crate::call_usage::{CallEstimate, Ending, MeterGuard, Used};
use crate::error::{ErrorKind, GatewayError};
use crate::gateway::Gateway;

/// The tokens that are reserved for an answer that the request leaves unbounded. Where there is a budget, the answer is
/// bounded to them, so that the budget holds.
const UNBOUNDED_TOKENS: u64 = 8192;

/// How the ledger's account of the owner's limit of a member begins; the member's id follows.
const MEMBER: &str = "member:";

/// The refusal of a member's own token.
const SHUT: &str = "The owner of this server has not opened its models to members' programs; ask the owner for a key, \
                    or to open them on the page about people or with MANA_MEMBER_API=on, best with a limit of \
                    members' calls, tokens or money a day";

/// The most accounts whose facts are kept in memory.
const PAYERS: usize = 10_000;

/// How long the facts of an account are kept, in microseconds.
const FACTS_KEPT_US: i64 = 60 * 1_000_000;

/// The accounts of callers: virtual keys, reservations and the ledger behind them.
pub struct Metering {
    /// The virtual keys.
    pub keys: Arc<Keys>,
    reservations: Arc<Reservations>,
    accounts: Arc<dyn Accounts>,
    /// The most that each member's calls may take in a day.
    members: Limits,
    /// Whether programs may ask for models with a member's own token.
    members_may_call: AtomicBool,
    /// Whether the owner limits single people.
    limits_people: AtomicBool,
    /// Accounts that paid of late, each with the time when it was read.
    payers: Cache<UserId, (Micros, PayerFacts)>,
    clock: fn() -> Micros,
}

/// The facts about the account that pays, as a budget needs them.
#[derive(Clone)]
struct PayerFacts {
    /// Its time zone, where its days begin.
    zone: String,
    /// Whether the owner's limits of members hold for it.
    is_member: bool,
    /// The most that its calls may take in a day: the owner's for this person, else those of members.
    day: Limits,
}

impl Metering {
    /// Meters into this ledger. `members` is what each member's calls may take in a day, by any way. `clock` is the
    /// server's.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        accounts: Arc<dyn Accounts>,
        members: Limits,
        clock: fn() -> Micros,
    ) -> Metering {
        Metering {
            keys: Keys::new(ledger.clone()),
            reservations: Arc::new(Reservations::new(ledger)),
            accounts,
            members,
            members_may_call: AtomicBool::new(true),
            limits_people: AtomicBool::new(false),
            payers: Cache::new(PAYERS),
            clock,
        }
    }

    /// Lets members' own tokens call models or not. Their virtual keys are the owner's leave.
    pub fn let_members_call(&self, may: bool) {
        self.members_may_call.store(may, Ordering::Relaxed);
    }

    /// Whether members' own tokens may call models.
    pub fn members_may_call(&self) -> bool {
        self.members_may_call.load(Ordering::Relaxed)
    }

    /// Says whether the owner limits single people, whose accounts have to be read before a call then; and forgets what
    /// was known of accounts.
    pub fn people_changed(&self, limits_people: bool) {
        self.limits_people.store(limits_people, Ordering::Relaxed);
        self.payers.clear();
    }

    /// Renews, refills and settles reservations, until the future is dropped.
    pub fn run(&self) -> impl Future<Output = ()> + Send + use<> {
        self.reservations.clone().run(self.clock)
    }

    /// Writes all usage to the ledger, so that it is exact.
    ///
    /// # Errors
    ///
    /// The usage of a payer can't be written and is kept to be written later; the other payers' is written.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.reservations.settle().await
    }

    /// [`settle`](Self::settle) for a reader of the ledger, who gets what could be written.
    pub async fn settle_what_can_be(&self) {
        if let Err(error) = self.settle().await {
            tracing::error!(error = %error, "the usage of some calls could not be written yet: {error}");
        }
    }

    /// The key with this secret, unless it has expired.
    pub fn key_shown(&self, secret: &str) -> Option<Arc<Key>> {
        self.keys.shown(secret, (self.clock)())
    }

    /// Whether a caller is shown a model or an alias.
    pub fn may_see(&self, caller: &Caller, model: &str) -> bool {
        match caller {
            Caller::Key { id, .. } => self.keys.get(id).is_some_and(|key| key.may(model)),
            Caller::User(_) | Caller::Service => true,
        }
    }

    /// Reserves what a call may take, or says why it may not be made. `None` for the service, which meters itself.
    ///
    /// # Errors
    ///
    /// The caller may not make this call, its budget does not hold it, or the ledger can't be reached.
    pub async fn reserve(
        &self,
        gateway: &Arc<Gateway>,
        caller: &Caller,
        ask: CallEstimate,
    ) -> Result<Option<MeterGuard>, GatewayError> {
        let (user, key) = match caller {
            Caller::Service => return Ok(None),
            Caller::User(user) => (user, None),
            Caller::Key { id, user } => (user, Some(self.key(id, &ask)?)),
        };
        let user = UserId(user.clone());
        let now = (self.clock)();
        let key = key.as_deref();
        let completion_tokens = ask.completion_tokens.unwrap_or(UNBOUNDED_TOKENS);
        let answers = completion_tokens.saturating_mul(ask.choices.max(1));
        let money = gateway.most_micros_usd(&ask.chain, ask.prompt_tokens, answers);
        let key_limits = key.map(key_limits).unwrap_or_default();
        let is_shut = key.is_none() && !self.members_may_call();
        let is_unlimited = key_limits.is_unlimited()
            && self.members.is_unlimited()
            && !self.limits_people.load(Ordering::Relaxed);
        // What nobody limits, nobody waits for.
        let payer = match is_unlimited && !is_shut {
            true => None,
            false => Some(self.payer(&user, now).await?),
        };
        if is_shut && payer.as_ref().is_some_and(|payer| payer.is_member) {
            return Err(GatewayError::new(ErrorKind::Forbidden, SHUT));
        }
        let mut lines = vec![Line {
            account: format!("user:{user}"),
            since: now,
            limits: Limits::default(),
        }];
        if let Some(payer) = payer.as_ref().filter(|payer| payer.is_member)
            && !payer.day.is_unlimited()
        {
            lines.push(Line {
                account: format!("{MEMBER}{user}"),
                since: window_start(now, &payer.zone, Window::Day),
                limits: payer.day,
            });
        }
        if let Some(key) = key {
            lines.push(Line {
                account: format!("key:{}", key.id),
                since: payer.map_or(now, |payer| {
                    window_start(now, &payer.zone, key.settings.window)
                }),
                limits: key_limits,
            });
        }
        if money.is_none()
            && let Some(line) = lines.iter().find(|line| line.limits.micros_usd.is_some())
        {
            return Err(no_price(line, &ask.model));
        }
        let bounds = lines
            .iter()
            .any(|line| line.limits.tokens.is_some() || line.limits.micros_usd.is_some());
        let money = u128::from(money.unwrap_or(0));
        let amount = Amount {
            calls: 1,
            tokens: ask.prompt_tokens.saturating_add(answers),
            // Percent of a price that may be as large as any number.
            micros_usd: u64::try_from(money * u128::from(ask.price_percent.max(100)) / 100)
                .unwrap_or(u64::MAX)
                .saturating_add(ask.fees_micros_usd),
        };
        let taken_for = TakenFor {
            prompt_tokens: ask.prompt_tokens,
            completion_tokens,
            is_assumed: ask.completion_tokens.is_none(),
            choices: ask.choices.max(1),
            amount,
        };
        let payer = Payer {
            lines,
            tags: Tags {
                user,
                mission: None,
                agent: None,
                key: key.map(|key| key.id.clone()),
                model: ask.model,
            },
        };
        let drawn = match self.reservations.draw(now, payer, amount).await {
            Ok(Ok(drawn)) => drawn,
            Ok(Err(over)) => return Err(over_budget(&over, key, &taken_for)),
            Err(error) => return Err(not_metered(&error)),
        };
        let gateway = gateway.clone();
        let prompt_tokens = ask.prompt_tokens;
        let settle = move |used: Used| {
            let micros_usd = |model: &str, prompt_tokens, completion_tokens| {
                let chain = [model.to_owned()];
                let most = gateway.most_micros_usd(&chain, prompt_tokens, completion_tokens);
                most.unwrap_or(0)
            };
            // They are part of this call, so they add tokens and no calls.
            let also_read = used.also_read.into_iter().map(|model| Settlement {
                calls: 0,
                prompt_tokens,
                completion_tokens: 0,
                micros_usd: micros_usd(&model, prompt_tokens, 0),
                model,
                status: CallStatus::Failed,
            });
            let also_read = also_read.collect();
            let call = Settlement {
                calls: 1,
                prompt_tokens: used.prompt_tokens,
                completion_tokens: used.completion_tokens,
                micros_usd: used.micros_usd.unwrap_or_else(|| {
                    micros_usd(&used.model, used.prompt_tokens, used.completion_tokens)
                }),
                model: used.model,
                status: match used.ending {
                    Ending::Answered => CallStatus::Ok,
                    Ending::Failed => CallStatus::Failed,
                    Ending::Cancelled => CallStatus::Cancelled,
                },
            };
            drawn.settle(call, also_read);
        };
        Ok(Some(MeterGuard {
            completion_tokens,
            bounds,
            settle: Box::new(settle),
        }))
    }
    /// The key, if it may make this call now.
    fn key(&self, id: &str, ask: &CallEstimate) -> Result<Arc<Key>, GatewayError> {
        let gone = || {
            GatewayError::new(
                ErrorKind::Unauthorized,
                "The key has just been taken away; ask for a new one",
            )
        };
        let key = self.keys.get(id).ok_or_else(gone)?;
        if !key.may(&ask.model) && !ask.chain.iter().all(|model| key.may(model)) {
            return Err(GatewayError::new(
                ErrorKind::Forbidden,
                format!(
                    "This key may not ask for {}; it may ask for {}",
                    ask.model,
                    key.settings.models.join(", ")
                ),
            ));
        }
        key.take().map_err(|retry_after| {
            GatewayError::new(
                ErrorKind::TooManyCalls { retry_after },
                "This key makes more calls a minute than it may; try again in a moment",
            )
        })?;
        Ok(key)
    }

    /// Facts of the account that pays, which may be a minute old: a call must not wait for the database to know where
    /// its window begins.
    async fn payer(&self, user: &UserId, now: Micros) -> Result<PayerFacts, GatewayError> {
        let known = self.payers.get(user);
        if let Some((read_at, facts)) = known
            && (0..FACTS_KEPT_US).contains(&(now.0 - read_at.0))
        {
            return Ok(facts);
        }
        let account = self.accounts.user(user).await;
        let account = account.map_err(|error| not_metered(&error))?;
        let own = account.as_ref().and_then(|account| account.limits);
        let facts = PayerFacts {
            day: own.map_or(self.members, |own| own.models()),
            is_member: (account.as_ref()).is_none_or(|account| account.role != Role::Owner),
            zone: account.map_or_else(|| "UTC".to_owned(), |account| account.timezone),
        };
        self.payers.insert(user.clone(), (now, facts.clone()));
        Ok(facts)
    }
}

/// The budgets of a key.
fn key_limits(key: &Key) -> Limits {
    Limits {
        calls: None,
        tokens: key.settings.tokens,
        micros_usd: key.settings.money.map(|usd| (usd * 1e6).max(0.0) as u64),
    }
}

/// The refusal of a call to a model without a price, where a budget is in money.
fn no_price(line: &Line, model: &str) -> GatewayError {
    let whose = match line.account.starts_with(MEMBER) {
        true => "The limit of this server's members is",
        false => "The key has a budget",
    };
    GatewayError::new(
        ErrorKind::Forbidden,
        format!(
            "{whose} in money, and the price of {model} is not known; the owner can enter it in the settings"
        ),
    )
}

fn not_metered(error: &StoreError) -> GatewayError {
    tracing::error!(error = %error, "a call could not be metered: {error}");
    GatewayError::new(
        ErrorKind::Cancelled,
        "The call could not be metered, so it was not made; try again in a moment",
    )
}

/// The start of the current window in a time zone; in UTC where there is no such zone.
pub fn window_start(now: Micros, zone: &str, window: Window) -> Micros {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let start = Timestamp::from_microsecond(now.0).ok().and_then(|now| {
        let now = now.to_zoned(zone);
        let first = match window {
            Window::Day => now,
            Window::Month => now.first_of_month().ok()?,
        };
        Some(first.start_of_day().ok()?.timestamp().as_microsecond())
    });
    start.map_or(now, Micros)
}

/// The estimate that a call was refused for.
struct TakenFor {
    prompt_tokens: u64,
    /// Of each answer.
    completion_tokens: u64,
    /// The request did not bound its answer.
    is_assumed: bool,
    choices: u64,
    amount: Amount,
}

fn over_budget(over: &Over, key: Option<&Key>, taken_for: &TakenFor) -> GatewayError {
    let amount = |count: u64| match over.measure {
        Measure::Calls => format!("{count} calls"),
        Measure::Tokens => format!("{count} tokens"),
        Measure::Money => format!("${:.4}", count as f64 / 1e6),
    };
    let (used, limit) = (amount(over.used), amount(over.limit));
    let left = amount(over.limit.saturating_sub(over.used));
    let estimate = taken_for.words(over.measure);
    let message = if over.account.starts_with(MEMBER) {
        format!(
            "The owner of this server allows each member {limit} a day, and this call does not fit: {estimate}\
             {used} are used or reserved today, {left} are left; ask for less, wait for tomorrow, or ask the owner \
             for more"
        )
    } else {
        let window = match key.map(|key| key.settings.window) {
            Some(Window::Month) => "this month",
            _ => "today",
        };
        format!(
            "The budget does not hold this call: {estimate}{used} of {limit} are used or reserved {window}, {left} are \
             left; ask for less, with max_tokens, or raise the budget"
        )
    };
    GatewayError::new(ErrorKind::OverBudget, message)
}

impl TakenFor {
    /// The estimate as the beginning of a sentence; nothing where calls are counted.
    fn words(&self, measure: Measure) -> String {
        if measure == Measure::Calls {
            return String::new();
        }
        let assumed = match self.is_assumed {
            true => ", as it names no max_tokens",
            false => "",
        };
        let answers = match self.choices {
            1 => String::new(),
            choices => format!(" × {choices}"),
        };
        let sum = match measure {
            Measure::Money => format!("${:.4}", self.amount.micros_usd as f64 / 1e6),
            _ => format!("{} tokens", self.amount.tokens),
        };
        format!(
            "it was taken for {sum} ({} tokens of the prompt and {}{answers} of the answer{assumed}); ",
            self.prompt_tokens, self.completion_tokens
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_call_was_taken_for_and_what_is_left() {
        let said = |account: &str, measure, choices, is_assumed| {
            let over = Over {
                account: account.to_owned(),
                since: Micros(0),
                measure,
                limit: 2000,
                used: 10,
            };
            let taken_for = TakenFor {
                prompt_tokens: 12,
                completion_tokens: 100,
                is_assumed,
                choices,
                amount: Amount {
                    calls: 1,
                    tokens: 5012,
                    micros_usd: 2500,
                },
            };
            over_budget(&over, None, &taken_for).message
        };
        assert_eq!(
            said("key:k", Measure::Tokens, 50, false),
            "The budget does not hold this call: it was taken for 5012 tokens (12 tokens of the prompt and 100 × 50 of \
             the answer); 10 tokens of 2000 tokens are used or reserved today, 1990 tokens are left; ask for less, \
             with max_tokens, or raise the budget"
        );
        let money = said("member:ada", Measure::Money, 1, true);
        for words in [
            "taken for $0.0025",
            "100 of the answer, as it names no max_tokens",
            "$0.0020 are left",
        ] {
            assert!(money.contains(words), "{money}");
        }
        assert!(!said("key:k", Measure::Calls, 1, false).contains("taken for"));
    }

    #[test]
    fn windows_begin_where_the_person_is() {
        let at = |text: &str| Micros::parse(text).unwrap();
        let now = at("2026-03-29T21:30:00Z");
        let begins = |zone, window| window_start(now, zone, window);
        // The day on which the clocks went forward.
        assert_eq!(
            begins("Europe/Berlin", Window::Day),
            at("2026-03-28T23:00:00Z")
        );
        assert_eq!(
            begins("Asia/Kathmandu", Window::Day),
            at("2026-03-29T18:15:00Z")
        );
        assert_eq!(
            begins("Europe/Berlin", Window::Month),
            at("2026-02-28T23:00:00Z")
        );
        assert_eq!(begins("Nowhere", Window::Day), at("2026-03-29T00:00:00Z"));
    }
}
