//! The modules of this server: the built-in ones, and the manifests in the data directory's `modules/`.

use std::fs;
use std::path::Path;

use mana_core::manifest::{Registry, RejectedManifest};

/// Largest manifest; one that a person wrote is far smaller.
const MAX_BYTES: u64 = 1024 * 1024;

/// Loads all valid modules, and names the files that are left out. Never fails: the server starts without a broken
/// module.
pub fn load(dir: &Path) -> (Registry, Vec<RejectedManifest>) {
    let (files, mut rejected) = read(dir);
    let (registry, broken) = Registry::builtin().with(files);
    rejected.extend(broken);
    for RejectedManifest { file, reason } in &rejected {
        tracing::warn!(
            file,
            "The module {} is left out: {reason}",
            dir.join(file).display()
        );
    }
    (registry, rejected)
}

fn read(dir: &Path) -> (Vec<(String, String)>, Vec<RejectedManifest>) {
    let mut files = Vec::new();
    let mut rejected = Vec::new();
    // A missing directory means that there are no further modules.
    let mut entries: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let file = entry.file_name().to_string_lossy().into_owned();
        if !file.ends_with(".json") || file.starts_with('.') {
            continue;
        }
        match text(&entry.path()) {
            Ok(text) => files.push((file, text)),
            Err(reason) => rejected.push(RejectedManifest { file, reason }),
        }
    }
    (files, rejected)
}

fn text(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path)
        .map_err(|e| format!("The file can't be read ({e})."))?
        .len();
    if size > MAX_BYTES {
        return Err("The file is over 1 MB, too large for a manifest.".to_owned());
    }
    let bytes = fs::read(path).map_err(|e| format!("The file can't be read ({e})."))?;
    String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        format!("line {line}: the text is no UTF-8. Save the file as UTF-8.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_broken_files_are_left_out_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let builtin = Registry::builtin().manifests().len();
        assert_eq!(load(&dir.path().join("none")).0.manifests().len(), builtin);
        fs::write(
            dir.path().join("broken.json"),
            "{\n  \"id\": \"books\",\n  nonsense\n}",
        )
        .unwrap();
        fs::write(dir.path().join("latin.json"), b"{\n\"id\": \"\xe4\"}").unwrap();
        fs::write(dir.path().join("notes.txt"), "not looked at").unwrap();
        let (registry, rejected) = load(dir.path());
        assert_eq!(registry.manifests().len(), builtin);
        let of = |file: &str| {
            &rejected
                .iter()
                .find(|rejected| rejected.file == file)
                .unwrap()
                .reason
        };
        assert!(
            of("broken.json").contains("line 3"),
            "{}",
            of("broken.json")
        );
        assert!(of("latin.json").contains("line 2"), "{}", of("latin.json"));
        assert_eq!(rejected.len(), 2);
    }
}
