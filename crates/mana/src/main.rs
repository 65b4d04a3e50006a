//! Mana, the one binary: `mana serve` is the whole server.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use mana_cli::{Cli, Command, UserCommand, error_text};
use mana_server::{Config, Telemetry, openapi, upkeep, with_remedy};

/// The system's allocator spends a third of a push's time on many small JSON values, and keeps 200 MiB after a hundred
/// password hashes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command.unwrap_or(Command::Serve)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mana: {}", error_text(&with_remedy(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve => {
            let _telemetry = Telemetry::install();
            let config = Config::load()?;
            let runtime = match config.serves_only_gateway() {
                true => one_thread()?,
                false => runtime()?,
            };
            runtime.block_on(mana_server::serve(config))
        }
        Command::Config => {
            print!("{}", Config::load()?.show());
            Ok(())
        }
        Command::Migrate => {
            let _telemetry = Telemetry::install();
            let config = Config::load()?;
            runtime()?.block_on(mana_server::migrate(config))
        }
        Command::Person(command) => {
            let config = Config::load()?;
            runtime()?.block_on(mana_cli::run(command, &config.data_dir))
        }
        Command::Compact { before } => maintain(|config| upkeep::compact(config, before.0)),
        Command::Upgrade { rehearse: true, on } => {
            maintain(|config| upkeep::rehearse_upgrade(config, on))
        }
        Command::Upgrade { .. } => maintain(upkeep::upgrade),
        Command::Doctor { deep, json } => {
            let _telemetry = Telemetry::install();
            runtime()?.block_on(upkeep::doctor(Config::load(), deep, json))
        }
        Command::Reproject { check } => maintain(|config| upkeep::reproject(config, check)),
        Command::Backup {
            check: true,
            file: Some(file),
            ..
        } => maintain(async move |config| upkeep::check_backup(config, &file).await),
        Command::Backup { json, file, .. } => {
            maintain(|config| upkeep::make_backup(config, file, json))
        }
        Command::Export { user, file } => maintain(|config| upkeep::export(config, user, file)),
        Command::Import { file } => maintain(|config| upkeep::import(config, file)),
        Command::Restore {
            discard_newer,
            file,
        } => maintain(|config| upkeep::restore(config, file, discard_newer)),
        Command::User(command) => maintain(|config| user(command, config)),
        Command::Openapi => {
            println!("{}", openapi::text());
            Ok(())
        }
    }
}

async fn user(command: UserCommand, config: Config) -> Result<()> {
    use upkeep::{AccountChange, change_account};
    let change = |change, email| change_account(config.clone(), email, change);
    match command {
        UserCommand::List { json } => upkeep::list_people(config, json).await,
        UserCommand::Add { email, name, owner } => {
            upkeep::add_person(config, email, name, owner).await
        }
        UserCommand::Reset {
            email,
            second_factor: false,
        } => upkeep::reset_password(config, email).await,
        UserCommand::Reset { email, .. } => change(AccountChange::NoSecondFactor, email).await,
        UserCommand::Lock { email } => change(AccountChange::Locked, email).await,
        UserCommand::Unlock { email } => change(AccountChange::Open, email).await,
        UserCommand::Promote {
            email,
            member: false,
        } => change(AccountChange::Owner, email).await,
        UserCommand::Promote { email, .. } => change(AccountChange::Member, email).await,
        UserCommand::Delete { email, yes } => {
            change(AccountChange::Deleted { unasked: yes }, email).await
        }
    }
}

fn maintain<F: Future<Output = Result<()>>>(command: impl FnOnce(Config) -> F) -> Result<()> {
    let _telemetry = Telemetry::install();
    runtime()?.block_on(command(Config::load()?))
}

/// Builds a runtime of two to four threads: the work is mostly waiting, and every thread costs memory.
fn runtime() -> Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.clamp(2, 4))
        .max_blocking_threads(16)
        .enable_all()
        .build()?)
}

/// Builds a runtime of one thread, for a gateway alone: waking a second thread takes longer than its short waits.
fn one_thread() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(16)
        .enable_all()
        .build()?)
}
