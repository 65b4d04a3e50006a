//! Other names of parameters and of values: the one place where they are looked up. The manifests hold them; models'
//! answers, steps of other runners and imports are understood by them.

use serde_json::Value;

use super::{
    field_kind::Definition,
    tool_ref::ToolRef,
    types::{EnumValue, Field, Manifest, Table},
};
use crate::Map;

/// The letters and digits of a name, in small letters.
pub(crate) fn fold(name: &str) -> String {
    folded(name).collect()
}

pub(crate) fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
}

impl Manifest {
    /// Forgets every alias.
    pub(super) fn drop_aliases(&mut self) {
        let fields = self
            .tables
            .values_mut()
            .flat_map(|table| table.fields.values_mut());
        let params = self
            .tools
            .iter_mut()
            .flat_map(|tool| tool.params.values_mut());
        for field in fields.chain(params) {
            field.aliases.clear();
            for value in &mut field.values {
                if let EnumValue::Labelled { aliases, .. } = value {
                    aliases.clear();
                }
            }
        }
    }
}

impl Field {
    fn is_called(&self, folded: &str) -> bool {
        self.aliases.iter().any(|alias| fold(alias) == folded)
    }
}

impl<'a> ToolRef<'a> {
    /// The parameter that a name stands for: its own in any case and with any separators; an alias of the parameter or
    /// of the field that it is written to; `id` for the record that the tool changes; a reference without its "Id".
    pub fn parameter(self, given: &str) -> Option<&'a str> {
        let declared = &self.tool.params;
        if let Some((name, _)) = declared.get_key_value(given) {
            return Some(name);
        }
        let folded = fold(given);
        let target = self.tool.effect.id.as_deref();
        let target = target.and_then(|id| id.strip_prefix('$'));
        let is_meant = |name: &str, field: &Field| {
            let own = fold(name);
            own == folded
                || field.table.is_some() && own == format!("{folded}id")
                || target == Some(name)
                    && matches!(folded.as_str(), "id" | "recordid" | "target" | "targetid")
        };
        let is_called = |name: &str, field: &Field| {
            let written = self.written_field(name);
            let written = written.and_then(|written| self.table.fields.get(written));
            field.is_called(&folded) || written.is_some_and(|field| field.is_called(&folded))
        };
        let mut params = declared.iter();
        let meant = params.clone().find(|(name, field)| is_meant(name, field));
        let meant = meant.or_else(|| params.find(|(name, field)| is_called(name, field)));
        meant.map(|(name, _)| name.as_str())
    }

    /// The field that a parameter is written to.
    pub fn written_field(self, param: &str) -> Option<&'a str> {
        let mut set = self.tool.effect.set.iter();
        set.find(|(_, value)| set_from(value) == Some(param))
            .map(|(field, _)| field.as_str())
    }

    /// The value of a choice that a text stands for: in any case and with any separators, by what a form calls it, or
    /// by an alias.
    pub fn choice(self, param: &str, field: &'a Field, given: &str) -> Option<&'a str> {
        choice(
            field,
            self.table,
            self.written_field(param).unwrap_or(param),
            given,
        )
    }

    /// The parameters of a call as its tool understands them; as they are where there is no such tool.
    pub fn understood_by(tool: Option<ToolRef<'_>>, params: &Map) -> Map {
        tool.map_or_else(|| params.clone(), |tool| tool.understood(params))
    }

    /// The parameters of a call under their own names, with the manifest's own values. A name or a value that stands
    /// for nothing stays as it is, for the check to name.
    pub fn understood(self, params: &Map) -> Map {
        let mut understood = Map::new();
        let (own, other): (Vec<_>, Vec<_>) = params
            .iter()
            .partition(|(name, _)| self.tool.params.contains_key(*name));
        for (given, value) in own.into_iter().chain(other) {
            let name = self.parameter(given);
            let name = name.filter(|name| !understood.contains_key(*name));
            let Some(name) = name else {
                understood.insert(given.clone(), value.clone());
                continue;
            };
            let field = &self.tool.params[name];
            let choice = match (field.kind.kind().definition, value) {
                (Definition::Values, Value::String(text)) => self.choice(name, field, text),
                _ => None,
            };
            let value = choice.map_or_else(|| value.clone(), Value::from);
            understood.insert(name.to_owned(), value);
        }
        understood
    }
}

/// The parameter that an effect sets a field from: `"$param"` or `{"$append": "$param"}`.
pub(crate) fn set_from(value: &Value) -> Option<&str> {
    let source = match value {
        Value::Object(fields) => fields.get("$append")?,
        value => value,
    };
    source.as_str()?.strip_prefix('$')
}

fn choice<'a>(field: &'a Field, table: &'a Table, name: &str, given: &str) -> Option<&'a str> {
    let folded = fold(given);
    let values = || field.values.iter().map(EnumValue::value);
    if let Some(value) = values().find(|value| fold(value) == folded) {
        return Some(value);
    }
    let fields = table.fields.get(name).into_iter();
    let labelled = field
        .values
        .iter()
        .chain(fields.flat_map(|field| &field.values));
    let mut meant = labelled.filter(|value| {
        let labels = value.label();
        let mut called = labels.0.values().chain(value.aliases());
        called.any(|name| fold(name) == folded)
    });
    meant.find_map(|value| values().find(|known| *known == value.value()))
}

/// The aliases of a table's fields that name another field, or nothing, each with its field.
pub(super) fn taken_aliases(table: &Table) -> Vec<(&str, &str)> {
    let is_taken = |name: &str, alias: &str| {
        let alias = fold(alias);
        let mut others = table.fields.iter().filter(|(other, _)| *other != name);
        alias.is_empty()
            || others.any(|(other, field)| fold(other) == alias || field.is_called(&alias))
    };
    let fields = table.fields.iter();
    let aliases =
        fields.flat_map(|(name, field)| field.aliases.iter().map(move |alias| (name, alias)));
    aliases
        .map(|(name, alias)| (name.as_str(), alias.as_str()))
        .filter(|(name, alias)| is_taken(name, alias))
        .collect()
}
