//! A private Postgres cluster for tests and benches: made in a temporary folder, reached by a Unix socket, gone with
//! the process that started it, however that ends.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Nothing is lost by a power cut in a test that doesn't play one.
const FAST: [&str; 3] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
];

/// The oldest version that Mana runs on.
const OLDEST: u32 = 14;

/// A running cluster.
pub struct Cluster {
    bin: PathBuf,
    dir: PathBuf,
    watchdog: Mutex<Watchdog>,
    databases: AtomicU32,
}

struct Watchdog {
    process: Child,
    /// When it closes, the cluster goes.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    /// The one cluster of this process, fast and not durable.
    ///
    /// # Panics
    /// Where Postgres is missing or doesn't start, with what to do.
    pub fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Cluster::start(&FAST))
    }

    /// A cluster that keeps what it acknowledged, whatever happens to it.
    ///
    /// # Panics
    /// Where Postgres is missing or doesn't start, with what to do.
    pub fn durable() -> Cluster {
        Cluster::start(&[])
    }

    /// A cluster with these settings, such as `fsync=off`.
    ///
    /// # Panics
    /// Where Postgres is missing or doesn't start, with what to do.
    pub fn start(settings: &[&str]) -> Cluster {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let bin = bin();
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("mana-pg-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).expect("a folder for the cluster");

        let mut command = as_nobody_special(&dir);
        command
            .args(["sh", "-c", include_str!("cluster.sh"), "cluster"])
            .args([&bin, &dir])
            .args(["-c", "max_connections=200", "-c", "shared_buffers=64MB"]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        let mut process = command
            .current_dir(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let commands = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        let cluster = Cluster {
            bin,
            dir,
            watchdog: Mutex::new(Watchdog {
                process,
                commands,
                answers,
            }),
            databases: AtomicU32::new(0),
        };
        cluster.wait();
        cluster
    }

    /// The URL of a database, as the cluster's superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_as("mana_admin", database)
    }

    /// The URL of a database, as another role.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!(
            "postgres://{role}@localhost/{database}?host={}",
            self.dir.display()
        )
    }

    /// Makes an empty database and answers its name.
    pub fn create(&self) -> String {
        let name = format!("mana_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Runs SQL as the superuser, by `psql`, and answers what it prints.
    ///
    /// # Panics
    /// Where the SQL fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs SQL as the superuser, by `psql`, and answers what it prints, or what is wrong.
    pub fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = Command::new(self.bin.join("psql"))
            .args([
                "-X",
                "-A",
                "-t",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "mana_admin",
                "-h",
            ])
            .arg(&self.dir)
            .args(["-d", database, "-c", sql])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }

    /// A command of one of Postgres' client programs, such as `pg_dump`, connected to this cluster.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.env("PGHOST", &self.dir).stdin(Stdio::null());
        command
    }

    /// Kills the server as a power cut does.
    pub fn kill(&self) {
        self.command("kill");
    }

    /// Stops the server in order; connections end.
    pub fn stop(&self) {
        self.command("stop");
    }

    /// Starts the server again.
    pub fn restart(&self) {
        self.command("start");
        self.wait();
    }

    fn command(&self, word: &str) {
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        let commands = watchdog.commands.as_mut().expect("the cluster is there");
        writeln!(commands, "{word}").expect("the cluster is there");
        let mut answer = String::new();
        watchdog
            .answers
            .read_line(&mut answer)
            .expect("the cluster answers");
        assert_eq!(answer.trim(), word, "{}", self.log());
    }

    /// Waits until the server answers.
    fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        while let Err(error) = self.try_sql("postgres", "SELECT 1") {
            let ended = {
                let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
                !matches!(watchdog.process.try_wait(), Ok(None))
            };
            assert!(
                !ended && Instant::now() < until,
                "Postgres doesn't start: {error}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let watchdog = self
            .watchdog
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        drop(watchdog.commands.take());
        let _ = watchdog.process.wait();
        let _ = fs::remove_dir(&self.dir);
    }
}

/// Postgres refuses to run as root: then it runs as `postgres`, or as `nobody` where that is missing.
fn as_nobody_special(dir: &Path) -> Command {
    let id = |args: &[&str]| {
        let output = Command::new("id").args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.trim().parse::<u32>().ok()
    };
    if id(&["-u"]) != Some(0) {
        return Command::new("env");
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some((id(&["-u", name])?, id(&["-g", name])?)));
    let (uid, gid) = user.expect("root needs a user that Postgres may run as: postgres or nobody");
    chown(dir, Some(uid), Some(gid)).expect("root may give a folder away");
    let mut command = Command::new("setpriv");
    command.args([
        format!("--reuid={uid}"),
        format!("--regid={gid}"),
        "--clear-groups".to_owned(),
    ]);
    command
}

/// The folder of Postgres' programs: `MANA_POSTGRES_BIN`, or the newest that Debian or Ubuntu has, or in `PATH`.
fn bin() -> PathBuf {
    let has = |dir: &Path| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|program| dir.join(program).exists())
    };
    if let Some(dir) = std::env::var_os("MANA_POSTGRES_BIN").map(PathBuf::from) {
        assert!(
            has(&dir),
            "MANA_POSTGRES_BIN is {dir:?}, where there is no initdb, postgres and psql"
        );
        return dir;
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(version, dir)| *version >= OLDEST && has(dir))
        .collect();
    versions.sort();
    if let Some((_, dir)) = versions.pop() {
        return dir;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|dir| has(dir))
        .unwrap_or_else(|| {
            panic!(
                "these tests need PostgreSQL {OLDEST} or newer: \
             apt-get install postgresql, or set MANA_POSTGRES_BIN to the folder of initdb"
            )
        })
}
