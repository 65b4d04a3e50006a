//! Mana behind pgbouncer, as Debian packages it. `cargo xtask pooler` runs these tests; the program is not among what
//! the other tests need.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mana_test_postgres::Cluster;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Home, Server};

/// A pooler of one database, which ends with the value.
struct Pooler {
    process: Child,
    port: u16,
    _dir: TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Pooler {
    /// Starts a pooler in session mode, with further lines in its settings.
    fn start(cluster: &Cluster, database: &str, more: &str) -> Pooler {
        let url = cluster.url(database);
        let socket = url.split_once("?host=").expect("a socket").1;
        let dir = TempDir::new().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let settings = format!(
            "[databases]\nmana = host={socket} dbname={database} user=mana_admin\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nauth_type = any\nunix_socket_dir =\npool_mode = session\n\
             logfile = {0}/log\n{more}\n",
            dir.path().display()
        );
        let file = dir.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new("pgbouncer");
        if rooted() {
            command.args(["-u", "postgres"]);
        }
        let process = command
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = process.expect("this test needs pgbouncer: apt-get install pgbouncer");
        let pooler = Pooler {
            process,
            port,
            _dir: dir,
        };
        let until = std::time::Instant::now() + crate::support::PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(std::time::Instant::now() < until, "pgbouncer answers");
            std::thread::yield_now();
        }
        pooler
    }

    fn url(&self) -> String {
        format!("postgres://mana_admin@127.0.0.1:{}/mana", self.port)
    }
}

fn rooted() -> bool {
    std::fs::metadata(Path::new("/proc/self"))
        .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

#[tokio::test]
#[ignore = "needs pgbouncer: cargo xtask pooler"]
async fn a_pooler_without_the_line_is_told_the_line() {
    let cluster = Cluster::shared();
    let pooler = Pooler::start(cluster, &cluster.create(), "");
    let home = Home::new(&[("DATABASE_URL", &pooler.url()), ("MANA_DB_WAIT_S", "0")]);
    let output = home.command(&["serve"]).output().await.unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(
        why.contains("ignore_startup_parameters = extra_float_digits"),
        "{why}"
    );
}

#[tokio::test]
#[ignore = "needs pgbouncer: cargo xtask pooler"]
async fn a_server_works_behind_a_pooler_of_sessions_with_the_line() {
    let cluster = Cluster::shared();
    let line = "ignore_startup_parameters = extra_float_digits";
    let pooler = Pooler::start(cluster, &cluster.create(), line);
    let url = pooler.url();
    let home = Home::new(&[("DATABASE_URL", &url)]);
    let (server, owner) = Server::with_owner(&home).await;
    for n in 0..50 {
        let id = format!("t{n}");
        let task = json!([{ "table": "tasks", "id": id, "op": "insert", "data": {"title": id} }]);
        owner.push("todo", "laptop", task).await;
    }
    assert_eq!(owner.pull("todo", "tasks").await.len(), 50);
    let file = home.dir.path().join("b");
    let backup = home
        .command(&["backup", file.to_str().unwrap()])
        .output()
        .await
        .unwrap();
    assert!(backup.status.success(), "{backup:?}");
    server.stop().await;
}
