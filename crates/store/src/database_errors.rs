//! The causes of failing databases, in words for whoever runs the server.

use std::io::ErrorKind;

use sqlx::postgres::PgConnectOptions;

/// The remedy where SQLite may read, and not write.
pub(crate) const READ_ONLY_FILE: &str = "give the database's files and their directory to the user that \
    runs Mana (`chown`), or mount the disk writable";

/// The remedy where SQLite can't open the database, or make the files beside it.
pub(crate) const CLOSED_FILE: &str = "let the user that runs Mana read and write the database's files and make files \
    beside them (`chown`, `chmod u+rwx`), and see whether the disk has files left (`df -i`)";

/// The remedy where the disk answers with an error.
pub(crate) const FAILING_DISK: &str = "look for the disk in the system's log (`dmesg`); where it fails, put a \
    backup back on another one";

/// The remedy where Postgres takes no writes.
pub(crate) const READ_ONLY_SERVER: &str = "DATABASE_URL has to name the primary and no standby, of a database without \
    default_transaction_read_only";

/// The remedy where a file can't be opened, read or written; none where the system says nothing that helps.
pub fn file_remedy(error: &std::io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::NotFound => "correct the path, or put the file there",
        ErrorKind::PermissionDenied => {
            "run this as the user that runs Mana, or give the file and its directory to that user (`chown`)"
        }
        ErrorKind::ReadOnlyFilesystem => "mount the disk writable",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room on the disk (`df -h`), or remove files where it holds no more of them (`df -i`)"
        }
        ErrorKind::IsADirectory => {
            "a directory stands where a file is needed: name a file, or move the directory away"
        }
        ErrorKind::NotADirectory => "a part of the path is no directory: correct the path",
        _ => return None,
    })
}

/// The remedy where a connection could not be made, and whether the database may only start later than this process.
pub(crate) fn remedy(options: &PgConnectOptions, error: &sqlx::Error) -> (&'static str, bool) {
    let code = code(error);
    match error {
        sqlx::Error::Io(error)
            if error.kind() == ErrorKind::NotFound && options.get_socket().is_some() =>
        {
            (
                "start Postgres, or correct the directory of its socket in DATABASE_URL",
                true,
            )
        }
        sqlx::Error::Io(error) => (of_io(error), error.kind() != ErrorKind::NotFound),
        sqlx::Error::Tls(_) => (
            "check sslmode and sslrootcert in DATABASE_URL, and whom the server's certificate names",
            false,
        ),
        sqlx::Error::Database(_) => (of_sqlstate(&code, &cause(error)), code == "57P03"),
        _ => ("check DATABASE_URL", false),
    }
}

fn of_io(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            "start Postgres, or correct the host and the port in DATABASE_URL"
        }
        ErrorKind::NotFound => {
            "DATABASE_URL names a file that is not there: correct sslrootcert, sslcert or sslkey in it"
        }
        ErrorKind::PermissionDenied => "let the user that runs Mana read that file",
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            "something answers there that is no Postgres, or it refuses this address; \
             a pooler such as pgbouncer needs `ignore_startup_parameters = extra_float_digits`"
        }
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "check the network and firewalls between Mana and the database"
        }
        _ => "check the host name and the port in DATABASE_URL",
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_sqlstate(code: &str, cause: &str) -> &'static str {
    match code {
        _ if cause.contains("unsupported startup parameter") => {
            "add `ignore_startup_parameters = extra_float_digits` to the pooler's settings, and let it pool sessions"
        }
        "28P01" => {
            "correct the password in DATABASE_URL, where % is written %25, @ %40, : %3A, / %2F, ? %3F and # %23"
        }
        "28000" => "check the role in DATABASE_URL, and the server's pg_hba.conf",
        "3D000" => "make the database with `createdb`, or correct its name in DATABASE_URL",
        "53300" => {
            "the server's connections are all in use: raise its max_connections, or lower MANA_DB_POOL"
        }
        "57P03" => "Postgres is starting or stopping; wait for it",
        _ => "check DATABASE_URL and the server's log",
    }
}

/// The error in one sentence, without the line of the database's own source.
pub(crate) fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => format!("{} ({code})", error.message()),
            None => error.message().to_owned(),
        },
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn code(error: &sqlx::Error) -> String {
    let error = error.as_database_error();
    let code = error.and_then(|error| error.code());
    code.unwrap_or_default().into_owned()
}
