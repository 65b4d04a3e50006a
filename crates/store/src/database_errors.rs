//! The causes of failing databases, in words for whoever runs the server.

use std::io::ErrorKind;

use sqlx::postgres::PgConnectOptions;

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
        ErrorKind::NotFound => "correct the path in DATABASE_URL",
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
        "28P01" => "correct the password in DATABASE_URL",
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
