//! The checks that need no database.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::findings::{Findings, Patient};
use crate::config::Database;
use crate::data_dir::lost_secret;
use crate::disk_space;
use crate::modules;
use crate::private_files::wider_than;

/// A check that looks at files and settings alone.
type Check = fn(&Patient, &mut Findings);

/// The table of these checks, in the order in which they are printed.
pub(super) const TABLE: [(&str, Check); 5] = [
    ("configuration", configuration),
    ("modules", manifests),
    ("disk", disk),
    ("permissions", permissions),
    ("keys", keys),
];

fn configuration(patient: &Patient, findings: &mut Findings) {
    let config = &patient.config;
    for sentence in &config.not_read {
        findings.warn(sentence, "correct or unset the variable");
    }
    if config.runner.clock_skew_millis != 0 {
        findings.warn(
            "MANA_CLOCK_SKEW_MS makes the clock wrong on purpose",
            "unset it",
        );
    }
    let listens_everywhere = !config.server.listen.ip().is_loopback();
    if listens_everywhere && !config.server.is_https() {
        findings.warn(
            format!(
                "the server listens on {} and knows of no HTTPS",
                config.server.listen
            ),
            "put a proxy with HTTPS before it and set MANA_PUBLIC_URL to its address",
        );
    }
    findings.ok(format!(
        "read; the data directory is {}",
        config.data_dir.display()
    ));
}

fn manifests(patient: &Patient, findings: &mut Findings) {
    let folder = patient.config.data_dir.join("modules");
    let (registry, rejected) = modules::load(&folder);
    for manifest in &rejected {
        let file = folder.join(&manifest.file);
        findings.warn(
            format!("{} is left out: {}", file.display(), manifest.reason),
            "correct the file (spec/MODULES.md) or remove it",
        );
    }
    findings.ok(format!("{} are in use", registry.manifests().len()));
}

fn disk(patient: &Patient, findings: &mut Findings) {
    let config = &patient.config;
    let mut places = vec![config.data_dir.clone()];
    if let Database::Sqlite(path) = &config.storage.database {
        places.extend(path.parent().map(Path::to_owned));
    }
    places.extend(config.backup.folder.clone());
    places.dedup();
    for place in places {
        let Some(there) = nearest(&place) else {
            continue;
        };
        let Some(space) = disk_space::of(&there) else {
            findings.skip(format!("{}: the system does not tell", place.display()));
            continue;
        };
        let left = format!(
            "{}: {} MB of {} MB are free{}",
            place.display(),
            space.free_bytes / 1_000_000,
            space.total_bytes / 1_000_000,
            match space.inodes {
                (_, 0) => String::new(),
                (free, _) => format!(", and {free} files may still be made"),
            }
        );
        let remedy = "free space, or move the directory to a larger disk; `mana compact` drops overwritten rows";
        if space.is_full() {
            findings.problem(left, remedy);
        } else if space.is_nearly_full() {
            findings.warn(left, remedy);
        } else {
            findings.ok(left);
        }
    }
}

/// The place itself, or the nearest folder above it that is there.
fn nearest(place: &Path) -> Option<PathBuf> {
    place
        .ancestors()
        .find(|folder| folder.exists())
        .map(Path::to_owned)
}

fn permissions(patient: &Patient, findings: &mut Findings) {
    let config = &patient.config;
    let dir = &config.data_dir;
    if !dir.exists() {
        findings.skip(format!("{} is not there yet", dir.display()));
        return;
    }
    if let Err(error) = tempfile::tempfile_in(dir) {
        findings.problem(
            format!("no file can be made in {}: {error}", dir.display()),
            "give the directory to the user that runs Mana (`chown`), or mount it writable",
        );
    }
    let mut private = vec![(dir.clone(), 0o700), (dir.join("modules"), 0o700)];
    let names = [
        "token.key",
        "settings.key",
        "service.key",
        "mana.toml",
        "mana.lock",
    ];
    private.extend(names.map(|name| (dir.join(name), 0o600)));
    if let Database::Sqlite(path) = &config.storage.database {
        for end in ["", "-wal", "-shm", ".lock"] {
            let mut name = path.clone().into_os_string();
            name.push(end);
            private.push((name.into(), 0o600));
        }
    }
    if let Some(folder) = &config.backup.folder {
        private.push((folder.clone(), 0o700));
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        private.extend(files.map(|file| (file.path(), 0o600)));
    }
    let mut wide = 0;
    for (path, mode) in private {
        if let Some(found) = wider_than(&path, mode) {
            wide += 1;
            findings.warn(
                format!(
                    "other users of this machine may use {} (mode {found:o})",
                    path.display()
                ),
                format!("chmod {mode:o} {}", path.display()),
            );
        }
    }
    if wide == 0 {
        findings.ok("the files are their user's alone");
    }
}

fn keys(patient: &Patient, findings: &mut Findings) {
    let config = &patient.config;
    let there = |name: &str| config.data_dir.join(name).exists();
    let has_database = patient.upkeep.is_some();
    if has_database && !there("token.key") {
        findings.warn(
            "token.key is missing: the next start makes another one, and everybody signs in again",
            "put it back from a backup",
        );
    }
    if has_database && config.server.settings_key.is_none() && !there("settings.key") {
        findings.problem(
            "settings.key is missing: what is sealed in the database can't be opened",
            "put it back from a backup, or set MANA_SETTINGS_KEY",
        );
        return;
    }
    let mut sound = true;
    for (name, length) in [
        ("token.key", 1..=4096),
        ("settings.key", 32..=32),
        ("service.key", 1..=4096),
    ] {
        let path = config.data_dir.join(name);
        let fault = match std::fs::read(&path) {
            Ok(bytes) if length.contains(&bytes.len()) => continue,
            Ok(bytes) if bytes.is_empty() => "is empty".to_owned(),
            Ok(_) => "is damaged".to_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => format!("can't be read: {error}"),
        };
        sound = false;
        findings.problem(format!("{} {fault}", path.display()), lost_secret(name));
    }
    if !sound {
        return;
    }
    findings.ok(match has_database {
        true => "the keys are there",
        false => "no database stands beside them yet",
    });
}
