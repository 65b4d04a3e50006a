//! `cargo xtask bench night`: three servers on one Postgres, `kill -9`, and clocks that jump.
//!
//! Missions of twenty people are due at random moments. Meanwhile a server is killed every few seconds, and starts
//! again with another error of its clock. At the end every mission must have exactly one record of its occurrence and
//! exactly one iteration.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use mana_core::Micros;
use reqwest::Client;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::client::{Person, http, now};
use crate::missions::{Run, SERVICE_KEY, outcome, write};
use crate::server::{Home, On, Server};
use crate::upstream::{Manner, Upstream};

const SERVERS: usize = 3;
const PEOPLE: usize = 20;

/// The time before the first mission is due, in which all are written.
const LEAD: Duration = Duration::from_secs(3);

/// The size of a night.
#[derive(Debug, Clone)]
pub struct Night {
    /// Missions, each due once.
    pub missions: usize,
    /// Seconds within which they are due.
    pub seconds: u64,
    /// Kills.
    pub kills: u32,
    /// How long a dead server's runs stay its own.
    pub lease: Duration,
    /// How many of a hundred calls to the model fail. Their runs are tried again after a minute.
    pub failures: u8,
    /// How late a run may begin at the median. None where other work disturbs the machine.
    pub most_delay: Option<Duration>,
    /// The seed of the random choices.
    pub seed: u64,
}

/// Plays a night and returns a summary. Fails where an occurrence has no record, or two.
pub async fn run(binary: &Path, night: &Night) -> Result<String> {
    let mut rng = Rng::with_seed(night.seed);
    let client = http()?;
    let manner = Manner {
        delay: Duration::from_millis(100),
        spread: Duration::from_millis(900),
        failures: night.failures,
    };
    let upstream = Upstream::start(manner, night.seed).await?;
    let mut home = Home::new(binary, On::Postgres)?;
    home.set("MANA_SERVICE_KEY", SERVICE_KEY);
    home.set("TICK_ENABLED", "true");
    home.set("MANA_LLM_URL", &upstream.url);
    home.set("MANA_LLM_MODEL", "default/stub");
    home.set("MANA_RUN_LEASE_MS", night.lease.as_millis());
    let mut homes = vec![home.another_server()?, home.another_server()?, home];
    let mut servers = Vec::new();
    for home in &homes {
        servers.push(home.start().await?);
    }
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(Person::sign_up(&servers[0], &client, &format!("person{n}")).await?);
    }
    let first = now().plus(i64::try_from(LEAD.as_micros())?);
    let mut due = BTreeMap::new();
    for (n, person) in people.iter().enumerate() {
        let mine: Vec<(String, Micros)> = (n..night.missions)
            .step_by(PEOPLE)
            .map(|n| {
                (
                    format!("m{n}"),
                    first.plus(rng.i64(0..=night.seconds as i64 * 1_000_000)),
                )
            })
            .collect();
        write(&client, &servers[n % SERVERS].base, person, &mine).await?;
        due.extend(mine);
    }

    let began = Instant::now();
    let (mut kills, mut jumps) = (0, 0);
    let pause = Duration::from_secs(night.seconds).div_f64(f64::from(night.kills.max(1)));
    while kills < night.kills {
        sleep(pause.mul_f64(0.5 + rng.f64() / 2.0)).await;
        let which = rng.usize(0..SERVERS);
        servers.remove(which).kill().await?;
        kills += 1;
        let skew = skew(&mut rng);
        jumps += u32::from(skew != 0);
        homes[which].set("MANA_CLOCK_SKEW_MS", skew);
        servers.insert(which, homes[which].start().await?);
    }
    // A dead server's runs are free after their lease, and failed runs are tried again after a minute.
    let most = Duration::from_secs(night.seconds) + night.lease * 5 + Duration::from_secs(600);
    loop {
        let open = open(&homes[0], due.len())?;
        if open == 0 {
            break;
        }
        if began.elapsed() > most {
            bail!("{open} missions are still open:\n{}", homes[0].log());
        }
        sleep(Duration::from_millis(500)).await;
    }
    for person in &mut people {
        person.refresh(&servers[0], &client).await?;
    }
    let (found, median) =
        check(&client, &servers[0], &people, &due, &upstream.first_calls()).await?;
    if let Some(most) = night.most_delay {
        ensure!(median <= most, "{found}");
    }
    for server in servers {
        server.kill().await?;
    }
    Ok(format!(
        "{} missions over {} s on three servers, {kills} kills, {jumps} clocks wrong: {found}; {} calls to the model",
        night.missions,
        night.seconds,
        upstream.calls()
    ))
}

/// An error of a clock in milliseconds: none, a little, or most of a lease.
fn skew(rng: &mut Rng) -> i64 {
    match rng.u8(0..10) {
        0..=5 => 0,
        6..=7 => rng.i64(-1_500..=1_500),
        8 => rng.i64(-45_000..=45_000),
        _ => rng.i64(-90_000..=90_000),
    }
}

/// How many missions have no record yet, or are held or due.
fn open(home: &Home, missions: usize) -> Result<usize> {
    let (cluster, database) = home.cluster().zip(home.database()).context("Postgres")?;
    let day = 12 * 3_600_000_000_i64;
    let soon = now().0 + day;
    let sql = format!(
        "SELECT {missions} - (SELECT count(*) FROM records WHERE app_id = 'ai' AND table_name = 'aiRuns')
            + (SELECT count(*) FROM mission_claims WHERE worker IS NOT NULL)
            + (SELECT count(*) FROM mission_schedule WHERE next_run_at < {soon})"
    );
    let open: i64 = block_in_place(|| cluster.sql(database, &sql))
        .trim()
        .parse()?;
    Ok(usize::try_from(open.max(0))?)
}

async fn check(
    client: &Client,
    server: &Server,
    people: &[Person],
    due: &BTreeMap<String, Micros>,
    begun: &BTreeMap<String, Micros>,
) -> Result<(String, Duration)> {
    let mut records: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    let mut planned = BTreeMap::new();
    for person in people {
        let (runs, iterations) = outcome(client, server, person).await?;
        for run in runs {
            records.entry(run.mission_id.clone()).or_default().push(run);
        }
        planned.extend(iterations);
    }
    let (mut lost, mut doubled) = (Vec::new(), Vec::new());
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    let mut delays = Vec::new();
    for (mission, at) in due {
        let slot = format!("due:{}", at.0.div_euclid(1000));
        let runs = records.get(mission).map_or(&[][..], Vec::as_slice);
        match runs {
            [] => lost.push(mission),
            [run] if run.slot == slot => {
                let name = match run.code.as_str() {
                    "" => run.status.clone(),
                    code => format!("{} ({code})", run.status),
                };
                *statuses.entry(name).or_default() += 1;
                // By this process's clock: a server's clock, and so its records, may be wrong by a minute.
                let started = begun.get(mission).unwrap_or(&run.started);
                delays.push((started.0 - at.0) as f64 / 1e6);
            }
            _ => doubled.push(mission),
        }
        if planned.get(mission).copied().unwrap_or(0) > 1 {
            doubled.push(mission);
        }
    }
    ensure!(
        lost.is_empty() && doubled.is_empty(),
        "lost: {lost:?}; doubled: {doubled:?}"
    );
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    let statuses: Vec<String> = statuses
        .into_iter()
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    let median = Duration::from_secs_f64(at(0.5).max(0.0));
    let found = format!(
        "{}; its model called {:.0} ms after due at the median, {:.2} s at the 90th, \
         {:.1} s at the latest; 0 lost, 0 doubled",
        statuses.join(", "),
        at(0.5) * 1e3,
        at(0.9),
        at(1.0)
    );
    Ok((found, median))
}
