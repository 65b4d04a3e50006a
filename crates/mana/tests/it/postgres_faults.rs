//! Faults of a Postgres database that an operator meets: it takes no writes, its disk is full, it can't hold every
//! character, its address is not escaped.

use mana_test_postgres::Cluster;
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Account, Home, Server, assert_error, refused, run};

fn task(id: &str) -> serde_json::Value {
    json!([{ "table": "tasks", "id": id, "op": "insert", "data": {"title": id} }])
}

fn home(url: &str) -> Home {
    Home::new(&[("DATABASE_URL", url), ("MANA_DB_WAIT_S", "0")])
}

/// Asserts that a write is refused with this status and that reading goes on.
async fn refuses_writes(account: &Account, status: StatusCode, code: &str) {
    let push = json!({ "clientId": "laptop", "changes": task("refused") });
    let answer = account.post("/sync/todo", push).await;
    assert_error(&answer, status, code);
    assert_eq!(account.pull("todo", "tasks").await.len(), 1);
}

/// A standby answers a write as `default_transaction_read_only` does.
#[tokio::test]
async fn a_database_that_takes_no_writes_is_told_from_one_that_is_gone() {
    let cluster = Cluster::shared();
    let database = cluster.create();
    let url = cluster.url(&database);
    let home = home(&url);
    let (server, owner) = Server::with_owner(&home).await;
    owner.push("todo", "laptop", task("t1")).await;
    let read_only = |on: &str| {
        cluster.sql(
            "postgres",
            &format!(
                "ALTER DATABASE {database} SET default_transaction_read_only = {on};
                 SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
            ),
        );
    };
    read_only("on");
    refuses_writes(&owner, StatusCode::SERVICE_UNAVAILABLE, "busy").await;
    let (status, ready) = server.get("/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{ready}");
    assert!(ready["reasons"].to_string().contains("primary"), "{ready}");
    assert!(
        home.log().contains("read-only transaction"),
        "{}",
        home.log()
    );
    server.stop().await;

    let why = refused(&home, &["serve"]).await;
    assert!(
        why.contains("read-only transaction (25006)") && why.contains("the primary"),
        "{why}"
    );
    let found = String::from_utf8(run(&home, &["doctor"]).await.stdout).unwrap();
    assert!(found.contains("the database takes no writes"), "{found}");
    // Saving the data needs no writes.
    for command in ["export", "backup"] {
        let file = home.dir.path().join(command);
        let output = run(&home, &[command, file.to_str().unwrap()]).await;
        assert!(output.status.success(), "{command}: {output:?}");
    }
    let fresh = cluster.create();
    cluster.sql(
        "postgres",
        &format!("ALTER DATABASE {fresh} SET default_transaction_read_only = on"),
    );
    let url = cluster.url(&fresh);
    let why = refused(&self::home(&url), &["serve"]).await;
    assert!(why.contains("the primary"), "{why}");

    read_only("off");
    let server = home.start().await;
    server.stop().await;
}

#[tokio::test]
async fn a_full_disk_of_the_database_is_507_for_everybody_and_passes() {
    let cluster = Cluster::shared();
    let database = cluster.create();
    let url = cluster.url(&database);
    let mut home = home(&url);
    home.set("MANA_SIGNUP", "invite");
    let (server, owner) = Server::with_owner(&home).await;
    owner.push("todo", "laptop", task("t1")).await;
    // The answer of Postgres where a file of a table can't grow.
    cluster.sql(
        &database,
        "CREATE FUNCTION public.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = '53100';
         END $$;
         DO $$ DECLARE name text; BEGIN
             FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
             LOOP
                 EXECUTE format(
                     'CREATE TRIGGER zz_no_room BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION no_room()', name);
             END LOOP;
         END $$",
    );
    for _ in 0..3 {
        refuses_writes(&owner, StatusCode::INSUFFICIENT_STORAGE, "disk_full").await;
    }
    let body = json!({ "email": "owner@example.org", "password": crate::support::PASSWORD });
    let sign_in = server.post("/auth/login", body).await;
    assert_error(&sign_in, StatusCode::INSUFFICIENT_STORAGE, "disk_full");
    let invited = owner.post("/auth/invitations", json!({})).await;
    assert_error(&invited, StatusCode::INSUFFICIENT_STORAGE, "disk_full");
    assert_eq!(home.log().matches("The disk is full").count(), 1);
    cluster.sql(&database, "DROP FUNCTION public.no_room() CASCADE");
    owner.push("todo", "laptop", task("t2")).await;
    server.stop().await;
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_character_is_refused_before_it_is_filled() {
    let cluster = Cluster::shared();
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let name = format!("of_{}", encoding.to_lowercase());
        cluster.sql(
            "postgres",
            &format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"),
        );
        let url = cluster.url(&name);
        let home = home(&url);
        for command in ["serve", "migrate"] {
            let why = refused(&home, &[command]).await;
            assert!(
                why.contains(encoding) && why.contains("createdb --encoding=UTF8"),
                "{why}"
            );
        }
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
        assert_eq!(cluster.sql(&name, tables), "0");
    }
}

#[tokio::test]
async fn an_address_with_an_open_password_is_named_without_it() {
    for url in [
        "postgres://mana:s3cr#t@127.0.0.1:1/mana",
        "postgres://mana:12/s3cr@127.0.0.1:1/mana",
        "postgres://mana:s3cr?t@127.0.0.1:1/mana",
    ] {
        let why = refused(&home(url), &["serve"]).await;
        assert!(
            why.contains("DATABASE_URL") && why.contains("%23") && !why.contains("s3cr"),
            "{url}: {why}"
        );
    }
}

/// A server that answers the first message of each connection with these bytes. Returns its address.
async fn answering(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut length = [0; 4];
            socket.read_exact(&mut length).await.unwrap();
            let mut message = vec![0; u32::from_be_bytes(length) as usize - 4];
            socket.read_exact(&mut message).await.unwrap();
            socket.write_all(&answer).await.unwrap();
        }
    });
    address
}

/// The message by which Postgres refuses a connection.
fn refusal(code: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
    [b"E", &length[..], fields.as_bytes()].concat()
}

#[tokio::test]
async fn what_a_server_refuses_at_the_door_arrives_with_its_remedy() {
    for (code, message, remedy) in [
        (
            "28P01",
            "password authentication failed for user \"mana\"",
            "correct the password",
        ),
        (
            "28000",
            "no pg_hba.conf entry for host \"127.0.0.1\"",
            "pg_hba.conf",
        ),
        ("53300", "sorry, too many clients already", "MANA_DB_POOL"),
        ("57P03", "the database system is starting up", "wait for it"),
        (
            "08P01",
            "unsupported startup parameter: extra_float_digits",
            "ignore_startup_parameters",
        ),
    ] {
        let server = answering(refusal(code, message)).await;
        let url = format!("postgres://mana:x@{server}/mana?sslmode=disable");
        let why = refused(&home(&url), &["serve"]).await;
        assert!(
            why.contains(message) && why.contains(code) && why.contains(remedy),
            "{code}: {why}"
        );
        assert_eq!(why.matches(message).count(), 1, "{why}");
    }
    // The server speaks TLS, and the certificate that vouches for it can't be read.
    let server = answering(b"S".to_vec()).await;
    let url =
        format!("postgres://mana@{server}/mana?sslmode=verify-full&sslrootcert=/nowhere/root.crt");
    let why = refused(&home(&url), &["serve"]).await;
    assert!(
        why.contains(&server) && why.contains("sslrootcert"),
        "{why}"
    );
}
