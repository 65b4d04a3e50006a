//! The replica on this machine and the server that it belongs to.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use mana_core::{ids, manifest::Registry};
use mana_device::{Env, HttpTransport, Replica, Session, SqliteStorage, Storage as _, SyncError};

use mana_server::private_files::{create_private_dir, private_file};

/// A command waits this long for the server; what is not sent by then is sent by the next one.
const PATIENCE: Duration = Duration::from_secs(20);

/// The person's replica, signed in.
pub struct Workspace {
    /// What is here.
    pub replica: Replica,
    /// The server.
    pub http: HttpTransport,
    storage: SqliteStorage,
    place: Place,
}

/// Where the command line keeps its things: `cli` in the data directory.
#[derive(Clone)]
pub struct Place(PathBuf);

impl Place {
    /// Makes the directory (0700) if it isn't there.
    pub fn new(data_dir: &Path) -> Result<Place> {
        let path = data_dir.join("cli");
        create_private_dir(&path).with_context(|| {
            format!(
                "{} can't be made; set MANA_DATA_DIR to a directory that you may write",
                path.display()
            )
        })?;
        Ok(Place(path))
    }

    /// Who is signed in.
    pub fn session(&self) -> Result<Option<Session>> {
        let Some(text) = self.read("session.json")? else {
            return Ok(None);
        };
        let path = self.0.join("session.json");
        let session = serde_json::from_str(&text).with_context(|| {
            format!(
                "{} can't be read; sign in again with `mana login URL`",
                path.display()
            )
        })?;
        Ok(Some(session))
    }

    /// Keeps who is signed in.
    pub fn keep_session(&self, session: &Session) -> Result<()> {
        self.write("session.json", &serde_json::to_string(session)?)
    }

    /// A file's text, if it is there.
    pub fn read(&self, name: &str) -> Result<Option<String>> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} can't be read", path.display())),
        }
    }

    /// Writes a file that only this user can read; a crash leaves the old one or the new one.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.0.join(name);
        let part = self.0.join(format!("{name}.{}.part", std::process::id()));
        let written = (|| {
            let _ = fs::remove_file(&part);
            let mut file = private_file().write(true).create_new(true).open(&part)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&part, &path)
        })();
        written.with_context(|| format!("{} can't be written", path.display()))
    }

    /// The database of an account at a server.
    fn database(&self, session: &Session) -> PathBuf {
        self.0.join(format!(
            "{}.db",
            ids::derive(&session.url, &session.user_id)
        ))
    }
}

impl Workspace {
    /// The replica of who is signed in.
    pub async fn open(data_dir: &Path) -> Result<Workspace> {
        let place = Place::new(data_dir)?;
        let Some(session) = place.session()? else {
            bail!("You are not signed in; run `mana login URL` with your server's address");
        };
        let keep = place.clone();
        let http = HttpTransport::resume(session.clone(), move |session| {
            // The token only saves a round: without it the next command asks for one again.
            let _ = keep.keep_session(session);
        })?;
        Workspace::with(place, &session, http).await
    }

    /// The replica of a session.
    pub async fn with(place: Place, session: &Session, http: HttpTransport) -> Result<Workspace> {
        let path = place.database(session);
        // Made here so that it is private from its first byte; SQLite gives its other files the same mode.
        private_file()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("{} can't be opened", path.display()))?;
        let storage = SqliteStorage::open(&path).await?;
        let manifests = storage.begin().await?.manifests().await?;
        let registry = manifests.and_then(|text| Registry::from_json(&text).ok());
        let registry = Arc::new(registry.unwrap_or_else(Registry::builtin));
        let opened = Replica::open(
            Arc::new(storage.clone()),
            registry,
            &session.user_id,
            Env::system(),
        );
        Ok(Workspace {
            replica: opened.await?,
            http,
            storage,
            place,
        })
    }

    /// Where the command line keeps its things.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Fetches the modules and syncs, and says on standard error what a person has to know: that there is no
    /// network, what waits, what was refused.
    pub async fn sync(&mut self) -> Result<()> {
        match tokio::time::timeout(PATIENCE, self.try_sync()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_signed_out() => {
                eprintln!(
                    "The sign-in has ended; run `mana login URL` again. Nothing here is lost."
                );
            }
            Ok(Err(SyncError::Storage(error))) => return Err(error.into()),
            Ok(Err(error)) if error.is_offline() => eprintln!("Offline: {error}."),
            Ok(Err(error)) => eprintln!("Not synced: {error}"),
            Err(_) => eprintln!("Not synced: the server takes too long to answer."),
        }
        let status = self.replica.status().await?;
        if status.waiting > 0 {
            eprintln!(
                "{} to be sent with the next command that reaches the server.",
                changes(status.waiting, "wait")
            );
        }
        for one in self.replica.set_aside().await? {
            let change = &one.change;
            eprintln!(
                "Refused by the server: {} {}: {}",
                change.table, change.id, one.reason
            );
        }
        Ok(())
    }

    async fn try_sync(&mut self) -> Result<(), SyncError> {
        let manifests = self.http.manifests().await?;
        self.replica.replace_manifests(manifests).await?;
        self.replica.sync(&self.http).await
    }

    /// Finishes with the database.
    pub async fn close(self) {
        self.storage.close().await;
    }
}

/// "1 change waits", "2 changes wait".
fn changes(count: usize, verb: &str) -> String {
    match count {
        1 => format!("1 change {verb}s"),
        _ => format!("{count} changes {verb}"),
    }
}
