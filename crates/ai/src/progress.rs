//! Runs under way in this process: how far each is, whether its person has cancelled it, and its calls to the model.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use mana_core::{Micros, ids};
use mana_store::{Claim, DebugRecord, RunPhase, RunProgress, UserId};
use mana_sync::Sync;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::llm::{ChatAnswer, ChatRequest, Llm, LlmError};
use crate::{debug_record, metrics};

/// The runs that this process holds, by person and mission.
#[derive(Default)]
pub(crate) struct RunsUnderWay(Mutex<HashMap<(UserId, String), Arc<ProgressTracker>>>);

impl RunsUnderWay {
    /// Adds a claimed run, until the returned value is dropped.
    pub fn add(self: &Arc<Self>, sync: &Sync, claim: &Claim, now: Micros) -> RunUnderWay {
        let iteration_id = ids::iteration_id(&claim.mission_id, &claim.slot);
        let tracker = Arc::new(ProgressTracker {
            sync: sync.clone(),
            claim: claim.clone(),
            cancelled: CancellationToken::new(),
            published: AtomicBool::new(claim.requested),
            progress: Mutex::new(RunProgress {
                started_at: Some(now),
                ..RunProgress::queued(&claim.mission_id, &claim.slot, iteration_id)
            }),
            calls: Mutex::default(),
        });
        lock(&self.0).insert(key(claim), tracker.clone());
        RunUnderWay {
            all: self.clone(),
            tracker,
        }
    }

    /// Cancels the run of a mission, if it is under way here.
    pub fn cancel(&self, user: &UserId, mission_id: &str) {
        if let Some(tracker) = lock(&self.0).get(&(user.clone(), mission_id.to_owned())) {
            tracker.cancelled.cancel();
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

/// Keeps a run in [`RunsUnderWay`].
pub(crate) struct RunUnderWay {
    all: Arc<RunsUnderWay>,
    pub tracker: Arc<ProgressTracker>,
}

impl Drop for RunUnderWay {
    fn drop(&mut self) {
        let mut all = lock(&self.all.0);
        let key = key(&self.tracker.claim);
        // After a lost lease this process may have claimed the same mission again.
        if all
            .get(&key)
            .is_some_and(|tracker| Arc::ptr_eq(tracker, &self.tracker))
        {
            all.remove(&key);
        }
    }
}

/// How far a run is.
pub(crate) struct ProgressTracker {
    sync: Sync,
    claim: Claim,
    /// Cancelled when the run's person cancels the run.
    pub cancelled: CancellationToken,
    /// Whether devices were told of the run, and so must be told of its end.
    published: AtomicBool,
    progress: Mutex<RunProgress>,
    /// The calls so far, for the debug record. None unless the run's person wants them kept.
    calls: Mutex<Option<Vec<Value>>>,
}

impl ProgressTracker {
    /// Sets the occurrence that is run. Of several missed occurrences it is not the claimed one.
    pub fn set_occurrence(&self, slot: &str, iteration_id: String) {
        let mut progress = lock(&self.progress);
        slot.clone_into(&mut progress.slot);
        progress.iteration_id = iteration_id;
    }

    /// Tells devices how far the run is, once for each phase.
    pub async fn publish(&self, phase: RunPhase) {
        let progress = {
            let mut progress = lock(&self.progress);
            if progress.phase == phase {
                return;
            }
            progress.phase = phase;
            progress.clone()
        };
        let published = self.published.swap(true, Ordering::Relaxed);
        if phase == RunPhase::Finished && !published {
            return;
        }
        if let Err(error) = self.sync.run_progress(&self.claim, progress).await {
            let mission = &self.claim.mission_id;
            tracing::debug!(
                mission, user = %self.claim.user, %error,
                "the progress of mission {mission} could not be published: {error}"
            );
        }
    }

    /// Keeps the calls from now on, for the debug record.
    pub fn keep_calls(&self) {
        lock(&self.calls).get_or_insert_default();
    }

    /// Calls a model: publishes that the run is thinking, measures the call, and keeps it for the debug record.
    pub async fn chat(&self, llm: &dyn Llm, request: ChatRequest) -> Result<ChatAnswer, LlmError> {
        self.publish(RunPhase::Thinking).await;
        let kept = lock(&self.calls).is_some();
        let kept = kept.then(|| debug_record::request(&request));
        let began = Instant::now();
        let span = tracing::info_span!(target: "trace", "model", model = request.model);
        let answer = llm.chat(request).instrument(span).await;
        let took = began.elapsed();
        metrics::model_called(took, &answer);
        if let (Some(calls), Some(request)) = (lock(&self.calls).as_mut(), kept) {
            calls.push(debug_record::call(request, &answer, took));
        }
        answer
    }

    /// The debug record, if calls were kept.
    pub fn debug_record(&self, at: Micros) -> Option<DebugRecord> {
        let calls = lock(&self.calls).take().filter(|calls| !calls.is_empty())?;
        let progress = lock(&self.progress).clone();
        Some(debug_record::record(progress, calls, at))
    }
}

fn key(claim: &Claim) -> (UserId, String) {
    (claim.user.clone(), claim.mission_id.clone())
}

/// No lock here is held across a panic that could leave its value half-written, so poison is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
