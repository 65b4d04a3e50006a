//! The effect of a tool's call: operations on records, the same on every replica.

use serde_json::Value;

use super::{
    operation::Operation,
    tool_ref::ToolRef,
    types::{EffectOp, ValueSource, value_source},
};
use crate::{
    Map, ids, merge,
    problem::Problem,
    record::{RecordKey, RecordState},
};

impl<'a> ToolRef<'a> {
    /// The existing record that a call touches; an insert and a query touch none.
    pub fn target(self, params: &Map) -> Option<RecordKey> {
        match self.tool.effect.op {
            EffectOp::Insert | EffectOp::Query => None,
            EffectOp::Update | EffectOp::Delete => self.record_id(params).map(|id| self.key(id)),
        }
    }

    /// True where an operation is one that this tool can lead to.
    pub fn covers(self, operation: &Operation) -> bool {
        let effect = &self.tool.effect;
        effect.op.op() == Some(operation.op)
            && operation.app == self.module.id
            && operation.table == effect.table
            && operation
                .set
                .keys()
                .chain(&operation.now)
                .all(|field| effect.set.contains_key(field))
    }

    /// The operations of a call, from checked parameters.
    ///
    /// `step` is what the ids of created records derive from. `target` is the record that the call
    /// touches, as this replica holds it. A query has no operations.
    pub fn operations(
        self,
        params: &Map,
        step: &str,
        target: Option<&RecordState>,
    ) -> Result<Vec<Operation>, Problem> {
        let effect = &self.tool.effect;
        let Some(op) = effect.op.op() else {
            return Ok(Vec::new());
        };
        let id = match effect.op {
            EffectOp::Insert if !self.table.singleton => ids::created_record_id(step, 0),
            _ => self.record_id(params).ok_or_else(|| {
                Problem::new(
                    "id",
                    "required",
                    format!("{} needs the id of a record.", self.tool.name),
                )
            })?,
        };
        let mut operation = Operation {
            op,
            app: self.module.id.clone(),
            table: effect.table.clone(),
            id,
            set: Map::new(),
            now: Vec::new(),
        };
        for (field, value) in &effect.set {
            let value = match value_source(value) {
                ValueSource::Now => {
                    operation.now.push(field.clone());
                    continue;
                }
                ValueSource::Today => continue,
                ValueSource::Literal(value) => merge::normalize(value),
                ValueSource::Param(param) => match self.param(params, param) {
                    Some(value) => value,
                    None => continue,
                },
                ValueSource::Append(param) => match self.param(params, param) {
                    Some(addition) => appended(target, field, &addition),
                    None => continue,
                },
            };
            operation.set.insert(field.clone(), value);
        }
        operation.now.sort();
        if let Some(problem) = self.record_problem(&operation) {
            return Err(problem);
        }
        Ok(vec![operation])
    }

    /// A parameter as it is kept. Null empties a field of an existing record; a new one just lacks it.
    fn param(self, params: &Map, name: &str) -> Option<Value> {
        let value = params.get(name)?;
        if value.is_null() && self.tool.effect.op != EffectOp::Update {
            return None;
        }
        let stored = self
            .tool
            .params
            .get(name)
            .map_or(merge::normalize as fn(&Value) -> Value, |param| {
                param.kind.kind().stored
            });
        Some(stored(value))
    }

    /// Whether the tool adds to the text of a field.
    pub(crate) fn appends(self, field: &str) -> bool {
        let source = self.tool.effect.set.get(field).map(value_source);
        matches!(source, Some(ValueSource::Append(_)))
    }

    fn record_id(self, params: &Map) -> Option<String> {
        if self.table.singleton {
            return Some(self.module.id.clone());
        }
        let id = match value_source(&Value::from(self.tool.effect.id.as_deref()?)) {
            ValueSource::Param(param) => params.get(param)?.as_str()?.to_owned(),
            _ => self.tool.effect.id.clone()?,
        };
        (!id.is_empty()).then_some(id)
    }

    fn key(self, id: String) -> RecordKey {
        RecordKey::new(&self.module.id, &self.tool.effect.table, id)
    }
}

/// The field's text with a paragraph added.
fn appended(target: Option<&RecordState>, field: &str, addition: &Value) -> Value {
    let before = target
        .and_then(|state| state.data.get(field))
        .and_then(Value::as_str)
        .unwrap_or("");
    let addition = addition.as_str().unwrap_or("").trim();
    match before.trim_end() {
        "" => Value::from(addition),
        before => Value::from(format!("{before}\n\n{addition}")),
    }
}
