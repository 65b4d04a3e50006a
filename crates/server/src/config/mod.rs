//! Configuration: one struct a concern, read once at the start.
//!
//! A variable of the environment wins over `mana.toml` in the data directory, which wins over the default. An empty
//! value counts as unset.

mod backup;
mod cors_origins;
mod environment;
mod keys;
mod postgres_url;
mod sign_in;
mod source;
mod table;
mod values;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use backup::BackupConfig;
pub use cors_origins::CorsOrigins;
use environment::{not_read, unreadable};
use mana_accounts::{AccountSettings, IssuerConfig, Signup};
use mana_llm::{LlmConfig, LlmSettings, Secret};
use mana_store::{PostgresOptions, file_remedy};
pub use sign_in::SmtpConfig;
pub use source::ConfigError;
use source::{Origin, Source};
use table::{Variable, variable_table};
use values::{boolean, count, dollars, millis, optional_count, skew, whole};

use crate::http::trusted_proxies::TrustedProxies;
use crate::vault::SettingsKey;

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the SQLite file, the keys and `modules/`.
    pub data_dir: PathBuf,
    /// The HTTP server.
    pub server: ServerConfig,
    /// The database.
    pub storage: StorageConfig,
    /// Backups.
    pub backup: BackupConfig,
    /// Accounts.
    pub auth: AccountSettings,
    /// Limits of one person.
    pub limits: LimitsConfig,
    /// The server that sends mail to people.
    pub smtp: Option<SmtpConfig>,
    /// The runner of missions.
    pub runner: RunnerConfig,
    /// The providers of models.
    pub llm: LlmConfig,
    /// Sentences about variables of the environment that look like Mana's and are not read.
    pub not_read: Vec<String>,
    source: Source,
}

/// The HTTP server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The parts that this process serves.
    pub roles: BTreeSet<ServerRole>,
    /// The base of links, without a slash at its end.
    pub public_url: Option<String>,
    /// Reverse proxies whose `X-Forwarded-*` headers count.
    pub trusted_proxies: TrustedProxies,
    /// Other origins that browsers may call from.
    pub cors_origins: CorsOrigins,
    /// Other origins whose pages and extensions may call `/v1`, with a bearer.
    pub api_cors_origins: CorsOrigins,
    /// The key for `/internal/*`; if it is missing, the first start makes one in the data directory.
    pub service_key: Option<Secret>,
    /// The key that opens `/metrics` alone.
    pub metrics_key: Option<Secret>,
    /// The key that seals secrets in the database; if it is missing, the first start makes one in the data directory.
    pub settings_key: Option<SettingsKey>,
}

impl ServerConfig {
    /// Whether browsers reach the server over HTTPS.
    pub fn is_https(&self) -> bool {
        self.public_url
            .as_ref()
            .is_some_and(|url| url.starts_with("https:"))
    }
}

/// The database.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// The database.
    pub database: Database,
    /// How long a start waits for a database that starts later.
    pub wait: Duration,
    /// Whether a start may begin anew where the database holds nothing.
    pub first_start: bool,
}

/// A database and how to reach it.
#[derive(Debug, Clone)]
pub enum Database {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A Postgres database.
    Postgres {
        /// The address, which may hold a password.
        url: Secret,
        /// Settings of its connections.
        options: PostgresOptions,
    },
}

impl Database {
    /// Returns the database's name for messages, without a password.
    pub fn name(&self) -> String {
        match self {
            Database::Sqlite(path) => path.display().to_string(),
            Database::Postgres { .. } => "of DATABASE_URL (Postgres)".to_owned(),
        }
    }
}

/// Limits of one person.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// Pushes: the burst, and the refill a minute.
    pub pushes_per_minute: NonZeroU32,
    /// Open sockets and streams.
    pub connections: NonZeroU32,
    /// Open connections of an address that is no trusted proxy's, sockets and streams included.
    pub connections_per_address: NonZeroU32,
    /// Limits of a member.
    pub members: MemberLimitsConfig,
}

/// Limits of everybody but the owner; none where they are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemberLimitsConfig {
    /// The content of the log's rows, in bytes.
    pub bytes: Option<u64>,
    /// The log's records.
    pub records: Option<u64>,
    /// The most that calls to models may take in a day of the member's time zone, by missions and over HTTP together.
    pub models: mana_store::Limits,
    /// Whether programs may ask for models with a member's own token.
    pub may_call_models: bool,
}

/// The runner.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// Time between two scans for due missions; the safety net beside the timer.
    pub tick_interval: Duration,
    /// Whether missions run by themselves.
    pub tick_enabled: bool,
    /// Largest number of runs at a time.
    pub runs: NonZeroU32,
    /// Largest number of one person's runs at a time.
    pub runs_per_user: NonZeroU32,
    /// How long a run's claim lasts that is not renewed.
    pub lease: Duration,
    /// Offset of the server's clock, in milliseconds, for tests.
    pub clock_skew_millis: i64,
}

/// A part of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerRole {
    /// The web app.
    Web,
    /// Accounts.
    Auth,
    /// Push, pull and notices.
    Sync,
    /// The runner.
    Ai,
    /// The gateway to models.
    Llm,
}

impl ServerRole {
    const ALL: [(&'static str, ServerRole); 5] = [
        ("web", ServerRole::Web),
        ("auth", ServerRole::Auth),
        ("sync", ServerRole::Sync),
        ("ai", ServerRole::Ai),
        ("llm", ServerRole::Llm),
    ];
}

/// Returns the names of all variables of the environment that Mana reads.
#[cfg(test)]
pub fn variables() -> impl Iterator<Item = &'static str> {
    variable_table().map(|variable| variable.name)
}

impl Config {
    /// Reads the process's environment and `mana.toml`.
    pub fn load() -> Result<Config, ConfigError> {
        if let Some(name) = std::env::vars_os().find_map(unreadable) {
            return Err(ConfigError::new(
                &name,
                "its value is not UTF-8 and can't be read; set it to text in that encoding",
            ));
        }
        let env = |name: &str| std::env::var(name).ok();
        let data_dir = data_dir(&env)?;
        let file = data_dir.join("mana.toml");
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                return Err(ConfigError::file(
                    &file,
                    "is not UTF-8; save it in that encoding",
                ));
            }
            Err(e) => {
                let remedy =
                    file_remedy(&e).unwrap_or("make it readable for the user that runs Mana");
                return Err(ConfigError::file(
                    &file,
                    format!("can't be read ({e}); {remedy}"),
                ));
            }
        };
        let mut config = Config::parse(data_dir, Source::new(&env, &file, &text)?)?;
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        config.not_read = names.filter_map(|name| not_read(&name)).collect();
        Ok(config)
    }

    fn parse(data_dir: PathBuf, source: Source) -> Result<Config, ConfigError> {
        let placed = source.clone();
        Config::parse_values(data_dir, source).map_err(|error| placed.placed(error))
    }

    fn parse_values(data_dir: PathBuf, source: Source) -> Result<Config, ConfigError> {
        let roles = roles(&source)?;
        let member_calls = mana_store::Limits {
            calls: optional_count(&source, "MANA_MEMBER_CALLS_PER_DAY")?,
            tokens: optional_count(&source, "MANA_MEMBER_TOKENS_PER_DAY")?,
            micros_usd: dollars(&source, "MANA_MEMBER_MONEY_PER_DAY")?,
        };
        let storage = StorageConfig {
            database: database(&source, &data_dir)?,
            wait: Duration::from_secs(whole(&source, "MANA_DB_WAIT_S", 0)?.into()),
            first_start: first_start(&source)?,
        };
        // On Postgres the operator names a folder: several servers would otherwise each have one of their own.
        let usual_backups = match storage.database {
            Database::Sqlite(_) => Some(data_dir.join("backups")),
            Database::Postgres { .. } => None,
        };
        Ok(Config {
            server: ServerConfig {
                listen: listen(&source, &roles)?,
                roles,
                public_url: public_url(&source)?,
                trusted_proxies: trusted_proxies(&source)?,
                cors_origins: cors_origins::of_pages(&source)?,
                api_cors_origins: cors_origins::of_programs(&source)?,
                service_key: keys::strong(&source, "MANA_SERVICE_KEY")?,
                metrics_key: keys::strong(&source, "MANA_METRICS_KEY")?,
                settings_key: keys::settings(&source)?,
            },
            backup: backup::of(&source, usual_backups)?,
            storage,
            auth: AccountSettings {
                signup: signup(&source)?,
                issuer: issuer(&source)?,
                oidc: sign_in::oidc(&source)?,
            },
            smtp: sign_in::smtp(&source)?,
            limits: LimitsConfig {
                pushes_per_minute: count(&source, "MANA_PUSHES_PER_MINUTE")?,
                connections: count(&source, "MANA_CONNECTIONS_PER_USER")?,
                connections_per_address: count(&source, "MANA_CONNECTIONS_PER_ADDRESS")?,
                members: MemberLimitsConfig {
                    bytes: optional_count(&source, "MANA_MEMBER_MB")?
                        .map(|megabytes| megabytes.saturating_mul(1_000_000)),
                    records: optional_count(&source, "MANA_MEMBER_RECORDS")?,
                    models: member_calls,
                    // An owner who limits them has thought of them.
                    may_call_models: match source.get("MANA_MEMBER_API") {
                        Some(_) => boolean(&source, "MANA_MEMBER_API")?,
                        None => !member_calls.is_unlimited(),
                    },
                },
            },
            runner: RunnerConfig {
                tick_interval: millis(&source, "TICK_INTERVAL_MS")?,
                tick_enabled: boolean(&source, "TICK_ENABLED")?,
                runs: count(&source, "MANA_RUNS")?,
                runs_per_user: count(&source, "MANA_RUNS_PER_USER")?,
                lease: millis(&source, "MANA_RUN_LEASE_MS")?,
                clock_skew_millis: skew(&source)?,
            },
            llm: source.llm()?,
            data_dir,
            not_read: Vec::new(),
            source,
        })
    }

    /// Returns the providers of models: the owner's saved settings over those of `mana.toml`.
    pub fn llm_under(&self, over: LlmSettings) -> Result<LlmConfig, ConfigError> {
        self.source.llm_under(over)
    }

    /// Whether the environment says whether members' programs may call models, so that nobody else does.
    pub fn member_api_is_fixed(&self) -> bool {
        let found = self.source.find("MANA_MEMBER_API");
        found.is_some_and(|(_, origin)| origin == Origin::Environment)
    }

    /// Whether this process serves a role.
    pub fn serves(&self, role: ServerRole) -> bool {
        self.server.roles.contains(&role)
    }

    /// Whether this process serves the gateway and nothing else.
    pub fn serves_only_gateway(&self) -> bool {
        self.server
            .roles
            .iter()
            .all(|role| *role == ServerRole::Llm)
    }

    /// Returns the effective configuration, a line for each variable, with secrets hidden.
    pub fn show(&self) -> String {
        let mut lines = Vec::new();
        for variable in variable_table() {
            let (value, origin) = match self.source.find(variable.name) {
                Some((value, origin)) => (variable.shown(&value), origin.to_string()),
                None => (self.default_of(&variable), "default".to_owned()),
            };
            lines.push(format!("{} = {value}   # {origin}", variable.name));
        }
        for provider in &self.llm.providers {
            let key = if provider.key.is_some() {
                ", key (hidden)"
            } else {
                ""
            };
            lines.push(format!(
                "# provider {} = {}{key}",
                provider.name, provider.base_url
            ));
        }
        lines.extend(self.not_read.iter().map(|sentence| format!("# {sentence}")));
        lines.join("\n") + "\n"
    }

    fn default_of(&self, variable: &Variable) -> String {
        match variable.name {
            "MANA_LISTEN" => self.server.listen.to_string(),
            "MANA_DATA_DIR" => self.data_dir.display().to_string(),
            _ => match variable.default {
                Some(value) => value.to_owned(),
                None => format!("({})", variable.unset),
            },
        }
    }
}

/// Returns the data directory: `MANA_DATA_DIR`, else the platform's own + `/mana`.
fn data_dir(env: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, ConfigError> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("MANA_DATA_DIR") {
        return Ok(PathBuf::from(dir));
    }
    let base = if cfg!(windows) {
        set("LOCALAPPDATA").map(PathBuf::from)
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| Path::new(&home).join("Library/Application Support"))
    } else {
        // XDG: a relative path must be ignored.
        set("XDG_DATA_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/share")))
    };
    base.map(|base| base.join("mana")).ok_or_else(|| {
        ConfigError::new(
            "MANA_DATA_DIR",
            "no home directory is known; set MANA_DATA_DIR to the directory for Mana's data",
        )
    })
}

fn roles(source: &Source) -> Result<BTreeSet<ServerRole>, ConfigError> {
    let text = source.effective("MANA_ROLES");
    let mut roles = BTreeSet::new();
    for name in text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let role = ServerRole::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, role)| *role);
        roles.insert(role.ok_or_else(|| {
            ConfigError::new(
                "MANA_ROLES",
                format!("'{name}' is no role; use a list of web, auth, sync, ai and llm"),
            )
        })?);
    }
    if roles.is_empty() {
        return Err(ConfigError::new(
            "MANA_ROLES",
            "names no role; use a list of web, auth, sync, ai and llm",
        ));
    }
    Ok(roles)
}

/// Returns the address to listen on. A role that is alone has a port of its own by default.
fn listen(source: &Source, roles: &BTreeSet<ServerRole>) -> Result<SocketAddr, ConfigError> {
    let Some(text) = source.get("MANA_LISTEN") else {
        let port = match roles.iter().collect::<Vec<_>>()[..] {
            [ServerRole::Ai] => 3066,
            [ServerRole::Llm] => 3020,
            _ => 3050,
        };
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    };
    // People write `localhost:3050`; other names would need a lookup.
    text.replacen("localhost:", "127.0.0.1:", 1).parse().map_err(|_| {
        ConfigError::new(
            "MANA_LISTEN",
            format!(
                "'{text}' is no address; use an IP address and a port, such as 127.0.0.1:3050 or 0.0.0.0:3050"
            ),
        )
    })
}

fn public_url(source: &Source) -> Result<Option<String>, ConfigError> {
    let Some(text) = source.get("MANA_PUBLIC_URL") else {
        return Ok(None);
    };
    let url = text.trim_end_matches('/');
    let uri: Option<axum::http::Uri> = url.parse().ok();
    let good = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri
                .authority()
                .is_some_and(|authority| !authority.as_str().contains('@'))
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
    });
    if !good {
        return Err(ConfigError::new(
            "MANA_PUBLIC_URL",
            format!(
                "'{text}' is no base URL; use a scheme and a host without a path, such as https://mana.example.org"
            ),
        ));
    }
    Ok(Some(url.to_owned()))
}

fn trusted_proxies(source: &Source) -> Result<TrustedProxies, ConfigError> {
    TrustedProxies::parse(&source.effective("MANA_TRUSTED_PROXIES")).map_err(|entry| {
        ConfigError::new(
            "MANA_TRUSTED_PROXIES",
            format!(
                "'{entry}' is no network; use a list of networks and addresses, such as 10.0.0.0/8,192.0.2.1"
            ),
        )
    })
}

fn database(source: &Source, data_dir: &Path) -> Result<Database, ConfigError> {
    let options = PostgresOptions {
        connections: whole(source, "MANA_DB_POOL", 2)?,
        idle: Duration::from_secs(whole(source, "MANA_DB_IDLE_S", 1)?.into()),
        ..PostgresOptions::default()
    };
    let Some(url) = source.get("DATABASE_URL") else {
        return Ok(Database::Sqlite(data_dir.join("mana.db")));
    };
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        postgres_url::check(&url)?;
        return Ok(Database::Postgres {
            url: Secret::new(url),
            options,
        });
    }
    let path = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"));
    match path {
        Some(path) if !path.is_empty() && !path.contains('?') => {
            Ok(Database::Sqlite(PathBuf::from(path)))
        }
        _ => Err(ConfigError::new(
            "DATABASE_URL",
            "is no database Mana knows; use sqlite:///absolute/path/to/mana.db or \
             postgres://user:password@host/database, or unset it for the file in the data directory",
        )),
    }
}

fn signup(source: &Source) -> Result<Signup, ConfigError> {
    let text = source.effective("MANA_SIGNUP");
    [Signup::Open, Signup::Invite, Signup::Closed]
        .into_iter()
        .find(|signup| signup.as_str() == text)
        .ok_or_else(|| {
            ConfigError::new(
                "MANA_SIGNUP",
                format!("'{text}' is unknown; use open, invite or closed"),
            )
        })
}

/// Reads the foreign issuer. All three variables must be set, or none: a part would check tokens incompletely.
fn issuer(source: &Source) -> Result<Option<IssuerConfig>, ConfigError> {
    let names = ["MANA_JWKS_URL", "MANA_JWT_ISSUER", "MANA_JWT_AUDIENCE"];
    let set = names.map(|name| source.get(name));
    if set.iter().all(Option::is_none) {
        return Ok(None);
    }
    let [Some(jwks_url), Some(issuer), Some(audience)] = set else {
        let missing = names.into_iter().find(|name| source.get(name).is_none());
        return Err(ConfigError::new(
            missing.unwrap_or(names[0]),
            "is missing; another issuer's tokens are accepted with MANA_JWKS_URL, MANA_JWT_ISSUER and \
             MANA_JWT_AUDIENCE: use all three, or none",
        ));
    };
    let is_url = jwks_url.parse().is_ok_and(|uri: axum::http::Uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some()
    });
    if !is_url {
        return Err(ConfigError::new(
            names[0],
            "is no address; use the whole address of the issuer's JSON Web Key Set, such as \
             https://issuer.example.org/.well-known/jwks.json",
        ));
    }
    Ok(Some(IssuerConfig {
        jwks_url,
        issuer,
        audience,
    }))
}

fn first_start(source: &Source) -> Result<bool, ConfigError> {
    match source.effective("MANA_FIRST_START").as_str() {
        "allow" => Ok(true),
        "refuse" => Ok(false),
        text => Err(ConfigError::new(
            "MANA_FIRST_START",
            format!("'{text}' is neither allow nor refuse; use one of them"),
        )),
    }
}

#[cfg(test)]
mod tests;
