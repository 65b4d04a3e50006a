//! The state machine of a sync.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    answer::Answered,
    failure::{self, Remedy},
    push::{BATCH_CHANGES, PushInFlight, next_push},
    shapes::{
        Commit, OutboxRow, PushAnswer, PushRequest, RecordRow, Refusal, ReplicaMeta, SnapshotPage,
        TransportError,
    },
    snapshot::Paged,
};
use crate::{
    Micros, RecordKey,
    conflict::{KeptConflict, TextLineage},
    manifest::Registry,
    staging::Records,
};

/// The state of one sync, from [`Event::Started`] to [`Effect::Done`] or [`Effect::Stop`].
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Changes in the next push at most: halved where the server says too large.
    batch: usize,
    /// Whether the server has no snapshots: then a new replica reads the whole log.
    no_snapshots: bool,
    /// The cursors and tokens that were refused since the last push that succeeded.
    refused: BTreeSet<String>,
    /// The cursor that the last snapshot of this sync ended with. Another one came from another driver.
    snapshot_end: Option<String>,
    phase: Phase,
}

impl Default for State {
    fn default() -> Self {
        State {
            batch: BATCH_CHANGES,
            no_snapshots: false,
            refused: BTreeSet::new(),
            snapshot_end: None,
            phase: Phase::Idle,
        }
    }
}

/// The event that the step waits for.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// The beginning, or the end.
    Idle,
    /// A read that tells what to do next; `again`: a request is needed whatever the outbox holds.
    Choosing { again: bool },
    /// The reply to a push.
    Pushing(PushInFlight),
    /// A read of the records that an answer is about.
    Applying(Box<Answered>),
    /// A read of what a refusal is about.
    Mending { remedy: Remedy, now: Micros },
    /// A page of a snapshot, by its token.
    Fetching { after: String },
    /// A read of the records that a page is about.
    Joining(Box<Paged>),
    /// A commit, after which a page is awaited that is on its way already, or a new round begins.
    Committing(Next),
}

#[derive(Debug, Clone, PartialEq)]
enum Next {
    Choose { again: bool },
    Page { after: String },
}

/// An event for the step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// A sync begins.
    Started {},
    /// The transaction of an [`Effect::Read`] is open, and this is what the storage holds.
    Read {
        /// The replica itself.
        meta: ReplicaMeta,
        /// The oldest rows of the outbox, as many as were asked for.
        outbox: Vec<OutboxRow>,
        /// The records that were asked for, as far as they exist.
        records: Vec<RecordRow>,
        /// The lineages of the texts of the records that were asked for.
        #[serde(default)]
        texts: Vec<TextLineage>,
        /// The conflicts that are kept of the same records.
        #[serde(default)]
        conflicts: Vec<KeptConflict>,
    },
    /// An [`Effect::Commit`] is durable.
    Committed {},
    /// The server answered a push.
    Answered {
        /// The answer.
        answer: PushAnswer,
        /// The local wall time when the push was sent.
        sent_at: Micros,
        /// The local wall time now.
        now: Micros,
    },
    /// A page of a snapshot came.
    Paged {
        /// The page.
        page: SnapshotPage,
        /// The local wall time when it was asked for.
        sent_at: Micros,
        /// The local wall time now.
        now: Micros,
    },
    /// A request has no answer.
    Failed {
        /// Why.
        error: TransportError,
        /// The local wall time now.
        now: Micros,
    },
}

/// An effect for the driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// Send `POST /sync`; then [`Event::Answered`] or [`Event::Failed`].
    Push(PushRequest),
    /// Fetch the snapshot's page after this token, the first for an empty one; then [`Event::Paged`] or
    /// [`Event::Failed`].
    Fetch {
        /// The token.
        after: String,
    },
    /// Read in an exclusive transaction; then [`Event::Read`].
    Read {
        /// How many of the oldest outbox rows.
        outbox: usize,
        /// The records.
        records: BTreeSet<RecordKey>,
        /// The records whose lineages of texts and whose conflicts are wanted.
        texts: BTreeSet<RecordKey>,
    },
    /// Write in the transaction that was read in, and end it; then [`Event::Committed`].
    Commit(Box<Commit>),
    /// Everything is sent and fetched.
    Done {},
    /// Give up for now. Everything that was committed stays.
    Stop {
        /// Why.
        error: TransportError,
    },
}

/// Takes an event and returns the effects that follow from it.
pub fn step(registry: &Registry, mut state: State, event: Event) -> (State, Vec<Effect>) {
    let phase = std::mem::replace(&mut state.phase, Phase::Idle);
    let (phase, effects) = state.next(registry, phase, event);
    state.phase = phase;
    (state, effects)
}

type Stepped = (Phase, Vec<Effect>);

impl State {
    fn next(&mut self, registry: &Registry, phase: Phase, event: Event) -> Stepped {
        match (phase, event) {
            (Phase::Idle, Event::Started {}) => self.choose(true),
            (Phase::Choosing { again }, Event::Read { meta, outbox, .. }) => {
                self.chosen(again, meta, outbox)
            }
            (
                Phase::Pushing(flight),
                Event::Answered {
                    answer,
                    sent_at,
                    now,
                },
            ) => {
                self.batch = (self.batch * 2).min(BATCH_CHANGES);
                self.refused.clear();
                let answered = Answered::new(flight, answer, midpoint(sent_at, now));
                let read = Effect::Read {
                    outbox: 0,
                    records: answered.touched(),
                    texts: answered.texts(registry),
                };
                (Phase::Applying(Box::new(answered)), vec![read])
            }
            (Phase::Pushing(flight), Event::Failed { error, now }) => {
                let remedy = refusal(&error).and_then(|refusal| failure::of_push(&flight, refusal));
                self.mend(remedy, error, now)
            }
            (
                Phase::Applying(answered),
                Event::Read {
                    meta,
                    records,
                    texts,
                    conflicts,
                    ..
                },
            ) => {
                let records = by_key(records);
                let (commit, again) = answered.commit(registry, meta, records, texts, conflicts);
                committing(commit, Next::Choose { again })
            }
            (Phase::Fetching { after }, Event::Paged { page, sent_at, now }) => {
                let paged = Paged::new(after, page, midpoint(sent_at, now));
                // The next page is on its way while this one is joined.
                let mut effects: Vec<Effect> = paged
                    .after
                    .iter()
                    .map(|after| Effect::Fetch {
                        after: after.clone(),
                    })
                    .collect();
                effects.push(read_records(paged.touched()));
                (Phase::Joining(Box::new(paged)), effects)
            }
            (Phase::Fetching { after }, Event::Failed { error, now }) => match refusal(&error) {
                Some(refusal) if refusal.status == 404 => {
                    self.no_snapshots = true;
                    self.choose(true)
                }
                Some(refusal) => self.mend(failure::of_page(&after, refusal), error, now),
                None => stop(error),
            },
            (Phase::Joining(paged), Event::Read { meta, records, .. }) => {
                let (commit, next) = paged.commit(registry, meta, by_key(records));
                let end = commit.meta.as_ref().filter(|_| next.is_none());
                self.snapshot_end = end.map(|meta| meta.cursor.clone());
                let next = next.map_or(Next::Choose { again: true }, |after| Next::Page { after });
                committing(commit, next)
            }
            (Phase::Mending { remedy, now }, Event::Read { meta, outbox, .. }) => {
                let place = match &remedy {
                    Remedy::Resync(place) | Remedy::Restart(place) => Some(place.clone()),
                    Remedy::Halve(_) | Remedy::SetAside(..) => None,
                };
                match failure::mend(remedy, now, meta, &outbox) {
                    Some(commit) => committing(commit, Next::Choose { again: true }),
                    None => {
                        // Another driver moved on from there, and may set it again (T4): no renewal of this one.
                        self.refused
                            .retain(|refused| Some(refused) != place.as_ref());
                        self.choose(true)
                    }
                }
            }
            (Phase::Committing(Next::Choose { again }), Event::Committed {}) => self.choose(again),
            (Phase::Committing(Next::Page { after }), Event::Committed {}) => {
                (Phase::Fetching { after }, Vec::new())
            }
            (phase, event) => stop(TransportError::Unexpected(format!(
                "{} came while {} was awaited",
                event.name(),
                phase.awaits()
            ))),
        }
    }

    fn choose(&self, again: bool) -> Stepped {
        let read = Effect::Read {
            outbox: self.batch,
            records: BTreeSet::new(),
            texts: BTreeSet::new(),
        };
        (Phase::Choosing { again }, vec![read])
    }

    fn chosen(&self, again: bool, meta: ReplicaMeta, outbox: Vec<OutboxRow>) -> Stepped {
        // A new replica, or one behind what the log keeps (S7, R3).
        if meta.cursor.is_empty() && !self.no_snapshots {
            let after = meta.snapshot_after;
            let fetch = Effect::Fetch {
                after: after.clone(),
            };
            return (Phase::Fetching { after }, vec![fetch]);
        }
        if !again && outbox.is_empty() {
            return (Phase::Idle, vec![Effect::Done {}]);
        }
        let (request, flight) = next_push(meta, outbox);
        (Phase::Pushing(flight), vec![Effect::Push(request)])
    }

    fn mend(&mut self, remedy: Option<Remedy>, error: TransportError, now: Micros) -> Stepped {
        let rows = match &remedy {
            None => return stop(error),
            Some(Remedy::Halve(batch)) => {
                self.batch = *batch;
                return self.choose(true);
            }
            Some(Remedy::Resync(place) | Remedy::Restart(place)) => {
                let set_elsewhere = self.snapshot_end.take().is_some_and(|end| end != *place);
                if !failure::may_renew(&mut self.refused, place) && !set_elsewhere {
                    return stop(error);
                }
                0
            }
            // A row of the push that is still queued is among the oldest of that number.
            Some(Remedy::SetAside(..)) => BATCH_CHANGES,
        };
        let read = Effect::Read {
            outbox: rows,
            records: BTreeSet::new(),
            texts: BTreeSet::new(),
        };
        let phase = remedy.map_or(Phase::Idle, |remedy| Phase::Mending { remedy, now });
        (phase, vec![read])
    }
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Event::Started {} => "the start",
            Event::Read { .. } => "a read",
            Event::Committed {} => "a commit",
            Event::Answered { .. } => "an answer",
            Event::Paged { .. } => "a page",
            Event::Failed { .. } => "a failure",
        }
    }
}

impl Phase {
    fn awaits(&self) -> &'static str {
        match self {
            Phase::Idle => "a start",
            Phase::Choosing { .. }
            | Phase::Applying(_)
            | Phase::Mending { .. }
            | Phase::Joining(_) => "a read",
            Phase::Pushing(_) => "an answer",
            Phase::Fetching { .. } => "a page",
            Phase::Committing(_) => "a commit",
        }
    }
}

fn committing(commit: Commit, next: Next) -> Stepped {
    (
        Phase::Committing(next),
        vec![Effect::Commit(Box::new(commit))],
    )
}

fn stop(error: TransportError) -> Stepped {
    (Phase::Idle, vec![Effect::Stop { error }])
}

fn read_records(records: BTreeSet<RecordKey>) -> Effect {
    Effect::Read {
        outbox: 0,
        records,
        texts: BTreeSet::new(),
    }
}

fn refusal(error: &TransportError) -> Option<&Refusal> {
    match error {
        TransportError::Refused(refusal) => Some(refusal),
        TransportError::Offline(_) | TransportError::Unexpected(_) => None,
    }
}

fn by_key(records: Vec<RecordRow>) -> Records {
    records.into_iter().map(RecordRow::into_parts).collect()
}

/// The local time to which the server's time in a reply belongs: halfway between the request and the reply.
fn midpoint(sent_at: Micros, now: Micros) -> Micros {
    Micros(sent_at.0.midpoint(now.0))
}
