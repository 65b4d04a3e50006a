//! The runs under way in this process: how far each is, whether its person still wants it, and what went to the model.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mana_core::{Micros, ids};
use mana_store::{Claim, DebugRecord, RunPhase, RunProgress, UserId};
use mana_sync::Sync;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::llm::{ChatAnswer, ChatRequest, Llm, LlmError, ModelFacts};
use crate::metrics;

/// The largest debug record, in bytes of JSON; longer texts in it are cut.
const DEBUG_BYTES: usize = 160 << 10;

/// The runs that this process holds.
#[derive(Default)]
pub(crate) struct ProgressTrackers(Mutex<HashMap<(UserId, String), Arc<ProgressTracker>>>);

impl ProgressTrackers {
    /// ProgressTrackers a claimed run until the answer is dropped.
    pub fn begin(self: &Arc<Self>, sync: &Sync, claim: &Claim, now: Micros) -> TrackedRun {
        let iteration_id = ids::iteration_id(&claim.mission_id, &claim.slot);
        let watch = Arc::new(ProgressTracker {
            sync: sync.clone(),
            claim: claim.clone(),
            cancelled: CancellationToken::new(),
            told: AtomicBool::new(claim.requested),
            progress: Mutex::new(RunProgress {
                started_at: Some(now),
                ..RunProgress::queued(&claim.mission_id, &claim.slot, iteration_id)
            }),
            rounds: Mutex::default(),
        });
        let key = (claim.user.clone(), claim.mission_id.clone());
        lock(&self.0).insert(key, watch.clone());
        TrackedRun {
            watches: self.clone(),
            watch,
        }
    }

    /// The run of a mission.
    pub fn of(&self, user: &UserId, mission_id: &str) -> Option<Arc<ProgressTracker>> {
        let key = (user.clone(), mission_id.to_owned());
        lock(&self.0).get(&key).cloned()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

/// Keeps a run in [`ProgressTrackers`].
pub(crate) struct TrackedRun {
    watches: Arc<ProgressTrackers>,
    pub watch: Arc<ProgressTracker>,
}

impl Drop for TrackedRun {
    fn drop(&mut self) {
        let claim = &self.watch.claim;
        let key = (claim.user.clone(), claim.mission_id.clone());
        let mut watches = lock(&self.watches.0);
        // The same mission may be held anew, by who took it over from here.
        if watches
            .get(&key)
            .is_some_and(|watch| Arc::ptr_eq(watch, &self.watch))
        {
            watches.remove(&key);
        }
    }
}

/// One run under way.
pub(crate) struct ProgressTracker {
    sync: Sync,
    claim: Claim,
    /// Its person doesn't want it any more.
    pub cancelled: CancellationToken,
    /// Somebody was told of it, and so is to be told of its end.
    told: AtomicBool,
    progress: Mutex<RunProgress>,
    /// The calls so far; none unless its person wants them kept.
    rounds: Mutex<Option<Vec<Value>>>,
}

impl ProgressTracker {
    /// Says which occurrence is run: of several that were missed it is not the claimed one.
    pub fn occurrence(&self, slot: &str, iteration_id: String) {
        let mut progress = lock(&self.progress);
        slot.clone_into(&mut progress.slot);
        progress.iteration_id = iteration_id;
    }

    /// Tells everybody how far the run is, once for each phase.
    pub async fn tell(&self, phase: RunPhase) {
        let progress = {
            let mut progress = lock(&self.progress);
            if progress.phase == phase {
                return;
            }
            progress.phase = phase;
            progress.clone()
        };
        let told = self.told.swap(true, Ordering::Relaxed);
        if phase == RunPhase::Finished && !told {
            return;
        }
        if let Err(error) = self.sync.run_progress(&self.claim, progress).await {
            tracing::debug!(
                mission = self.claim.mission_id,
                "how far the run of mission {} is could not be told: {error}",
                self.claim.mission_id
            );
        }
    }

    /// Keeps the calls from now on.
    pub fn keep_rounds(&self) {
        lock(&self.rounds).get_or_insert_default();
    }

    /// What there is to keep of the run.
    pub fn debug_record(&self, at: Micros) -> Option<DebugRecord> {
        let rounds = lock(&self.rounds)
            .take()
            .filter(|rounds| !rounds.is_empty())?;
        let progress = lock(&self.progress).clone();
        let body = json!({
            "missionId": progress.mission_id, "slot": progress.slot, "phase": progress.phase,
            "startedAt": progress.started_at, "finishedAt": at, "rounds": rounds,
        });
        Some(DebugRecord {
            iteration_id: progress.iteration_id,
            at,
            body: cut(body),
        })
    }
}

/// A model whose calls are watched: they tell that the run is thinking, are measured, and are kept where the run's
/// person wants that.
pub(crate) struct TrackedLlm {
    pub llm: Arc<dyn Llm>,
    pub watches: Arc<ProgressTrackers>,
}

#[async_trait]
impl Llm for TrackedLlm {
    async fn chat(&self, request: ChatRequest) -> Result<ChatAnswer, LlmError> {
        let watch = self.watches.of(&request.user, &request.mission_id);
        if let Some(watch) = &watch {
            watch.tell(RunPhase::Thinking).await;
        }
        let wanted = watch.filter(|watch| lock(&watch.rounds).is_some());
        let asked = wanted.as_ref().map(|_| asked(&request));
        let began = Instant::now();
        let span = tracing::info_span!(target: "trace", "model", model = request.model);
        let answer = self.llm.chat(request).instrument(span).await;
        let took = began.elapsed();
        metrics::called(took, &answer);
        if let (Some(watch), Some(asked)) = (wanted, asked) {
            let round = round(asked, &answer, took);
            lock(&watch.rounds).get_or_insert_default().push(round);
        }
        answer
    }

    async fn facts(&self, model: &str) -> ModelFacts {
        self.llm.facts(model).await
    }
}

fn asked(request: &ChatRequest) -> Value {
    let mut asked = json!({ "model": request.model, "messages": request.messages });
    if !request.functions.is_empty() {
        asked["functions"] = json!(request.functions);
    }
    if let Some(schema) = &request.schema {
        asked["schema"] = schema.clone();
    }
    asked
}

fn round(asked: Value, answer: &Result<ChatAnswer, LlmError>, took: Duration) -> Value {
    let mut round = json!({ "request": asked, "latencyMs": took.as_millis() });
    match answer {
        Ok(answer) => {
            round["answer"] = json!(answer.text);
            round["calls"] = json!(answer.calls);
            round["model"] = json!(answer.model);
            round["tokens"] = json!(answer.tokens);
        }
        Err(error) => round["error"] = json!({ "code": error.code, "message": error.message }),
    }
    round
}

/// The record with its longest texts cut until it is small enough.
fn cut(mut body: Value) -> Value {
    let mut longest = DEBUG_BYTES / 2;
    while body.to_string().len() > DEBUG_BYTES && longest > 64 {
        cut_texts(&mut body, longest);
        longest /= 2;
    }
    body
}

fn cut_texts(value: &mut Value, longest: usize) {
    match value {
        Value::String(text) if text.len() > longest => {
            let end = text.floor_char_boundary(longest);
            let gone = text.len() - end;
            text.truncate(end);
            text.push_str(&format!("… ({gone} more bytes)"));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| cut_texts(item, longest)),
        Value::Object(map) => map.values_mut().for_each(|item| cut_texts(item, longest)),
        _ => {}
    }
}

/// A panic elsewhere leaves what is behind these locks whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_debug_record_is_cut_at_its_longest_texts() {
        let body = json!({"rounds": [{"answer": "ä".repeat(DEBUG_BYTES), "model": "m"}, {"answer": "short"}]});
        let cut = cut(body);
        assert!(cut.to_string().len() <= DEBUG_BYTES);
        let answer = cut["rounds"][0]["answer"].as_str().expect("a text");
        assert!(answer.starts_with("ää") && answer.ends_with("more bytes)"));
        assert_eq!(cut["rounds"][0]["model"], "m");
        assert_eq!(cut["rounds"][1]["answer"], "short");
    }
}
