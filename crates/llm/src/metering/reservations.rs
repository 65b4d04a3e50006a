//! Amounts that are set aside ahead, from which calls draw in memory: a call does not wait for the database.
//!
//! A reservation in the ledger is shared by many calls of one payer. So budgets hold whoever else spends at the same
//! time; and where this process dies, the reserved amount stays counted, as with a call that never ended. For that it
//! is kept small: twice what the last second's calls took, and never more than a sixteenth of a budget. Where a budget
//! has not that much left, each call is reserved by itself.
//!
//! A reservation is renewed for as long as its calls wait or run, and expires soon after this process has died. The
//! usage of calls goes into the ledger every second, and before usage is read ([`Reservations::settle`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mana_core::Micros;
use mana_store::{Amount, Ledger, Over, Reservation, Reserved, Settlement, StoreError, quarter};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::pool::{HOLDS_FOR_US, Payer, PoolState, SharedReservation, each, plus};

/// How often usage is written to the ledger.
const EVERY: Duration = Duration::from_secs(1);

/// Everything that this process has set aside for calls over HTTP.
pub struct Reservations {
    ledger: Arc<dyn Ledger>,
    /// By payer.
    pools: Mutex<HashMap<String, Arc<ReservationPool>>>,
    /// Wakes the loop that looks after the pools.
    filled: Notify,
}

/// The reservations of one payer.
#[derive(Default)]
struct ReservationPool {
    /// Held while the ledger is asked for this payer.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<PoolState>,
}

/// The amount that a call has drawn. Dropped unsettled, it comes back: no call was made.
pub struct CallReservation {
    pool: Arc<ReservationPool>,
    shared: String,
    amount: Option<Amount>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The output of a task; its panic goes on here.
async fn whole<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(answer) => answer,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

impl Reservations {
    /// No reservation is made at first.
    pub fn new(ledger: Arc<dyn Ledger>) -> Reservations {
        Reservations {
            ledger,
            pools: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// Draws the amount of a call, or returns the budget that does not hold it.
    ///
    /// # Errors
    ///
    /// The ledger can't be reached.
    pub async fn draw(
        self: &Arc<Self>,
        now: Micros,
        mut payer: Payer,
        amount: Amount,
    ) -> Result<Result<CallReservation, Over>, StoreError> {
        // Windows begin with a quarter in the ledger, so that calls of one window have equal lines.
        for line in &mut payer.lines {
            line.since = Micros(quarter(line.since));
        }
        let name = payer.lines.last().map(|line| line.account.clone());
        let name = name.unwrap_or_default();
        let pool = lock(&self.pools).entry(name).or_default().clone();
        if let Some(drawn) = pool.draw(now, &payer, amount) {
            return Ok(Ok(drawn));
        }
        // A cancelled caller must not leak its reservation: the ledger is asked in a detached task.
        let all = self.clone();
        let asking = tokio::spawn(async move {
            let _turn = pool.turn.lock().await;
            all.fill_and_draw(&pool, now, payer, amount).await
        });
        whole(asking).await
    }

    /// Makes a reservation and draws from it, in the pool's turn.
    async fn fill_and_draw(
        &self,
        pool: &Arc<ReservationPool>,
        now: Micros,
        payer: Payer,
        amount: Amount,
    ) -> Result<Result<CallReservation, Over>, StoreError> {
        if let Some(drawn) = pool.draw(now, &payer, amount) {
            return Ok(Ok(drawn));
        }
        // The rest of the reservation before may be the amount that this call needs.
        let ahead = {
            let mut state = lock(&pool.state);
            state.retire();
            state.ahead(&payer.lines)
        };
        self.write(pool).await?;
        let mut filled = self.fill(pool, now, &payer, amount, ahead).await?;
        if filled.is_err() && ahead != Amount::default() {
            filled = (self.fill(pool, now, &payer, amount, Amount::default())).await?;
        }
        Ok(filled.map(|shared| CallReservation {
            pool: pool.clone(),
            shared,
            amount: Some(amount),
        }))
    }

    /// Makes the reservation that calls draw from next, and draws some of it at once. Returns its id.
    async fn fill(
        &self,
        pool: &ReservationPool,
        now: Micros,
        payer: &Payer,
        drawn: Amount,
        ahead: Amount,
    ) -> Result<Result<String, Over>, StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        let reservation = Reservation {
            id: id.clone(),
            lines: payer.lines.clone(),
            amount: plus(drawn, ahead),
            expires_at: now.plus(HOLDS_FOR_US),
            tags: payer.tags.clone(),
        };
        if let Reserved::Over(over) = self.ledger.reserve(now, reservation).await? {
            return Ok(Err(over));
        }
        let mut state = lock(&pool.state);
        state.retire();
        state.peak = each(state.peak, drawn, u64::max);
        state.current = Some(SharedReservation {
            id: id.clone(),
            payer: payer.clone(),
            made_at: now,
            expires_at: now.plus(HOLDS_FOR_US),
            drawn_at: now,
            free: ahead,
            drawn,
            calls: usize::from(drawn != Amount::default()),
            used: BTreeMap::new(),
        });
        drop(state);
        self.filled.notify_one();
        Ok(Ok(id))
    }

    /// Writes usage to the ledger, in the pool's turn.
    async fn write(&self, pool: &ReservationPool) -> Result<(), StoreError> {
        let parts = lock(&pool.state).parts();
        let mut failure = None;
        for (id, used, kept) in parts {
            match self.ledger.settle_part(&id, used.clone(), kept).await {
                Ok(true) if kept != Amount::default() => {}
                Ok(true) => lock(&pool.state).forget(&id),
                Ok(false) => {
                    tracing::warn!(
                        reservation = %id,
                        "reservation {id} expired before its calls ended and counts in full; is the clock right?"
                    );
                    lock(&pool.state).forget(&id);
                }
                Err(error) => {
                    lock(&pool.state).keep(&id, used);
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn all(&self) -> Vec<Arc<ReservationPool>> {
        lock(&self.pools).values().cloned().collect()
    }

    /// Writes all usage and gives back what no call has drawn, so that the ledger is exact.
    ///
    /// # Errors
    ///
    /// The usage of a payer can't be written and is kept to be written later; the other payers' is written.
    pub async fn settle(self: &Arc<Self>) -> Result<(), StoreError> {
        let all = self.clone();
        // A cancelled caller must not interrupt the writing: it goes on in a detached task.
        let writing = tokio::spawn(async move {
            let mut failure = None;
            for pool in all.all() {
                let _turn = pool.turn.lock().await;
                lock(&pool.state).retire();
                // A payer whose sums can't be written must not keep the others from theirs.
                if let Err(error) = all.write(&pool).await {
                    failure = Some(error);
                }
            }
            failure.map_or(Ok(()), Err)
        });
        whole(writing).await
    }

    /// Renews, refills and settles every second, until the task is dropped.
    pub async fn run(self: Arc<Self>, clock: fn() -> Micros) {
        loop {
            if lock(&self.pools).is_empty() {
                self.filled.notified().await;
            }
            tokio::time::sleep(EVERY).await;
            for pool in self.all() {
                let _turn = pool.turn.lock().await;
                if let Err(error) = self.look_after(&pool, clock()).await {
                    tracing::warn!(error = %error, "the usage of calls could not be written yet: {error}");
                }
            }
            lock(&self.pools).retain(|_, pool| {
                // No pool is handed out while the map is locked.
                Arc::strong_count(pool) > 1 || !lock(&pool.state).is_empty()
            });
        }
    }

    async fn look_after(&self, pool: &ReservationPool, now: Micros) -> Result<(), StoreError> {
        let outlasted = lock(&pool.state).outlasted(now);
        for id in outlasted {
            let expires_at = now.plus(HOLDS_FOR_US);
            if self.ledger.renew_reservation(&id, expires_at).await? {
                lock(&pool.state).renewed(&id, expires_at);
            }
        }
        let more = lock(&pool.state).look(now);
        if let Some((payer, ahead)) = more {
            // A budget that has not that much left is asked for call by call.
            let _ = (self.fill(pool, now, &payer, Amount::default(), ahead)).await?;
        }
        self.write(pool).await
    }
}

impl ReservationPool {
    fn draw(
        self: &Arc<Self>,
        now: Micros,
        payer: &Payer,
        amount: Amount,
    ) -> Option<CallReservation> {
        let shared = lock(&self.state).draw(now, payer, amount)?;
        Some(CallReservation {
            pool: self.clone(),
            shared,
            amount: Some(amount),
        })
    }
}

impl CallReservation {
    /// Replaces the reservation by what the call used, and by what models had read that failed before.
    pub fn settle(mut self, used: Settlement, also_read: Vec<Settlement>) {
        if let Some(amount) = self.amount.take() {
            let used = std::iter::once(used).chain(also_read);
            lock(&self.pool.state).end(&self.shared, amount, used);
        }
    }
}

impl Drop for CallReservation {
    fn drop(&mut self) {
        if let Some(amount) = self.amount.take() {
            lock(&self.pool.state).end(&self.shared, amount, std::iter::empty());
        }
    }
}

#[cfg(test)]
#[path = "reservations_tests.rs"]
mod tests;
