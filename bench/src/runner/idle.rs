//! A pass with nothing due.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::size::Size;
use crate::client::http;
use crate::missions::{SERVICE_KEY, meter};
use crate::report::{Bound, Report};
use crate::server::{Home, On};

/// How long passes are counted, and how often the runner makes a pass.
const MEASURED: Duration = Duration::from_secs(5);
const EVERY_MILLIS: u64 = 5;

/// The database time of a pass in milliseconds, by the missions in the schedule.
pub async fn measure(
    binary: &Path,
    on: On,
    size: Size,
    report: &mut Report,
) -> Result<Vec<(f64, f64)>> {
    let mut home = Home::new(binary, on)?;
    home.set("MANA_SERVICE_KEY", SERVICE_KEY);
    home.set("TICK_ENABLED", "true");
    home.set("TICK_INTERVAL_MS", EVERY_MILLIS);
    home.set("MANA_DB_POOL", 4);
    home.migrate().await?;
    let mut points = Vec::new();
    let mut there = 0;
    let steps = [
        10.min(size.missions),
        1_000.min(size.missions),
        10_000.min(size.missions),
        size.missions,
    ];
    for missions in steps {
        if missions > there {
            seed(&home, &schedule(on, there, missions)).await?;
            there = missions;
        }
        let (pass, beside) = pass(&home).await?;
        let what = format!("a pass with nothing due, {missions} missions");
        report.add(what, pass, "ms", Bound::AtMost(1.0), beside);
        points.push((missions as f64, pass));
    }
    for sql in log(on, size.rows) {
        seed(&home, &sql).await?;
    }
    let (pass, beside) = pass(&home).await?;
    let what = format!("… and {} rows in the log", size.rows);
    report.add(what, pass, "ms", Bound::AtMost(1.0), beside);
    Ok(points)
}

/// The mean database time of a pass in milliseconds, and the time of a query that reads nothing.
async fn pass(home: &Home) -> Result<(f64, String)> {
    let client = http()?;
    let server = home.start().await?;
    sleep(Duration::from_millis(500)).await;
    let mut before = Vec::new();
    let names = [
        "mana_runner_pass_seconds_sum",
        "mana_runner_pass_seconds_count",
        "mana_runner_wake_seconds_sum",
        "mana_runner_wake_seconds_count",
    ];
    for name in names {
        before.push(meter(&client, &server, name).await?);
    }
    sleep(MEASURED).await;
    let mut grown = Vec::new();
    for (name, before) in names.into_iter().zip(before) {
        grown.push(meter(&client, &server, name).await? - before);
    }
    let nothing = question(home).await?;
    let memory = server.memory()?;
    server.kill().await?;
    let pass = (grown[0] / grown[1] + grown[2] / grown[3]) * 1e3;
    let beside = format!(
        "`SELECT 1`: {:.3} ms; {:.0} passes; server {memory:.0} MiB",
        nothing.as_secs_f64() * 1e3,
        grown[1]
    );
    Ok((pass, beside))
}

/// The median of `SELECT 1` on the same database.
async fn question(home: &Home) -> Result<Duration> {
    let mut times = Vec::new();
    match home.cluster().zip(home.database()) {
        Some((cluster, database)) => {
            let mut connection = PgConnection::connect(&cluster.url(database)).await?;
            for _ in 0..500 {
                let began = Instant::now();
                connection.execute("SELECT 1").await?;
                times.push(began.elapsed());
            }
        }
        None => {
            let url = format!("sqlite://{}", home.file().display());
            let mut connection = SqliteConnection::connect(&url).await?;
            for _ in 0..500 {
                let began = Instant::now();
                connection.execute("SELECT 1").await?;
                times.push(began.elapsed());
            }
        }
    }
    times.sort();
    times.get(times.len() / 2).copied().context("times")
}

async fn seed(home: &Home, sql: &str) -> Result<()> {
    match home.cluster().zip(home.database()) {
        Some((cluster, database)) => {
            block_in_place(|| cluster.sql(database, sql));
        }
        None => {
            let url = format!("sqlite://{}", home.file().display());
            let mut connection = SqliteConnection::connect(&url).await?;
            connection.execute(AssertSqlSafe(sql.to_owned())).await?;
            connection.close().await?;
        }
    }
    Ok(())
}

/// Missions of a thousand people that are due in the year 2100.
fn schedule(on: On, from: u64, to: u64) -> String {
    let last = to - 1;
    let (far, columns) = (
        4_102_444_800_000_000_u64,
        "(user_id, mission_id, next_run_at, slot)",
    );
    match on {
        On::Sqlite => format!(
            "INSERT INTO mission_schedule {columns}
             WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
             SELECT 'u' || i % 1000, 'm' || i, {far} + i, 'due:' || ({far} + i) / 1000 FROM n"
        ),
        On::Postgres => format!(
            "INSERT INTO mission_schedule {columns}
             SELECT 'u' || i % 1000, 'm' || i, {far} + i, 'due:' || ({far} + i) / 1000
             FROM generate_series({from}::bigint, {last}) AS i; ANALYZE mission_schedule"
        ),
    }
}

/// Rows of a log, a hundred thousand a statement.
fn log(on: On, rows: u64) -> Vec<String> {
    let columns = "(user_id, created_at, event_id, app_id, table_name, record_id, op, data, \
        field_timestamps, actor, client_id, schema_version";
    let values = r#"'todo', 'tasks', 't' || i, 'insert', '{"title": "Task of a log that has grown long"}',
        '{"title": "2026-01-01T00:00:00.000000Z"}', '{"kind": "user"}', 'c', 1"#;
    let statement = |from: u64| {
        let last = (from + 100_000).min(rows) - 1;
        match on {
            On::Sqlite => format!(
                "INSERT INTO sync_changes {columns})
                 WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
                 SELECT 'u' || i % 1000, 1000000 + i, 'e' || i, {values} FROM n"
            ),
            On::Postgres => format!(
                "INSERT INTO sync_changes {columns}, folded)
                 SELECT 'u' || i % 1000, timestamptz 'epoch' + (1000000 + i) * interval '1 microsecond', 'e' || i,
                 'todo', 'tasks', 't' || i, 'insert', '{{\"title\": \"Task of a log that has grown long\"}}'::jsonb,
                 '{{\"title\": \"2026-01-01T00:00:00.000000Z\"}}'::jsonb, '{{\"kind\": \"user\"}}'::jsonb, 'c', 1, true
                 FROM generate_series({from}::bigint, {last}) AS i"
            ),
        }
    };
    (0..rows).step_by(100_000).map(statement).collect()
}
