//! The conversation of one run with its model: what is sent fits the model's window and the budgets, and what comes
//! back is read knowing what the model was shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use mana_core::manifest::Schema;
use mana_core::planner::calls::{self, Function};
use mana_core::planner::prompt::functions_tokens;
use mana_core::planner::{
    Message, OutlineInput, Plan, PlanChecks, PlanFormat, PlannedStep, PromptTools, ShortIds,
    ShownRecord, UnusableAnswer, check_steps, parse, resolve,
};
use mana_core::{RecordKey, RecordState};
use serde_json::Value;
use tokio::time::timeout;

use crate::budget::{ANSWER_TOKENS, RunBudget};
use crate::failure::{Failure, TokenLimit};
use crate::llm::{ChatAnswer, ChatRequest, LlmError, ModelFacts};
use crate::load::Run;
use crate::messages;
use crate::model_tokens::prompt_tokens;

/// The conversation of one run with its model.
pub(crate) struct PlannerSession<'a> {
    pub run: &'a Run<'a>,
    pub iteration_id: &'a str,
    /// The tools that the model is told of.
    pub tools: PromptTools,
    /// The records that the model was shown. A tab's own records may not have been synced yet.
    pub shown: BTreeMap<RecordKey, RecordState>,
    /// The short ids of the records that it was told of, and the titles of those that it was not shown.
    pub short: ShortIds,
    pub titles: BTreeMap<RecordKey, String>,
    /// Tokens that queries may still read.
    pub unread: usize,
    /// The model that is asked.
    pub asked: &'a str,
    /// The tokens of prompt and answer together that the model takes, as far as that is known.
    pub window: Option<usize>,
    /// Whether the prompt may still be asked again because the model's server cut it.
    pub may_shrink: bool,
    /// The data for a planner that is no model.
    pub outline: Arc<OutlineInput>,
    /// The model that answered last.
    pub model: Option<String>,
    pub budget: RunBudget<'a>,
}

/// A model gets no more tokens than this for its answer, thoughts included.
const LONGEST_ANSWER: usize = 8_192;

/// Of the freedom to vary its words a model gets less than servers give by default, and enough that a model that
/// thinks does not go in circles.
const TEMPERATURE: f64 = 0.4;

/// The messages of a prompt, before anything was answered.
const PROMPT_MESSAGES: usize = 2;

/// Of the tokens that were sent, the share that a server has counted at least unless it cut the prompt. Mana counts
/// too many by up to half.
const FEWEST_SHARE: f64 = 0.5;

/// Prompts of fewer tokens than this fit any window.
const TELLING_PROMPT: usize = 1_500;

/// A window is never thought smaller than this.
const SMALLEST_WINDOW: usize = 1_024;

/// The fewest unread tokens with which a query is still answered.
pub(crate) const FEWEST_UNREAD: usize = 100;

/// Of a window, tokens that are left for the answer.
fn answer_room(window: usize) -> usize {
    (ANSWER_TOKENS as usize).min(window / 4)
}

impl PlannerSession<'_> {
    /// The most reliable format of the model of which the functions leave room for the rest.
    pub fn fitting(&self, facts: ModelFacts) -> PlanFormat {
        let format = facts.plan_format();
        let fits = (self.room()).is_none_or(|room| self.function_tokens(format) <= room / 2);
        match format {
            PlanFormat::ToolCalls if !fits && facts.json_schema => PlanFormat::JsonSchema,
            PlanFormat::ToolCalls if !fits => PlanFormat::FencedJson,
            format => format,
        }
    }

    /// The tokens of the functions that a plan is asked for with, by Mana's count.
    pub fn function_tokens(&self, format: PlanFormat) -> usize {
        match format {
            PlanFormat::ToolCalls => functions_tokens(&calls::functions(&self.tools, true)),
            PlanFormat::JsonSchema | PlanFormat::FencedJson => 0,
        }
    }

    /// The tokens that a prompt may have, by Mana's count.
    pub fn room(&self) -> Option<usize> {
        let window = self.window?;
        let room = (window - answer_room(window)) as f64;
        Some((room / self.run.context.model_tokens.factor(self.asked)) as usize)
    }

    /// The model's server takes fewer tokens than was known.
    pub fn shrink(&mut self, limit: TokenLimit) {
        let known = self.window.unwrap_or(usize::MAX);
        // A limit that is not named is a third less than what was sent.
        let window = match limit {
            TokenLimit::Window(tokens) | TokenLimit::Cut(tokens) => tokens as usize,
            TokenLimit::LessThan(sent) => sent as usize / 3 * 2 + answer_room(sent as usize),
        };
        let window = window
            .min(known.saturating_sub(known / 8))
            .max(SMALLEST_WINDOW);
        self.window = Some(window);
        let now = self.run.parts().now();
        self.run
            .context
            .model_tokens
            .limited(self.asked, window, now);
    }

    /// Makes a call within the budgets. [`Llm`](crate::Llm) keeps the time limit of a call; the limit here is for an
    /// implementation that doesn't, and leaves time for the runs that wait for the same model.
    pub async fn ask(
        &mut self,
        messages: Vec<Message>,
        functions: Vec<Function>,
        schema: Option<Schema>,
    ) -> mana_store::Result<Result<ChatAnswer, Failure>> {
        let config = &self.run.parts().config;
        let mut request = ChatRequest {
            model: self.asked.to_owned(),
            messages,
            functions,
            schema,
            temperature: TEMPERATURE,
            max_tokens: LONGEST_ANSWER,
            window: self.window,
            outline: self.outline.clone(),
            user: self.run.claim.user.clone(),
            mission_id: self.run.claim.mission_id.clone(),
            timeout: config.llm_timeout,
            max_bytes: config.max_answer_bytes,
        };
        let own = prompt_tokens(&request);
        let sent = (own as f64 * self.run.context.model_tokens.factor(self.asked)).ceil() as usize;
        if let Some(window) = self.window {
            let left = window.saturating_sub(sent);
            request.max_tokens = left.max(answer_room(window)).min(LONGEST_ANSWER);
        }
        let is_first = request.messages.len() == PROMPT_MESSAGES;
        let patience = config.llm_timeout * (config.parallel as u32 + 1);
        let now = self.run.parts().now();
        let held = match self.budget.reserve(&request, own, now, patience).await? {
            Ok(held) => held,
            Err(failure) => return Ok(Err(failure)),
        };
        let call = self
            .run
            .tracker
            .chat(self.run.parts().llm.as_ref(), request);
        let answer = match timeout(patience, call).await {
            Ok(answer) => answer,
            Err(_) => Err(LlmError {
                prompts_read: 1,
                ..LlmError::new("timeout", messages::no_answer(patience))
            }),
        };
        let answer = answer.and_then(|answer| match answer.text.len() > config.max_answer_bytes {
            true => Err(LlmError {
                prompts_read: 1,
                ..LlmError::new(
                    "too_large",
                    "The model’s answer is far too large for a plan.",
                )
            }),
            false => Ok(answer),
        });
        let facts = self.facts_of(&answer).await;
        self.budget.settle(held, &answer, facts).await?;
        if let Ok(answer) = &answer
            && !answer.model.is_empty()
        {
            self.model = Some(answer.model.clone());
        }
        let read = answer.as_ref().ok().and_then(|answer| answer.prompt_tokens);
        if let Some(read) = read.filter(|read| *read > 0) {
            let fewest = (sent as f64 * FEWEST_SHARE) as u64;
            // A server that has much of a conversation in its cache may count the rest alone.
            let was_cut = is_first && own > TELLING_PROMPT && read >= SMALLEST_WINDOW as u64;
            if read >= fewest {
                self.run.context.model_tokens.counted(self.asked, own, read);
            } else if was_cut && self.may_shrink {
                return Ok(Err(Failure::prompt_cut(read, sent, self.window)));
            }
        }
        let tokens = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
        let too_long = |error: LlmError| Failure {
            too_long: error.limit.map(|limit| match limit {
                0 => TokenLimit::LessThan(tokens(sent)),
                window => TokenLimit::Window(tokens(window)),
            }),
            ..Failure::from(error)
        };
        Ok(answer.map_err(too_long))
    }

    /// Whether the model may read more.
    pub fn may_read(&self) -> bool {
        !self.tools.reading.is_empty() && self.unread >= FEWEST_UNREAD
    }

    /// The facts of the model that answered, which may not be the model that the alias named at first.
    async fn facts_of(&self, answer: &Result<ChatAnswer, LlmError>) -> ModelFacts {
        let name = match answer {
            Ok(answer) if !answer.model.is_empty() => &answer.model,
            _ => self.asked,
        };
        self.run.parts().llm.facts(name).await
    }

    /// Parses an answer, knowing which of the records that it names exist.
    pub async fn read(
        &self,
        answer: &ChatAnswer,
    ) -> mana_store::Result<Result<Plan, UnusableAnswer>> {
        self.knowing(|checks| parse(answer.model_answer(), checks))
            .await
    }

    /// Checks single steps, knowing which of the records that they name exist, and which steps passed before.
    pub async fn check(
        &self,
        steps: &[Value],
        earlier: &[PlannedStep],
    ) -> mana_store::Result<Plan> {
        self.knowing(|checks| check_steps(steps, earlier, checks))
            .await
    }

    /// Reads knowing the records that the model was shown, and no others.
    pub fn reading<T>(&self, read: impl FnOnce(&PlanChecks<'_>) -> T) -> T {
        let shown = self.shown_records();
        let exists = |key: &RecordKey| self.shown.contains_key(key);
        let state = |key: &RecordKey| self.shown.get(key);
        read(&self.checks(&shown, &exists, &state))
    }

    /// The records that the model was told of, by their short ids and titles.
    fn shown_records(&self) -> Vec<ShownRecord> {
        let registry = &self.run.parts().registry;
        let title = |key: &RecordKey| match self.shown.get(key) {
            Some(state) => {
                let table = registry.table(&key.app, &key.table)?;
                resolve::title(table, &state.data)
            }
            None => self.titles.get(key).cloned(),
        };
        let mut keys: BTreeSet<&RecordKey> = self.shown.keys().collect();
        keys.extend(self.short.iter().map(|(key, _)| key));
        let records = keys.into_iter().map(|key| ShownRecord {
            key: key.clone(),
            short: self.short.get(key).map(str::to_owned),
            title: title(key),
        });
        records.collect()
    }

    fn checks<'c>(
        &'c self,
        shown: &'c [ShownRecord],
        exists: &'c dyn Fn(&RecordKey) -> bool,
        state: &'c dyn Fn(&RecordKey) -> Option<&'c RecordState>,
    ) -> PlanChecks<'c> {
        let agent = self.run.agent();
        PlanChecks {
            registry: &self.run.parts().registry,
            overrides: agent.overrides(),
            exists,
            state,
            shown,
            now: self.run.began,
            zone: &self.run.loaded.zone,
            locale: &self.run.user.locale,
            max_steps: agent.settings.max_steps as usize,
        }
    }

    /// Reads twice: once to learn which records are named, and once knowing which of them exist.
    async fn knowing<T>(&self, read: impl Fn(&PlanChecks<'_>) -> T) -> mana_store::Result<T> {
        let shown = self.shown_records();
        let named = Mutex::new(BTreeSet::new());
        let note = |key: &RecordKey| {
            if let Ok(mut named) = named.lock() {
                named.insert(key.clone());
            }
            true
        };
        let first = read(&self.checks(&shown, &note, &|_| None));
        let named = named.into_inner().unwrap_or_default();
        if named.is_empty() {
            return Ok(first);
        }
        let unknown = named
            .into_iter()
            .filter(|key| !self.shown.contains_key(key));
        let unknown = Vec::from_iter(unknown);
        let store = &self.run.parts().store;
        let stored = store.records_by_key(&self.run.scope, &unknown).await?;
        let live = stored.into_iter().filter(|(_, state)| !state.is_deleted());
        let live: BTreeMap<RecordKey, RecordState> = live.collect();
        let state = |key: &RecordKey| self.shown.get(key).or_else(|| live.get(key));
        let exists = |key: &RecordKey| state(key).is_some();
        Ok(read(&self.checks(&shown, &exists, &state)))
    }
}
