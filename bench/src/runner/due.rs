//! Many missions that are due at the same moment.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mana_core::Micros;
use reqwest::Client;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::size::Size;
use crate::client::{Person, http, new_id, now};
use crate::missions::{SERVICE_KEY, meter, outcome, write};
use crate::report::{Bound, Report};
use crate::server::{Home, On};
use crate::upstream::{Manner, Upstream};

const PEOPLE: usize = 100;
const PATIENCE: Duration = Duration::from_secs(900);

/// Points by the missions that were due.
type Points = Vec<(f64, f64)>;

/// The time until the last run has ended, in seconds, and the runs a second.
pub async fn measure(
    binary: &Path,
    on: On,
    size: Size,
    report: &mut Report,
) -> Result<(Points, Points)> {
    let client = http()?;
    let mut home = Home::new(binary, on)?;
    home.set("MANA_SERVICE_KEY", SERVICE_KEY);
    home.set("TICK_ENABLED", "true");
    let server = home.start().await?;
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(Person::sign_up(&server, &client, &format!("person{n}")).await?);
    }
    // Hashing passwords takes much memory, and some of it stays with the process.
    server.kill().await?;

    let slow = Upstream::start(Manner::after(Duration::from_millis(500)), 1).await?;
    let hundred = at_once(&mut home, &client, &people, &slow, PEOPLE, 2).await?;
    report.add(
        "100 due missions of 100 people at a model that takes 500 ms, until the last has ended",
        hundred.all.as_secs_f64(),
        "s",
        Bound::AtMost(2.0),
        format!(
            "two calls after each other take 1.00 s; 64 at once; begun {:.0} ms after due at the median, \
             {:.0} ms at the latest",
            hundred.median_delay * 1e3,
            hundred.last_delay * 1e3
        ),
    );
    drop(slow);

    let fast = Upstream::start(Manner::after(Duration::from_millis(5)), 1).await?;
    let (mut times, mut rates) = (Vec::new(), Vec::new());
    let mut last = None;
    for count in [100, 1_000, size.due] {
        if count > size.due {
            continue;
        }
        let pushes = pushes(&home, &client, &people).await?;
        let seconds = 2 + count as u64 / 400;
        let found = at_once(&mut home, &client, &people, &fast, count, seconds).await?;
        let rate = count as f64 / found.all.as_secs_f64();
        times.push((count as f64, found.all.as_secs_f64()));
        rates.push((count as f64, rate));
        last = Some((count, found, rate, pushes));
    }
    let (count, found, rate, pushes) = last.context("a size")?;
    report.add(
        format!("{count} due at once, a model that takes 5 ms"),
        rate,
        "runs/s",
        Bound::None,
        format!(
            "a run writes one push; pushes of one change over HTTP by eight devices just before: \
             {pushes:.0}/s, so {:.2} of these; all done after {:.1} s",
            rate / pushes,
            found.all.as_secs_f64()
        ),
    );
    report.add(
        "… the server's memory at its highest",
        found.peak,
        "MiB",
        Bound::AtMost(100.0),
        format!("{:.0} MiB before", found.before),
    );
    Ok((times, rates))
}

struct Found {
    /// The time from the due time to the end of the last run.
    all: Duration,
    median_delay: f64,
    last_delay: f64,
    before: f64,
    peak: f64,
}

/// Writes so many missions, all due at the same moment so many seconds ahead.
async fn at_once(
    home: &mut Home,
    client: &Client,
    people: &[Person],
    upstream: &Upstream,
    count: usize,
    seconds: u64,
) -> Result<Found> {
    home.set("MANA_LLM_URL", &upstream.url);
    home.set("MANA_LLM_MODEL", "default/stub");
    let server = home.start().await?;
    let due = now().plus(i64::try_from(seconds)? * 1_000_000);
    let name = new_id();
    let mut writing = JoinSet::new();
    for (n, person) in people.iter().cloned().enumerate() {
        let mine = (n..count).step_by(people.len());
        let mine: Vec<(String, Micros)> = mine.map(|n| (format!("{name}-{n}"), due)).collect();
        let (client, base) = (client.clone(), server.base.clone());
        writing.spawn(async move { write(&client, &base, &person, &mine).await });
    }
    for written in writing.join_all().await {
        written?;
    }
    ensure!(
        now() < due,
        "writing the missions took longer than {seconds} s"
    );
    let before = server.memory()?;
    let (mut peak, began) = (before, Instant::now());
    loop {
        peak = f64::max(peak, server.memory()?);
        // The records are checked below.
        if meter(client, &server, "mana_runs_total").await? >= count as f64 {
            break;
        }
        if began.elapsed() > PATIENCE {
            bail!("the runs did not end:\n{}", home.log());
        }
        sleep(Duration::from_millis(100)).await;
    }
    let mut delays = Vec::new();
    let mut end = due;
    for person in people {
        for run in outcome(client, &server, person).await?.0 {
            if !run.mission_id.starts_with(&name) {
                continue;
            }
            ensure!(run.status == "ran", "{run:?}");
            delays.push((run.started.0 - due.0) as f64 / 1e6);
            end = end.max(run.finished);
        }
    }
    ensure!(delays.len() == count, "{} of {count} ran", delays.len());
    delays.sort_by(f64::total_cmp);
    server.kill().await?;
    Ok(Found {
        all: Duration::from_micros((end.0 - due.0).unsigned_abs()),
        median_delay: delays[delays.len() / 2],
        last_delay: delays[delays.len() - 1],
        before,
        peak,
    })
}

/// How many pushes of a single change eight devices of eight people make a second.
async fn pushes(home: &Home, client: &Client, people: &[Person]) -> Result<f64> {
    const EACH: usize = 100;
    let server = home.start().await?;
    let began = Instant::now();
    let mut pushing = JoinSet::new();
    for person in people.iter().take(8) {
        let (client, base, person) = (client.clone(), server.base.clone(), person.clone());
        pushing.spawn(async move {
            for _ in 0..EACH {
                let far = now().plus(1_000_000_000_000);
                write(&client, &base, &person, &[(new_id(), far)]).await?;
            }
            anyhow::Ok(())
        });
    }
    for pushed in pushing.join_all().await {
        pushed?;
    }
    let rate = (8 * EACH) as f64 / began.elapsed().as_secs_f64();
    server.kill().await?;
    Ok(rate)
}
