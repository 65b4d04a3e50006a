//! A real server and its database, for a bench alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mana_test_postgres::Cluster;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::block_in_place;
use tokio::time::timeout;

/// An operation that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The settings key of servers that share a database: 32 bytes in Base64.
const SETTINGS_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Where a server keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum On {
    /// A file.
    Sqlite,
    /// A private cluster with durable commits.
    Postgres,
}

impl On {
    /// The database's name in titles.
    pub fn name(self) -> &'static str {
        match self {
            On::Sqlite => "SQLite",
            On::Postgres => "Postgres",
        }
    }
}

/// A data directory, its database, and the settings of the servers that are started on them.
pub struct Home {
    binary: PathBuf,
    dir: TempDir,
    database: Option<(Arc<Cluster>, String)>,
    settings: BTreeMap<String, String>,
    /// The program and its arguments under which servers run; empty for none.
    tool: Vec<String>,
}

impl Home {
    /// A home with an empty data directory.
    pub fn new(binary: &Path, on: On) -> Result<Home> {
        let cluster = match on {
            On::Sqlite => None,
            On::Postgres => Some(Arc::new(block_in_place(Cluster::durable))),
        };
        Home::with(binary, cluster)
    }

    /// Sets a variable for the servers that are started from now on.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.settings.insert(name.to_owned(), value.to_string());
    }

    /// Adds lines to `mana.toml`.
    pub fn add_settings(&self, lines: &str) -> Result<()> {
        let path = self.dir.path().join("data/mana.toml");
        let settings = fs::read_to_string(&path)?;
        Ok(fs::write(path, format!("{settings}{lines}"))?)
    }

    /// The home of another server: a data directory of its own over the same Postgres database, with the same settings.
    pub fn another_server(&self) -> Result<Home> {
        let mut home = Home::with(&self.binary, None)?;
        home.database = self.database.clone();
        home.settings = self.settings.clone();
        Ok(home)
    }

    /// Another home. On Postgres it shares the cluster.
    pub fn beside(&self) -> Result<Home> {
        let cluster = self.cluster().cloned();
        Home::with(&self.binary, cluster)
    }

    fn with(binary: &Path, cluster: Option<Arc<Cluster>>) -> Result<Home> {
        let binary = fs::canonicalize(binary).with_context(|| {
            format!(
                "{} isn't there; run `cargo xtask build`, or set MANA_BIN",
                binary.display()
            )
        })?;
        let dir = TempDir::new()?;
        fs::create_dir(dir.path().join("data"))?;
        fs::write(
            dir.path().join("data/mana.toml"),
            "[llm]\nfind_ollama = false\n",
        )?;
        let database = cluster.map(|cluster| {
            let name = block_in_place(|| cluster.create());
            (cluster, name)
        });
        Ok(Home {
            binary,
            dir,
            database,
            settings: BTreeMap::new(),
            tool: Vec::new(),
        })
    }

    /// Runs the servers that are started from now on under a tool, such as valgrind.
    pub fn run_under(&mut self, tool: &[String]) {
        self.tool = tool.to_vec();
    }

    /// Another server's home. On Postgres it shares the database.
    pub fn another(&self) -> Result<Home> {
        let home = Home::with(&self.binary, None)?;
        Ok(Home {
            database: self.database.clone(),
            ..home
        })
    }

    /// The cluster, on Postgres.
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.database.as_ref().map(|(cluster, _)| cluster)
    }

    /// The name of the database, on Postgres.
    pub fn database(&self) -> Option<&str> {
        self.database.as_ref().map(|(_, name)| name.as_str())
    }

    /// Does at once the work that Postgres does within minutes after much was written: vacuum, analyse and a
    /// checkpoint. Otherwise that work disturbs the next measurement.
    pub fn settle(&self) {
        if let Some((cluster, name)) = &self.database {
            for sql in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
                block_in_place(|| cluster.sql(name, sql));
            }
        }
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("data/mana.db")
    }

    /// The size of the database on disk, in bytes.
    pub fn size(&self) -> u64 {
        match &self.database {
            Some((cluster, name)) => {
                let sql = format!("SELECT pg_database_size('{name}')");
                block_in_place(|| cluster.sql("postgres", &sql))
                    .parse()
                    .unwrap_or(0)
            }
            None => ["mana.db", "mana.db-wal"]
                .iter()
                .filter_map(|name| fs::metadata(self.file().with_file_name(name)).ok())
                .map(|file| file.len())
                .sum(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"))?;
        let mut command = match self.tool.split_first() {
            Some((tool, arguments)) => {
                let mut command = Command::new(tool);
                command.args(arguments).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command
            .args(arguments)
            .env_clear()
            .env("MANA_DATA_DIR", self.dir.path().join("data"))
            .env("MANA_LISTEN", "127.0.0.1:0")
            .env("MANA_SIGNUP", "open")
            .env("TICK_ENABLED", "false")
            .envs(&self.settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        if let Some((cluster, name)) = &self.database {
            command
                .env("DATABASE_URL", cluster.url(name))
                .env("MANA_SETTINGS_KEY", SETTINGS_KEY);
        }
        Ok(command)
    }

    /// Creates the schema without a server.
    pub async fn migrate(&self) -> Result<()> {
        let output = self.command(&["migrate"])?.output().await?;
        if !output.status.success() {
            bail!("`mana migrate` failed ({}):\n{}", output.status, self.log());
        }
        Ok(())
    }

    /// Fails unless the records equal a replay of the log.
    pub async fn check(&self) -> Result<()> {
        let output = self.command(&["reproject", "--check"])?.output().await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            bail!("`mana reproject --check` failed:\n{said}\n{}", self.log());
        }
        Ok(())
    }

    /// Starts a server and waits until it is ready.
    pub async fn start(&self) -> Result<Server> {
        let began = Instant::now();
        let mut process = self.command(&["serve"])?.spawn()?;
        let stdout = process.stdout.take().context("it is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = match timeout(PATIENCE, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            _ => bail!("the server did not start:\n{}", self.log()),
        };
        let base = line
            .strip_prefix("Mana is ready: ")
            .with_context(|| format!("the first line is no address: {line}"))?
            .to_owned();
        Ok(Server {
            base,
            took: began.elapsed(),
            process,
            lines,
        })
    }

    /// The log output of the servers of this home.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

/// A running server.
pub struct Server {
    /// Its address.
    pub base: String,
    /// The time from its start to its first line of output.
    pub took: Duration,
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// The token with which the first account becomes the owner's, from the second line of output.
    pub async fn setup_token(&mut self) -> Result<String> {
        let line = timeout(PATIENCE, self.lines.next_line()).await??;
        let line = line.context("the server has an owner already")?;
        let (_, token) = line
            .split_once("#token=")
            .with_context(|| format!("the second line has no token: {line}"))?;
        Ok(token.to_owned())
    }

    /// Resident memory now, in MiB.
    pub fn memory(&self) -> Result<f64> {
        resident(self.process.id().context("the server has ended")?)
    }

    /// The same as an address of a socket.
    pub fn address(&self) -> Result<SocketAddr> {
        let address = self.base.strip_prefix("http://");
        Ok(address.context("a plain address")?.parse()?)
    }

    /// Ends the server as an operator does, and waits until it is gone.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.process.id().context("the server has ended")?;
        let id = rustix::process::Pid::from_raw(i32::try_from(id)?).context("an id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        let status = timeout(PATIENCE, self.process.wait()).await??;
        match status.success() {
            true => Ok(()),
            false => bail!("the server ended with {status}"),
        }
    }

    /// Kills the server (`kill -9`) and waits until it is gone.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// Resident memory of a process now, in MiB.
pub fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .context("no VmRSS in its status")?;
    Ok(kib / 1024.0)
}
