//! The state machine of a sync.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    answer::Answered,
    failure::{self, Remedy},
    push::{BATCH_CHANGES, PushInFlight, next_push},
    rejoin::Rejoin,
    shapes::{
        Commit, JoinRequest, OutboxRow, PushAnswer, PushRequest, RecordRange, RecordRow, Refusal,
        RejoinPlace, ReplicaMeta, SnapshotPage, SnapshotRequest, TransportError,
    },
    snapshot::Paged,
};
use crate::{
    Gather, Micros, RecordKey,
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
    Fetching(SnapshotRequest),
    /// A page of a snapshot of a log that may lack what the replica holds.
    FetchingAnew(SnapshotRequest, RejoinPlace),
    /// A read of the records that such a page is about.
    JoiningAnew(Box<Rejoin>),
    /// A read of a part of the replica, to be compared with the page.
    Comparing(Box<Rejoin>),
    /// The answer to so many states that were given back.
    GivingBack(Box<Rejoin>, usize),
    /// A read of the replica's place, to move it past the page.
    EndingPage(Box<Rejoin>),
    /// A read of the records that a page is about.
    Joining(Box<Paged>),
    /// A commit, after which a page is awaited that is on its way already, or a new round begins.
    Committing(Next),
}

#[derive(Debug, Clone, PartialEq)]
enum Next {
    Choose {
        again: bool,
    },
    Page(SnapshotRequest),
    /// The next part of the replica, after one was compared.
    Compare(Box<Rejoin>),
    /// The next request of states that are given back, by this client.
    GiveBack(Box<Rejoin>, String),
}

/// An event for the step.
#[expect(
    clippy::large_enum_variant,
    reason = "an event is made once a request, and handed over once"
)]
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
        /// The records of the range that was asked for, by key.
        #[serde(default)]
        range: Vec<RecordRow>,
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
    /// The server took what was given back.
    Joined {
        /// The log's end after it; empty where the server is older.
        #[serde(default)]
        log_end: String,
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
    /// Fetch a page of the snapshot; then [`Event::Paged`] or [`Event::Failed`].
    Fetch(SnapshotRequest),
    /// Send `POST /sync/join`; then [`Event::Joined`] or [`Event::Failed`].
    Join(JoinRequest),
    /// Read in an exclusive transaction; then [`Event::Read`].
    Read {
        /// How many of the oldest outbox rows.
        outbox: usize,
        /// The records, with the conflicts about them.
        records: BTreeSet<RecordKey>,
        /// The records whose lineages of texts are wanted.
        texts: BTreeSet<RecordKey>,
        /// A part of the replica.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<RecordRange>,
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
                    range: None,
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
                if !answered.continues(&meta) {
                    return self.choose(true);
                }
                let records = by_key(records);
                let (commit, again) = answered.commit(registry, meta, records, texts, conflicts);
                committing(commit, Next::Choose { again })
            }
            (Phase::Fetching(asked), Event::Paged { page, sent_at, now }) => {
                let paged = Paged::new(asked, page, midpoint(sent_at, now));
                // The next page is on its way while this one is joined.
                let mut effects: Vec<Effect> =
                    paged.next().map(Effect::Fetch).into_iter().collect();
                effects.push(read_records(paged.touched()));
                (Phase::Joining(Box::new(paged)), effects)
            }
            (Phase::Fetching(asked), Event::Failed { error, now }) => match refusal(&error) {
                Some(refusal) if refusal.status == 404 => {
                    self.no_snapshots = true;
                    self.choose(true)
                }
                Some(refusal) => self.mend(failure::of_page(&asked, refusal), error, now),
                None => stop(error),
            },
            (Phase::Joining(paged), Event::Read { meta, records, .. }) => {
                if !paged.continues(&meta) {
                    return self.choose(true);
                }
                let (commit, next) = paged.commit(registry, meta, by_key(records));
                let end = commit.meta.as_ref().filter(|_| next.is_none());
                self.snapshot_end = end.map(|meta| meta.cursor.clone());
                let next = next.map_or(Next::Choose { again: true }, Next::Page);
                committing(commit, next)
            }
            (Phase::FetchingAnew(asked, place), Event::Paged { page, sent_at, now }) => {
                let page = Rejoin::new(asked, page, place, midpoint(sent_at, now));
                let read = Effect::Read {
                    outbox: page.outbox(),
                    records: page.touched(),
                    texts: BTreeSet::new(),
                    range: None,
                };
                (Phase::JoiningAnew(Box::new(page)), vec![read])
            }
            (Phase::FetchingAnew(asked, _), Event::Failed { error, now }) => {
                let remedy = refusal(&error).and_then(|refusal| failure::of_page(&asked, refusal));
                self.mend(remedy, error, now)
            }
            (
                Phase::JoiningAnew(page),
                Event::Read {
                    meta,
                    outbox,
                    records,
                    ..
                },
            ) => {
                if !page.continues(&meta) {
                    return self.choose(true);
                }
                let commit = page.join(registry, meta, by_key(records), &outbox);
                committing(commit, Next::Compare(page))
            }
            (
                Phase::Comparing(mut page),
                Event::Read {
                    meta,
                    outbox,
                    range,
                    ..
                },
            ) => {
                let commit = page.compare(registry, range, &outbox);
                committing(commit, Next::GiveBack(page, meta.client_id))
            }
            (Phase::GivingBack(mut page, sent), Event::Joined { log_end }) => {
                page.taken(sent, log_end);
                compare(page)
            }
            (Phase::GivingBack(mut page, sent), Event::Failed { error, now }) => {
                match refusal(&error) {
                    Some(refusal) if page.refused(sent, refusal) => compare(page),
                    // Restored once more: the snapshot begins anew.
                    Some(refusal) if refusal.status == 410 => {
                        let remedy = Remedy::Restart(page.asked().to_owned());
                        self.mend(Some(remedy), error, now)
                    }
                    _ => stop(error),
                }
            }
            (Phase::EndingPage(page), Event::Read { meta, .. }) => {
                let (commit, next) = page.finish(meta);
                let end = commit.meta.as_ref().filter(|_| next.is_none());
                self.snapshot_end = end.map(|meta| meta.cursor.clone());
                committing(commit, Next::Choose { again: true })
            }
            (Phase::Committing(Next::Compare(page)), Event::Committed {}) => compare(page),
            (Phase::Committing(Next::GiveBack(page, client_id)), Event::Committed {}) => {
                give_back(page, &client_id)
            }
            (Phase::Mending { remedy, now }, Event::Read { meta, outbox, .. }) => {
                let place = remedy.place();
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
            (Phase::Committing(Next::Page(asked)), Event::Committed {}) => {
                (Phase::Fetching(asked), Vec::new())
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
            range: None,
        };
        (Phase::Choosing { again }, vec![read])
    }

    fn chosen(&self, again: bool, meta: ReplicaMeta, outbox: Vec<OutboxRow>) -> Stepped {
        // A new replica, or one behind what the log keeps (S7, R3).
        if meta.cursor.is_empty() && (meta.rejoin.is_some() || !self.no_snapshots) {
            let asked = meta.page_request();
            let fetch = vec![Effect::Fetch(asked.clone())];
            return match meta.rejoin {
                Some(place) => (Phase::FetchingAnew(asked, place), fetch),
                None => (Phase::Fetching(asked), fetch),
            };
        }
        if !again && outbox.is_empty() {
            return (Phase::Idle, vec![Effect::Done {}]);
        }
        let (request, flight) = next_push(meta, outbox);
        (Phase::Pushing(flight), vec![Effect::Push(request)])
    }

    fn mend(&mut self, remedy: Option<Remedy>, error: TransportError, now: Micros) -> Stepped {
        let Some(remedy) = remedy else {
            return stop(error);
        };
        if let Remedy::Halve(batch) = remedy {
            self.batch = batch;
            return self.choose(true);
        }
        let set_elsewhere = match &remedy {
            Remedy::Resync(place)
            | Remedy::Rejoin(place)
            | Remedy::Restart(place)
            | Remedy::Anew(SnapshotRequest { log_end: place, .. }) => {
                self.snapshot_end.take().is_some_and(|end| end != *place)
            }
            Remedy::Rename { .. } | Remedy::SetAside(..) | Remedy::Halve(_) => false,
        };
        let rows = match remedy.place() {
            Some(place) if failure::may_renew(&mut self.refused, &place) || set_elsewhere => 0,
            Some(_) => return stop(error),
            // A row of the push that is still queued is among the oldest of that number.
            None => BATCH_CHANGES,
        };
        let read = Effect::Read {
            outbox: rows,
            records: BTreeSet::new(),
            texts: BTreeSet::new(),
            range: None,
        };
        (Phase::Mending { remedy, now }, vec![read])
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
            Event::Joined { .. } => "the answer to what was given back",
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
            | Phase::Joining(_)
            | Phase::JoiningAnew(_)
            | Phase::Comparing(_)
            | Phase::EndingPage(_) => "a read",
            Phase::Pushing(_) | Phase::GivingBack(..) => "an answer",
            Phase::Fetching(_) | Phase::FetchingAnew(..) => "a page",
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

/// Gives back what waits, looks at the next part of the replica, or ends the page.
fn compare(page: Box<Rejoin>) -> Stepped {
    let read = Effect::Read {
        outbox: page.outbox(),
        records: BTreeSet::new(),
        texts: BTreeSet::new(),
        range: page.range(),
    };
    match page.is_done() {
        true => (Phase::EndingPage(page), vec![read_records(BTreeSet::new())]),
        false => (Phase::Comparing(page), vec![read]),
    }
}

fn give_back(page: Box<Rejoin>, client_id: &str) -> Stepped {
    match page.request(client_id) {
        Some(request) => {
            let sent = request.records.len();
            (Phase::GivingBack(page, sent), vec![Effect::Join(request)])
        }
        None => compare(page),
    }
}

fn stop(error: TransportError) -> Stepped {
    (Phase::Idle, vec![Effect::Stop { error }])
}

fn read_records(records: BTreeSet<RecordKey>) -> Effect {
    Effect::Read {
        outbox: 0,
        records,
        texts: BTreeSet::new(),
        range: None,
    }
}

fn refusal(error: &TransportError) -> Option<&Refusal> {
    match error {
        TransportError::Refused(refusal) => Some(refusal),
        TransportError::Offline(_) | TransportError::Unexpected(_) => None,
    }
}

fn by_key(records: Vec<RecordRow>) -> Records {
    records.into_iter().map(RecordRow::into_parts).gather()
}

/// The local time to which the server's time in a reply belongs: halfway between the request and the reply.
fn midpoint(sent_at: Micros, now: Micros) -> Micros {
    Micros(sent_at.0.midpoint(now.0))
}
