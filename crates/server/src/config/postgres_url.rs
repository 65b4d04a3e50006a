//! The address of a Postgres database: its faults, told without a word of it, because it holds a password.

use mana_store::PostgresStore;

use super::source::ConfigError;

/// Characters of a password that end the part of a URL that it stands in, and how they are written there.
const ESCAPES: &str =
    "in the user and the password % is written %25, @ %40, : %3A, / %2F, ? %3F and # %23";

/// Fails where the address can't be read, or is read in another way than it was meant.
pub(super) fn check(url: &str) -> Result<(), ConfigError> {
    let fault = |found: &str| ConfigError::new("DATABASE_URL", format!("{found}; {ESCAPES}"));
    if has_open_password(url) {
        return Err(fault("the password ends the address of the server"));
    }
    PostgresStore::check_url(url).map_err(|error| fault(&format!("can't be read ({error})")))
}

/// Whether an `@` follows the end of the part with user, password, host and port: something before it ended that part.
fn has_open_password(url: &str) -> bool {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let Some(end) = after.find(['/', '?', '#']) else {
        return false;
    };
    let (server, rest) = after.split_at(end);
    !server.contains('@')
        && rest
            .split(['?', '&'])
            .any(|piece| piece.contains('@') && !piece.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_whose_password_is_not_escaped_is_refused_without_a_word_of_it() {
        for url in [
            "postgres://pw:a#secret@host/m",
            "postgres://pw:a/secret@host/m",
            "postgres://pw:12/secret@host:5432/m",
            "postgres://pw:12?secret@host/m",
            "postgres://pw:12#secret@host/m",
        ] {
            let said = check(url).unwrap_err().to_string();
            assert!(
                said.contains("%2F") && !said.contains("secret"),
                "{url}: {said}"
            );
        }
        let said = check("postgres://h1:1,h2:2/m").unwrap_err().to_string();
        assert!(said.contains("port"), "{said}");
        for url in [
            "postgres://mana@host/m",
            "postgres://mana:a%40b%2Fc@host:5432/m?sslmode=require",
            "postgres://mana@localhost/m?host=/run/postgresql",
            "postgres:///m?host=/run/a@b",
            "postgres://[::1]:5432/m",
        ] {
            check(url).unwrap();
        }
    }
}
