//! The one place where the server reads a clock: the database's where several servers share one, else the machine's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mana_core::Micros;
use mana_store::Store;

/// How often the shared clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A machine's clock that differs by more microseconds is named in the log.
const WORTH_SAYING: i64 = 1_000_000;
/// No clock is shared.
const NONE: i64 = i64::MIN;

/// How far the machine's clock is off, in microseconds.
static SKEW: OnceLock<i64> = OnceLock::new();
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
/// The shared clock's time when this process [`BEGAN`], in microseconds.
static SHARED: AtomicI64 = AtomicI64::new(NONE);

/// Sets the machine's clock off, before anybody reads it: `cargo xtask bench night` plays servers whose clocks jump.
pub fn set_skew(micros: i64) {
    SKEW.get_or_init(|| micros);
}

/// Now, in microseconds since the epoch.
pub fn now() -> Micros {
    match SHARED.load(Ordering::Relaxed) {
        NONE => of_the_machine(),
        began => Micros(began).plus(elapsed()),
    }
}

/// Goes by the clock that the store shares with other processes, if there is one: what is due, leases, sessions and
/// stamps are then judged alike by all of them, however wrong a machine's own clock is.
pub async fn set_by(store: &dyn Store) -> mana_store::Result<()> {
    let asked = elapsed();
    let Some(shared) = store.shared_clock().await? else {
        return Ok(());
    };
    let known = SHARED.load(Ordering::Relaxed);
    let began = began(known, shared, [asked, elapsed()]);
    SHARED.store(began, Ordering::Relaxed);
    let off = of_the_machine().0 - now().0;
    if known == NONE && off.abs() > WORTH_SAYING {
        tracing::warn!(
            "This machine's clock is {} s off the database's; Mana goes by the database's",
            off / 1_000_000
        );
    }
    Ok(())
}

/// [Sets the clock](set_by) again and again. Between two looks it goes on evenly, whatever the machine's does.
pub async fn follow(store: Arc<dyn Store>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Err(error) = set_by(&*store).await {
            tracing::warn!("The database could not be asked for the time: {error}");
        }
    }
}

/// When the process began, by a clock that showed `shared` at some time between asking and being answered. What is
/// known is moved by no more than that needs, so a slow answer moves it not at all.
fn began(known: i64, shared: Micros, [asked, answered]: [i64; 2]) -> i64 {
    let (low, high) = (shared.0 - answered, shared.0 - asked);
    match known {
        NONE => i64::midpoint(low, high),
        known => known.clamp(low, high),
    }
}

/// Microseconds since the process began.
fn elapsed() -> i64 {
    i64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(i64::MAX)
}

fn of_the_machine() -> Micros {
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
        assert_eq!(began(999_750, [100, 300]), 999_750, "it agrees");
        assert_eq!(began(999_950, [100, 300]), 999_900, "it was ahead");
        assert_eq!(began(0, [100, 300]), 999_700, "it was behind");
        assert_eq!(began(990_000, [0, 20_000]), 990_000, "a slow answer");
    }
}
