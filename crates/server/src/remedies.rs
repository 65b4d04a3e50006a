//! The text of an error for an operator: its chain of causes, and the remedy where the file system has the last word.

use std::io;
use std::path::Path;

use anyhow::{Result, ensure};
use mana_store::file_remedy;

/// Returns the error with its causes and, where a file is the cause, with what to do about it.
pub fn with_remedy(error: &anyhow::Error) -> String {
    let of_system = error
        .root_cause()
        .downcast_ref::<io::Error>()
        .filter(|cause| cause.raw_os_error().is_some());
    match of_system.and_then(file_remedy) {
        Some(remedy) => format!("{error:#}; {remedy}"),
        None => format!("{error:#}"),
    }
}

/// Refuses a directory where a file is to be written. `example`: a name for the file in it.
pub fn refuse_directory(file: &Path, example: &str) -> Result<()> {
    ensure!(
        !file.is_dir(),
        "{0} is a directory; name a file in it, such as {0}/{example}",
        file.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn remedy_follows_the_cause_that_the_system_names() {
        let missing = std::fs::read("/nowhere/at/all").context("it can't be read");
        let said = with_remedy(&missing.unwrap_err());
        assert!(
            said.starts_with("it can't be read: No such file")
                && said.ends_with("put the file there"),
            "{said}"
        );
        let own = anyhow::Error::from(io::Error::new(io::ErrorKind::NotFound, "no answer"));
        assert_eq!(with_remedy(&own), "no answer");
    }
}
