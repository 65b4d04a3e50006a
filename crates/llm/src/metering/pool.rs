//! The state of one payer's pool: the reservation that calls draw from, and those that are still to be settled.

use std::collections::BTreeMap;

use mana_core::Micros;
use mana_store::{Amount, CallStatus, Line, Settlement, Tags, quarter};

/// How long calls draw from one shared reservation; then another takes its place, so that it can expire.
pub(super) const DRAWN_FOR_US: i64 = 60 * 1_000_000;
/// How long a shared reservation is kept for calls to come.
pub(super) const IDLE_FOR_US: i64 = 10 * 1_000_000;
/// How long a reservation holds in the ledger after it was made or renewed.
pub(super) const HOLDS_FOR_US: i64 = 120 * 1_000_000;
/// A reservation with calls that still wait or run is renewed once it holds for less than this.
const RENEW_BEFORE_US: i64 = 90 * 1_000_000;
/// The part of a budget that may be set aside ahead.
pub(super) const PART: u64 = 16;

/// The accounts that pay for a call, and their budgets. The last line names the payer.
#[derive(Clone)]
pub struct Payer {
    /// The accounts, each with its budget.
    pub lines: Vec<Line>,
    /// The tags by which usage is summed, apart from the model that answers.
    pub tags: Tags,
}

#[derive(Default)]
pub(super) struct PoolState {
    /// The reservation that calls draw from.
    pub current: Option<SharedReservation>,
    /// Reservations that calls drew from before; each is settled once its calls have ended.
    pub past: Vec<SharedReservation>,
    /// The usage of calls since the last look.
    pub spent: Amount,
    /// The most that was drawn at one time since the last look.
    pub peak: Amount,
}

/// A reservation in the ledger that many calls share: `free`, `drawn` and `used` together are its amount.
pub(super) struct SharedReservation {
    pub id: String,
    pub payer: Payer,
    pub made_at: Micros,
    /// When the ledger takes the reservation for used in full, unless it is renewed.
    pub expires_at: Micros,
    pub drawn_at: Micros,
    pub free: Amount,
    pub drawn: Amount,
    /// Calls that wait or run.
    pub calls: usize,
    /// The usage that the ledger does not know yet.
    pub used: BTreeMap<(String, CallStatus), Settlement>,
}

/// Combines calls with calls, tokens with tokens and money with money.
pub(super) fn each(a: Amount, b: Amount, with: impl Fn(u64, u64) -> u64) -> Amount {
    Amount {
        calls: with(a.calls, b.calls),
        tokens: with(a.tokens, b.tokens),
        micros_usd: with(a.micros_usd, b.micros_usd),
    }
}

pub(super) fn plus(a: Amount, b: Amount) -> Amount {
    each(a, b, u64::saturating_add)
}

pub(super) fn minus(a: Amount, b: Amount) -> Amount {
    each(a, b, u64::saturating_sub)
}

pub(super) fn covers(a: Amount, b: Amount) -> bool {
    each(a, b, |a, b| u64::from(a < b)) == Amount::default()
}

impl PoolState {
    /// Draws from the current reservation if it is for this payer, young enough and large enough. Returns its id.
    pub fn draw(&mut self, now: Micros, payer: &Payer, amount: Amount) -> Option<String> {
        let current = self.current.as_mut()?;
        let good = current.payer.lines == payer.lines
            // The ledger's sums are by the quarter in which an shared was made.
            && quarter(current.made_at) == quarter(now)
            && (0..DRAWN_FOR_US).contains(&(now.0 - current.made_at.0))
            && covers(current.free, amount);
        if !good {
            return None;
        }
        current.free = minus(current.free, amount);
        current.drawn = plus(current.drawn, amount);
        current.calls += 1;
        current.drawn_at = now;
        self.peak = each(self.peak, current.drawn, u64::max);
        Some(current.id.clone())
    }

    /// Ends a call: the part of its amount that it did not use is free again.
    pub fn end(&mut self, id: &str, drawn: Amount, used: impl Iterator<Item = Settlement>) {
        let mut all = self.past.iter_mut().chain(&mut self.current);
        let Some(shared) = all.find(|shared| shared.id == id) else {
            return;
        };
        shared.drawn = minus(shared.drawn, drawn);
        shared.calls -= 1;
        shared.free = plus(shared.free, drawn);
        for used in used {
            let amount = Amount {
                calls: used.calls,
                tokens: used.prompt_tokens.saturating_add(used.completion_tokens),
                micros_usd: used.micros_usd,
            };
            // A call that took more than it drew takes it from the others; what they lack then is more than was set
            // aside, and the ledger gets it all the same.
            shared.free = minus(shared.free, amount);
            self.spent = plus(self.spent, amount);
            shared.book(used);
        }
    }

    /// How much to set aside for calls to come: twice what they took of late, and a small part of any budget.
    pub fn ahead(&self, lines: &[Line]) -> Amount {
        let lately = plus(self.spent, self.peak);
        lines.iter().fold(plus(lately, lately), |most, line| {
            let part = |limit: Option<u64>| limit.map_or(u64::MAX, |limit| limit / PART);
            let part = Amount {
                calls: part(line.limits.calls),
                tokens: part(line.limits.tokens),
                micros_usd: part(line.limits.micros_usd),
            };
            each(most, part, u64::min)
        })
    }

    /// Closes the current reservation for new calls.
    pub fn retire(&mut self) {
        self.past.extend(self.current.take());
    }

    /// The reservation to make before calls have to wait for it, where calls go on coming.
    pub fn look(&mut self, now: Micros) -> Option<(Payer, Amount)> {
        let current = self.current.as_ref()?;
        let ahead = self.ahead(&current.payer.lines);
        let of_late = each(ahead, ahead, |all, _| all / 2);
        let age = now.0 - current.made_at.0;
        let wanted = !covers(current.free, of_late) || age > DRAWN_FOR_US / 2;
        let idle = !(0..IDLE_FOR_US).contains(&(now.0 - current.drawn_at.0));
        let more =
            (wanted && !idle && ahead != Amount::default()).then(|| (current.payer.clone(), ahead));
        self.spent = Amount::default();
        self.peak = current.drawn;
        if idle {
            self.retire();
        }
        more
    }

    /// The changes that the ledger has to learn: for each reservation its use, and how much of it stays set aside.
    pub fn parts(&mut self) -> Vec<(String, Vec<Settlement>, Amount)> {
        let mut parts = Vec::new();
        let mut part = |one: &mut SharedReservation| {
            let used = std::mem::take(&mut one.used).into_values().collect();
            parts.push((one.id.clone(), used, plus(one.free, one.drawn)));
        };
        for past in &mut self.past {
            let unused = std::mem::take(&mut past.free);
            if past.calls == 0 || unused != Amount::default() || !past.used.is_empty() {
                part(past);
            }
        }
        if let Some(current) = self.current.as_mut().filter(|one| !one.used.is_empty()) {
            part(current);
        }
        parts
    }

    /// Takes back what could not be written to the ledger.
    pub fn keep(&mut self, id: &str, used: Vec<Settlement>) {
        let mut all = self.past.iter_mut().chain(&mut self.current);
        if let Some(shared) = all.find(|shared| shared.id == id) {
            used.into_iter().for_each(|used| shared.book(used));
        }
    }

    /// The reservations whose calls outlast them: a queue or a chain may take longer than any fixed time.
    pub fn outlasted(&self, now: Micros) -> Vec<String> {
        let all = self.past.iter().chain(&self.current);
        all.filter(|one| one.calls > 0 && one.expires_at.0 - now.0 < RENEW_BEFORE_US)
            .map(|one| one.id.clone())
            .collect()
    }

    /// The ledger holds a reservation until then.
    pub fn renewed(&mut self, id: &str, expires_at: Micros) {
        let mut all = self.past.iter_mut().chain(&mut self.current);
        if let Some(one) = all.find(|one| one.id == id) {
            one.expires_at = expires_at;
        }
    }

    /// Whether nothing is set aside and everything is written.
    pub fn is_empty(&self) -> bool {
        self.current.is_none() && self.past.is_empty()
    }

    /// Forgets a reservation that the ledger no longer holds.
    pub fn forget(&mut self, id: &str) {
        self.past.retain(|shared| shared.id != id);
        self.current.take_if(|shared| shared.id == id);
    }
}

impl SharedReservation {
    pub fn book(&mut self, used: Settlement) {
        let sum = (self.used.entry((used.model.clone(), used.status))).or_insert(Settlement {
            calls: 0,
            prompt_tokens: 0,
            completion_tokens: 0,
            micros_usd: 0,
            ..used.clone()
        });
        sum.calls = sum.calls.saturating_add(used.calls);
        sum.prompt_tokens = sum.prompt_tokens.saturating_add(used.prompt_tokens);
        sum.completion_tokens = sum.completion_tokens.saturating_add(used.completion_tokens);
        sum.micros_usd = sum.micros_usd.saturating_add(used.micros_usd);
    }
}
