//! The contract suite on every backend, and the cases that only a file can show.

#[macro_use]
mod contract;
mod backup;
mod durability;
mod postgres;
mod schemas;
mod upgrades;

/// A store in memory.
mod memory {
    use std::sync::Arc;

    use mana_core::manifest::Registry;
    use mana_store::SqliteStore;

    async fn open() -> (Arc<SqliteStore>, ()) {
        let store = SqliteStore::memory(Arc::new(Registry::builtin())).await;
        (store.expect("a store in memory opens"), ())
    }

    contract!(open);
}

/// A store in a file, with its readers beside the writer.
mod file {
    use std::sync::Arc;

    use mana_core::manifest::Registry;
    use mana_store::SqliteStore;

    async fn open() -> (Arc<SqliteStore>, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store =
            SqliteStore::open(folder.path().join("mana.db"), Arc::new(Registry::builtin())).await;
        (store.expect("a store in a new file opens"), folder)
    }

    contract!(open);
}
