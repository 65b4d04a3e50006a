//! Long load: whether the gateway's memory stays constant.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::task::block_in_place;

use super::bounds::{MOST_MEMORY, TURN};
use super::load::{Kind, Pace, Target};
use super::systems::Mana;
use crate::report::{Bound, Report, number};

/// How much larger the mean of the last third may be than the mean of the first, in MiB. An allocator's pages differ by
/// that much.
const MOST_GROWTH: f64 = 1.0;

/// Sends calls and streams for so many minutes, and returns how many were sent.
pub fn run(
    report: &mut Report,
    mana: &Mana,
    target: &Target,
    rate: u32,
    minutes: u64,
) -> Result<usize> {
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut memory = Vec::new();
    let (mut sent, mut failed) = (0, 0);
    for kind in [Kind::Chat, Kind::Stream].into_iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        let during = TURN;
        let fired = block_in_place(|| target.fire(Pace { kind, rate, during }));
        sent += fired.sent;
        failed += fired.failed + fired.unsent;
        memory.push(mana.memory()?);
    }
    let third = memory.len() / 3;
    if third == 0 {
        bail!("so short a load shows nothing of memory; take --minutes 1 or more");
    }
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (first, last) = (
        mean(&memory[..third]),
        mean(&memory[memory.len() - third..]),
    );
    let most = memory.iter().copied().fold(0.0, f64::max);
    let beside = format!(
        "{} calls and streams, {rate} a second, without a pause",
        number(sent as f64)
    );
    report.add(
        format!("most resident memory in {minutes} minutes of load"),
        most,
        "MiB",
        Bound::AtMost(MOST_MEMORY),
        beside,
    );
    report.add(
        "… mean of the last third less that of the first",
        last - first,
        "MiB",
        Bound::AtMost(MOST_GROWTH),
        format!(
            "first third: {} MiB; last: {} MiB",
            number(first),
            number(last)
        ),
    );
    report.add(
        "… of them failed or were not sent in time",
        f64::from(u32::try_from(failed)?),
        "",
        Bound::AtMost(0.0),
        "",
    );
    Ok(sent)
}
