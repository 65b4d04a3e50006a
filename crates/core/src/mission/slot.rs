//! Slots: the name of one occurrence of a mission.

use crate::time::Micros;

/// The slot of an occurrence by cadence: `due:<ms>`.
pub fn due(at: Micros) -> String {
    format!("due:{}", at.0.div_euclid(1000))
}

/// The slot of a run that a person asked for: `run:<client uuid>`.
pub fn run(request: &str) -> String {
    format!("run:{request}")
}

/// The slot of an occurrence that is made up for: `backfill:<ms>`.
pub fn backfill(at: Micros) -> String {
    format!("backfill:{}", at.0.div_euclid(1000))
}

/// Whether a slot makes up for an occurrence of the past.
pub fn is_backfill(slot: &str) -> bool {
    slot.starts_with("backfill:")
}

/// The time of a `due:` or `backfill:` slot.
pub fn time(slot: &str) -> Option<Micros> {
    let (_, millis) = slot
        .split_once(':')
        .filter(|(kind, _)| matches!(*kind, "due" | "backfill"))?;
    millis.parse::<i64>().ok()?.checked_mul(1000).map(Micros)
}

/// Whether a slot is of a known form: `due:<ms>`, `backfill:<ms>` or
/// `run:<id>` with up to 64 letters, digits and dashes.
pub fn is_valid(slot: &str) -> bool {
    match slot.split_once(':') {
        Some(("due" | "backfill", _)) => time(slot).is_some(),
        Some(("run", id)) => {
            (1..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }
        _ => false,
    }
}
