//! The gateways that are compared, each a process of its own on this machine with the same upstream.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

use super::load::Target;
use crate::client::http;
use crate::server::{Home, On, Server};

/// How long a gateway may take to start. Python is slow.
const STARTS_WITHIN: Duration = Duration::from_secs(120);
/// Prices of calls, in US dollars per million tokens of the request and of the answer.
const PRICE: (f64, f64) = (1.0, 4.0);
/// Budgets that no run exceeds. Each call is metered against them all the same.
const TOKENS: u64 = 1_000_000_000_000;
const MONEY: f64 = 1_000_000.0;
/// The model of every call.
pub const MODEL: &str = "bench-chat";

/// A program that runs until it is dropped.
pub struct Program {
    child: Child,
    dir: TempDir,
    /// The address that it listens at.
    pub address: SocketAddr,
}

impl Program {
    /// Starts a program and waits until something listens at its address. None where the program is not installed.
    fn start(
        name: &str,
        arguments: impl FnOnce(u16, &Path) -> Result<Vec<String>>,
    ) -> Result<Option<Program>> {
        let port = free_port()?;
        let dir = TempDir::new()?;
        let log = File::create(dir.path().join("log"))?;
        let spawned = Command::new(name)
            .args(arguments(port, dir.path())?)
            .env("RUST_LOG", "error")
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{name} can't be started")),
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut program = Program {
            child,
            dir,
            address,
        };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if program.child.try_wait()?.is_some() || began.elapsed() > STARTS_WITHIN {
                let log = fs::read_to_string(program.dir.path().join("log"))?;
                bail!("{name} did not start:\n{log}");
            }
            sleep(Duration::from_millis(50));
        }
        Ok(Some(program))
    }

    /// Resident memory now, in MiB, child processes included.
    pub fn memory(&self) -> Result<f64> {
        tree(self.child.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The program may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tree(id: u32) -> Result<f64> {
    let mut sum = crate::server::resident(id)?;
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    for child in children.split_whitespace() {
        sum += tree(child.parse()?)?;
    }
    Ok(sum)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// `crabllm-bench`: a model's server that gives the same answer at once, in 20 pieces where it streams.
pub fn upstream() -> Result<Program> {
    let arguments = |port: u16, _: &Path| Ok(vec!["--port".to_owned(), port.to_string()]);
    Program::start("crabllm-bench", arguments)?
        .context("the upstream is missing; run `cargo install crabllm crabllm-bench`, and have ~/.cargo/bin in PATH")
}

/// The upstream without a gateway.
pub fn direct(upstream: &Program) -> Target {
    Target::new("direct", upstream.address, "none", MODEL)
}

/// The upstream behind a relay that copies bytes, with two threads a connection: the smallest cost of any process in
/// between on this machine.
pub fn relay(upstream: &Program) -> Result<Target> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (address, to) = (listener.local_addr()?, upstream.address);
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            // A broken call fails at the client, which counts it.
            let _ = TcpStream::connect(to).and_then(|server| {
                pass_on(client.try_clone()?, server.try_clone()?)?;
                pass_on(server, client)
            });
        }
    });
    Ok(Target::new("a bare relay", address, "none", MODEL))
}

/// Passes on bytes until either end closes.
fn pass_on(mut from: TcpStream, mut to: TcpStream) -> std::io::Result<()> {
    to.set_nodelay(true)?;
    thread::spawn(move || {
        let mut bytes = [0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut bytes)
            && to.write_all(&bytes[..read]).is_ok()
        {}
        let _ = to.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// crabllm with its default settings, usage and budgets on, in memory. None where it is not installed.
pub fn crabllm(upstream: &Program) -> Result<Option<(Program, Target)>> {
    let program = Program::start("crabllm", |port, dir| {
        let (input, output) = PRICE;
        let config = format!(
            r#"
listen = "127.0.0.1:{port}"
[[keys]]
name = "bench"
key = "sk-bench"
models = ["*"]
[providers.mock]
kind = "openai"
base_url = "http://{}/v1"
api_key = "none"
models = ["{MODEL}"]
max_retries = 0
timeout = 10
[models.{MODEL}.pricing]
input_cost_per_million = {input:?}
output_cost_per_million = {output:?}
[extensions.usage]
[extensions.budget]
default_budget = {MONEY:?}
"#,
            upstream.address
        );
        fs::write(dir.join("crabllm.toml"), config)?;
        Ok(["serve", "--config", "crabllm.toml"]
            .map(str::to_owned)
            .into())
    })?;
    Ok(program.map(|program| {
        let target = Target::new("crabllm", program.address, "sk-bench", MODEL);
        (program, target)
    }))
}

/// LiteLLM's proxy: one worker, its master key, and no budgets, which need a Postgres. None where it is not installed.
pub fn litellm(upstream: &Program) -> Result<Option<(Program, Target)>> {
    let program = Program::start("litellm", |port, dir| {
        let config = json!({
            "model_list": [{"model_name": MODEL, "litellm_params": {
                "model": format!("openai/{MODEL}"),
                "api_base": format!("http://{}/v1", upstream.address), "api_key": "none"}}],
            "general_settings": {"master_key": "sk-bench"},
        });
        // JSON is YAML.
        fs::write(dir.join("litellm.yaml"), config.to_string())?;
        let port = port.to_string();
        let arguments = [
            "--config",
            "litellm.yaml",
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--telemetry",
            "False",
        ];
        Ok(arguments.map(str::to_owned).into())
    })?;
    Ok(program.map(|program| {
        let target = Target::new("LiteLLM", program.address, "sk-bench", MODEL);
        (program, target)
    }))
}

/// Mana as `MANA_ROLES=llm`, and a virtual key with budgets in tokens and money.
pub struct Mana {
    home: Home,
    server: Server,
    key: String,
}

impl Mana {
    /// Starts the gateway alone on data with an owner and a key.
    pub async fn start(binary: &Path, on: On, upstream: &Program) -> Result<(Mana, Target)> {
        let (home, id, secret) = prepared(binary, on, upstream.address).await?;
        let server = home.start().await?;
        let address = server.address()?;
        let target = Target::new("Mana", address, secret, "default/bench-chat");
        let mana = Mana {
            home,
            server,
            key: id,
        };
        Ok((mana, target))
    }

    /// Resident memory now, in MiB.
    pub fn memory(&self) -> Result<f64> {
        self.server.memory()
    }

    /// Fails unless so many calls were charged to the key: a gateway that doesn't meter can't be compared.
    pub async fn metered(&self, sent: usize) -> Result<()> {
        if self.home.cluster().is_some() {
            // On Postgres the ledger is not read; the store's tests hold both backends to the same figures.
            return Ok(());
        }
        let mut file = SqliteConnectOptions::new()
            .filename(self.home.file())
            .read_only(true)
            .connect()
            .await?;
        let began = Instant::now();
        loop {
            let (calls, open) = charged(&mut file, &self.key).await?;
            if open == 0 && usize::try_from(calls)? == sent {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(30) {
                bail!(
                    "{sent} calls were sent to Mana, {calls} were charged to their key and {open} never settled"
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Creates the owner and the key with a whole server, and returns the home of a gateway alone on the same data, with
/// the key's id and secret.
pub async fn prepared(
    binary: &Path,
    on: On,
    upstream: SocketAddr,
) -> Result<(Home, String, String)> {
    let mut home = Home::new(binary, on)?;
    let (input, output) = PRICE;
    fs::write(
        home.file().with_file_name("mana.toml"),
        format!(
            "[llm]\nfind_ollama = false\n[llm.models.\"default/{MODEL}\"]\ninput = {input:?}\noutput = {output:?}\n"
        ),
    )?;
    home.set("MANA_LLM_URL", format!("http://{upstream}/v1"));
    home.set("MANA_LLM_MODEL", MODEL);
    let mut whole = home.start().await?;
    let (id, secret) = new_key(&mut whole).await?;
    whole.kill().await?;
    home.set("MANA_ROLES", "llm");
    Ok((home, id, secret))
}

async fn charged(file: &mut SqliteConnection, key: &str) -> Result<(i64, i64)> {
    let sums = "SELECT (SELECT coalesce(sum(calls), 0) FROM usage WHERE key_id = ?),
                       (SELECT count(*) FROM ledger_reservations)";
    Ok(sqlx::query_as(sums).bind(key).fetch_one(file).await?)
}

async fn new_key(server: &mut Server) -> Result<(String, String)> {
    let http = http()?;
    let invite = server.setup_token().await?;
    let owner = json!({"email": "owner@example.org", "password": "correct horse battery", "invite": invite});
    let signed = post(&http, &server.base, "auth/signup", "", &owner).await?;
    let token = signed["token"].as_str().context("a token")?;
    let key = json!({"name": "bench", "tokens": TOKENS, "money": MONEY, "window": "month"});
    let made = post(&http, &server.base, "llm/keys", token, &key).await?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    Ok((
        text(&made["key"]["id"]).context("the key's id")?,
        text(&made["secret"]).context("the key")?,
    ))
}

async fn post(
    http: &reqwest::Client,
    base: &str,
    path: &str,
    token: &str,
    body: &serde_json::Value,
) -> Result<serde_json::Value> {
    let request = http.post(format!("{base}/{path}")).bearer_auth(token);
    let response = request.json(body).send().await?;
    let status = response.status();
    let answer: serde_json::Value = response.json().await?;
    if !status.is_success() {
        bail!("/{path} answered {status}: {answer}");
    }
    Ok(answer)
}

/// Fails unless crabllm has charged its key for the calls.
pub async fn crabllm_metered(program: &Program) -> Result<()> {
    let url = format!("http://{}/v1/budget", program.address);
    let request = http()?.get(url).bearer_auth("sk-bench");
    let spent: serde_json::Value = request.send().await?.error_for_status()?.json().await?;
    if spent[0]["spent_usd"].as_f64().unwrap_or(0.0) <= 0.0 {
        bail!("crabllm's budget was not used: {spent}");
    }
    Ok(())
}
