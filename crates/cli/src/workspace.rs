//! The person's replica on this machine, and the server that it belongs to.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use mana_core::{ids, manifest::Registry};
use mana_device::{
    Env, HttpTransport, Replica, Session, SqliteStorage, Storage as _, SyncError, Writes,
};

use mana_server::private_files::{create_private_dir, private_file};

use crate::terminal::visible;

/// How long a command waits for the server; changes that are not sent by then are sent by the next command.
const SYNC_WITHIN: Duration = Duration::from_secs(20);

/// The person's replica, signed in.
pub struct Workspace {
    /// The replica.
    pub replica: Replica,
    /// The server.
    pub http: HttpTransport,
    storage: SqliteStorage,
    dir: WorkspaceDir,
    /// Whether this command has found the server out of reach. Asking again would only make the person wait.
    unreachable: bool,
}

/// The command line's own directory: `cli` in the data directory.
#[derive(Clone)]
pub struct WorkspaceDir(PathBuf);

impl WorkspaceDir {
    /// Makes the directory (0700) if it is missing.
    pub fn new(data_dir: &Path) -> Result<WorkspaceDir> {
        let path = data_dir.join("cli");
        create_private_dir(&path).with_context(|| {
            format!(
                "{} can't be made; set MANA_DATA_DIR to a directory that you may write",
                path.display()
            )
        })?;
        Ok(WorkspaceDir(path))
    }

    /// Returns the session of the signed-in person.
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

    /// Stores the session of the signed-in person.
    pub fn keep_session(&self, session: &Session) -> Result<()> {
        self.write("session.json", &serde_json::to_string(session)?)
    }

    /// Returns a file's text, if the file exists.
    pub fn read(&self, name: &str) -> Result<Option<String>> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} can't be read", path.display())),
        }
    }

    /// Writes a file that only this user can read. A crash leaves the old content or the new one.
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

    /// Returns the path of the database of an account at a server.
    pub fn database(&self, session: &Session) -> PathBuf {
        self.0.join(format!(
            "{}.db",
            ids::derive(&session.url, &session.user_id)
        ))
    }
}

impl WorkspaceDir {
    /// Copies what this machine holds of an account into the replica of another one, whose server knows nothing of it.
    /// The next sync gives it to that server, because the cursor names no row of its log (SYNC R7).
    pub async fn adopt(&self, from: &Session, to: &Session) -> Result<()> {
        let path = self.database(to);
        if path.exists() {
            bail!(
                "This machine holds records of {} at {} already; nothing was brought along",
                to.email,
                to.url
            );
        }
        // Merged into one file first.
        SqliteStorage::open(&self.database(from))
            .await?
            .close()
            .await;
        let mut bytes = fs::File::open(self.database(from))?;
        let mut file = private_file().write(true).create_new(true).open(&path)?;
        std::io::copy(&mut bytes, &mut file)
            .with_context(|| format!("{} can't be written", path.display()))?;
        file.sync_all()?;
        let storage = SqliteStorage::open(&path).await?;
        let env = Env::system();
        let mut tx = storage.begin().await?;
        let mut meta = tx.meta().await?.unwrap_or_default();
        meta.client_id = (env.new_id)();
        meta.log_epoch.clear();
        meta.log_end.clear();
        // A replica that was never in step has no cursor: any place that the new log does not have does.
        if meta.cursor.is_empty() {
            meta.cursor = (env.now)().to_string();
        }
        let meta = Some(meta);
        tx.commit(Writes {
            meta,
            ..Writes::default()
        })
        .await?;
        storage.close().await;
        Ok(())
    }
}

impl Workspace {
    /// Opens the replica of the signed-in person.
    pub async fn open(data_dir: &Path) -> Result<Workspace> {
        let dir = WorkspaceDir::new(data_dir)?;
        let Some(session) = dir.session()? else {
            bail!("You are not signed in; run `mana login URL` with your server's address");
        };
        let keep = dir.clone();
        let reread = dir.clone();
        let http = HttpTransport::resume(session.clone(), move |session| {
            // A lost token only costs a request: the next command asks for another one.
            let _ = keep.keep_session(session);
        })?
        .rereading(move || reread.session().ok().flatten());
        Workspace::with(dir, &session, http).await
    }

    /// Opens the replica of a session.
    pub async fn with(
        dir: WorkspaceDir,
        session: &Session,
        http: HttpTransport,
    ) -> Result<Workspace> {
        let path = dir.database(session);
        // Made here so that it is private from its first byte. SQLite gives its other files the same mode.
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
            dir,
            unreachable: false,
        })
    }

    /// Returns the command line's own directory.
    pub fn dir(&self) -> &WorkspaceDir {
        &self.dir
    }

    /// Fetches what is new before a person's decision, so that the decision is made on the records as they are. Where
    /// the server can't be reached, standard error says so, and the command goes on with what is here.
    pub async fn fetch(&mut self) -> Result<()> {
        self.exchange().await?;
        if self.unreachable {
            eprintln!("What other devices wrote since the last sync is not known here.");
        }
        Ok(())
    }

    /// Fetches the modules and syncs. Standard error names what a person has to know: a missing network, waiting and
    /// refused changes.
    pub async fn sync(&mut self) -> Result<()> {
        if !self.unreachable {
            self.exchange().await?;
        }
        self.report().await
    }

    async fn exchange(&mut self) -> Result<()> {
        let synced = tokio::time::timeout(SYNC_WITHIN, self.try_sync()).await;
        self.unreachable = !matches!(synced, Ok(Ok(())));
        match synced {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_signed_out() => {
                eprintln!(
                    "The sign-in has ended; run `mana login URL` again. Nothing here is lost."
                );
            }
            Ok(Err(SyncError::Storage(error))) => return Err(error.into()),
            Ok(Err(error)) if error.is_offline() => {
                eprintln!("Offline: {}.", visible(&error.to_string()));
            }
            Ok(Err(error)) => eprintln!("Not synced: {}", visible(&error.to_string())),
            Err(_) => eprintln!("Not synced: the server takes too long to answer."),
        }
        Ok(())
    }

    async fn report(&self) -> Result<()> {
        let status = self.replica.status().await?;
        if status.waiting > 0 {
            eprintln!(
                "{} to be sent with the next command that reaches the server.",
                changes(status.waiting, "wait")
            );
        }
        if let Some(resynced) = self.replica.take_resynced() {
            eprintln!("{}", crate::resynced::text(&resynced));
        }
        match self.replica.conflicts().await?.len() {
            0 => {}
            1 => eprintln!("One value is in conflict; `mana conflicts` shows both."),
            count => eprintln!("{count} values are in conflict; `mana conflicts` shows them."),
        }
        for refused in self.replica.set_aside().await? {
            let change = &refused.change;
            eprintln!(
                "Refused by the server: {} {}: {}",
                visible(change.table()),
                visible(change.record_id()),
                visible(&refused.reason)
            );
        }
        Ok(())
    }

    async fn try_sync(&mut self) -> Result<(), SyncError> {
        let manifests = self.http.manifests().await?;
        self.replica.replace_manifests(manifests).await?;
        self.replica.sync(&self.http).await
    }

    /// Closes the database.
    pub async fn close(self) {
        self.storage.close().await;
    }
}

/// Returns "1 change waits", "2 changes wait".
fn changes(count: usize, verb: &str) -> String {
    match count {
        1 => format!("1 change {verb}s"),
        _ => format!("{count} changes {verb}"),
    }
}
