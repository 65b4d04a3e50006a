//! Addresses and names that look like others: normalised by Unicode's rules, refused where they hide something.
//!
//! Sources: RFC 8265 (the profile of user names: case and width), RFC 5891 (hosts), UTS #39 (scripts, confusables).

use mana_core::text::{passes_for_mana, visible};
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::confusable_detection::skeleton;
use unicode_security::{GeneralSecurityProfile as _, MixedScript as _};

/// The limit of mail itself (RFC 5321). The sign-in limits keep an address in memory, so a longer one gets no bucket.
pub const EMAIL_MAX_BYTES: usize = 254;
const NAME_MAX_BYTES: usize = 200;

/// Returns an address as it is stored: without the space around, by compatibility form (NFKC), in lower case, its host
/// as the name service writes it (`xn--…`).
pub fn normalize_email(email: &str) -> String {
    let email: String = email.trim().nfkc().collect();
    let email: String = email.to_lowercase().nfkc().collect();
    match email.rsplit_once('@') {
        // A character that shows nothing would be mapped to nothing; such a host is refused.
        Some((name, host)) if !host.is_ascii() && visible(host) == host => {
            match idna::domain_to_ascii(host) {
                Ok(host) => format!("{name}@{host}"),
                Err(_) => email,
            }
        }
        _ => email,
    }
}

/// Refuses what is surely a slip, and what can't be told from another address. Only a message to the address could
/// tell whether the address exists. Takes a normalised address.
pub fn is_email(email: &str) -> bool {
    let is_plain = !email.chars().any(|c| c.is_whitespace() || c.is_control());
    let (name, host) = email.rsplit_once('@').unwrap_or_default();
    is_plain
        && email.len() <= EMAIL_MAX_BYTES
        && !name.is_empty()
        && !name.contains('@')
        && !host.is_empty()
        && host.is_ascii()
        && is_readable_identifier(name)
}

/// Whether all characters are ASCII, or such as identifiers are written with, of one script.
fn is_readable_identifier(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii() || c.identifier_allowed();
    text.is_ascii() || (text.chars().all(allowed) && text.is_single_script())
}

/// Returns a name as it is stored: composed (NFC), runs of space as one space.
pub fn normalize_name(name: &str) -> String {
    let name: String = name.nfc().collect();
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The reason why a name can't be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// The name is longer than 200 bytes.
    TooLong,
    /// A character of it shows nothing, or turns the direction of the text.
    Hidden,
    /// The name passes for the server's own.
    Own,
}

/// Checks a normalised name.
pub fn check_name(name: &str) -> Result<(), NameFault> {
    if name.len() > NAME_MAX_BYTES {
        return Err(NameFault::TooLong);
    }
    if name.contains('\0') || visible(name) != name {
        return Err(NameFault::Hidden);
    }
    match passes_for_mana(name) {
        true => Err(NameFault::Own),
        false => Ok(()),
    }
}

/// Whether two different texts can't be told apart by eye. Two texts of ASCII alone are what they are: `tom1` and
/// `toml` are both honest.
pub fn look_alike(one: &str, other: &str) -> bool {
    one != other
        && !(one.is_ascii() && other.is_ascii())
        && skeleton(&one.to_lowercase()).eq(skeleton(&other.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_normalised_by_width_case_and_host() {
        for (written, stored) in [
            (" Ada@Example.ORG ", "ada@example.org"),
            ("ａｄａ@example.org", "ada@example.org"),
            ("ﬁn@example.org", "fin@example.org"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@exаmple.org", "ada@xn--exmple-4nf.org"),
        ] {
            assert_eq!(normalize_email(written), stored);
        }
    }

    #[test]
    fn address_that_hides_something_is_refused() {
        for hidden in [
            "own@e.org\u{200b}",
            "own@e.org\u{202e}",
            "o\u{200d}wn@e.org",
            "\u{43e}wn@e.org",
            "own\u{ad}@e.org",
            "",
            "ada",
            "ada@",
            "@example.org",
            "a da@example.org",
            "a@b@c",
            "ada\0@example.org",
        ] {
            assert!(!is_email(&normalize_email(hidden)), "{hidden:?}");
        }
        for honest in [
            "ada@example.org",
            "ada@localhost",
            "jörg@example.org",
            "анна@example.org",
            "ada+tag@example.org",
            "o'neil@example.org",
        ] {
            assert!(is_email(&normalize_email(honest)), "{honest:?}");
        }
    }

    #[test]
    fn names_that_hide_something_or_pass_for_mana_are_refused() {
        assert_eq!(check_name("Lena Brandt"), Ok(()));
        assert_eq!(check_name("José O’Neil"), Ok(()));
        assert_eq!(check_name("नेहा"), Ok(()));
        assert_eq!(check_name("Lena\u{202e}"), Err(NameFault::Hidden));
        assert_eq!(check_name("Le\u{200b}na"), Err(NameFault::Hidden));
        assert_eq!(check_name("Mana"), Err(NameFault::Own));
        assert_eq!(check_name(&"a".repeat(201)), Err(NameFault::TooLong));
        assert_eq!(normalize_name("  Lena \u{a0} Brandt "), "Lena Brandt");
    }

    #[test]
    fn lookalikes_differ_and_have_one_skeleton() {
        assert!(look_alike("Lena", "L\u{435}na"));
        assert!(look_alike("оса@e.org", "oca@e.org"));
        assert!(!look_alike("tom1@e.org", "toml@e.org"));
        assert!(!look_alike("Lena", "Lena"));
        assert!(!look_alike("Müller", "Muller"));
    }
}
