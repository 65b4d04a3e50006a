//! Lists the files of a folder of migrations for the crate, so that a file that is written is a migration that runs.
//!
//! `sqlx::migrate!` would do the same. Its crate builds both databases' drivers once more for the compiler's own
//! machine, a seventh of a cold build (docs/decisions/serve-profile.md).

use std::{env, fmt::Write as _, fs, path::Path};

/// Writes `migrations_NAME.rs` into the folder of build scripts: an expression, the `Migrator` of the files of
/// `folder`.
/// A file is called `NUMBER_WHAT_IT_DOES.sql`.
pub fn list(name: &str, folder: &str) {
    println!("cargo::rerun-if-changed={folder}");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo names the folder of the crate");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder of migrations can be read")
        .map(|file| file.expect("a file of the folder can be read").file_name())
        .collect();
    files.sort();
    let mut list = String::new();
    for file in files {
        let file = file.to_string_lossy();
        let (number, does) = file
            .strip_suffix(".sql")
            .and_then(|stem| stem.split_once('_'))
            .unwrap_or_else(|| panic!("{folder}/{file} is not called NUMBER_WHAT_IT_DOES.sql"));
        let number: i64 = number.parse().expect("a migration begins with its number");
        let does = does.replace('_', " ");
        let path = Path::new(&root).join(folder).join(&*file);
        writeln!(
            list,
            "sqlx::migrate::Migration::new(
                {number},
                {does:?}.into(),
                sqlx::migrate::MigrationType::Simple,
                sqlx::SqlStr::from_static(include_str!({path:?})),
                false,
            ),"
        )
        .expect("a string takes any text");
    }
    let out = env::var("OUT_DIR").expect("cargo names the folder of build scripts");
    let text = format!("sqlx::migrate::Migrator::with_migrations(vec![{list}])");
    fs::write(Path::new(&out).join(format!("migrations_{name}.rs")), text)
        .expect("the folder of build scripts can be written");
}
