//! A running server, and a person who uses it.

use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mana_test_postgres::Cluster;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Bound of every wait; a test that waits longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The settings key of servers on Postgres: 32 bytes in Base64.
pub const SETTINGS_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// A data directory and the settings of the servers that are started on it, one after the other.
pub struct Home {
    /// The directory.
    pub dir: TempDir,
    env: Vec<(String, String)>,
}

impl Drop for Home {
    /// Prints what the servers of a test that failed have logged.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of the servers:\n{}", self.log());
        }
    }
}

impl Home {
    /// Makes settings with which no mission runs by itself, and no model on this machine is looked for.
    pub fn new(env: &[(&str, &str)]) -> Home {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        std::fs::write(
            dir.path().join("data/mana.toml"),
            "[llm]\nfind_ollama = false\n",
        )
        .unwrap();
        let mut settings = vec![("TICK_ENABLED", "false"), ("MANA_LISTEN", "127.0.0.1:0")];
        // Servers that share a database share the key that seals its secrets.
        if env.iter().any(|(name, _)| *name == "DATABASE_URL") {
            settings.push(("MANA_SETTINGS_KEY", SETTINGS_KEY));
        }
        settings.extend(env);
        Home {
            env: settings
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            dir,
        }
    }

    /// Sets a variable for the servers that are started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    pub fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// Returns a command of the binary with these settings and no others.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mana"));
        command
            .args(arguments)
            .env_clear()
            .env("MANA_DATA_DIR", self.data())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Starts a server and waits until it says that it is ready.
    pub async fn start(&self) -> Server {
        let log = self.dir.path().join("log");
        let stderr = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut process = self
            .command(&["serve"])
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = match timeout(PATIENCE, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            _ => panic!(
                "the server did not start:\n{}",
                std::fs::read_to_string(&log).unwrap_or_default()
            ),
        };
        let base = line
            .strip_prefix("Mana is ready: ")
            .expect("the first line is the address")
            .to_owned();
        Server {
            base,
            process,
            lines,
            http: http(),
        }
    }

    /// Returns the log lines of the servers on this directory.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub fn service_key(&self) -> String {
        std::fs::read_to_string(self.data().join("service.key")).unwrap()
    }

    /// Returns the account's token with another end, in seconds from now, signed with the server's own key.
    pub fn token_until(&self, account: &Account, seconds: i64) -> String {
        let (head, _) = account.token.rsplit_once('.').unwrap();
        let (header, claims) = head.split_once('.').unwrap();
        let mut claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        claims["exp"] = json!(now_s() + seconds);
        let head = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let key = std::fs::read(self.data().join("token.key")).unwrap();
        let key = ring::signature::Ed25519KeyPair::from_pkcs8(&key).unwrap();
        format!(
            "{head}.{}",
            URL_SAFE_NO_PAD.encode(key.sign(head.as_bytes()))
        )
    }

    /// Puts a file into `modules/`.
    pub fn add_module(&self, name: &str, text: &str) {
        let modules = self.data().join("modules");
        std::fs::create_dir_all(&modules).unwrap();
        std::fs::write(modules.join(name), text).unwrap();
    }
}

/// A running server.
pub struct Server {
    /// The address.
    pub base: String,
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub http: Client,
}

/// An answer: its status and its JSON, `null` where there is none.
pub type Answer = (StatusCode, Value);

impl Server {
    /// Returns the token of the setup link, which a server without an owner prints after its address.
    pub async fn setup_token(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .expect("a setup link is printed");
        let (link, token) = line
            .split_once("/setup#token=")
            .expect("the link has the token in its fragment");
        assert!(link.ends_with(&self.base), "{line}");
        token.to_owned()
    }

    /// Starts a server. Returns it with its owner, signed in.
    pub async fn with_owner(home: &Home) -> (Server, Account) {
        let mut server = home.start().await;
        let token = server.setup_token().await;
        let owner = server.sign_up("owner@example.org", Some(&token)).await;
        (server, owner)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// Makes an account; the server must accept it.
    pub async fn sign_up(&self, email: &str, invite: Option<&str>) -> Account {
        let body = json!({ "email": email, "password": PASSWORD, "invite": invite, "timezone": "Europe/Berlin" });
        let response = self
            .request(Method::POST, "/auth/signup")
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(
            response.status(),
            StatusCode::CREATED,
            "{}",
            response.text().await.unwrap()
        );
        self.account(response).await
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Result<Account, Answer> {
        let body = json!({ "email": email, "password": password });
        let response = self
            .request(Method::POST, "/auth/login")
            .json(&body)
            .send()
            .await
            .unwrap();
        match response.status() {
            StatusCode::OK => Ok(self.account(response).await),
            status => Err((status, response.json().await.unwrap_or_default())),
        }
    }

    async fn account(&self, response: reqwest::Response) -> Account {
        let set = response.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .to_owned();
        let body: Value = response.json().await.unwrap();
        Account {
            user_id: body["userId"].as_str().unwrap().to_owned(),
            token: body["token"].as_str().unwrap().to_owned(),
            cookie: set.split(';').next().unwrap().to_owned(),
            set_cookie: set,
            base: self.base.clone(),
            http: self.http.clone(),
        }
    }

    /// Returns the answer of `/internal/tick`.
    pub async fn tick(&self, key: &str) -> Answer {
        send(
            self.request(Method::POST, "/internal/tick")
                .header("x-service-key", key),
        )
        .await
    }

    pub fn signal(&self, signal: &str) {
        let id = self.process.id().expect("it runs").to_string();
        let done = std::process::Command::new("kill")
            .args([signal, &id])
            .status()
            .unwrap();
        assert!(done.success());
    }

    pub async fn ended(mut self) -> ExitStatus {
        timeout(PATIENCE, self.process.wait())
            .await
            .expect("the server ends")
            .unwrap()
    }

    /// Kills the process (`kill -9`).
    pub async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }

    /// Sends SIGTERM; the process must end with success.
    pub async fn stop(self) {
        self.signal("-TERM");
        assert_eq!(self.ended().await.code(), Some(0));
    }
}

fn http() -> Client {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

/// Returns the seconds since the epoch.
pub fn now_s() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_secs()).unwrap()
}

pub const PASSWORD: &str = "correct horse battery";

/// A signed-in person.
#[derive(Clone)]
pub struct Account {
    pub user_id: String,
    pub token: String,
    pub cookie: String,
    pub set_cookie: String,
    pub base: String,
    pub http: Client,
}

impl Account {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// Sends a request with the session cookie, as a browser does before it has a token.
    pub async fn by_cookie(&self, method: Method, path: &str) -> Answer {
        send(
            self.http
                .request(method, format!("{}{path}", self.base))
                .header("cookie", &self.cookie),
        )
        .await
    }

    /// Pushes to an app; the server must accept the push.
    pub async fn push(&self, app: &str, client: &str, changes: Value) -> Value {
        let (status, body) = self
            .post(
                &format!("/sync/{app}"),
                json!({ "clientId": client, "changes": changes }),
            )
            .await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Returns every change of a table.
    pub async fn pull(&self, app: &str, table: &str) -> Vec<Value> {
        let (status, body) = self
            .get(&format!("/sync/{app}/pull?collection={table}"))
            .await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body["hasMore"], false);
        body["serverChanges"].as_array().unwrap().clone()
    }
}

/// Starts a server on each database. Returns it with the database's name, its settings and its owner.
pub async fn on_both_databases() -> Vec<(&'static str, Home, Server, Account)> {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    let mut all = Vec::new();
    for (name, home) in [
        ("sqlite", Home::new(&[])),
        ("postgres", Home::new(&[("DATABASE_URL", &url)])),
    ] {
        let (server, owner) = Server::with_owner(&home).await;
        all.push((name, home, server, owner));
    }
    all
}

/// Runs a command to its end.
pub async fn run(home: &Home, arguments: &[&str]) -> Output {
    let output = home.command(arguments).output();
    timeout(PATIENCE, output).await.expect("it ends").unwrap()
}

/// Runs a command that must fail. Returns the reason.
pub async fn refused(home: &Home, arguments: &[&str]) -> String {
    let output = run(home, arguments).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    said
}

/// Carries out SQL in the database's file.
pub async fn sql(home: &Home, statement: &'static str) {
    let url = format!("sqlite:{}", home.data().join("mana.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

/// Asserts that neither the log of the servers nor a file of the data directory holds a text.
#[track_caller]
pub fn assert_kept_nowhere(home: &Home, text: &str) {
    assert!(!home.log().contains(text), "the log holds it");
    for file in std::fs::read_dir(home.data()).unwrap() {
        let file = file.unwrap().path();
        if file.is_file() {
            let bytes = std::fs::read(&file).unwrap();
            let found = bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes());
            assert!(!found, "{} holds it", file.display());
        }
    }
}

pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    (status, body)
}

/// Asserts that an answer is an error in its envelope: status, code and a message for people.
#[track_caller]
pub fn assert_error((status, body): &Answer, expected: StatusCode, code: &str) {
    assert_eq!(
        (*status, body["error"]["code"].as_str()),
        (expected, Some(code)),
        "{body}"
    );
    let message = body["error"]["message"].as_str().unwrap_or_default();
    assert!(
        message.ends_with('.') && message.len() > 20,
        "the message says what to do: {message:?}"
    );
}

/// Returns a file's permissions.
#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
