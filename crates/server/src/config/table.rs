//! The table of all variables that Mana reads.

/// A variable of the environment and its key in `mana.toml`.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// The name in the environment.
    pub name: &'static str,
    /// The dotted key in `mana.toml`; none where the file can't set it.
    pub key: Option<&'static str>,
    /// The default, if it is a fixed text.
    pub default: Option<&'static str>,
    /// The effect of leaving it unset, if there is no fixed default.
    pub unset: &'static str,
    /// Whether its value must not be shown.
    pub secret: bool,
}

impl Variable {
    /// Returns the value as `mana config` prints it.
    pub fn shown(&self, value: &str) -> String {
        // Unlike the address of a database server, a path holds no password.
        if self.secret && !value.starts_with("sqlite:") {
            "(hidden)".to_owned()
        } else {
            value.to_owned()
        }
    }
}

const fn plain(name: &'static str, key: &'static str, default: &'static str) -> Variable {
    Variable {
        name,
        key: Some(key),
        default: Some(default),
        unset: "",
        secret: false,
    }
}

const fn unset(name: &'static str, key: &'static str, unset: &'static str) -> Variable {
    Variable {
        name,
        key: Some(key),
        default: None,
        unset,
        secret: false,
    }
}

const fn secret(name: &'static str, key: &'static str, unset: &'static str) -> Variable {
    Variable {
        name,
        key: Some(key),
        default: None,
        unset,
        secret: true,
    }
}

/// Returns the table of the configuration, in the order in which `mana config` prints it. The variables of known
/// providers are the gateway's; in the file, a provider has a table of its own: `[llm.providers.openai]`.
pub fn variable_table() -> impl Iterator<Item = Variable> {
    let providers = mana_llm::variables().map(|variable| Variable {
        name: variable.name,
        key: None,
        default: None,
        unset: variable.unset,
        secret: variable.is_secret,
    });
    TABLE.iter().copied().chain(providers)
}

/// Mana's own variables.
const TABLE: &[Variable] = &[
    unset("MANA_LISTEN", "listen", ""),
    // `mana.toml` lies in this directory, so it can't name it.
    Variable {
        name: "MANA_DATA_DIR",
        key: None,
        default: None,
        unset: "",
        secret: false,
    },
    // The address may hold a password.
    secret(
        "DATABASE_URL",
        "database_url",
        "SQLite in the data directory",
    ),
    plain("MANA_DB_POOL", "db_pool", "4"),
    plain("MANA_DB_IDLE_S", "db_idle_s", "30"),
    plain("MANA_DB_WAIT_S", "db_wait_s", "60"),
    plain("MANA_FIRST_START", "first_start", "allow"),
    unset(
        "MANA_BACKUP_DIR",
        "backup_dir",
        "backups in the data directory on SQLite, none on Postgres",
    ),
    plain("MANA_BACKUP_AT", "backup_at", "03:30"),
    plain("MANA_BACKUP_KEEP", "backup_keep", "7"),
    plain("MANA_BACKUP_BEFORE_UPGRADE", "backup_before_upgrade", "on"),
    secret("MANA_BACKUP_PASSPHRASE", "backup_passphrase", "not sealed"),
    plain("MANA_ROLES", "roles", "web,auth,sync,ai,llm"),
    secret(
        "MANA_SERVICE_KEY",
        "service_key",
        "made on first start, in the data directory",
    ),
    secret(
        "MANA_METRICS_KEY",
        "metrics_key",
        "the service key alone opens /metrics",
    ),
    secret(
        "MANA_SETTINGS_KEY",
        "settings_key",
        "made on first start, in the data directory",
    ),
    unset("MANA_PUBLIC_URL", "public_url", "from the request"),
    unset("MANA_JWKS_URL", "jwks_url", "own keys"),
    unset("MANA_JWT_ISSUER", "jwt_issuer", "own keys"),
    unset("MANA_JWT_AUDIENCE", "jwt_audience", "own keys"),
    plain("MANA_SIGNUP", "signup", "closed"),
    unset(
        "MANA_OIDC_ISSUER",
        "oidc_issuer",
        "no sign-in by a provider",
    ),
    unset(
        "MANA_OIDC_CLIENT_ID",
        "oidc_client_id",
        "no sign-in by a provider",
    ),
    secret(
        "MANA_OIDC_CLIENT_SECRET",
        "oidc_client_secret",
        "a public client",
    ),
    unset("MANA_OIDC_NAME", "oidc_name", "the issuer's host"),
    // The address may hold a password.
    secret("MANA_SMTP_URL", "smtp_url", "no mail"),
    unset("MANA_SMTP_FROM", "smtp_from", "no mail"),
    plain("MANA_TRUSTED_PROXIES", "trusted_proxies", "127.0.0.0/8,::1"),
    unset("MANA_CORS_ORIGINS", "cors_origins", "none"),
    unset(
        "MANA_API_CORS_ORIGINS",
        "api_cors_origins",
        "MANA_CORS_ORIGINS",
    ),
    plain("MANA_PUSHES_PER_MINUTE", "pushes_per_minute", "6000"),
    plain("MANA_CONNECTIONS_PER_USER", "connections_per_user", "100"),
    plain(
        "MANA_CONNECTIONS_PER_ADDRESS",
        "connections_per_address",
        "512",
    ),
    unset("MANA_MEMBER_MB", "member_mb", "no limit"),
    unset("MANA_MEMBER_RECORDS", "member_records", "no limit"),
    unset(
        "MANA_MEMBER_CALLS_PER_DAY",
        "member_calls_per_day",
        "no limit",
    ),
    unset(
        "MANA_MEMBER_TOKENS_PER_DAY",
        "member_tokens_per_day",
        "no limit",
    ),
    unset(
        "MANA_MEMBER_MONEY_PER_DAY",
        "member_money_per_day",
        "no limit",
    ),
    unset(
        "MANA_MEMBER_API",
        "member_api",
        "on where members' calls are limited, else off",
    ),
    unset("MANA_LLM_URL", "llm.url", "the built-in gateway"),
    secret("MANA_LLM_KEY", "llm.key", "none"),
    unset("MANA_LLM_MODEL", "llm.model", "mana/reasoning"),
    plain("MANA_LLM_TIMEOUT_MS", "llm.timeout_ms", "300000"),
    plain("TICK_INTERVAL_MS", "tick_interval_ms", "60000"),
    plain("TICK_ENABLED", "tick_enabled", "true"),
    plain("MANA_RUNS", "runs", "64"),
    plain("MANA_RUNS_PER_USER", "runs_per_user", "4"),
    plain("MANA_RUN_LEASE_MS", "run_lease_ms", "60000"),
    plain("MANA_CLOCK_SKEW_MS", "clock_skew_ms", "0"),
    Variable {
        name: "OTEL_EXPORTER_OTLP_ENDPOINT",
        key: None,
        default: None,
        unset: "no traces",
        secret: false,
    },
];
