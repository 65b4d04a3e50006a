//! Agents, what a person sets for all their missions, and the terms that a mission runs under because of both.
//! Rules: `spec/MISSIONS.md`, parts G and L.

use serde::Serialize;
use serde_json::Value;

use super::{
    budget::Budget,
    fields::{count, present, text},
    record::Mission,
};
use crate::{
    Map,
    actor::Actor,
    json,
    policy::{Overrides, Policy},
    problem::Problem,
};

/// The id of the agent of every mission that names none.
pub const DEFAULT_AGENT_ID: &str = "default";

/// The id of the one record of settings.
pub const SETTINGS_ID: &str = "settings";

/// The name of the default agent while nobody has given it another one.
const DEFAULT_NAME: &str = "Mana";

/// The most steps of a plan where the person sets nothing else.
pub const DEFAULT_MAX_STEPS: u32 = 5;

/// The most steps that a person can let a run propose.
pub const MAX_STEPS_LIMIT: u32 = 20;

/// How many proposals of a mission may wait where nothing is set, and the most that can be set.
pub const DEFAULT_OPEN_PROPOSALS: u32 = 25;
const MAX_OPEN_PROPOSALS: u32 = 200;

/// The planner of a mission: a manner of working and what it may do. A mission belongs to one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// The record's id.
    pub id: String,
    /// The agent's name.
    pub name: String,
    /// Its mark: a character or two; empty where its name's first letter will do.
    pub avatar: String,
    /// The agent's purpose, in a line.
    pub role: String,
    /// How it works, in Markdown, from the person to the model.
    pub system_prompt: String,
    /// The agent's memory, in Markdown.
    pub memory: String,
    /// The agent's permissions, where they differ from the modules' own policy.
    pub policy: Overrides,
    /// The model that it asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The budget of all the agent's missions together.
    pub budget: Budget,
    /// How many of its missions may run at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The parts of the record that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

impl Agent {
    /// The default agent as it is before anybody has changed it.
    pub fn builtin() -> Agent {
        Agent::parse(DEFAULT_AGENT_ID, &Map::new())
    }

    /// Reads an agent's data. Reading never fails; what can't be read is left out and named, but for the policy and
    /// the budget, where it counts as the strictest.
    pub fn parse(id: &str, data: &Map) -> Agent {
        let mut problems = Vec::new();
        let mut words = |field: &str| text(data, field, &mut problems).unwrap_or_default();
        let name = words("name").trim().to_owned();
        let (avatar, role) = (words("avatar"), words("role"));
        let (system_prompt, memory, model) =
            (words("systemPrompt"), words("memory"), words("model"));
        let name = match name.is_empty() {
            true if id == DEFAULT_AGENT_ID => DEFAULT_NAME.to_owned(),
            true => id.to_owned(),
            false => name,
        };
        Agent {
            id: id.to_owned(),
            name,
            avatar,
            role,
            system_prompt,
            memory,
            policy: Overrides::parse(data.get("policy"), &mut problems),
            model: Some(model).filter(|model| !model.trim().is_empty()),
            budget: Budget::parse(data.get("budget"), &mut problems),
            concurrency: count(data, "concurrency", &mut problems).filter(|most| *most > 0),
            problems,
        }
    }

    /// The author of what this agent does, with its name as it is now.
    pub fn actor(&self, mission_id: &str, iteration_id: &str, rationale: &str) -> Actor {
        let (id, name) = (Some(self.id.as_str()), Some(self.name.as_str()));
        Actor::agent(mission_id, iteration_id, rationale, id, name)
    }
}

/// A person's settings for all their missions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MissionSettings {
    /// The budget of all the person's missions together.
    pub budget: Budget,
    /// Prompts and answers are kept for a look behind the scenes.
    pub debug: bool,
    /// The most steps that a run may propose.
    pub max_steps: u32,
    /// The most proposals of one mission that may wait.
    pub max_open_proposals: u32,
    /// The parts of the record that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

impl MissionSettings {
    /// Reads the settings' data; what is not set, or can't be read, has its usual value. A budget that can't be
    /// read counts as the strictest.
    pub fn parse(data: &Map) -> MissionSettings {
        let mut problems = Vec::new();
        let mut most = |field: &str, usual: u32, most: u32| {
            count(data, field, &mut problems).map_or(usual, |number| number.clamp(1, most))
        };
        let max_steps = most("maxSteps", DEFAULT_MAX_STEPS, MAX_STEPS_LIMIT);
        let max_open_proposals = most(
            "maxOpenProposals",
            DEFAULT_OPEN_PROPOSALS,
            MAX_OPEN_PROPOSALS,
        );
        MissionSettings {
            budget: Budget::parse(data.get("budget"), &mut problems),
            debug: data.get("debug") == Some(&Value::Bool(true)),
            max_steps,
            max_open_proposals,
            problems,
        }
    }
}

impl Default for MissionSettings {
    fn default() -> Self {
        MissionSettings::parse(&Map::new())
    }
}

/// The rules that a mission runs under: who plans it, what that agent may do, whom it asks, and within which bounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EffectiveAgent {
    /// The mission's agent; its policy is the one that counts.
    pub agent: Agent,
    /// The agent that the mission names is gone, and the default one stands in.
    pub agent_gone: bool,
    /// The model to ask; none where the server's own choice counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The budget of the mission itself. The agent's and the person's budgets count beside it.
    pub budget: Budget,
    /// The person's settings.
    pub settings: MissionSettings,
}

impl EffectiveAgent {
    /// The terms of a mission. `agent` gives the data of the agent with an id, none where there is no such record or
    /// it is deleted; `settings` is the data of the person's settings, if there are any.
    ///
    /// A mission whose agent is gone gets the default one. Nobody said what that may do in this mission, so what its
    /// policy lets happen without asking is proposed instead.
    pub fn resolve<'a>(
        mission: &Mission,
        agent: impl Fn(&str) -> Option<&'a Map>,
        settings: Option<&Map>,
    ) -> EffectiveAgent {
        let find = |id: &str| {
            let data = agent(id).filter(|data| present(data, "deletedAt").is_none());
            data.map(|data| Agent::parse(id, data))
        };
        let wanted = mission.agent_id.as_deref().unwrap_or(DEFAULT_AGENT_ID);
        let found = find(wanted);
        let agent_gone = found.is_none() && wanted != DEFAULT_AGENT_ID;
        let mut agent = found
            .or_else(|| find(DEFAULT_AGENT_ID))
            .unwrap_or_else(Agent::builtin);
        if agent_gone {
            agent.policy = agent.policy.asking_first();
        }
        EffectiveAgent {
            model: mission.model.clone().or_else(|| agent.model.clone()),
            agent,
            agent_gone,
            budget: mission.budget.clone(),
            settings: settings.map(MissionSettings::parse).unwrap_or_default(),
        }
    }

    /// The permissions of the mission's agent.
    pub fn overrides(&self) -> &Overrides {
        &self.agent.policy
    }
}

impl Overrides {
    /// Reads a policy. An unreadable entry is denied and named: a slip of the pen must not set anything free.
    pub fn parse(value: Option<&Value>, problems: &mut Vec<Problem>) -> Overrides {
        let mut denied = |field: String| {
            let message = "A policy is auto, propose or deny. Until then this counts as deny.";
            problems.push(Problem::new(field, "invalid", message));
            Policy::Deny
        };
        let word = |value: &Value| json::from_value::<Policy>(value.clone()).ok();
        let mut overrides = Overrides::default();
        let fields = match value {
            None | Some(Value::Null) => return overrides,
            Some(Value::Object(fields)) => fields,
            Some(_) => {
                overrides.default = Some(denied("policy".to_owned()));
                return overrides;
            }
        };
        if let Some(value) = present(fields, "default") {
            let policy = word(value).unwrap_or_else(|| denied("policy.default".to_owned()));
            overrides.default = Some(policy);
        }
        for (name, place) in [
            ("modules", &mut overrides.modules),
            ("tools", &mut overrides.tools),
        ] {
            match present(fields, name) {
                None => {}
                Some(Value::Object(entries)) => {
                    for (id, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
                        let field = || format!("policy.{name}.{id}");
                        let policy = word(value).unwrap_or_else(|| denied(field()));
                        place.insert(id.clone(), policy);
                    }
                }
                // Which of them were meant is lost, so all are.
                Some(_) => overrides.default = Some(denied(format!("policy.{name}"))),
            }
        }
        overrides
    }

    /// The same, with everything that would happen by itself proposed instead.
    fn asking_first(mut self) -> Overrides {
        let all = self
            .default
            .iter_mut()
            .chain(self.modules.values_mut())
            .chain(self.tools.values_mut());
        for policy in all.filter(|policy| **policy == Policy::Auto) {
            *policy = Policy::Propose;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::Registry;

    fn map(value: Value) -> Map {
        serde_json::from_value(value).expect("an object")
    }

    fn mission(data: Value) -> Mission {
        Mission::parse("m", &map(data))
    }

    /// The terms of a mission with these agents, by id, and settings.
    fn terms(data: Value, agents: Value, settings: Option<Value>) -> EffectiveAgent {
        let agents = agents.as_object().expect("agents").clone();
        let settings = settings.map(map);
        let agent = |id: &str| agents.get(id).and_then(Value::as_object);
        EffectiveAgent::resolve(&mission(data), agent, settings.as_ref())
    }

    #[test]
    fn missions_g1_the_default_agent_needs_no_record_and_its_record_says_only_what_differs() {
        let built_in = terms(json!({}), json!({}), None);
        assert_eq!(
            (built_in.agent.id.as_str(), built_in.agent.name.as_str()),
            ("default", "Mana")
        );
        assert_eq!(built_in.overrides(), &Overrides::default());
        assert!(!built_in.agent_gone && built_in.agent.problems.is_empty());
        assert_eq!(
            (
                built_in.settings.max_steps,
                built_in.settings.max_open_proposals
            ),
            (5, 25)
        );
        assert!(built_in.agent.budget.is_unlimited() && built_in.settings.budget.is_unlimited());

        let changed = terms(
            json!({"agentId": ""}),
            json!({"default": {"role": "Helps"}}),
            None,
        );
        assert_eq!(
            (changed.agent.name.as_str(), changed.agent.role.as_str()),
            ("Mana", "Helps")
        );
    }

    #[test]
    fn missions_g2_a_mission_belongs_to_the_agent_that_it_names() {
        let agents = json!({
            "default": {"name": "Mana", "policy": {"default": "auto"}},
            "gardener": {"name": "Flora", "avatar": "F", "role": "Looks after the garden",
                "systemPrompt": "Think in seasons.", "memory": "Clay soil.", "model": "ollama/qwen3",
                "policy": {"default": "propose", "modules": {"notes": "deny"}, "tools": {"create_task": "auto"}},
                "budget": {"tokensPerDay": 9}, "concurrency": 2}
        });
        let terms = terms(json!({"agentId": "gardener"}), agents, None);
        let agent = &terms.agent;
        assert_eq!(
            [
                &agent.name,
                &agent.avatar,
                &agent.role,
                &agent.system_prompt,
                &agent.memory
            ],
            [
                "Flora",
                "F",
                "Looks after the garden",
                "Think in seasons.",
                "Clay soil."
            ]
        );
        assert_eq!(
            (agent.concurrency, agent.budget.tokens_per_day),
            (Some(2), Some(9))
        );
        let registry = Registry::builtin();
        let policy = |tool: &str| {
            terms
                .overrides()
                .effective(registry.tool(tool).expect("a tool"))
        };
        assert_eq!(
            ["create_task", "create_note", "create_goal"].map(policy),
            [Policy::Auto, Policy::Deny, Policy::Propose]
        );
    }

    #[test]
    fn missions_g3_where_the_agent_is_gone_the_default_one_asks_before_everything() {
        let free = json!({"default": "auto", "modules": {"notes": "deny"}, "tools": {"create_task": "auto"}});
        for gone in [
            json!(null),
            json!({"name": "Flora", "deletedAt": "2026-11-20T08:00:00Z"}),
        ] {
            let agents = json!({"default": {"policy": free}, "gone": gone});
            let terms = terms(json!({"agentId": "gone"}), agents, None);
            assert_eq!(
                (terms.agent.id.as_str(), terms.agent_gone),
                ("default", true)
            );
            let registry = Registry::builtin();
            let policy = |tool: &str| {
                terms
                    .overrides()
                    .effective(registry.tool(tool).expect("a tool"))
            };
            assert_eq!(
                ["create_task", "create_note", "create_goal"].map(policy),
                [Policy::Propose, Policy::Deny, Policy::Propose]
            );
        }
    }

    #[test]
    fn missions_g4_a_policy_that_cant_be_read_denies() {
        let registry = Registry::builtin();
        let read = |policy: Value| {
            let agent = Agent::parse("a", &map(json!({"policy": policy})));
            let denied = ["create_task", "create_note"].map(|tool| {
                agent.policy.effective(registry.tool(tool).expect("a tool")) == Policy::Deny
            });
            let fields: Vec<_> = agent
                .problems
                .into_iter()
                .map(|problem| problem.field)
                .collect();
            (denied, fields.join(" "))
        };
        assert_eq!(
            read(json!({"tools": {"create_task": "Auto"}})),
            ([true, false], "policy.tools.create_task".into())
        );
        assert_eq!(
            read(json!({"modules": {"notes": true}})),
            ([false, true], "policy.modules.notes".into())
        );
        assert_eq!(
            read(json!({"default": "yes"})),
            ([true, true], "policy.default".into())
        );
        assert_eq!(
            read(json!({"default": "auto", "tools": ["create_task"]})),
            ([true, true], "policy.tools".into())
        );
        assert_eq!(read(json!("auto")), ([true, true], "policy".into()));
        assert_eq!(
            read(json!({"default": null, "later": 1})),
            ([false, false], String::new())
        );
    }

    #[test]
    fn missions_g5_the_missions_model_counts_before_its_agents() {
        let agents = json!({"default": {"model": "a/agent"}});
        let model = |mission: Value| terms(mission, agents.clone(), None).model;
        assert_eq!(
            model(json!({"model": "a/mission"})).as_deref(),
            Some("a/mission")
        );
        assert_eq!(model(json!({"model": " "})).as_deref(), Some("a/agent"));
        assert_eq!(terms(json!({}), json!({}), None).model, None);
    }

    #[test]
    fn missions_g7_the_actor_carries_the_agents_id_and_its_name_of_that_moment() {
        let agent = Agent::parse("gardener", &map(json!({"name": "Flora"})));
        assert_eq!(
            json!(agent.actor("m", "i", "because")),
            json!({"kind": "ai", "missionId": "m", "iterationId": "i", "rationale": "because",
                "principalId": "gardener", "displayName": "Flora"})
        );
    }

    #[test]
    fn missions_l1_settings_have_bounds_and_usual_values() {
        let read = |data: Value| MissionSettings::parse(&map(data));
        let set = read(
            json!({"maxSteps": 8, "maxOpenProposals": 3, "debug": true, "budget": {"moneyPerDay": 1}}),
        );
        assert_eq!(
            (set.max_steps, set.max_open_proposals, set.debug),
            (8, 3, true)
        );
        assert_eq!(set.budget.micros_usd_per_day(), Some(1_000_000));
        let wild = read(json!({"maxSteps": 1_000_000, "maxOpenProposals": 0, "debug": "yes"}));
        assert_eq!(
            (wild.max_steps, wild.max_open_proposals, wild.debug),
            (20, 1, false)
        );
        let broken = read(json!({"maxSteps": "many"}));
        assert_eq!((broken.max_steps, broken.problems.len()), (5, 1));
    }
}
