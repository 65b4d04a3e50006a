//! `cargo xtask bench sync`: speed and size of the sync, compared in the same run with the database alone.

mod ingest;
mod live;
mod replica;
mod sockets;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::ceiling::Ceiling;
use crate::report::{Bound, Report, Size, load, number, percentile};
use crate::server::{Home, On, Server};
use ingest::Writer;

const CLIENTS: usize = 8;
/// Records that a new device reads.
const RECORDS: usize = 100_000;
/// Writes whose time to another device is measured, at a hundred a second.
const WRITES: usize = 1_000;
/// Rows that are pushed at each size of the growing log.
const WRITES_AT_SIZE: usize = 200;

/// Measures everything, on a log that grows to so many rows.
pub async fn run(binary: &Path, on: On, rows: usize, sockets: usize) -> Result<Report> {
    let mut report = Report::default();
    let busy_before = load();
    idle(&mut report, binary, on).await?;

    let home = Home::new(binary, on)?;
    let server = home.start().await?;
    let beside = home.beside()?;
    beside.migrate().await?;
    let ceiling = Ceiling::open(&beside).await?;

    let mut writers = Vec::new();
    for n in 0..CLIENTS {
        writers.push(Writer::new(&server, &format!("writer{n}")).await?);
    }
    grow(&mut report, &home, &server, &ceiling, &mut writers, rows).await?;
    device(&mut report, &home, &server).await?;
    drop((server, home, beside, ceiling, writers));

    sockets::measure(&mut report, binary, on, sockets).await?;
    let disk = match on {
        On::Sqlite => "SQLite, `synchronous=FULL`",
        On::Postgres => "a private Postgres cluster, `fsync=on`, Mana's default pool of 4",
    };
    report.note(format!(
        "On {disk}. Load average {busy_before} before, {} after; the load's own part runs on the same processors.",
        load()
    ));
    Ok(report)
}

/// Measures ingest, the time to another device, memory and disk at every size.
async fn grow(
    report: &mut Report,
    home: &Home,
    server: &Server,
    ceiling: &Ceiling,
    writers: &mut [Writer],
    rows: usize,
) -> Result<()> {
    let alone = ceiling.rows_per_second(1, 20_000).await?;
    let together = ceiling.rows_per_second(CLIENTS, 40_000).await?;
    let person = writers[0].person.clone();
    let mut there = 0;
    for size in [10_000, 30_000, 100_000, 300_000, 1_000_000] {
        if size > rows {
            break;
        }
        for writer in writers.iter_mut() {
            writer.person.refresh(server, &writer.http).await?;
        }
        let rate = ingest::run(server, writers, size - there, ingest::BATCH).await?;
        there = size;
        home.settle();
        let mut live = live::run([server; 2], &person, WRITES_AT_SIZE).await?;
        let ready = replica::in_memory(server, &person).await?;
        #[allow(clippy::cast_precision_loss)]
        let disk = home.size() as f64 / f64::from(1 << 20);
        report.grow(Size {
            rows: f64::from(u32::try_from(size)?),
            ingest: rate,
            live: [0.5, 0.99].map(|share| percentile(&mut live, share)),
            device: [ready.records, ready.seconds],
            memory: server.memory()?,
            disk,
        });
    }

    let rate = ingest::run(server, writers, 40_000, ingest::BATCH).await?;
    home.settle();
    let again = ceiling.rows_per_second(CLIENTS, 40_000).await?;
    let best = alone.max(together).max(again);
    let beside = format!(
        "plain INSERT: {} rows/s with one connection, {} and {} with eight, before and after",
        number(alone),
        number(together),
        number(again)
    );
    report.add(
        "ingest over HTTP, eight clients, batches of 100 changes of two fields",
        rate,
        "changes/s",
        Bound::AtLeast(15_000.0),
        beside,
    );
    report.add(
        "… as a share of the best of plain INSERT",
        rate / best,
        "×",
        Bound::AtLeast(0.3),
        format!("{} rows/s", number(best)),
    );

    let single = ingest::run(server, writers, 2_000, 1).await?;
    report.add(
        "pushes of one change, eight clients",
        single,
        "pushes/s",
        Bound::None,
        "what people do by hand",
    );

    let mut commits = ceiling.commits(300).await?;
    let mut live = live::run([server; 2], &person, WRITES).await?;
    let commit = percentile(&mut commits, 0.5);
    let half = percentile(&mut live, 0.5);
    report.add(
        "a write on one device is there on another, p50, at 100 writes/s",
        half,
        "ms",
        Bound::AtMost(5.0),
        format!(
            "a transaction of one row: {} ms; {} of these",
            number(commit),
            number(half / commit)
        ),
    );
    report.add(
        "… p99",
        percentile(&mut live, 0.99),
        "ms",
        Bound::AtMost(15.0),
        format!(
            "a transaction of one row: {} ms",
            number(percentile(&mut commits, 0.99))
        ),
    );
    if home.cluster().is_some() {
        let another = home.another()?;
        let other = another.start().await?;
        let mut across = live::run([server, &other], &person, WRITES).await?;
        let half = percentile(&mut across, 0.5);
        report.add(
            "… of another instance on the same database, p99",
            percentile(&mut across, 0.99),
            "ms",
            Bound::AtMost(50.0),
            format!("p50: {} ms", number(half)),
        );
        other.kill().await?;
    }
    Ok(())
}

/// Measures a new device of a person with many records.
async fn device(report: &mut Report, home: &Home, server: &Server) -> Result<()> {
    let mut writer = Writer::new(server, "reader").await?;
    writer.write(&server.base, RECORDS, 500).await?;
    home.settle();
    let memory = replica::in_memory(server, &writer.person).await?;
    let file = replica::in_a_file(server, &writer.person).await?;
    let beside = |kept: &str| format!("{} records, {kept}", number(memory.records));
    report.add(
        "a new device with 100,000 records is ready",
        memory.seconds,
        "s",
        Bound::AtMost(3.0),
        beside("a replica in memory"),
    );
    report.add(
        "… kept in a file",
        file.seconds,
        "s",
        Bound::AtMost(3.0),
        beside("a replica in SQLite, as the command line's"),
    );
    Ok(())
}

/// Measures a server that nobody uses.
async fn idle(report: &mut Report, binary: &Path, on: On) -> Result<()> {
    let home = Home::new(binary, on)?;
    home.start().await?.kill().await?;
    let mut starts = Vec::new();
    for _ in 0..9 {
        let server = home.start().await?;
        starts.push(server.took);
        server.kill().await?;
    }
    report.add(
        "start, on an existing database",
        percentile(&mut starts, 0.5),
        "ms",
        Bound::AtMost(200.0),
        "median of nine, from its spawn to its first line",
    );
    let server = home.start().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let bound = match on {
        On::Sqlite => Bound::AtMost(40.0),
        On::Postgres => Bound::None,
    };
    report.add(
        "idle memory",
        server.memory()?,
        "MiB",
        bound,
        "VmRSS after 3 s",
    );
    server.kill().await
}
