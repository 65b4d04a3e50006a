//! `mana serve`: from the data directory to a listening server, and back.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use mana_accounts::{Auth, TokenKeys};
use mana_ai::{Runner, RunnerConfig, RunnerParts};
use mana_store::AccountStore;
use mana_sync::{Hub, Sync};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::clock_check::ClockDoubt;
use crate::config::{Config, Database, ServerRole};
use crate::data_dir::{DataDir, lost_secret};
use crate::gateway::{KeyUses, Settings};
use crate::http::open_connections::{ConnectionBounds, OpenConnections};
use crate::http::{connections, open_files};
use crate::key_guesses::KeyGuesses;
use crate::limits::Limits;
use crate::llm::GatewayLlm;
use crate::mail::Mailer;
use crate::member_limits::MemberLimits;
use crate::readiness::ReadyProbe;
use crate::service_key::ServiceKey;
use crate::storage::Storage;
use crate::telemetry::meters::Meters;
use crate::vault::{Vault, open_signing_key, seal_signing_key};
use crate::web::WebApp;
use crate::{clock, clock_check, first_start, modules, people_changes, router};

/// How long runs may go on when the server stops.
const RUNS_END_WITHIN: Duration = Duration::from_secs(5);
/// How long the whole stop may take. Container managers kill after 10 s.
const STOP_WITHIN: Duration = Duration::from_secs(9);
/// Time between two removals of ended sessions and unused links.
const CLEAR_EVERY: Duration = Duration::from_secs(60 * 60);
/// Connections of an address without a request: what ten browsers keep.
const IDLE_PER_ADDRESS: usize = 64;
/// The file of the key that tokens are signed with, and its setting on a shared database.
const SIGNING_KEY: &str = "token.key";
/// How long an instance may use settings that another one has changed.
const REREAD_EVERY: Duration = Duration::from_secs(30);

/// Serves until the process is told to stop.
pub async fn serve(config: Config) -> Result<()> {
    if config.runner.clock_skew_millis != 0 {
        tracing::warn!("MANA_CLOCK_SKEW_MS is set: this server's clock is wrong on purpose");
        clock::set_skew(config.runner.clock_skew_millis * 1000);
    }
    for sentence in &config.not_read {
        tracing::warn!("{sentence}");
    }
    let dir = DataDir::open(&config.data_dir)?;
    first_start::check(&config, &dir).await?;
    dir.name_wide_files();
    let (registry, rejected_modules) = modules::load(&dir.join("modules"));
    let registry = Arc::new(registry);
    let Storage {
        store,
        accounts,
        ledger,
        maintenance,
    } = Storage::open(&config, registry.clone()).await?;
    clock::synchronize(&*store).await?;
    if let Some(doubt) = clock_check::doubt(store.newest_time().await?, clock::now()) {
        tracing::warn!(
            "This start may have a wrong clock: {doubt}; {}",
            ClockDoubt::REMEDY
        );
    }
    // Where the store isn't shared, every claim is an earlier process's.
    let freed = if store.is_shared() {
        0
    } else {
        store.release_all().await?
    };
    if freed > 0 {
        tracing::info!(
            freed,
            "{freed} runs were interrupted when the server last stopped; they run again"
        );
    }

    let meters = Meters::install()?;
    let listener = listen(config.server.listen).await?;
    let address = listener.local_addr()?;
    let auth = open_accounts(&config, &dir, accounts.clone(), store.is_shared()).await?;
    let setup = auth.new_setup_token().await?;
    let shutdown = CancellationToken::new();
    let sync = Sync::new(store.clone(), registry.clone(), Hub::new());
    let (llm, gateway) = Settings::open(&config, &dir, accounts.clone(), ledger.clone()).await?;
    let runner = Arc::new(Runner::new(RunnerParts {
        store: store.clone(),
        sync: sync.clone(),
        llm: Arc::new(GatewayLlm::new(gateway.clone())),
        registry: registry.clone(),
        accounts,
        ledger: ledger.clone(),
        config: runner_config(&config),
        clock: Arc::new(clock::now),
    }));
    let members = config.limits.members;
    let member_limits = MemberLimits::new(members, store.clone(), auth.accounts.clone());
    let app = Arc::new(App {
        auth,
        service_key: ServiceKey::open(config.server.service_key.clone(), &dir)?,
        metrics_key: config.server.metrics_key.clone().map(ServiceKey::of),
        key_guesses: KeyGuesses::default(),
        store: store.clone(),
        ledger,
        registry,
        rejected_modules,
        limits: Arc::new(Limits::new(&config.limits)),
        member_limits,
        sync: Arc::new(sync),
        runner: runner.clone(),
        gateway: gateway.clone(),
        llm,
        web: WebApp::load(),
        key_uses: KeyUses::default(),
        mailer: config.smtp.as_ref().map(Mailer::new).transpose()?,
        meters,
        ready: ReadyProbe::default(),
        shutdown: shutdown.clone(),
        config,
    });

    let planning = app
        .config
        .serves(ServerRole::Ai)
        .then(|| tokio::spawn(runner.run_until(shutdown.clone())));
    let relaying = tokio::spawn(relay(app.clone()));
    let clearing = tokio::spawn(clear_expired(app.clone()));
    let rereading = tokio::spawn(reread_settings(app.clone()));
    app.llm.people_changed(&*app.auth.accounts).await;
    let rule = app.auth.read_factor_rule().await;
    rule.context("The rule of second factors can't be read")?;
    let following_people = tokio::spawn(people_changes::follow(app.clone()));
    let saving = (!app.config.serves_only_gateway()).then(|| {
        tokio::spawn(crate::backup::nightly::run(
            app.clone(),
            maintenance.clone(),
        ))
    });
    let emptying = (!app.config.serves_only_gateway())
        .then(|| tokio::spawn(crate::trash::run(app.clone(), maintenance)));
    let following = store
        .is_shared()
        .then(|| tokio::spawn(clock::follow(store.clone())));
    let metering = app.llm.metering.clone();
    tokio::spawn(metering.run());
    let measuring = tokio::spawn(app.meters.clone().drain());
    // Listening starts before the first line is printed: its reader may send a signal at once.
    let signals = Signals::listen()?;
    tracing::info!("Mana listens on {address}");
    announce(&app.config, address, setup.as_deref());

    tokio::spawn(stop_on_signal(signals, shutdown.clone()));
    let open = OpenConnections::new(connection_bounds(&app.config));
    let proxies = app.config.server.trusted_proxies.clone();
    let serving = connections::serve(
        listener,
        router::router(app),
        open,
        proxies,
        shutdown.clone(),
    );
    let serving = tokio::spawn(serving);

    shutdown.cancelled().await;
    tracing::info!("Mana is stopping");
    clearing.abort();
    rereading.abort();
    following_people.abort();
    if let Some(saving) = saving {
        saving.abort();
    }
    if let Some(emptying) = emptying {
        emptying.abort();
    }
    if let Some(following) = following {
        following.abort();
    }
    measuring.abort();
    relaying.abort();
    let ended = timeout(STOP_WITHIN, async {
        if let Some(planning) = planning {
            let _ = planning.await;
        }
        // Requests that still wait for a model, such as those to /v1, end here.
        gateway.close();
        let _ = serving.await;
    });
    if ended.await.is_err() {
        tracing::warn!(
            "Some requests did not end in {} s and were cut off",
            STOP_WITHIN.as_secs()
        );
    }
    if let Err(error) = metering.settle().await {
        tracing::warn!(error = %error, "The usage of the last calls could not be stored: {error}");
    }
    store.close().await;
    drop(dir);
    Ok(())
}

/// Brings the database up to date and stops.
pub async fn migrate(config: Config) -> Result<()> {
    let dir = DataDir::open(&config.data_dir)?;
    if matches!(config.storage.database, Database::Sqlite(_)) {
        first_start::check(&config, &dir).await?;
    }
    let (registry, _) = modules::load(&dir.join("modules"));
    let storage = Storage::open(&config, Arc::new(registry)).await?;
    storage.store.close().await;
    println!(
        "The database {} is up to date.",
        config.storage.database.name()
    );
    Ok(())
}

/// Opens the accounts with the key that tokens are signed with, which the first start makes. Servers that share a
/// database sign with one key, that of the first, which the database keeps sealed: any of them serves any device.
async fn open_accounts(
    config: &Config,
    dir: &DataDir,
    accounts: Arc<dyn AccountStore>,
    is_shared: bool,
) -> Result<Auth> {
    let mut key = dir.secret(SIGNING_KEY, TokenKeys::generate)?;
    let vault = Vault::open(dir, config.server.settings_key.as_ref())?;
    let kept = match is_shared {
        true => {
            let sealed = seal_signing_key(&vault, SIGNING_KEY, &key)?;
            Some(accounts.kv_init(SIGNING_KEY, &sealed).await?)
        }
        // A database that was on Postgres before.
        false => accounts.kv_get(SIGNING_KEY).await?,
    };
    if let Some(kept) = kept {
        let (opened, sealed) = open_signing_key(&vault, SIGNING_KEY, &kept)?;
        key = opened;
        if let Some(sealed) = sealed
            && accounts
                .kv_replace(SIGNING_KEY, Some(&kept), &sealed)
                .await?
        {
            tracing::info!("The key that tokens are signed with is sealed in the database now");
        }
    }
    let clock = Arc::new(clock::now);
    let seal = Arc::new(vault);
    Auth::open(accounts, &key, config.auth.clone(), seal, clock).with_context(|| {
        format!(
            "{} is damaged; {}",
            dir.join(SIGNING_KEY).display(),
            lost_secret(SIGNING_KEY)
        )
    })
}

/// Returns the bounds of open connections, after the bound of open files is raised.
fn connection_bounds(config: &Config) -> ConnectionBounds {
    let per_address = config.limits.connections_per_address.get() as usize;
    ConnectionBounds {
        per_address,
        idle_per_address: IDLE_PER_ADDRESS.min(per_address),
        total: open_files::raise(),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::PermissionDenied => {
                "the system keeps ports below 1024 for root: set MANA_LISTEN to another one"
            }
            ErrorKind::AddrNotAvailable => {
                "the machine has no such address: set MANA_LISTEN to its own, 127.0.0.1 or 0.0.0.0"
            }
            _ => "stop what uses that port, or set MANA_LISTEN to another one",
        };
        anyhow!("Mana can't listen on {address} ({error}); {remedy}")
    })
}

fn runner_config(config: &Config) -> RunnerConfig {
    let default = RunnerConfig::default();
    RunnerConfig {
        enabled: config.runner.tick_enabled,
        tick_interval: config.runner.tick_interval,
        model: config.llm.model.clone().unwrap_or(default.model),
        llm_timeout: config.llm.timeout,
        parallel: config.runner.runs.get() as usize,
        per_user: config.runner.runs_per_user.get() as usize,
        lease: config.runner.lease,
        members: config.limits.members.models,
        stop_grace: RUNS_END_WITHIN,
        worker: uuid::Uuid::now_v7().to_string(),
        ..default
    }
}

/// Prints the address and the setup link, for a person and for `cargo xtask serve`.
fn announce(config: &Config, address: SocketAddr, setup: Option<&str>) {
    let base = config
        .server
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", reachable(address)));
    println!("Mana is ready: {base}");
    if let Some(token) = setup {
        println!("Make the first account here: {base}/setup#token={token}");
    }
}

/// Returns an address of this machine for a server that listens on all addresses.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let local = if address.is_ipv4() {
        [127, 0, 0, 1].into()
    } else {
        std::net::Ipv6Addr::LOCALHOST.into()
    };
    SocketAddr::new(local, address.port())
}

/// Passes on notices of other servers to this server's devices.
async fn relay(app: Arc<App>) {
    if let Some(notices) = app.store.notices() {
        tokio::join!(app.sync.as_ref().clone().relay(), app.auth.relay(notices));
    }
}

/// Reads the settings of models again: from `mana.toml` at the signal, and from the database every
/// [`REREAD_EVERY`] where another instance may have saved them.
async fn reread_settings(app: Arc<App>) {
    let mut hangups = Hangups::listen();
    let mut every = tokio::time::interval(REREAD_EVERY);
    loop {
        tokio::select! {
            () = hangups.next() => app.llm.reload_file().await,
            _ = every.tick(), if app.store.is_shared() => app.llm.refresh().await,
        }
    }
}

async fn clear_expired(app: Arc<App>) {
    let mut every = tokio::time::interval(CLEAR_EVERY);
    loop {
        every.tick().await;
        if let Err(error) = app.auth.accounts.delete_expired(clock::now()).await {
            tracing::warn!(error = %error, "Ended sessions could not be removed: {error}");
        }
        if let Err(error) = app.ledger.settle_expired(clock::now()).await {
            tracing::warn!(error = %error, "Expired reservations could not be settled: {error}");
        }
    }
}

/// Stops the server at the first signal, and ends the process at the second.
async fn stop_on_signal(mut signals: Signals, shutdown: CancellationToken) {
    signals.next().await;
    shutdown.cancel();
    signals.next().await;
    std::process::exit(130);
}

/// Signals to read the configuration again (SIGHUP).
struct Hangups(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

impl Hangups {
    #[cfg(unix)]
    fn listen() -> Hangups {
        use tokio::signal::unix::{SignalKind, signal};
        Hangups(signal(SignalKind::hangup()).ok())
    }

    #[cfg(not(unix))]
    fn listen() -> Hangups {
        Hangups()
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// Signals to stop (SIGTERM, SIGINT).
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Signals to stop (SIGTERM, SIGINT).
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Result<Signals> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
