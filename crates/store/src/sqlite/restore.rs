//! Making a SQLite file from a backup: a file of its own until it is whole.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, SqlSafeStr as _, SqlStr, SqliteConnection,
    migrate::Migrator, sqlite::SqliteJournalMode, sqlite::SqliteSynchronous,
};

use super::{
    backup::columns,
    db::{MIGRATIONS, SqliteStore, io_error, latest, lock, make, options},
};
use crate::{
    BackupEntry, BackupSource, Cell, DatabaseContents, DatabaseKind, RestoreOptions, Restored,
    Result, StoreError, TableHead, UserId,
    backup::{FOLDED, check_row, check_schema, placed, quoted},
    sql::records,
};

/// How the rows of a table are stored.
struct Target {
    head: TableHead,
    /// The statement; none where this database lacks the table, so that its rows are passed over.
    insert: Option<SqlStr>,
    /// The columns of the backup that the table has.
    kept: Vec<usize>,
    /// The place of the account's id, and of the word whether the row is in the projections.
    folded: Option<(usize, usize)>,
}

impl SqliteStore {
    /// Makes the file from the rows of a backup. A file without an account is replaced, once the new one is whole.
    pub async fn restore(
        path: impl AsRef<Path>,
        source: &mut dyn BackupSource,
        options: RestoreOptions,
    ) -> Result<Restored> {
        let path = path.as_ref();
        check_schema(options.origin, latest().unwrap_or_default())?;
        let _lock = lock(path)?;
        if Self::contents(path).await? == DatabaseContents::Tables && has_accounts(path).await? {
            return Err(StoreError::HasAccounts);
        }
        let part = path.with_added_extension("part");
        remove(&part)?;
        let filled = fill(&part, source, options).await;
        let done = filled.and_then(|restored| {
            let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
            sync(&part).map_err(|source| io_error(&part, source))?;
            remove(path)?;
            fs::rename(&part, path).map_err(|source| io_error(path, source))?;
            if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
                sync(folder).map_err(|source| io_error(folder, source))?;
            }
            Ok(restored)
        });
        if done.is_err() {
            let _ = remove(&part);
        }
        done
    }
}

async fn has_accounts(path: &Path) -> Result<bool> {
    let mut connection = options().filename(path).read_only(true).connect().await?;
    let found = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users)")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(found)
}

/// Removes a database with the files beside it.
fn remove(path: &Path) -> Result<()> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    for file in [
        path.to_owned(),
        beside("-wal"),
        beside("-shm"),
        beside("-journal"),
    ] {
        match fs::remove_file(&file) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error(&file, source));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn fill(
    path: &Path,
    source: &mut dyn BackupSource,
    restore: RestoreOptions,
) -> Result<Restored> {
    make(path).await?;
    // The file counts only once it is whole and on the disk, so nothing has to survive before.
    let mut connection = options()
        .filename(path)
        .journal_mode(SqliteJournalMode::Memory)
        .synchronous(SqliteSynchronous::Off)
        .connect()
        .await?;
    let before = MIGRATIONS
        .iter()
        .filter(|step| step.version <= restore.origin.schema);
    Migrator::with_migrations(before.cloned().collect())
        .run(&mut connection)
        .await?;
    let mut tx = connection.begin().await?;
    sqlx::raw_sql("PRAGMA defer_foreign_keys = ON")
        .execute(&mut *tx)
        .await?;
    let mut restored = rows(&mut tx, source, restore).await?;
    tx.commit().await?;
    MIGRATIONS.run(&mut connection).await?;
    let mut tx = connection.begin().await?;
    restored.users = records::begin_epochs(&mut *tx, restore.epoch).await?;
    tx.commit().await?;
    connection.close().await?;
    Ok(restored)
}

async fn rows(
    tx: &mut SqliteConnection,
    source: &mut dyn BackupSource,
    options: RestoreOptions,
) -> Result<Restored> {
    let same_kind = options.origin.database == DatabaseKind::Sqlite;
    let mut target: Option<Target> = None;
    let mut restored = Restored::default();
    let mut unprojected = BTreeSet::new();
    while let Some(entry) = source.next()? {
        match entry {
            BackupEntry::Table(head) => target = Some(prepare(tx, head, same_kind).await?),
            BackupEntry::Row(cells) => {
                check_row(target.as_ref().map(|target| &target.head), &cells)?;
                let Some(target) = &target else { continue };
                if let Some((user, folded)) = target.folded
                    && cells[folded] == Cell::Integer(0)
                    && let Cell::Text(user) = &cells[user]
                {
                    unprojected.insert(user.clone());
                }
                if let Some(insert) = &target.insert {
                    store(tx, insert, &target.kept, &cells).await?;
                    restored.rows += 1;
                }
            }
        }
    }
    restored.unprojected = unprojected.into_iter().map(UserId).collect();
    Ok(restored)
}

async fn prepare(tx: &mut SqliteConnection, head: TableHead, same_kind: bool) -> Result<Target> {
    let names: Vec<_> = columns(tx, &head.name).await?;
    let names: Vec<_> = names.into_iter().map(|column| column.name).collect();
    let places = placed(&head, &names, same_kind)?;
    let has = |place: &Option<usize>| place.is_some();
    let kept: Vec<_> = (0..places.len()).filter(|at| has(&places[*at])).collect();
    let place = |name: &str| head.columns.iter().position(|column| column == name);
    let folded = match head.name == FOLDED.0 {
        true => place("user_id").zip(place(FOLDED.1)),
        false => None,
    };
    let insert = (!kept.is_empty()).then(|| {
        let list: Vec<_> = kept.iter().map(|at| quoted(&head.columns[*at])).collect();
        let text = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            quoted(&head.name),
            list.join(", "),
            vec!["?"; list.len()].join(", ")
        );
        AssertSqlSafe(text).into_sql_str()
    });
    Ok(Target {
        head,
        insert,
        kept,
        folded,
    })
}

async fn store(
    tx: &mut SqliteConnection,
    insert: &SqlStr,
    kept: &[usize],
    cells: &[Cell],
) -> Result<()> {
    let mut query = sqlx::query(insert.clone());
    for at in kept {
        query = match &cells[*at] {
            Cell::Null => query.bind(None::<i64>),
            Cell::Integer(number) => query.bind(*number),
            Cell::Text(text) => query.bind(text.as_str()),
            Cell::Bytes(bytes) => query.bind(bytes.as_slice()),
        };
    }
    query.execute(tx).await?;
    Ok(())
}
