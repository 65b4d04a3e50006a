//! The only place where the server reads a clock: the database's where several servers share one, else the machine's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mana_core::Micros;
use mana_store::Store;

/// Time between two readings of the shared clock.
const READ_EVERY: Duration = Duration::from_secs(10);
/// Difference between the machine's and the shared clock, in microseconds, above which the log says so.
const WARN_ABOVE: i64 = 1_000_000;
/// Value of [`SHARED`] while no clock is shared.
const NONE: i64 = i64::MIN;

/// Offset of the machine's clock, in microseconds.
static SKEW: OnceLock<i64> = OnceLock::new();
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
/// The shared clock's time at [`BEGAN`], in microseconds.
static SHARED: AtomicI64 = AtomicI64::new(NONE);

/// Offsets the machine's clock, before its first reading: `cargo xtask bench night` runs servers whose clocks jump.
pub fn set_skew(micros: i64) {
    SKEW.get_or_init(|| micros);
}

/// Returns the current time, in microseconds since the epoch.
pub fn now() -> Micros {
    match SHARED.load(Ordering::Relaxed) {
        NONE => machine_time(),
        began => Micros(began).plus(elapsed()),
    }
}

/// Follows the clock that the store shares with other processes, if there is one: due times, leases, sessions and
/// stamps are then judged alike by all of them, however wrong a machine's own clock is.
pub async fn synchronize(store: &dyn Store) -> mana_store::Result<()> {
    let asked = elapsed();
    let Some(shared) = store.shared_clock().await? else {
        return Ok(());
    };
    let known = SHARED.load(Ordering::Relaxed);
    let began = began(known, shared, [asked, elapsed()]);
    SHARED.store(began, Ordering::Relaxed);
    let off = machine_time().0 - now().0;
    if known == NONE && off.abs() > WARN_ABOVE {
        tracing::warn!(
            "This machine's clock differs from the database's by {} s; Mana follows the database's",
            off / 1_000_000
        );
    }
    Ok(())
}

/// [Synchronizes the clock](synchronize) repeatedly. Between two readings it advances evenly, even if the machine's
/// clock jumps.
pub async fn follow(store: Arc<dyn Store>) {
    loop {
        tokio::time::sleep(READ_EVERY).await;
        if let Err(error) = synchronize(&*store).await {
            tracing::warn!(error = %error, "The database did not tell the time: {error}");
        }
    }
}

/// Returns the process's start by the shared clock, which showed `shared` at some time between asking and answer. The
/// known start is moved no further than the answer requires, so a slow answer doesn't move it.
fn began(known: i64, shared: Micros, [asked, answered]: [i64; 2]) -> i64 {
    let (low, high) = (shared.0 - answered, shared.0 - asked);
    match known {
        NONE => i64::midpoint(low, high),
        known => known.clamp(low, high),
    }
}

/// Returns the microseconds since the process's start.
fn elapsed() -> i64 {
    i64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(i64::MAX)
}

fn machine_time() -> Micros {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = Micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX));
    now.plus(SKEW.get().copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_is_moved_into_what_an_answer_allows_and_no_further() {
        let began =
            |known, [asked, answered]: [i64; 2]| began(known, Micros(1_000_000), [asked, answered]);
        assert_eq!(began(NONE, [100, 300]), 999_800);
        assert_eq!(began(999_750, [100, 300]), 999_750, "the answer agrees");
        assert_eq!(
            began(999_950, [100, 300]),
            999_900,
            "the known start was late"
        );
        assert_eq!(began(0, [100, 300]), 999_700, "the known start was early");
        assert_eq!(began(990_000, [0, 20_000]), 990_000, "a slow answer");
    }
}
