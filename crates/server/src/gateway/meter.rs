//! Who may come in at `/v1`, and what their calls are charged to: an account in the ledger for the person, and one
//! for the virtual key.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mana_core::Micros;
use mana_llm::http::{Auth, CallEstimate, Caller, Ending, MeterGuard, Used};
use mana_llm::{ErrorKind, GatewayError};
use mana_store::{Amount, CallStatus, Line, Measure, Over, Settlement, StoreError, Tags, UserId};

use super::allotments::Terms;
use super::keys::{Key, Window};
use crate::app::App;
use crate::clock;

/// What is set aside for an answer that the request leaves unbounded. Where there is a budget, the answer is bounded
/// to it, so that the budget holds.
const UNBOUNDED_TOKENS: u64 = 8192;
/// How long after its time-out a call is taken for dead.
const DEAD_AFTER_US: i64 = 60 * 1_000_000;

/// The gateway's door.
pub struct Door(pub Arc<App>);

#[async_trait]
impl Auth for Door {
    async fn caller(&self, bearer: &str) -> Option<Caller> {
        let app = &self.0;
        if app.service_key.is(bearer) {
            return Some(Caller::Service);
        }
        if let Some(key) = app.llm.keys.shown(bearer, clock::now()) {
            return Some(Caller::Key {
                id: key.id.clone(),
                user: key.user.0.clone(),
            });
        }
        let claims = app.auth.check_token(bearer).await.ok()?;
        Some(Caller::User(claims.sub))
    }

    fn may_see(&self, caller: &Caller, model: &str) -> bool {
        match caller {
            Caller::Key { id, .. } => self.0.llm.keys.get(id).is_some_and(|key| key.may(model)),
            Caller::User(_) | Caller::Service => true,
        }
    }

    async fn reserve(
        &self,
        caller: &Caller,
        ask: CallEstimate,
    ) -> Result<Option<MeterGuard>, GatewayError> {
        let (user, key) = match caller {
            Caller::Service => return Ok(None),
            Caller::User(user) => (user, None),
            Caller::Key { id, user } => (user, Some(self.key(id, &ask)?)),
        };
        let user = UserId(user.clone());
        let now = clock::now();
        let key = key.as_deref();
        let limits = key.map(|key| &key.settings);
        let bounds = limits.is_some_and(|limits| limits.tokens.is_some() || limits.money.is_some());
        let completion_tokens = ask.completion_tokens.unwrap_or(UNBOUNDED_TOKENS);
        let price = self.0.gateway.dearest(&ask.chain);
        if limits.is_some_and(|limits| limits.money.is_some()) && price.is_none() {
            return Err(GatewayError::new(
                ErrorKind::Forbidden,
                format!(
                    "The key has a budget in money, and the price of {} is not known; the owner can enter it in the settings",
                    ask.model
                ),
            ));
        }
        let mut lines = vec![Line {
            account: format!("user:{user}"),
            since: now,
            tokens_limit: None,
            micros_usd_limit: None,
        }];
        if let Some(key) = key {
            lines.push(Line {
                account: format!("key:{}", key.id),
                since: self.window(key, now, bounds).await?,
                tokens_limit: key.settings.tokens,
                micros_usd_limit: key.settings.money.map(|usd| (usd * 1e6).max(0.0) as u64),
            });
        }
        let amount = Amount {
            tokens: ask.prompt_tokens.saturating_add(completion_tokens),
            micros_usd: price
                .unwrap_or_default()
                .micros_usd(ask.prompt_tokens, completion_tokens),
        };
        let terms = Terms {
            lines,
            longest: DEAD_AFTER_US,
            tags: Tags {
                user,
                mission: None,
                agent: None,
                key: key.map(|key| key.id.clone()),
                model: ask.model,
            },
        };
        let drawn = match self.0.llm.allotments.draw(now, terms, amount).await {
            Ok(Ok(drawn)) => drawn,
            Ok(Err(over)) => return Err(over_budget(&over, key)),
            Err(error) => return Err(not_metered(&error)),
        };
        let gateway = self.0.gateway.clone();
        let prompt_tokens = ask.prompt_tokens;
        let settle = move |used: Used| {
            let micros_usd = |model: &str, prompt_tokens, completion_tokens| {
                let price = gateway.price(model).unwrap_or_default();
                price.micros_usd(prompt_tokens, completion_tokens)
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
                micros_usd: micros_usd(&used.model, used.prompt_tokens, used.completion_tokens),
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
}

impl Door {
    /// The key, if it may ask this now.
    fn key(&self, id: &str, ask: &CallEstimate) -> Result<Arc<Key>, GatewayError> {
        let gone = || {
            GatewayError::new(
                ErrorKind::Unauthorized,
                "The key has just been taken away; ask for a new one",
            )
        };
        let key = self.0.llm.keys.get(id).ok_or_else(gone)?;
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

    /// Where the window of a key's budget began, if that matters.
    async fn window(&self, key: &Key, now: Micros, matters: bool) -> Result<Micros, GatewayError> {
        if !matters {
            return Ok(now);
        }
        if let Some(zone) = key.zone(now) {
            return Ok(window_start(now, &zone, key.settings.window));
        }
        let account = self.0.auth.accounts.user(&key.user).await;
        let zone = match account {
            Ok(Some(account)) => account.timezone,
            Ok(None) => "UTC".to_owned(),
            Err(error) => return Err(not_metered(&error)),
        };
        key.keep_zone(now, &zone);
        Ok(window_start(now, &zone, key.settings.window))
    }
}

fn not_metered(error: &StoreError) -> GatewayError {
    tracing::error!("A call could not be metered: {error}");
    GatewayError::new(
        ErrorKind::Cancelled,
        "The call could not be metered, so it was not made; try again in a moment",
    )
}

/// When the window began that it is now, in a time zone; in UTC where there is no such zone.
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

fn over_budget(over: &Over, key: Option<&Key>) -> GatewayError {
    let amount = |count: u64| match over.measure {
        Measure::Tokens => format!("{count} tokens"),
        Measure::Money => format!("${:.4}", count as f64 / 1e6),
    };
    let window = match key.map(|key| key.settings.window) {
        Some(Window::Month) => "this month",
        _ => "today",
    };
    GatewayError::new(
        ErrorKind::OverBudget,
        format!(
            "The budget does not hold this call: {} of {} are used or reserved {window}; ask for less, with max_tokens, or raise the budget",
            amount(over.used),
            amount(over.limit)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
