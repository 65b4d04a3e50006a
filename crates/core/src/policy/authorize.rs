//! The one check on the write path: what the AI may do by itself, what it must ask for, what never happens.
//!
//! People and the system pass. A write of the AI passes where its tool's policy is `auto`, or with a
//! person's consent to exactly these operations.

use serde::{Deserialize, Serialize};

use super::{level::Policy, overrides::Overrides};
use crate::{
    actor::Actor,
    ids,
    manifest::{Operation, Registry, ops_hash},
};

/// A write that the AI is about to make.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The tool.
    pub tool: &'a str,
    /// The step that calls it.
    pub step_id: &'a str,
    /// The operations of the call.
    pub operations: &'a [Operation],
}

/// A person's yes to one proposal, bound to the operations that were shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// The proposal.
    pub proposal_id: String,
    /// The hash of its operations, [`ops_hash`].
    pub ops_hash: String,
}

/// Why a write is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{message}")]
pub struct Refusal {
    /// A word for programs: `denied`, `unknownTool`, `consentMissing`, `altered`.
    pub code: &'static str,
    /// The reason, and what to do.
    pub message: String,
}

impl Refusal {
    fn new(code: &'static str, message: String) -> Refusal {
        Refusal { code, message }
    }
}

/// Lets a write pass, or says why not.
pub fn authorize(
    registry: &Registry,
    overrides: &Overrides,
    actor: &Actor,
    call: Option<&Call<'_>>,
    consent: Option<&Consent>,
) -> Result<(), Refusal> {
    if !matches!(actor, Actor::Ai { .. }) {
        return Ok(());
    }
    let Some(call) = call else {
        let message = "A write of the AI has to name its tool. Nothing was changed.".to_owned();
        return Err(Refusal::new("denied", message));
    };
    let Some(tool) = registry.tool(call.tool) else {
        let message = format!(
            "There is no tool {} here. Add the module that it belongs to, or reject the proposal.",
            call.tool
        );
        return Err(Refusal::new("unknownTool", message));
    };
    if !call
        .operations
        .iter()
        .all(|operation| tool.covers(operation))
    {
        let message = format!(
            "{} can't do this: it is not what the tool is for.",
            call.tool
        );
        return Err(Refusal::new("altered", message));
    }
    match overrides.effective(tool) {
        Policy::Auto => Ok(()),
        Policy::Deny => {
            let message = format!(
                "{} is switched off by the policy. Allow it there if you want this.",
                call.tool
            );
            Err(Refusal::new("denied", message))
        }
        Policy::Propose => {
            let Some(consent) = consent else {
                let message = format!("{} needs a person's approval first.", call.tool);
                return Err(Refusal::new("consentMissing", message));
            };
            let same = consent.proposal_id == ids::proposal_id(call.step_id)
                && consent.ops_hash == ops_hash(call.operations);
            if same {
                return Ok(());
            }
            let message =
                "This is not what was approved. Nothing was changed; look at the proposal again.";
            Err(Refusal::new("altered", message.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Map, SystemSource};

    fn operations(registry: &Registry, tool: &str, params: serde_json::Value) -> Vec<Operation> {
        let params: Map = serde_json::from_value(params).expect("an object");
        registry
            .tool(tool)
            .expect("the tool")
            .operations(&params, "step", None)
            .expect("operations")
    }

    fn overrides(json: serde_json::Value) -> Overrides {
        serde_json::from_value(json).expect("overrides")
    }

    #[test]
    fn modules_p2_the_closest_override_counts() {
        let registry = Registry::builtin();
        let policy = |tool: &str, over: serde_json::Value| {
            overrides(over).effective(registry.tool(tool).expect("the tool"))
        };
        assert_eq!(policy("create_task", json!({})), Policy::Propose);
        assert_eq!(
            policy("create_task", json!({"default": "deny"})),
            Policy::Deny
        );
        let module = json!({"default": "deny", "modules": {"todo": "auto"}});
        assert_eq!(policy("create_task", module.clone()), Policy::Auto);
        assert_eq!(policy("create_note", module), Policy::Deny);
        let tool = json!({"modules": {"todo": "auto"}, "tools": {"delete_task": "deny"}});
        assert_eq!(policy("delete_task", tool.clone()), Policy::Deny);
        assert_eq!(policy("create_task", tool), Policy::Auto);
        let denied: Vec<_> = registry.allowed(&overrides(json!({"modules": {"todo": "deny"}})));
        assert!(denied.iter().all(|(tool, _)| tool.module.id != "todo"));
        assert!(denied.iter().any(|(tool, _)| tool.module.id == "notes"));
    }

    #[test]
    fn modules_p2_a_denied_tool_yields_to_its_own_override_only() {
        let text = include_str!("../../../../modules/notes.json");
        let text = text
            .replace("\"id\": \"notes\"", "\"id\": \"locked\"")
            .replace("_note", "_locked");
        let text = text
            .replace("\"/notes\"", "\"/locked\"")
            .replace("\"propose\"", "\"deny\"");
        let (registry, rejected) = Registry::builtin().with([("locked.json", text)]);
        assert_eq!(rejected, []);
        let tool = registry.tool("create_locked").expect("the tool");
        assert_eq!(
            overrides(json!({"default": "auto", "modules": {"locked": "auto"}})).effective(tool),
            Policy::Deny
        );
        assert_eq!(
            overrides(json!({"tools": {"create_locked": "propose"}})).effective(tool),
            Policy::Propose
        );
    }

    #[test]
    fn modules_p1_a_query_runs_or_is_denied() {
        let registry = Registry::builtin();
        let query = registry.tool("find_notes").expect("the tool");
        assert_eq!(
            overrides(json!({"default": "propose"})).effective(query),
            Policy::Auto
        );
        assert_eq!(
            overrides(json!({"default": "deny"})).effective(query),
            Policy::Deny
        );
    }

    #[test]
    fn modules_p3_only_the_ai_has_to_ask() {
        let registry = Registry::builtin();
        let over = Overrides::default();
        let system = Actor::system(SystemSource::Rule);
        assert_eq!(
            authorize(&registry, &over, &Actor::user(), None, None),
            Ok(())
        );
        assert_eq!(authorize(&registry, &over, &system, None, None), Ok(()));
        let ai = Actor::ai("m", "i", "because");
        assert_eq!(
            authorize(&registry, &over, &ai, None, None)
                .unwrap_err()
                .code,
            "denied"
        );
    }

    #[test]
    fn modules_p3_the_ai_needs_a_consent_to_exactly_these_operations() {
        let registry = Registry::builtin();
        let over = Overrides::default();
        let ai = Actor::ai("m", "i", "because");
        let planned = operations(&registry, "create_task", json!({"title": "Milk"}));
        let other = operations(&registry, "create_task", json!({"title": "Oat milk"}));
        let consent = Consent {
            proposal_id: ids::proposal_id("step"),
            ops_hash: ops_hash(&planned),
        };
        let ask = |over: &Overrides,
                   tool: &str,
                   step_id: &str,
                   operations: &[Operation],
                   consent: Option<&Consent>| {
            let call = Call {
                tool,
                step_id,
                operations,
            };
            authorize(&registry, over, &ai, Some(&call), consent).map_err(|refusal| refusal.code)
        };
        assert_eq!(
            ask(&over, "create_task", "step", &planned, Some(&consent)),
            Ok(())
        );
        assert_eq!(
            ask(&over, "create_task", "step", &planned, None),
            Err("consentMissing")
        );
        assert_eq!(
            ask(&over, "create_task", "step", &other, Some(&consent)),
            Err("altered")
        );
        assert_eq!(
            ask(&over, "create_task", "other step", &planned, Some(&consent)),
            Err("altered")
        );
        assert_eq!(
            ask(&over, "no_such_tool", "step", &planned, Some(&consent)),
            Err("unknownTool")
        );
        assert_eq!(
            ask(&over, "create_note", "step", &planned, Some(&consent)),
            Err("altered")
        );
        let deny = overrides(json!({"tools": {"create_task": "deny"}}));
        assert_eq!(
            ask(&deny, "create_task", "step", &planned, Some(&consent)),
            Err("denied")
        );
        let auto = overrides(json!({"tools": {"create_task": "auto"}}));
        assert_eq!(ask(&auto, "create_task", "step", &planned, None), Ok(()));
        let notes = operations(&registry, "create_note", json!({"title": "x"}));
        assert_eq!(
            ask(&auto, "create_task", "step", &notes, None),
            Err("altered"),
            "auto covers its own table only"
        );
    }
}
