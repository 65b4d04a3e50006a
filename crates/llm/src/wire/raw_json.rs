//! JSON that is passed on as it was written.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// JSON as its text, members of objects in their order. A [`Value`] sorts them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// The JSON of a value. None for a value that is no JSON, such as a map whose keys are no texts.
    pub fn of(value: &impl Serialize) -> Option<Self> {
        serde_json::value::to_raw_value(value).ok().map(Self)
    }

    /// JSON by its text. None for a text that is no JSON.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The value.
    pub fn value(&self) -> Value {
        self.read().unwrap_or_default()
    }

    /// The value in another form; none where it has none.
    pub fn read<T: for<'de> Deserialize<'de>>(&self) -> Option<T> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        self.0.get()
    }

    /// The length of the text.
    pub fn bytes(&self) -> usize {
        self.0.get().len()
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}
