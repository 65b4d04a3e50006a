//! Faults that an operator meets: files of somebody else's, emptied keys, a database that takes no writes. Each is
//! named with its cause and what to do, ends with 1, and changes nothing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{Home, PATIENCE, Server, refused, run};

fn task(id: &str) -> Value {
    json!([{ "table": "tasks", "id": id, "op": "insert", "data": {"title": id} }])
}

/// A stopped server with an owner and a task.
async fn stopped(home: Home) -> Home {
    let (server, owner) = Server::with_owner(&home).await;
    owner.push("todo", "laptop", task("t1")).await;
    server.stop().await;
    home
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The files below a directory with their bytes, but for those that a lock or SQLite's log may leave.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let passing = [".lock", "-wal", "-shm"];
        if path.is_dir() {
            found.extend(files(&path));
        } else if !passing
            .iter()
            .any(|end| path.to_string_lossy().ends_with(end))
        {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

/// Returns the command so that file permissions hold for it: root is above them, unless it gives up that power.
fn without_power(command: Command) -> Command {
    let command = command.into_std();
    let own = std::fs::metadata("/proc/self").unwrap();
    let mut bounded = match std::os::unix::fs::MetadataExt::uid(&own) {
        0 => {
            let mut bounded = std::process::Command::new("/usr/bin/setpriv");
            bounded
                .args(["--bounding-set", "-dac_override,-dac_read_search"])
                .arg(command.get_program());
            bounded
        }
        _ => std::process::Command::new(command.get_program()),
    };
    bounded.args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        bounded.env(name, value.unwrap_or_default());
    }
    let mut bounded = Command::from(bounded);
    bounded.stdin(Stdio::null()).kill_on_drop(true);
    bounded
}

/// Runs a command that must fail with 1. Returns the reason, in which the cause stands once.
async fn fails(mut command: Command) -> String {
    let output = timeout(PATIENCE, command.output())
        .await
        .expect("it ends")
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for cause in [
        "os error 13",
        "os error 21",
        "readonly database",
        "unable to open",
    ] {
        assert!(said.matches(cause).count() <= 1, "{said}");
    }
    said
}

#[tokio::test]
async fn a_data_directory_that_takes_no_writes_is_named_and_left_alone() {
    let home = stopped(Home::new(&[])).await;
    let out = home.dir.path().join("out");
    let before = files(&home.data());
    set_mode(&home.data(), 0o555);
    for arguments in [
        &["serve"] as &[_],
        &["migrate"],
        &["compact"],
        &["reproject", "--check"],
        &["export", out.to_str().unwrap()],
        &["backup", out.to_str().unwrap()],
        &["user", "list"],
    ] {
        let why = fails(without_power(home.command(arguments))).await;
        assert!(why.contains("chown"), "{arguments:?}: {why}");
        assert!(
            why.contains(home.data().to_str().unwrap()),
            "{arguments:?}: {why}"
        );
    }
    let doctor = without_power(home.command(&["doctor"])).output().await;
    let found = String::from_utf8(doctor.unwrap().stdout).unwrap();
    assert!(
        found.contains("no file can be made in") && found.contains("chown"),
        "{found}"
    );
    set_mode(&home.data(), 0o700);
    assert!(!out.exists());
    assert_eq!(files(&home.data()), before);
    home.start().await.stop().await;
}

#[tokio::test]
async fn a_data_directory_of_another_user_is_named_and_no_other_is_begun() {
    let home = stopped(Home::new(&[])).await;
    // For whoever is neither its owner nor root, a private directory is as one without any permission.
    set_mode(&home.data(), 0);
    for arguments in [&["serve"] as &[_], &["export", "-"], &["user", "list"]] {
        let why = fails(without_power(home.command(arguments))).await;
        assert!(
            why.contains(home.data().to_str().unwrap()) && why.contains("the user that runs Mana"),
            "{arguments:?}: {why}"
        );
    }
    set_mode(&home.data(), 0o700);

    let file = home.dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for place in [file.clone(), file.join("below")] {
        let mut command = home.command(&["serve"]);
        command.env("MANA_DATA_DIR", &place);
        let why = fails(command).await;
        assert!(why.contains("is no directory"), "{why}");
    }
}

#[tokio::test]
async fn a_key_that_was_emptied_damaged_or_closed_is_never_replaced() {
    let home = stopped(Home::new(&[])).await;
    for name in ["token.key", "settings.key", "service.key"] {
        let path = home.data().join(name);
        let whole = std::fs::read(&path).unwrap();
        let damaged = match name {
            "service.key" => None,
            _ => Some(whole[..whole.len() / 2].to_vec()),
        };
        for faulty in [Some(Vec::new()), damaged].into_iter().flatten() {
            std::fs::write(&path, &faulty).unwrap();
            let why = refused(&home, &["serve"]).await;
            assert!(
                why.contains(path.to_str().unwrap()) && why.contains("from a backup"),
                "{name}: {why}"
            );
            assert_eq!(std::fs::read(&path).unwrap(), faulty, "{name}");
        }
        std::fs::write(&path, "").unwrap();
        let found = String::from_utf8(run(&home, &["doctor"]).await.stdout).unwrap();
        assert!(found.contains(&format!("{name} is empty")), "{found}");
        std::fs::write(&path, &whole).unwrap();

        set_mode(&path, 0);
        let why = fails(without_power(home.command(&["serve"]))).await;
        assert!(
            why.contains(path.to_str().unwrap()) && why.contains("chown"),
            "{name}: {why}"
        );
        set_mode(&path, 0o600);

        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let why = refused(&home, &["serve"]).await;
        assert!(why.contains("a directory stands where"), "{name}: {why}");
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, &whole).unwrap();
    }
    std::fs::remove_file(home.data().join("settings.key")).unwrap();
    home.start().await.stop().await;
    let log = home.log();
    assert!(
        log.contains("settings.key is missing beside the database")
            && log.contains("second factor"),
        "{log}"
    );
}

#[tokio::test]
async fn a_database_file_that_cannot_be_opened_is_named_with_the_remedy() {
    let home = stopped(Home::new(&[])).await;
    let database = home.data().join("mana.db");
    set_mode(&database, 0);
    let why = fails(without_power(home.command(&["serve"]))).await;
    assert!(
        why.contains(database.to_str().unwrap()) && why.contains("chown"),
        "{why}"
    );
    set_mode(&database, 0o600);

    // The files beside the database can't be made, as where the disk holds no more files.
    let log = home.data().join("mana.db-wal");
    let _ = std::fs::remove_file(&log);
    std::fs::create_dir(&log).unwrap();
    let why = refused(&home, &["serve"]).await;
    assert!(
        why.contains(database.to_str().unwrap()) && why.contains("df -i"),
        "{why}"
    );
    std::fs::remove_dir(&log).unwrap();
    home.start().await.stop().await;

    let aside = home.data().join("aside.db");
    std::fs::rename(&database, &aside).unwrap();
    std::fs::create_dir(&database).unwrap();
    let why = refused(&home, &["serve"]).await;
    assert!(why.contains("a directory stands where"), "{why}");
}

#[tokio::test]
async fn a_directory_where_a_file_is_asked_for_is_named_and_left_alone() {
    let home = stopped(Home::new(&[])).await;
    let folder = home.dir.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let name = folder.to_str().unwrap();
    let empty = Home::new(&[]);
    for (home, arguments) in [
        (&home, &["backup", name] as &[_]),
        (&home, &["backup", "--check", name]),
        (&home, &["export", name]),
        (&empty, &["restore", name]),
        (&empty, &["import", name]),
    ] {
        let why = refused(home, arguments).await;
        assert!(
            why.contains(name) && why.contains("is a directory; name a"),
            "{arguments:?}: {why}"
        );
    }
    let left: Vec<_> = std::fs::read_dir(home.dir.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "data, log and folder: {left:?}");
    assert!(!empty.data().join("mana.db").exists());
}

#[tokio::test]
async fn a_backup_that_is_cut_off_empty_or_something_else_says_so() {
    for passphrase in ["", "a long passphrase"] {
        let settings = [("MANA_BACKUP_PASSPHRASE", passphrase)];
        let home = stopped(Home::new(&settings)).await;
        let file = home.dir.path().join("b");
        let made = run(&home, &["backup", file.to_str().unwrap()]).await;
        assert!(made.status.success(), "{made:?}");
        let whole = std::fs::read(&file).unwrap();
        let bad = home.dir.path().join("bad");
        let name = bad.to_str().unwrap();
        for (bytes, remedy) in [
            (&whole[..whole.len() / 2], "another backup"),
            (&whole[..3], "give"),
            (b"", "give another one"),
            (b"PK\x03\x04", "neither an export nor a backup"),
        ] {
            std::fs::write(&bad, bytes).unwrap();
            let empty = Home::new(&settings);
            let why = refused(&empty, &["restore", name]).await;
            assert!(why.contains(name) && why.contains(remedy), "{why}");
            refused(&empty, &["backup", "--check", name]).await;
            assert_eq!(files(&empty.data()).len(), 1, "mana.toml alone");
        }
        let elsewhere = Home::new(&settings);
        let why = refused(&elsewhere, &["import", file.to_str().unwrap()]).await;
        assert!(why.contains("mana restore"), "{why}");
    }
}

#[tokio::test]
async fn a_restore_over_accounts_changes_nothing_with_or_without_a_server() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    let file = home.dir.path().join("b");
    let name = file.to_str().unwrap();
    assert!(run(&home, &["backup", name]).await.status.success());
    owner.push("todo", "laptop", task("later")).await;
    for arguments in [&["restore", name] as &[_], &["upgrade"], &["migrate"]] {
        let why = refused(&home, arguments).await;
        assert!(why.contains("Another Mana server"), "{arguments:?}: {why}");
    }
    assert_eq!(owner.pull("todo", "tasks").await.len(), 1);
    server.stop().await;
    let before = files(&home.data());
    let why = refused(&home, &["restore", name]).await;
    assert!(why.contains("has accounts already"), "{why}");
    assert_eq!(files(&home.data()), before);
}

#[tokio::test]
async fn commands_work_beside_the_server_and_it_goes_on() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    owner.push("todo", "laptop", task("t1")).await;
    let path = |name: &str| home.dir.path().join(name).to_str().unwrap().to_owned();
    let (backup, export) = (path("b"), path("e"));
    let commands = [
        &["backup", &backup] as &[&str],
        &["backup", "--check", &backup],
        &["export", &export],
        &["import", &export],
        &["compact"],
        &["reproject", "--check"],
        &["upgrade", "--rehearse"],
        &["user", "add", "friend@example.org"],
        &["user", "list"],
        &["config"],
    ];
    for (number, arguments) in commands.into_iter().enumerate() {
        let output = run(&home, arguments).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let id = format!("after{number}");
        owner.push("todo", "laptop", task(&id)).await;
    }
    let kept = owner.pull("todo", "tasks").await;
    assert_eq!(kept.len(), commands.len() + 1);
    server.stop().await;
}

#[tokio::test]
async fn a_database_file_has_one_server_by_whatever_name_it_is_opened() {
    let first = Home::new(&[]);
    let (server, owner) = Server::with_owner(&first).await;
    let database = first.data().join("mana.db");
    let by_link = Home::new(&[]);
    std::os::unix::fs::symlink(&database, by_link.data().join("mana.db")).unwrap();
    let url = format!("sqlite:{}", database.display());
    let by_url = Home::new(&[("DATABASE_URL", &url)]);
    let folder = first.dir.path().join("link");
    std::os::unix::fs::symlink(first.data(), &folder).unwrap();
    let url = format!("sqlite:{}", folder.join("mana.db").display());
    let by_folder = Home::new(&[("DATABASE_URL", &url)]);
    for second in [by_link, by_url, by_folder] {
        for key in ["token.key", "settings.key"] {
            std::fs::copy(first.data().join(key), second.data().join(key)).unwrap();
        }
        let why = refused(&second, &["serve"]).await;
        assert!(why.contains("another mana process is using"), "{why}");
    }
    owner.push("todo", "laptop", task("t1")).await;
    server.stop().await;
}

#[tokio::test]
async fn settings_that_are_no_text_are_named_and_odd_locales_are_none_of_mana_s_business() {
    let home = Home::new(&[]);
    let latin = OsStr::from_bytes(b"/tmp/caf\xe9");
    for name in ["MANA_DATA_DIR", "MANA_SIGNUP", "MANA_SERVICE_KEY_FILE"] {
        let mut command = home.command(&["serve"]);
        command.env(name, latin);
        let why = fails(command).await;
        assert!(why.contains(name) && why.contains("not UTF-8"), "{why}");
    }
    let file = home.data().join("mana.toml");
    for (text, fault) in [
        (&b"\xff\xfes\x00"[..], "not UTF-8"),
        (b"signup = \"caf\xe9\"", "not UTF-8"),
        (b"signup = \xe2\x80\x9copen\xe2\x80\x9d", "line 1"),
    ] {
        std::fs::write(&file, text).unwrap();
        let why = refused(&home, &["serve"]).await;
        assert!(
            why.contains("mana.toml") && why.contains(fault),
            "{fault}: {why}"
        );
    }
    // As editors on Windows save it.
    std::fs::write(
        &file,
        "\u{feff}signup = \"open\"\r\n[llm]\r\nfind_ollama = false\r\n",
    )
    .unwrap();
    let mut odd = home;
    for (name, value) in [("LC_ALL", "tr_TR.ISO-8859-9"), ("TZ", "Nowhere/Land")] {
        odd.set(name, value);
    }
    let server = odd.start().await;
    let owner = server.sign_up("friend@example.org", None).await;
    let title =
        json!([{ "table": "tasks", "id": "t1", "op": "insert", "data": {"title": "Iğdır 🎉"} }]);
    owner.push("todo", "laptop", title).await;
    server.stop().await;
}

#[tokio::test]
async fn an_address_to_listen_on_that_is_not_there_is_named() {
    let home = Home::new(&[("MANA_LISTEN", "192.0.2.1:3050")]);
    let why = refused(&home, &["serve"]).await;
    assert!(
        why.contains("192.0.2.1:3050") && why.contains("no such address"),
        "{why}"
    );
}
