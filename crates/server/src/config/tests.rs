//! Values that the configuration accepts, and its messages about those that it refuses.

use mana_llm::ProviderSettings;

use super::*;

fn config(env: &[(&str, &str)], file: &str) -> Result<Config, ConfigError> {
    let env = |name: &str| {
        env.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Config::parse(
        PathBuf::from("/data"),
        Source::new(&env, Path::new("/data/mana.toml"), file)?,
    )
}

fn error(env: &[(&str, &str)], file: &str) -> String {
    config(env, file)
        .expect_err("this must be refused")
        .to_string()
}

#[test]
fn config_defaults_are_those_of_the_table() {
    let config = config(&[], "").unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:3050");
    assert_eq!(config.server.roles.len(), 5);
    assert_eq!(config.storage.database.name(), "/data/mana.db");
    assert_eq!(config.auth.signup, Signup::Closed);
    assert_eq!(config.llm.timeout, Duration::from_secs(300));
    assert_eq!(config.runner.tick_interval, Duration::from_secs(60));
    assert!(config.runner.tick_enabled);
}

#[test]
fn config_trusted_proxies_are_networks_and_addresses() {
    let proxies = |text: &str| config(&[("MANA_TRUSTED_PROXIES", text)], "");
    let loopback = TrustedProxies::parse("127.0.0.0/8,::1").unwrap();
    assert_eq!(proxies("").unwrap().server.trusted_proxies, loopback);
    let some = TrustedProxies::parse("10.0.0.0/8,192.0.2.1").unwrap();
    let listed = config(&[], "trusted_proxies = ['10.0.0.0/8', '192.0.2.1']").unwrap();
    assert_eq!(listed.server.trusted_proxies, some);
    let message = error(&[("MANA_TRUSTED_PROXIES", "10.0.0.0/8,proxy.local")], "");
    assert!(
        message.contains("MANA_TRUSTED_PROXIES") && message.contains("'proxy.local'"),
        "{message}"
    );
}

#[test]
fn config_environment_wins_over_the_file_and_empty_is_unset() {
    let file = "listen = '127.0.0.1:1'\nsignup = 'open'\ntick_interval_ms = 5";
    let config = config(&[("MANA_LISTEN", "127.0.0.1:2"), ("MANA_SIGNUP", "")], file).unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.auth.signup, Signup::Open);
    assert_eq!(config.runner.tick_interval, Duration::from_millis(5));
}

#[test]
fn config_a_role_alone_has_its_own_port() {
    assert_eq!(
        config(&[("MANA_ROLES", "ai")], "")
            .unwrap()
            .server
            .listen
            .port(),
        3066
    );
    assert_eq!(
        config(&[("MANA_ROLES", "llm")], "")
            .unwrap()
            .server
            .listen
            .port(),
        3020
    );
    assert_eq!(
        config(&[("MANA_ROLES", "sync, auth")], "")
            .unwrap()
            .server
            .listen
            .port(),
        3050
    );
}

#[test]
fn config_bad_values_name_the_variable_and_what_to_do() {
    for (name, value) in [
        ("MANA_LISTEN", "nowhere"),
        ("MANA_ROLES", "web,cook"),
        ("MANA_SIGNUP", "maybe"),
        ("MANA_PUBLIC_URL", "mana.example.org"),
        ("MANA_PUBLIC_URL", "https://mana.example.org/app"),
        ("MANA_SERVICE_KEY", "short"),
        ("MANA_SERVICE_KEY", "changeme-changeme-changeme"),
        ("MANA_METRICS_KEY", "aaaaaaaaaaaaaaaaaaaaaaaa"),
        ("MANA_SETTINGS_KEY", "c2hvcnQ="),
        ("MANA_BACKUP_DIR", "relative/folder"),
        ("MANA_BACKUP_AT", "25:00"),
        ("MANA_BACKUP_KEEP", "0"),
        ("MANA_BACKUP_PASSPHRASE", "short"),
        ("MANA_PUSHES_PER_MINUTE", "0"),
        ("MANA_CONNECTIONS_PER_USER", "many"),
        ("DATABASE_URL", "mysql://x"),
        ("MANA_DB_POOL", "1"),
        ("MANA_DB_IDLE_S", "long"),
        ("TICK_INTERVAL_MS", "0"),
        ("TICK_ENABLED", "perhaps"),
        ("MANA_MEMBER_API", "perhaps"),
        ("MANA_API_CORS_ORIGINS", "app.example.org"),
        ("MANA_API_CORS_ORIGINS", "https://app.example.org/page"),
        ("MANA_LLM_TIMEOUT_MS", "5s"),
        ("MANA_LLM_URL", "localhost:1"),
    ] {
        let message = error(&[(name, value)], "");
        assert!(message.starts_with(name), "{message}");
        let says_what_to_do = ["use ", "unset", "write it", "must "]
            .iter()
            .any(|advice| message.contains(advice));
        assert!(says_what_to_do, "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn config_programs_in_browsers_have_origins_of_any_scheme() {
    let (pages, programs) = ("MANA_CORS_ORIGINS", "MANA_API_CORS_ORIGINS");
    for (set, expected) in [
        (vec![], vec![]),
        (
            vec![(pages, "https://a.example")],
            vec!["https://a.example"],
        ),
        (
            vec![
                (pages, "https://a.example"),
                (
                    programs,
                    "capacitor://localhost/, chrome-extension://abc,null",
                ),
            ],
            vec!["capacitor://localhost", "chrome-extension://abc", "null"],
        ),
        (vec![(programs, "*")], vec!["*"]),
    ] {
        let server = config(&set, "").unwrap().server;
        let origins: Vec<&str> = server.api_cors_origins.iter().collect();
        assert_eq!(origins, expected);
    }
}

#[test]
fn config_members_programs_are_let_in_by_the_owner_alone() {
    let limits = ["CALLS", "TOKENS", "MONEY"].map(|what| format!("MANA_MEMBER_{what}_PER_DAY"));
    let [calls, tokens, money] = limits.each_ref().map(|name| (name.as_str(), "5"));
    let (on, off) = (("MANA_MEMBER_API", "on"), ("MANA_MEMBER_API", "off"));
    for (set, may) in [
        (vec![], false),
        (vec![("MANA_SIGNUP", "open")], false),
        (vec![on], true),
        (vec![calls], true),
        (vec![tokens], true),
        (vec![money], true),
        (vec![calls, off], false),
    ] {
        let config = config(&set, "").unwrap();
        assert_eq!(config.limits.members.may_call_models, may, "{set:?}");
    }
}

#[test]
fn config_another_issuer_is_whole_or_not_there() {
    let whole = [
        ("MANA_JWKS_URL", "https://issuer.example/jwks"),
        ("MANA_JWT_ISSUER", "https://issuer.example"),
        ("MANA_JWT_AUDIENCE", "mana"),
    ];
    let issuer = config(&whole, "").unwrap().auth.issuer.unwrap();
    assert_eq!(issuer.jwks_url, "https://issuer.example/jwks");
    assert_eq!(issuer.issuer, "https://issuer.example");
    assert_eq!(issuer.audience, "mana");
    assert_eq!(config(&[], "").unwrap().auth.issuer, None);
    for missing in 0..3 {
        let (name, _) = whole[missing];
        let rest: Vec<_> = (0..3).filter(|n| *n != missing).map(|n| whole[n]).collect();
        let message = error(&rest, "");
        assert!(message.starts_with(name), "{message}");
        assert!(message.contains("use all three, or none"), "{message}");
    }
    let mut unfit = whole;
    unfit[0].1 = "issuer.example/jwks";
    assert!(error(&unfit, "").starts_with("MANA_JWKS_URL"));
}

#[test]
fn config_a_bad_file_names_its_line() {
    assert!(error(&[], "listen = \nsignup = 'open'").contains("line 1"));
    assert!(error(&[], "[llm]\nmodle = 'x'").contains("modle"));
    let unknown = error(&[], "lissen = '127.0.0.1:1'");
    assert!(
        unknown.contains("lissen") && unknown.contains("listen"),
        "{unknown}"
    );
}

#[test]
fn config_providers_come_from_their_variable_or_their_table() {
    let file = "[llm]\nmodel = 'box/m'\ntimeout_ms = 7\n\
        [llm.providers.box]\nbase_url = 'http://box/v1'\nkey = 'hunter2'";
    let config = config(&[("OPENAI_API_KEY", "sk")], file).unwrap();
    let names: Vec<_> = config
        .llm
        .providers
        .iter()
        .map(|provider| provider.name.as_str())
        .collect();
    assert_eq!(names, ["box", "openai"]);
    assert_eq!(config.llm.timeout, Duration::from_millis(7));
    let shown = config.show();
    assert!(
        shown.contains("MANA_LLM_MODEL = box/m   # /data/mana.toml"),
        "{shown}"
    );
    assert!(
        shown.contains("# provider box = http://box/v1, key (hidden)"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn config_shows_effective_values_and_hides_secrets() {
    let env = [
        ("OPENAI_API_KEY", "sk-hunter2"),
        ("MANA_SERVICE_KEY", "Zk3v9QmB1xT8wLr5"),
        ("MANA_LLM_MODEL", "m"),
    ];
    let shown = config(&env, "signup = 'open'").unwrap().show();
    assert!(
        shown.contains("OPENAI_API_KEY = (hidden)   # environment"),
        "{shown}"
    );
    assert!(
        shown.contains("MANA_SIGNUP = open   # /data/mana.toml"),
        "{shown}"
    );
    assert!(
        shown.contains("MANA_LISTEN = 127.0.0.1:3050   # default"),
        "{shown}"
    );
    assert!(
        !shown.contains("hunter2") && !shown.contains("0123456789abcdef"),
        "{shown}"
    );
}

#[test]
fn config_key_of_the_environment_goes_to_no_address_that_was_saved() {
    let env = [("OPENAI_API_KEY", "sk-of-the-environment")];
    let file = "[llm.providers.openai]\nbase_url = 'https://file.example/v1'";
    let saved = || {
        let provider = ProviderSettings {
            base_url: Some("https://saved.example/v1".to_owned()),
            ..ProviderSettings::default()
        };
        LlmSettings {
            providers: [("openai".to_owned(), provider)].into(),
            ..LlmSettings::default()
        }
    };
    let host = |env: &[(&str, &str)], file: &str| {
        let under = config(env, file).unwrap().llm_under(saved()).unwrap();
        let openai = (under.providers.iter()).find(|provider| provider.name == "openai");
        openai.unwrap().base_url.host_str().unwrap().to_owned()
    };
    assert_eq!(host(&env, ""), "api.openai.com");
    assert_eq!(host(&env, file), "file.example");
    assert_eq!(host(&[], file), "saved.example");
}

#[test]
fn config_errors_name_the_place_of_the_value() {
    let file = "# Mana\nsignup = \"open\"\nruns = \"many\"\n\n[llm]\nurl = \"no address\"\n";
    let error = config(&[], file).unwrap_err().to_string();
    assert!(
        error.contains("/data/mana.toml, line 3, key 'runs':"),
        "{error}"
    );
    let error = config(&[("MANA_RUNS", "many")], file).unwrap_err();
    assert!(error.to_string().starts_with("MANA_RUNS:"), "{error}");
    let error = config(&[], "sing_up = \"open\"\n").unwrap_err().to_string();
    assert!(
        error.contains("line 1") && error.contains("did you mean 'signup'?"),
        "{error}"
    );
}

#[test]
fn config_takes_secrets_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    std::fs::write(&path, "d2f1c6a09b7e4d58a3c0\n").unwrap();
    let path = path.to_str().unwrap();
    let read = config(&[("MANA_SERVICE_KEY_FILE", path)], "").unwrap();
    let key = read.server.service_key.unwrap();
    assert_eq!(key.expose(), "d2f1c6a09b7e4d58a3c0");
    for (env, word) in [
        (vec![("MANA_SERVICE_KEY_FILE", "/nowhere")], "/nowhere"),
        (
            vec![
                ("MANA_SERVICE_KEY_FILE", path),
                ("MANA_SERVICE_KEY", "another-service-key-0123456789abcdef"),
            ],
            "set one of them",
        ),
    ] {
        let error = config(&env, "").unwrap_err().to_string();
        assert!(
            error.starts_with("MANA_SERVICE_KEY_FILE:") && error.contains(word),
            "{error}"
        );
    }
}

#[test]
fn variables_that_look_like_manas_are_named() {
    let said = super::not_read("MANA_SINGUP").unwrap();
    assert_eq!(said, "MANA_SINGUP is not read; did you mean MANA_SIGNUP?");
    assert!(super::not_read("MANA_XYZZY").is_some());
    for read in [
        "MANA_SIGNUP",
        "MANA_SERVICE_KEY_FILE",
        "MANA_PORT_3050_TCP",
        "HOME",
    ] {
        assert_eq!(super::not_read(read), None, "{read}");
    }
}
