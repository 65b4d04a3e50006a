//! Dependencies that the parts of this crate may have.

use std::path::Path;

/// Calls this for every source file, with its path below `src`.
fn each_source(dir: &Path, root: &Path, check: &mut impl FnMut(&str, &str)) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_source(&path, root, check);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            check(name, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_way_of_a_call_knows_no_database() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    each_source(&root, &root, &mut |name, source| {
        if name.starts_with("metering/") {
            return;
        }
        checked += 1;
        for word in ["mana_store", "sqlx", "crate::metering"] {
            assert!(
                !source.contains(word),
                "{name} knows {word}; only src/metering may"
            );
        }
    });
    assert!(checked > 20, "{checked} files");
}
