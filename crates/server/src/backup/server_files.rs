//! The files of the data directory that belong to a backup: keys, settings and modules.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::config::Config;
use crate::private_files::{create_private_dir, private_file};
use crate::vault::{self, SettingsKey};

/// The keys. Without them the database can't be used as before.
const KEYS: [&str; 3] = ["token.key", vault::FILE, "service.key"];

/// The settings.
const SETTINGS: &str = "mana.toml";

/// The name that settings get which would lead to the database of the lost machine.
const SETTINGS_BESIDE: &str = "mana.toml.from-backup";

/// The folder of modules.
const MODULES: &str = "modules";

/// The most that a file of a module may have, in bytes.
const MODULE_BYTES: u64 = 4 << 20;

/// A file of the data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFile {
    /// Its name inside the directory, with `/` between folder and name.
    pub name: String,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Reads the files of the data directory.
pub fn collect(config: &Config) -> Result<Vec<ServerFile>> {
    let dir = &config.data_dir;
    let mut files = Vec::new();
    let mut add = |name: String| -> Result<()> {
        let path = dir.join(&name);
        match fs::read(&path) {
            Ok(data) => files.push(ServerFile { name, data }),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("{} can't be read", path.display()));
            }
        }
        Ok(())
    };
    for name in KEYS.into_iter().chain([SETTINGS]) {
        if name != vault::FILE || config.server.settings_key.is_none() {
            add(name.to_owned())?;
        }
    }
    for name in module_names(&dir.join(MODULES))? {
        add(format!("{MODULES}/{name}"))?;
    }
    if let Some(key) = &config.server.settings_key {
        files.push(ServerFile {
            name: vault::FILE.to_owned(),
            data: key.bytes(),
        });
    }
    Ok(files)
}

fn module_names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("{} can't be read", folder.display()));
        }
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("{} can't be read", folder.display()))?;
        let file = fs::metadata(entry.path());
        let fits = file.is_ok_and(|file| file.is_file() && file.len() <= MODULE_BYTES);
        if let (true, Ok(name)) = (fits, entry.file_name().into_string()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The files of a backup that are not in a data directory yet.
pub struct PutBack {
    missing: Vec<(PathBuf, Vec<u8>)>,
    written: Vec<PathBuf>,
    /// Sentences for the operator.
    pub told: Vec<String>,
}

impl PutBack {
    /// Compares the files with the directory. A key that is there must be the backup's; settings and modules that are
    /// there stay.
    pub fn plan(
        dir: &Path,
        files: &[ServerFile],
        configured: Option<&SettingsKey>,
    ) -> Result<PutBack> {
        let mut plan = PutBack {
            missing: Vec::new(),
            written: Vec::new(),
            told: Vec::new(),
        };
        for file in files {
            let path = dir.join(place(file)?);
            if let (vault::FILE, Some(key)) = (file.name.as_str(), configured) {
                if key.bytes() != file.data {
                    bail!(
                        "MANA_SETTINGS_KEY is another server's; unset it, and the backup's key is put back"
                    );
                }
                continue;
            }
            let there = match fs::read(&path) {
                Ok(data) => Some(data),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => {
                    return Err(error).with_context(|| format!("{} can't be read", path.display()));
                }
            };
            match there {
                Some(data) if data == file.data => {}
                Some(_) if KEYS.contains(&file.name.as_str()) => bail!(
                    "{} is another server's; move it away, or restore into another MANA_DATA_DIR",
                    path.display()
                ),
                Some(_) => plan.told.push(format!(
                    "{} differs from the backup's and stays as it is.",
                    path.display()
                )),
                None => plan.missing.push((path, file.data.clone())),
            }
        }
        Ok(plan)
    }

    /// Writes the files that are missing (0600).
    pub fn write(&mut self) -> Result<()> {
        for (path, data) in std::mem::take(&mut self.missing) {
            let written = (|| {
                if let Some(folder) = path.parent() {
                    create_private_dir(folder)?;
                }
                let mut file = private_file().write(true).create_new(true).open(&path)?;
                self.written.push(path.clone());
                file.write_all(&data)?;
                file.sync_all()
            })();
            written.with_context(|| format!("{} can't be written", path.display()))?;
            if path.ends_with(SETTINGS_BESIDE) {
                self.told.push(format!(
                    "The backup's settings name a database, so they lie in {}; take over what you need.",
                    path.display()
                ));
            }
        }
        Ok(())
    }

    /// Removes what was written, after the restore failed.
    pub fn undo(&self) {
        for path in &self.written {
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns the place of a file inside the data directory.
fn place(file: &ServerFile) -> Result<PathBuf> {
    let name = file.name.as_str();
    if KEYS.contains(&name) {
        return Ok(name.into());
    }
    if name == SETTINGS {
        let text = String::from_utf8_lossy(&file.data);
        let names_database = text
            .lines()
            .any(|line| line.trim_start().starts_with("database_url"));
        return Ok(if names_database {
            SETTINGS_BESIDE
        } else {
            SETTINGS
        }
        .into());
    }
    let module = name
        .strip_prefix(MODULES)
        .and_then(|rest| rest.strip_prefix('/'));
    match module {
        Some(module) if is_plain(module) => Ok(Path::new(MODULES).join(module)),
        _ => bail!("The backup names the file {name:?}, which is none of a data directory"),
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, data: &str) -> ServerFile {
        ServerFile {
            name: name.to_owned(),
            data: data.as_bytes().to_vec(),
        }
    }

    #[test]
    fn files_go_to_their_places_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            file("token.key", "k"),
            file("mana.toml", "listen = \"127.0.0.1:1\"\n"),
            file("modules/books.json", "{}"),
        ];
        let mut plan = PutBack::plan(dir.path(), &files, None).unwrap();
        plan.write().unwrap();
        assert_eq!(
            fs::read(dir.path().join("modules/books.json")).unwrap(),
            b"{}"
        );
        assert!(
            PutBack::plan(dir.path(), &files, None)
                .unwrap()
                .missing
                .is_empty()
        );
        let other = PutBack::plan(dir.path(), &[file("token.key", "another")], None);
        assert!(other.is_err_and(|error| error.to_string().contains("move it away")));
        for name in [
            "../x",
            "/etc/passwd",
            "modules/../x",
            "modules/",
            "modules/.x",
            "mana.db",
        ] {
            assert!(
                PutBack::plan(dir.path(), &[file(name, "")], None).is_err(),
                "{name}"
            );
        }
        plan.undo();
        assert!(!dir.path().join("token.key").exists());
    }

    #[test]
    fn settings_that_name_a_database_are_laid_beside() {
        let dir = tempfile::tempdir().unwrap();
        let files = [file("mana.toml", "database_url = \"postgres://lost\"\n")];
        let mut plan = PutBack::plan(dir.path(), &files, None).unwrap();
        plan.write().unwrap();
        assert!(!dir.path().join("mana.toml").exists());
        assert!(plan.told[0].contains(SETTINGS_BESIDE), "{:?}", plan.told);
    }
}
