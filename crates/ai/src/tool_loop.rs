//! Planning in rounds of tool calls: what the model reads it gets at once, what it would change becomes a step. Rules
//! MISSIONS V1–V5.

use mana_core::manifest::QueryContext;
use mana_core::planner::calls::{self, CALLS, Meaning, ROUNDS, ToolCall};
use mana_core::planner::resolve::Resolver;
use mana_core::planner::{
    InputText, Message, Plan, PromptTool, RefusedStep, Role, fit, parser, prompt,
};
use mana_core::{Map, RecordKey};
use serde_json::Value;

use crate::load;
use crate::messages;
use crate::planning::{Failure, PlannerSession};

/// Tokens of what one call reads; the longest records are cut first.
const RESULT_TOKENS: usize = 3_000;

/// With fewer tokens left to read, nothing is read any more.
const FEWEST_TOKENS: usize = 100;

/// What the calls of a run have come to so far.
#[derive(Default)]
struct Rounds {
    plan: Plan,
    /// Every step that was called, in its place.
    called: usize,
    /// Something was wrong with the last answer.
    faulty: bool,
    /// The model has been told once what is wrong.
    repaired: bool,
}

impl PlannerSession<'_> {
    /// Rounds of calls until the plan is handed in: as many as [`ROUNDS`] in which it may read, one to hand in, one of
    /// them to repair.
    pub async fn plan_by_calls(
        &mut self,
        mut messages: Vec<Message>,
        tools: &[PromptTool],
    ) -> mana_store::Result<Result<Plan, Failure>> {
        let overrides = self.loaded.terms.overrides();
        let reads = PromptTool::reads(&self.inner.registry, overrides);
        let mut rounds = Rounds::default();
        for round in 0..=ROUNDS {
            let last = round == ROUNDS;
            let functions = calls::functions(tools, if last { &[] } else { &reads });
            let answer = match self.ask(messages.clone(), functions, None).await? {
                Ok(answer) => answer,
                // What was planned before it counts.
                Err(failure) if rounds.plan.steps.is_empty() => return Ok(Err(failure)),
                Err(_) => return Ok(Ok(rounds.plan)),
            };
            if answer.calls.is_empty() {
                match rounds.without_calls(&answer.text, last) {
                    Some(result) => return Ok(result),
                    None => {
                        messages.push(Message::new(
                            Role::Assistant,
                            messages::nothing(&answer.text),
                        ));
                        messages.push(prompt::call_now());
                        continue;
                    }
                }
            }
            messages.push(Message {
                calls: answer.calls.clone(),
                ..Message::new(Role::Assistant, answer.text)
            });
            let told_before = rounds.repaired;
            let (results, handed_in) = self.carry_out(&answer.calls, &mut rounds, last).await?;
            messages.extend(results);
            // What is wrong is said once; after that it is left out.
            if (handed_in && !rounds.faulty) || (told_before && rounds.faulty) {
                return Ok(rounds.conclude());
            }
        }
        Ok(rounds.never_handed_in())
    }

    /// Carries out the calls of one answer. Every call has its result, in the order of the calls.
    async fn carry_out(
        &mut self,
        calls: &[ToolCall],
        rounds: &mut Rounds,
        last: bool,
    ) -> mana_store::Result<(Vec<Message>, bool)> {
        let overrides = self.loaded.terms.overrides().clone();
        let registry = self.inner.registry.clone();
        let mut results = Vec::new();
        let mut handed_in = false;
        let mut steps: Vec<(usize, Value)> = Vec::new();
        rounds.faulty = false;
        for (place, call) in calls.iter().enumerate() {
            let said = match calls::meaning(call, &registry, &overrides) {
                _ if place >= CALLS => format!("Not looked at: at most {CALLS} calls at a time."),
                Meaning::HandIn { summary } => {
                    rounds.plan.summary = parser::summary(&summary);
                    handed_in = true;
                    "Handed in.".to_owned()
                }
                Meaning::Query { .. } if last => messages::read_enough().to_owned(),
                Meaning::Query { tool, params } => self.query(&tool, &params).await?,
                Meaning::Step(step) => {
                    steps.push((place, step));
                    String::new()
                }
                Meaning::Unclear(reason) => {
                    rounds.faulty = true;
                    format!("Not understood: {reason}")
                }
            };
            results.push(Message::result(call, said));
        }
        if !steps.is_empty() {
            let said = self.add(rounds, steps.iter().map(|(_, step)| step)).await?;
            for ((place, _), said) in steps.iter().zip(said) {
                results[*place].content = said;
            }
        }
        rounds.repaired |= rounds.faulty;
        Ok((results, handed_in))
    }

    /// Adds steps to the plan, and answers what is to be said of each.
    async fn add(
        &self,
        rounds: &mut Rounds,
        steps: impl Iterator<Item = &Value>,
    ) -> mana_store::Result<Vec<String>> {
        // Steps that were called now replace those that were refused before.
        rounds.plan.refused.clear();
        let first = rounds.called;
        let most = self.loaded.terms.settings.max_steps as usize;
        let steps: Vec<Value> = steps.cloned().collect();
        rounds.called += steps.len();
        let mut said = Vec::new();
        for (offset, step) in steps.iter().enumerate() {
            let index = first + offset;
            let checked = self.check(std::slice::from_ref(step)).await?;
            let room = most > rounds.plan.steps.len();
            for mut good in checked.steps {
                if room {
                    said.push(format!("Noted as a step: {}", good.summary));
                    good.index = index;
                    rounds.plan.steps.push(good);
                } else {
                    let reason = format!("a plan has at most {most} steps.");
                    said.push(format!("Refused: {reason}"));
                    rounds.plan.refused.push(RefusedStep {
                        index,
                        code: "limit",
                        summary: good.summary.chars().take(80).collect(),
                        reason,
                    });
                }
            }
            for mut bad in checked.refused {
                said.push(format!("Refused: {}", bad.reason));
                bad.index = index;
                rounds.plan.refused.push(bad);
            }
        }
        rounds.faulty |= !rounds.plan.refused.is_empty();
        Ok(said)
    }

    /// What a reading tool brings, of the person's own records, in words and fenced.
    async fn query(&mut self, tool: &str, params: &Map) -> mana_store::Result<String> {
        let registry = self.inner.registry.clone();
        let Some(tool) = registry.tool(tool) else {
            return Ok("There is no such tool.".to_owned());
        };
        let (module, table) = (&tool.module.id, &tool.tool.effect.table);
        let store = self.inner.store.as_ref();
        let rows = store.records(self.scope, module, table).await?;
        let context = QueryContext {
            now: self.now,
            zone: self.loaded.zone.clone(),
        };
        let tokens = RESULT_TOKENS.min(self.unread);
        if tokens < FEWEST_TOKENS {
            return Ok(messages::read_enough().to_owned());
        }
        let live = rows.iter().map(|(id, state)| (id.as_str(), state));
        let found = tool.query(params, live, &context);
        let owned = found
            .iter()
            .map(|(id, state)| ((*id).to_owned(), (*state).clone()));
        let tables = [((module.clone(), table.clone()), owned.collect())].into();
        let titles = load::titles(store, &registry, self.scope, &tables).await?;
        let resolver = Resolver {
            registry: &registry,
            context,
            title: &|key| titles.get(key).cloned(),
        };
        let texts: Vec<InputText> = found
            .iter()
            .map(|(id, state)| InputText {
                module: module.clone(),
                table: table.clone(),
                id: (*id).to_owned(),
                text: resolver.text(module, tool.table, &state.data),
            })
            .collect();
        self.shown.extend(
            texts
                .iter()
                .map(|text| RecordKey::new(module, table, &text.id)),
        );
        let said = prompt::read_result(self.iteration_id, &texts, tokens);
        self.unread = self.unread.saturating_sub(fit::tokens(&said));
        Ok(said)
    }
}

impl Rounds {
    /// What an answer without calls comes to; none where the model is to be told to call.
    fn without_calls(&mut self, text: &str, last: bool) -> Option<Result<Plan, Failure>> {
        if !self.plan.steps.is_empty() {
            if self.plan.summary.is_empty() {
                self.plan.summary = parser::summary(text);
            }
            return Some(std::mem::take(self).conclude());
        }
        if self.repaired || last {
            return Some(std::mem::take(self).never_handed_in());
        }
        self.repaired = true;
        None
    }

    /// The plan as it stands; one with nothing but refused steps has failed.
    fn conclude(self) -> Result<Plan, Failure> {
        match self.plan.steps.is_empty() && !self.plan.refused.is_empty() {
            true => Err(Failure::refused(self.plan.refused)),
            false => Ok(self.plan),
        }
    }

    /// The rounds are over.
    fn never_handed_in(self) -> Result<Plan, Failure> {
        if self.plan.steps.is_empty() && self.plan.refused.is_empty() {
            let mut failure = Failure::new("no_plan", messages::never_handed_in());
            failure.answered = true;
            return Err(failure);
        }
        self.conclude()
    }
}
