//! The tools of a mission, as a model is told of them.

use serde_json::Value;

use crate::manifest::{EffectOp, Registry};
use crate::policy::{Overrides, Policy};

/// Hands the plan in.
pub const HAND_IN_TOOL: &str = "hand_in_plan";

/// A tool that a plan may use.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptTool {
    /// Its name.
    pub name: String,
    /// The purpose of the tool, in English.
    pub description: String,
    /// Whether a person decides, or it just happens.
    pub automatic: bool,
    /// JSON Schema of its parameters.
    pub params_schema: Value,
}

impl PromptTool {
    /// The tools that a mission may use in a plan: those that change something, as far as the policy allows.
    pub fn all(registry: &Registry, overrides: &Overrides) -> Vec<PromptTool> {
        PromptTool::some(registry, overrides, false)
    }

    /// The tools that read, as far as the policy allows, for a model that calls tools while it plans.
    pub fn reads(registry: &Registry, overrides: &Overrides) -> Vec<PromptTool> {
        PromptTool::some(registry, overrides, true)
    }

    fn some(registry: &Registry, overrides: &Overrides, reads: bool) -> Vec<PromptTool> {
        registry
            .allowed(overrides)
            .into_iter()
            .filter(|(tool, _)| (tool.tool.effect.op == EffectOp::Query) == reads)
            .map(|(tool, policy)| PromptTool {
                name: tool.tool.name.clone(),
                description: tool.tool.description.clone(),
                automatic: policy == Policy::Auto,
                params_schema: tool.params_schema(),
            })
            .collect()
    }
}
