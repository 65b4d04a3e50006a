//! Mana, the one binary: `mana serve` is the whole server.

mod app;
mod auth;
mod cli;
mod clock;
mod commands;
mod config;
mod connections;
mod data_dir;
mod error;
mod gateway;
mod http;
mod limits;
mod llm;
mod meters;
mod modules;
mod openapi;
mod random;
mod routes;
mod serve;
mod storage;
mod traces;
mod upkeep;
mod web;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::{Cli, Command};
use crate::config::{Config, Role};
use crate::traces::Traces;

/// What the system's own allocator takes for many small JSON values is a third of a push's time, and what it keeps
/// after a hundred password hashes is 200 MiB.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command.unwrap_or(Command::Serve)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mana: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve => {
            log_to_stderr();
            let config = Config::load()?;
            let runtime = match config.server.roles.iter().all(|role| *role == Role::Llm) {
                true => one_thread()?,
                false => runtime()?,
            };
            runtime.block_on(serve::serve(config))
        }
        Command::Config => {
            print!("{}", Config::load()?.show());
            Ok(())
        }
        Command::Migrate => {
            log_to_stderr();
            let config = Config::load()?;
            runtime()?.block_on(serve::migrate(config))
        }
        Command::Person(command) => {
            let config = Config::load()?;
            runtime()?.block_on(commands::run(command, &config.data_dir))
        }
        Command::Compact { before } => maintain(|config| upkeep::compact(config, before)),
        Command::Reproject { check } => maintain(|config| upkeep::reproject(config, check)),
        Command::Export { user, file } => maintain(|config| upkeep::export(config, user, file)),
        Command::Import { file } => maintain(|config| upkeep::import(config, file)),
        Command::Openapi => {
            println!("{}", openapi::text());
            Ok(())
        }
    }
}

fn maintain<F: Future<Output = Result<()>>>(command: impl FnOnce(Config) -> F) -> Result<()> {
    log_to_stderr();
    runtime()?.block_on(command(Config::load()?))
}

/// A few threads: the work is waiting, and every thread costs memory.
fn runtime() -> Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.clamp(2, 4))
        .max_blocking_threads(16)
        .enable_all()
        .build()?)
}

/// A gateway alone only waits, and briefly: to wake a second thread takes longer than what that could help with.
fn one_thread() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(16)
        .enable_all()
        .build()?)
}

/// Plain lines on standard error; `RUST_LOG` says more or less, such as `info,mana=debug`.
fn log_to_stderr() {
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .filter(|text| !text.is_empty());
    let filter = wanted
        .and_then(|text| text.parse::<Targets>().ok())
        .unwrap_or_else(|| {
            Targets::new()
                .with_default(LevelFilter::WARN)
                .with_target(traces::TARGET, LevelFilter::OFF)
                .with_targets(
                    ["mana", "mana_ai", "mana_llm", "mana_store", "mana_sync"]
                        .map(|target| (target, LevelFilter::INFO)),
                )
        });
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter(filter);
    let traces = Traces::from_env();
    // A layer that isn't there would want every span, were it not for its filter.
    let wanted = match traces {
        Some(_) => LevelFilter::INFO,
        None => LevelFilter::OFF,
    };
    let filter = Targets::new().with_target(traces::TARGET, wanted);
    tracing_subscriber::registry()
        .with(lines)
        .with(traces.with_filter(filter))
        .init();
}
