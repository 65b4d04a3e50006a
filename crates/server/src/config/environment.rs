//! Variables of the environment that can't be read, or that Mana does not read.

use std::ffi::OsString;

use super::source::most_like;
use super::table::variable_table;

/// Returns the name of a variable that Mana reads and whose value is no text: without this it would count as not set,
/// and another data directory be used.
pub(super) fn unreadable((name, value): (OsString, OsString)) -> Option<String> {
    let name = name.into_string().ok()?;
    let is_known =
        ["MANA_DATA_DIR", "XDG_DATA_HOME", "HOME"].contains(&name.as_str()) || is_read(&name);
    (is_known && value.to_str().is_none()).then_some(name)
}

/// Returns a sentence about a variable that looks like Mana's and is not read. Kubernetes sets some of its own for a
/// service that is called `mana`.
pub(super) fn not_read(name: &str) -> Option<String> {
    const OF_KUBERNETES: [&str; 3] = ["MANA_PORT", "MANA_SERVICE_HOST", "MANA_SERVICE_PORT"];
    if !name.starts_with("MANA_")
        || is_read(name)
        || OF_KUBERNETES.iter().any(|own| name.starts_with(own))
    {
        return None;
    }
    let names = variable_table().map(|variable| variable.name);
    Some(match most_like(name, names) {
        Some(known) => format!("{name} is not read; did you mean {known}?"),
        None => format!("{name} is not read; `mana config` lists what is."),
    })
}

/// Whether a name is that of a setting, or of a file that holds a secret one.
fn is_read(name: &str) -> bool {
    let of_file = name.strip_suffix("_FILE");
    variable_table().any(|known| known.name == name || known.secret && Some(known.name) == of_file)
}
