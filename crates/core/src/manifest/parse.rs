//! From a file's text to a manifest; what is wrong is named with its line and column.

use std::{collections::BTreeMap, fmt};

use serde_json::value::RawValue;

use super::{types::Manifest, validate};

/// Something in a manifest that has to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The fault, and how to mend it.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}

/// Why a text is no manifest: everything that has to be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ManifestError(pub Vec<Fault>);

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&faults.join("\n"))
    }
}

impl Manifest {
    /// Reads a manifest and checks all of it that can be checked without the other modules.
    pub fn parse(text: &str) -> Result<Manifest, ManifestError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut manifest: Manifest = serde_json::from_str(text).map_err(|error| {
            let said = error.to_string();
            let message = said
                .rsplit_once(" at line ")
                .map_or(said.as_str(), |(message, _)| message);
            let message = format!("{message}. spec/MODULES.md shows how a manifest is written");
            ManifestError(vec![Fault {
                line: error.line(),
                column: error.column().max(1),
                message,
            }])
        })?;
        let faults = validate::validate(&manifest);
        if !faults.is_empty() {
            return Err(ManifestError(
                faults.into_iter().map(|f| f.located(text)).collect(),
            ));
        }
        if !manifest.hidden && manifest.route.is_none() {
            manifest.route = Some(format!("/{}", manifest.id));
        }
        Ok(manifest)
    }
}

impl validate::Unlocated {
    /// The fault with the place that its path has in the text.
    pub(super) fn located(self, text: &str) -> Fault {
        let (line, column) = locate(text, &self.path);
        Fault {
            line,
            column,
            message: self.message,
        }
    }
}

/// Line and column of the value that a JSON pointer names, or of the closest one around it.
fn locate(text: &str, pointer: &str) -> (usize, usize) {
    let mut here = text.trim();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let next = if here.starts_with('[') {
            let items = serde_json::from_str::<Vec<&RawValue>>(here).ok();
            items.and_then(|items| items.get(part.parse::<usize>().ok()?).map(|raw| raw.get()))
        } else {
            let fields = serde_json::from_str::<BTreeMap<String, &RawValue>>(here).ok();
            fields.and_then(|fields| fields.get(&part).map(|raw| raw.get()))
        };
        match next {
            Some(next) => here = next,
            None => break,
        }
    }
    // `here` is a slice of `text`, so its address says where it stands.
    let before = &text[..here.as_ptr().addr() - text.as_ptr().addr()];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locate_names_the_line_and_column_of_a_value() {
        let text = "{\n  \"a\": [1,\n    {\"b/c\": true}]\n}";
        assert_eq!(locate(text, "/a/0"), (2, 9));
        assert_eq!(locate(text, "/a/1/b~1c"), (3, 13));
        assert_eq!(locate(text, "/a/1/missing"), (3, 5));
        assert_eq!(locate(text, ""), (1, 1));
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let error = Manifest::parse("{\n  \"id\": \"books\",,\n}").unwrap_err();
        assert_eq!((error.0[0].line, error.0[0].column), (2, 17));
        assert!(
            error.to_string().starts_with("line 2, column 17: "),
            "{error}"
        );
    }

    #[test]
    fn a_misspelt_key_is_named_with_those_that_exist() {
        let error = Manifest::parse("{\n  \"id\": \"books\",\n  \"verson\": 1\n}").unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("line 3") && said.contains("`verson`") && said.contains("`version`"),
            "{said}"
        );
    }
}
