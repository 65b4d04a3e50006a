//! Postgres' own dumps under forced row-level security: what they hold, and what a server makes of them.

use std::process::Output;

use mana_test_postgres::Cluster;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Home, Server};

fn dump(cluster: &Cluster, role: &str, database: &str, more: &[&str]) -> Output {
    let mut command = cluster.program("pg_dump");
    command.args(["-U", role, "-d", database]).args(more);
    command.output().expect("pg_dump runs")
}

/// docs/operators.md says so: this test fails where it is no longer true.
#[tokio::test]
async fn a_dump_by_the_owner_is_refused_and_one_by_a_superuser_comes_back_whole() {
    let cluster = Cluster::start(&[]);
    let database = cluster.create();
    cluster.sql("postgres", "CREATE ROLE keeper LOGIN CREATEROLE");
    cluster.sql(
        "postgres",
        &format!("ALTER DATABASE {database} OWNER TO keeper"),
    );
    cluster.sql(&database, "ALTER SCHEMA public OWNER TO keeper");
    let url = cluster.url_as("keeper", &database);
    let home = Home::new(&[("DATABASE_URL", &url)]);
    let (server, owner) = Server::with_owner(&home).await;
    let task = json!([{ "table": "tasks", "id": "t1", "op": "insert", "data": {"title": "t1"} }]);
    owner.push("todo", "laptop", task).await;
    server.stop().await;

    let by_owner = dump(&cluster, "keeper", &database, &[]);
    let said = String::from_utf8_lossy(&by_owner.stderr).into_owned();
    assert!(
        !by_owner.status.success() && said.contains("row-level security"),
        "{said}"
    );
    let empty = dump(
        &cluster,
        "keeper",
        &database,
        &["--enable-row-security", "--data-only", "-t", "records"],
    );
    assert!(empty.status.success());
    assert!(
        !String::from_utf8_lossy(&empty.stdout).contains("\"title\""),
        "its hint leads to an empty file"
    );

    let whole = dump(&cluster, "mana_admin", &database, &["--no-owner"]);
    assert!(whole.status.success(), "{whole:?}");
    let file = home.dir.path().join("whole.sql");
    std::fs::write(&file, &whole.stdout).unwrap();

    // A fresh cluster without the role mana_app, whose grants in the dump fail.
    let fresh = Cluster::start(&[]);
    let there = fresh.create();
    fresh.sql("postgres", "CREATE ROLE keeper LOGIN CREATEROLE");
    fresh.sql(
        "postgres",
        &format!("ALTER DATABASE {there} OWNER TO keeper"),
    );
    fresh.sql(&there, "ALTER SCHEMA public OWNER TO keeper");
    let put_back = fresh
        .program("psql")
        .args(["-q", "-U", "keeper", "-d", &there, "-f"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&put_back.stderr).into_owned();
    assert!(said.contains("mana_app"), "{said}");
    let url = fresh.url_as("keeper", &there);
    let home_again = Home::new(&[("DATABASE_URL", &url)]);
    std::fs::copy(
        home.data().join("token.key"),
        home_again.data().join("token.key"),
    )
    .unwrap();
    let restored = home_again.command(&["restore"]).output().await.unwrap();
    assert!(restored.status.success(), "{restored:?}");
    let server = home_again.start().await;
    let owner = crate::support::Account {
        base: server.base.clone(),
        ..owner
    };
    assert_eq!(owner.get("/auth/me").await.0, StatusCode::OK);
    assert_eq!(owner.pull("todo", "tasks").await.len(), 1);
    server.stop().await;
    let forced = "SELECT count(*) FROM pg_class WHERE relforcerowsecurity AND relrowsecurity";
    assert_eq!(fresh.sql(&there, forced), cluster.sql(&database, forced));
    let role = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = 'mana_app'";
    assert_eq!(fresh.sql(&there, role), "f");
}
