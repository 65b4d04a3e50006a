//! `cargo xtask bench gateway`: the time that the gateway adds to a call, compared in the same run with other gateways
//! and with none.

mod bounds;
pub mod instructions;
mod load;
mod soak;
mod systems;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::task::block_in_place;

use self::bounds::{MOST_MEMORY, TURN};
use crate::report::{Bound, Report, load as busy, number, percentile};
use crate::server::On;
use load::{Fired, Kind, Pace, Target};
use systems::{Mana, Program};

/// A gateway to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Other {
    /// Written in Rust: Mana must add less than it does.
    Crabllm,
    /// Written in Python: the best known gateway.
    Litellm,
}

/// How much to measure.
pub struct Plan {
    /// Requests a second.
    pub rates: Vec<u32>,
    /// How long each gateway is measured at each rate.
    pub seconds: u64,
    /// Minutes of continuous load on Mana alone, which show that its memory stays constant. None for 0.
    pub minutes: u64,
    /// Gateways to leave out.
    pub without: Vec<Other>,
}

/// The running processes.
struct Systems {
    upstream: Program,
    mana: Mana,
    crabllm: Option<Program>,
    litellm: Option<Program>,
    /// The upstream itself, then Mana, then the other gateways, and a bare relay last.
    targets: Vec<Target>,
    /// Calls that were sent to Mana.
    sent: usize,
}

/// Measures everything.
pub async fn run(binary: &Path, on: On, plan: &Plan) -> Result<Report> {
    let mut report = Report::default();
    let busy_before = busy();
    let mut systems = start(&mut report, binary, on, plan).await?;
    let mut table = String::from(
        "| load | of | p50 | p99 | first byte p50 | p99 | answered/s | failed | unsent |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let mut paces: Vec<_> = plan.rates.iter().map(|rate| (Kind::Chat, *rate)).collect();
    paces.extend(plan.rates.first().map(|rate| (Kind::Stream, *rate)));
    for (kind, rate) in paces {
        let measured = compare(&mut systems, kind, rate, plan.seconds);
        for one in &measured {
            table.push_str(&one.row(kind, rate));
        }
        judge(&mut report, kind, rate, &measured);
    }
    memory(&mut report, &systems)?;
    systems.mana.metered(systems.sent).await?;
    if let Some(crabllm) = &systems.crabllm {
        systems::crabllm_metered(crabllm).await?;
    }
    if plan.minutes > 0 {
        let rate = plan.rates.first().copied().unwrap_or(100);
        let Systems { mana, targets, .. } = &systems;
        systems.sent += soak::run(&mut report, mana, &targets[1], rate, plan.minutes)?;
        systems.mana.metered(systems.sent).await?;
    }
    report.note(table.trim_end());
    report.note(format!(
        "Every one of Mana's {} calls was reserved, settled and charged to its key. In turns of {} s, \
         on {} connections. Load average {busy_before} before, {} after; \
         upstream, load and gateways share the processors.",
        systems.sent,
        TURN.as_secs(),
        load::CONNECTIONS,
        busy()
    ));
    Ok(report)
}

async fn start(report: &mut Report, binary: &Path, on: On, plan: &Plan) -> Result<Systems> {
    let upstream = systems::upstream()?;
    let (mana, target) = Mana::start(binary, on, &upstream).await?;
    let mut targets = vec![systems::direct(&upstream), target];
    let mut other = |which: Other, found: Option<(Program, Target)>, install: &str| {
        let (program, target) = found.or_else(|| {
            report.miss(format!("the comparison with {which:?}; {install}"));
            None
        })?;
        targets.push(target);
        Some(program)
    };
    let crabllm = match plan.without.contains(&Other::Crabllm) {
        true => other(Other::Crabllm, None, "it was left out"),
        false => other(
            Other::Crabllm,
            systems::crabllm(&upstream)?,
            "run `cargo install crabllm crabllm-bench`, and have ~/.cargo/bin in PATH",
        ),
    };
    let litellm = match plan.without.contains(&Other::Litellm) {
        true => None,
        false => other(
            Other::Litellm,
            systems::litellm(&upstream)?,
            "run `python3 -m venv ~/litellm && ~/litellm/bin/pip install 'litellm[proxy]'`, \
             and have ~/litellm/bin in PATH",
        ),
    };
    targets.push(systems::relay(&upstream)?);
    Ok(Systems {
        upstream,
        mana,
        crabllm,
        litellm,
        targets,
        sent: 0,
    })
}

/// The figures of a system at a rate.
struct Measured {
    name: &'static str,
    whole: [f64; 2],
    first: [f64; 2],
    rate: f64,
    failed: usize,
    unsent: usize,
}

/// Measures all systems in turns. Each round begins with another system.
fn compare(systems: &mut Systems, kind: Kind, rate: u32, seconds: u64) -> Vec<Measured> {
    let count = systems.targets.len();
    let mut fired: Vec<Fired> = (0..count).map(|_| Fired::default()).collect();
    let rounds = seconds.div_ceil(TURN.as_secs());
    for round in 0..usize::try_from(rounds).unwrap_or(usize::MAX) {
        for turn in 0..count {
            let which = (round + turn) % count;
            let pace = Pace {
                kind,
                rate,
                during: TURN,
            };
            let target = &systems.targets[which];
            fired[which].add(block_in_place(|| target.fire(pace)));
        }
    }
    systems.sent += fired[1].sent;
    let seconds = TURN.as_secs_f64() * rounds as f64;
    let measured = systems.targets.iter().zip(fired);
    measured
        .map(|(target, mut fired)| {
            if let Some(why) = &fired.why {
                eprintln!("{}: {} failed, such as: {why}", target.name, fired.failed);
            }
            Measured {
                name: target.name,
                whole: halves(&mut fired.whole),
                first: halves(&mut fired.first),
                rate: fired.in_time as f64 / seconds,
                failed: fired.failed,
                unsent: fired.unsent,
            }
        })
        .collect()
}

/// The median and the 99th percentile, in milliseconds.
fn halves(times: &mut [Duration]) -> [f64; 2] {
    match times.is_empty() {
        true => [f64::INFINITY; 2],
        false => [percentile(times, 0.5), percentile(times, 0.99)],
    }
}

impl Measured {
    fn row(&self, kind: Kind, rate: u32) -> String {
        let what = match kind {
            Kind::Chat => "answers",
            Kind::Stream => "streams",
        };
        let cells = [self.whole[0], self.whole[1], self.first[0], self.first[1]]
            .map(|ms| format!("{ms:.3} ms"));
        format!(
            "| {rate} {what}/s | {} | {} | {:.1} | {} | {} |\n",
            self.name,
            cells.join(" | "),
            self.rate,
            self.failed,
            self.unsent
        )
    }

    fn is_behind(&self, rate: u32) -> bool {
        self.failed + self.unsent > 0 || self.rate < 0.99 * f64::from(rate)
    }
}

/// Adds Mana's figures: the time that it adds to a direct call, with crabllm's as the bound.
fn judge(report: &mut Report, kind: Kind, rate: u32, measured: &[Measured]) {
    let [direct, mana, others @ ..] = measured else {
        return;
    };
    let crabllm = others.iter().find(|other| other.name == "crabllm");
    let of: fn(&Measured) -> [f64; 2] = match kind {
        Kind::Chat => |one| one.whole,
        Kind::Stream => |one| one.first,
    };
    for (at, part) in ["p50", "p99"].into_iter().enumerate() {
        let added = |one: &Measured| of(one)[at] - of(direct)[at];
        let bound = crabllm.map_or(Bound::None, |crabllm| Bound::AtMost(added(crabllm)));
        let what = match kind {
            Kind::Chat => format!("added to a call at {rate}/s, {part}"),
            Kind::Stream => format!("added to the first token of a stream at {rate}/s, {part}"),
        };
        let mut beside = vec![format!("direct: {:.3} ms", of(direct)[at])];
        beside.extend(others.iter().map(|other| {
            let behind = if other.is_behind(rate) {
                ", and fell behind"
            } else {
                ""
            };
            format!("{}: {:+.3} ms{behind}", other.name, added(other))
        }));
        report.add(what, added(mana), "ms", bound, beside.join("; "));
    }
    let what = match kind {
        Kind::Chat => format!("answered of {rate} calls a second"),
        Kind::Stream => format!("answered of {rate} streams a second"),
    };
    let beside: Vec<_> = others
        .iter()
        .map(|other| {
            format!(
                "{}: {}/s, {} failed",
                other.name,
                number(other.rate),
                other.failed + other.unsent
            )
        })
        .collect();
    report.add(
        what,
        mana.rate,
        "/s",
        Bound::AtLeast(0.99 * f64::from(rate)),
        beside.join("; "),
    );
    let failed = (mana.failed + mana.unsent) as f64;
    report.add(
        "… of them failed or were not sent in time",
        failed,
        "",
        Bound::AtMost(0.0),
        "",
    );
}

fn memory(report: &mut Report, systems: &Systems) -> Result<()> {
    let mut beside = Vec::new();
    let others = [
        ("crabllm", systems.crabllm.as_ref()),
        ("LiteLLM", systems.litellm.as_ref()),
        ("the upstream", Some(&systems.upstream)),
    ];
    for (name, program) in others {
        if let Some(program) = program {
            beside.push(format!("{name}: {} MiB", number(program.memory()?)));
        }
    }
    report.add(
        "resident memory after this load, as `MANA_ROLES=llm`",
        systems.mana.memory()?,
        "MiB",
        Bound::AtMost(MOST_MEMORY),
        beside.join("; "),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &'static str, whole: f64) -> Measured {
        Measured {
            name,
            whole: [whole, 2.0 * whole],
            first: [whole, 2.0 * whole],
            rate: 100.0,
            failed: 0,
            unsent: 0,
        }
    }

    fn verdict(kind: Kind, all: &[Measured]) -> Result<()> {
        let mut report = Report::default();
        judge(&mut report, kind, 100, all);
        report.verdict()
    }

    #[test]
    fn gateway_must_add_less_than_crabllm_and_fail_in_nothing() {
        let with = |mana: f64| {
            [
                measured("direct", 0.2),
                measured("Mana", mana),
                measured("crabllm", 0.5),
            ]
        };
        verdict(Kind::Chat, &with(0.4)).unwrap();
        verdict(Kind::Chat, &with(0.6)).unwrap_err();
        verdict(Kind::Stream, &with(0.4)).unwrap();
        verdict(Kind::Stream, &with(0.6)).unwrap_err();
        let mut failing = with(0.4);
        failing[1].failed = 1;
        verdict(Kind::Chat, &failing).unwrap_err();
        let mut slow = with(0.4);
        slow[1].rate = 66.0;
        verdict(Kind::Chat, &slow).unwrap_err();
    }
}
