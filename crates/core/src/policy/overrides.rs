//! The policies that a person sets instead of the manifests'.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::level::Policy;
use crate::manifest::{EffectOp, ToolRef};

/// A person's levels of permission instead of the manifests' policies. The closest one counts: tool, module, default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Overrides {
    /// For every tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Policy>,
    /// For the tools of a module, by its id.
    pub modules: BTreeMap<String, Policy>,
    /// For a tool, by its name.
    pub tools: BTreeMap<String, Policy>,
}

impl Overrides {
    /// The policy that counts for a tool.
    ///
    /// A `deny` in the manifest yields to an override of that very tool only. A query changes nothing,
    /// so there is nothing to propose: it runs, or it is denied.
    pub fn effective(&self, tool: ToolRef<'_>) -> Policy {
        let wide = || self.modules.get(&tool.module.id).copied().or(self.default);
        let policy = match (self.tools.get(&tool.tool.name), tool.tool.policy) {
            (Some(policy), _) => *policy,
            (None, Policy::Deny) => Policy::Deny,
            (None, own) => wide().unwrap_or(own),
        };
        match policy {
            Policy::Propose if tool.tool.effect.op == EffectOp::Query => Policy::Auto,
            policy => policy,
        }
    }
}
