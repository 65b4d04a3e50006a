//! Amounts that are set aside ahead, from which calls draw in memory: a call does not wait for the database.
//!
//! In the ledger an *allotment* is one reservation, for many calls. So budgets hold whoever else spends at the same
//! time; and where this process dies, what was set aside stays counted, as with a call that never ended. For that it
//! is kept small: what the last second's calls took, and never more than a sixteenth of a budget. Where a budget has
//! not that much left, each call is set aside for itself.
//!
//! What calls have used goes into the ledger every second, and before anybody looks ([`Allotments::settle`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mana_core::Micros;
use mana_store::{
    Amount, CallStatus, Ledger, Line, Over, Reservation, Reserved, Settlement, StoreError, Tags,
    quarter,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::clock;

/// How often what was used is written.
const EVERY: Duration = Duration::from_secs(1);
/// How long calls draw from one allotment: then another takes its place, so that it can expire.
const DRAWN_FOR_US: i64 = 60 * 1_000_000;
/// How long it is kept for calls to come.
const IDLE_FOR_US: i64 = 10 * 1_000_000;
/// The part of a budget that may be set aside ahead.
const PART: u64 = 16;

/// Who pays for a call, and by what.
#[derive(Clone)]
pub struct Terms {
    /// Its accounts, each with its budget.
    pub lines: Vec<Line>,
    /// How long it may go on, in microseconds.
    pub longest: i64,
    /// What the sums are made by, the model that answers aside.
    pub tags: Tags,
}

/// Everything that this process has set aside for calls over HTTP.
pub struct Allotments {
    ledger: Arc<dyn Ledger>,
    /// By who pays, as the last of the lines names them.
    purses: Mutex<HashMap<String, Arc<Purse>>>,
    /// There is something to look after.
    filled: Notify,
}

/// What is set aside for one payer.
#[derive(Default)]
struct Purse {
    /// Who asks the ledger, one at a time.
    turn: tokio::sync::Mutex<()>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// The one that calls draw from.
    current: Option<Allotment>,
    /// Those that they did; each is settled once its calls have ended.
    past: Vec<Allotment>,
    /// What was used since the last look.
    spent: Amount,
    /// The most that was drawn at one time since the last look.
    peak: Amount,
}

/// One reservation. What was set aside is `free`, `drawn` and what was `used`, together.
struct Allotment {
    id: String,
    terms: Terms,
    made_at: Micros,
    drawn_at: Micros,
    free: Amount,
    drawn: Amount,
    /// Calls that go on.
    calls: usize,
    /// Not written yet.
    used: BTreeMap<(String, CallStatus), Settlement>,
}

/// What a call has drawn. Dropped unsettled, it comes back: no call was made.
pub struct Drawn {
    purse: Arc<Purse>,
    allotment: String,
    amount: Option<Amount>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Half by half.
fn each(a: Amount, b: Amount, with: impl Fn(u64, u64) -> u64) -> Amount {
    Amount {
        tokens: with(a.tokens, b.tokens),
        micros_usd: with(a.micros_usd, b.micros_usd),
    }
}

fn plus(a: Amount, b: Amount) -> Amount {
    each(a, b, u64::saturating_add)
}

fn minus(a: Amount, b: Amount) -> Amount {
    each(a, b, u64::saturating_sub)
}

fn covers(a: Amount, b: Amount) -> bool {
    a.tokens >= b.tokens && a.micros_usd >= b.micros_usd
}

/// A task's answer; what it panics with goes on here.
async fn whole<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(answer) => answer,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

impl Held {
    /// Draws from what there is, if that is for such calls, and enough. Answers whose it is.
    fn draw(&mut self, now: Micros, terms: &Terms, amount: Amount) -> Option<String> {
        let current = self.current.as_mut()?;
        let good = current.terms.lines == terms.lines
            && current.terms.longest >= terms.longest
            // The ledger's sums are by the quarter in which an allotment was made.
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

    /// Ends a call: what it has not used is free again.
    fn end(&mut self, id: &str, drawn: Amount, used: impl Iterator<Item = Settlement>) {
        let mut all = self.past.iter_mut().chain(&mut self.current);
        let Some(allotment) = all.find(|allotment| allotment.id == id) else {
            return;
        };
        allotment.drawn = minus(allotment.drawn, drawn);
        allotment.calls -= 1;
        allotment.free = plus(allotment.free, drawn);
        for used in used {
            let amount = Amount {
                tokens: used.prompt_tokens.saturating_add(used.completion_tokens),
                micros_usd: used.micros_usd,
            };
            // A call that took more than it drew takes it from the others; what they lack then is more than was set
            // aside, and the ledger gets it all the same.
            allotment.free = minus(allotment.free, amount);
            self.spent = plus(self.spent, amount);
            allotment.book(used);
        }
    }

    /// How much to set aside for calls to come: twice what they took of late, and not much of any budget.
    fn ahead(&self, lines: &[Line]) -> Amount {
        let lately = plus(self.spent, self.peak);
        lines.iter().fold(plus(lately, lately), |most, line| {
            let part = |limit: Option<u64>| limit.map_or(u64::MAX, |limit| limit / PART);
            let part = Amount {
                tokens: part(line.tokens_limit),
                micros_usd: part(line.micros_usd_limit),
            };
            each(most, part, u64::min)
        })
    }

    /// From now on nobody draws from what there is.
    fn retire(&mut self) {
        self.past.extend(self.current.take());
    }

    /// What to set aside before calls have to wait for it, where they go on coming.
    fn look(&mut self, now: Micros) -> Option<(Terms, Amount)> {
        let current = self.current.as_ref()?;
        let ahead = self.ahead(&current.terms.lines);
        let of_late = each(ahead, ahead, |all, _| all / 2);
        let age = now.0 - current.made_at.0;
        let wanted = !covers(current.free, of_late) || age > DRAWN_FOR_US / 2;
        let idle = !(0..IDLE_FOR_US).contains(&(now.0 - current.drawn_at.0));
        let more =
            (wanted && !idle && ahead != Amount::default()).then(|| (current.terms.clone(), ahead));
        self.spent = Amount::default();
        self.peak = current.drawn;
        if idle {
            self.retire();
        }
        more
    }

    /// What to write: of each allotment what was used, and how much of it stays set aside.
    fn parts(&mut self) -> Vec<(String, Vec<Settlement>, Amount)> {
        let mut parts = Vec::new();
        let mut part = |one: &mut Allotment| {
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

    /// Takes back what could not be written.
    fn keep(&mut self, id: &str, used: Vec<Settlement>) {
        let mut all = self.past.iter_mut().chain(&mut self.current);
        if let Some(allotment) = all.find(|allotment| allotment.id == id) {
            used.into_iter().for_each(|used| allotment.book(used));
        }
    }

    fn is_empty(&self) -> bool {
        self.current.is_none() && self.past.is_empty()
    }

    /// It is no more in the ledger.
    fn forget(&mut self, id: &str) {
        self.past.retain(|allotment| allotment.id != id);
        self.current.take_if(|allotment| allotment.id == id);
    }
}

impl Allotment {
    fn book(&mut self, used: Settlement) {
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

impl Allotments {
    /// Nothing is set aside at first.
    pub fn new(ledger: Arc<dyn Ledger>) -> Allotments {
        Allotments {
            ledger,
            purses: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// Draws what a call wants; else says which budget does not hold it.
    ///
    /// # Errors
    ///
    /// Where the ledger can't be asked.
    pub async fn draw(
        self: &Arc<Self>,
        now: Micros,
        mut terms: Terms,
        amount: Amount,
    ) -> Result<Result<Drawn, Over>, StoreError> {
        // As the ledger reads them: calls of one window have the same terms.
        for line in &mut terms.lines {
            line.since = Micros(quarter(line.since));
        }
        let payer = terms.lines.last().map(|line| line.account.clone());
        let payer = payer.unwrap_or_default();
        let purse = lock(&self.purses).entry(payer).or_default().clone();
        if let Some(drawn) = purse.draw(now, &terms, amount) {
            return Ok(Ok(drawn));
        }
        // Whoever asks and goes away must not leave something set aside that nobody knows of.
        let all = self.clone();
        let asking = tokio::spawn(async move {
            let _turn = purse.turn.lock().await;
            all.fill_and_draw(&purse, now, terms, amount).await
        });
        whole(asking).await
    }

    /// In its turn.
    async fn fill_and_draw(
        &self,
        purse: &Arc<Purse>,
        now: Micros,
        terms: Terms,
        amount: Amount,
    ) -> Result<Result<Drawn, Over>, StoreError> {
        if let Some(drawn) = purse.draw(now, &terms, amount) {
            return Ok(Ok(drawn));
        }
        // What is left of the one before may be what this call needs.
        let ahead = {
            let mut held = lock(&purse.held);
            held.retire();
            held.ahead(&terms.lines)
        };
        self.write(purse).await?;
        let mut filled = self.fill(purse, now, &terms, amount, ahead).await?;
        if filled.is_err() && ahead != Amount::default() {
            filled = (self.fill(purse, now, &terms, amount, Amount::default())).await?;
        }
        Ok(filled.map(|allotment| Drawn {
            purse: purse.clone(),
            allotment,
            amount: Some(amount),
        }))
    }

    /// Sets aside, in place of what calls drew from until now, and draws some of it at once. Answers the allotment.
    async fn fill(
        &self,
        purse: &Purse,
        now: Micros,
        terms: &Terms,
        drawn: Amount,
        ahead: Amount,
    ) -> Result<Result<String, Over>, StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        let Amount { tokens, micros_usd } = plus(drawn, ahead);
        let reservation = Reservation {
            id: id.clone(),
            lines: terms.lines.clone(),
            tokens,
            micros_usd,
            expires_at: now.plus(DRAWN_FOR_US + terms.longest),
            tags: terms.tags.clone(),
        };
        if let Reserved::Over(over) = self.ledger.reserve(now, reservation).await? {
            return Ok(Err(over));
        }
        let mut held = lock(&purse.held);
        held.retire();
        held.peak = each(held.peak, drawn, u64::max);
        held.current = Some(Allotment {
            id: id.clone(),
            terms: terms.clone(),
            made_at: now,
            drawn_at: now,
            free: ahead,
            drawn,
            calls: usize::from(drawn != Amount::default()),
            used: BTreeMap::new(),
        });
        drop(held);
        self.filled.notify_one();
        Ok(Ok(id))
    }

    /// Brings the ledger up to date, in the purse's turn.
    async fn write(&self, purse: &Purse) -> Result<(), StoreError> {
        let parts = lock(&purse.held).parts();
        let mut failure = None;
        for (id, used, kept) in parts {
            match self.ledger.settle_part(&id, used.clone(), kept).await {
                Ok(true) if kept != Amount::default() => {}
                Ok(true) => lock(&purse.held).forget(&id),
                Ok(false) => {
                    tracing::warn!(
                        "What was set aside for calls had expired, and counts in full; is the clock right?"
                    );
                    lock(&purse.held).forget(&id);
                }
                Err(error) => {
                    lock(&purse.held).keep(&id, used);
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn all(&self) -> Vec<Arc<Purse>> {
        lock(&self.purses).values().cloned().collect()
    }

    /// Writes what was used, and gives back what no call has drawn: then the ledger says how much that is.
    ///
    /// # Errors
    ///
    /// Where it can't be written. Nothing is lost then, it is written later.
    pub async fn settle(self: &Arc<Self>) -> Result<(), StoreError> {
        let all = self.clone();
        // Whoever asks and goes away must not take along what is being written.
        let writing = tokio::spawn(async move {
            let mut failure = None;
            for purse in all.all() {
                let _turn = purse.turn.lock().await;
                lock(&purse.held).retire();
                // A payer whose sums can't be written must not keep the others from theirs.
                if let Err(error) = all.write(&purse).await {
                    failure = Some(error);
                }
            }
            failure.map_or(Ok(()), Err)
        });
        whole(writing).await
    }

    /// Looks after everything, until it is dropped.
    pub async fn run(self: Arc<Self>) {
        loop {
            if lock(&self.purses).is_empty() {
                self.filled.notified().await;
            }
            tokio::time::sleep(EVERY).await;
            for purse in self.all() {
                let _turn = purse.turn.lock().await;
                if let Err(error) = self.look_after(&purse, clock::now()).await {
                    tracing::warn!("What calls have used could not be written yet: {error}");
                }
            }
            lock(&self.purses).retain(|_, purse| {
                // Nobody takes one while they are locked here.
                Arc::strong_count(purse) > 1 || !lock(&purse.held).is_empty()
            });
        }
    }

    async fn look_after(&self, purse: &Purse, now: Micros) -> Result<(), StoreError> {
        let more = lock(&purse.held).look(now);
        if let Some((terms, ahead)) = more {
            // Where a budget has not that much left, each call asks for itself.
            let _ = (self.fill(purse, now, &terms, Amount::default(), ahead)).await?;
        }
        self.write(purse).await
    }
}

impl Purse {
    fn draw(self: &Arc<Self>, now: Micros, terms: &Terms, amount: Amount) -> Option<Drawn> {
        let allotment = lock(&self.held).draw(now, terms, amount)?;
        Some(Drawn {
            purse: self.clone(),
            allotment,
            amount: Some(amount),
        })
    }
}

impl Drawn {
    /// Replaces the reservation by what the call used, and by what models had read that failed before.
    pub fn settle(mut self, used: Settlement, also_read: Vec<Settlement>) {
        if let Some(amount) = self.amount.take() {
            let used = std::iter::once(used).chain(also_read);
            lock(&self.purse.held).end(&self.allotment, amount, used);
        }
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        if let Some(amount) = self.amount.take() {
            lock(&self.purse.held).end(&self.allotment, amount, std::iter::empty());
        }
    }
}

#[cfg(test)]
mod tests;
