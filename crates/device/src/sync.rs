//! Drives the sync step of `mana-core` over a storage and a transport. Nothing is decided here.

use std::{
    collections::{BTreeSet, VecDeque},
    future::ready,
    pin::Pin,
};

use mana_core::{
    RecordKey,
    staging::Records,
    sync::{
        Effect, Event, JoinRequest, PushRequest, RecordRange, RecordRow, SnapshotRequest,
        TransportError,
    },
};

use crate::{
    replica::{Replica, SyncError, read_meta},
    step::SyncStep,
    transport::Transport,
};

/// The event that a request ends with.
type Reply<'a> = Pin<Box<dyn Future<Output = Event> + Send + 'a>>;

impl Replica {
    /// Sends the outbox and merges what others did, until there is no more of either; then stages proposals and lets
    /// those expire whose time has passed.
    pub async fn sync(&self, transport: &dyn Transport) -> Result<(), SyncError> {
        let synced = self.drive(transport).await;
        // What was committed before an error stays, so it is staged too.
        self.stage().await?;
        self.offer_again().await?;
        match self.expire().await? {
            0 => synced,
            _ => synced.and(self.drive(transport).await),
        }
    }

    async fn drive(&self, transport: &dyn Transport) -> Result<(), SyncError> {
        let mut step = (self.new_step)();
        let mut effects = VecDeque::from(step.next(&self.registry, Event::Started {}));
        let mut reply: Option<Reply<'_>> = None;
        loop {
            match effects.pop_front() {
                Some(Effect::Push(request)) => {
                    reply = Some(Box::pin(self.push(transport, request)));
                }
                Some(Effect::Fetch(request)) => {
                    reply = Some(Box::pin(self.fetch(transport, request)));
                }
                Some(Effect::Join(request)) => {
                    reply = Some(Box::pin(self.join(transport, request)));
                }
                Some(Effect::Read {
                    outbox,
                    records,
                    texts,
                    range,
                }) => {
                    let wanted = Wanted {
                        outbox,
                        records,
                        texts,
                        range,
                    };
                    let transaction = self.transact(step.as_mut(), wanted);
                    effects = match reply.take() {
                        // The request goes on meanwhile.
                        Some(request) => {
                            let (event, effects) = tokio::join!(request, transaction);
                            reply = Some(Box::pin(ready(event)));
                            effects?
                        }
                        None => transaction.await?,
                    };
                }
                Some(Effect::Done {}) => return Ok(()),
                Some(Effect::Stop { error }) => return Err(error.into()),
                Some(Effect::Commit(_)) => return Err(unexpected("a commit came without a read")),
                None => {
                    let Some(request) = reply.take() else {
                        return Err(unexpected("no request is under way"));
                    };
                    let event = request.await;
                    if let Event::Failed { error, .. } = &event {
                        self.resynced.refused(error);
                    }
                    effects = step.next(&self.registry, event).into();
                }
            }
        }
    }

    /// Reads for the step in one transaction, and commits there what the step then returns. Returns the next effects.
    async fn transact(
        &self,
        step: &mut dyn SyncStep,
        wanted: Wanted,
    ) -> Result<VecDeque<Effect>, SyncError> {
        let mut tx = self.storage.begin().await?;
        let meta = read_meta(&mut tx).await?;
        let outbox = match wanted.outbox {
            0 => Vec::new(),
            limit => tx.outbox(limit).await?,
        };
        let records = tx.states(&wanted.records).await?;
        let range = match &wanted.range {
            Some(range) => tx.range(range).await?,
            None => Records::new(),
        };
        let read = Event::Read {
            meta,
            outbox,
            records: rows(records),
            texts: tx.texts(&wanted.texts).await?,
            conflicts: tx.conflicts(Some(&wanted.records)).await?,
            range: rows(range),
        };
        let mut effects = VecDeque::from(step.next(&self.registry, read));
        match effects.pop_front() {
            Some(Effect::Commit(commit)) => {
                for left_out in &commit.left_out {
                    let (event_id, reason) = (left_out.event_id.as_deref(), &left_out.reason);
                    tracing::warn!(event_id, %reason, "a change of the server can't be read and is left out");
                }
                self.resynced.committed(&commit);
                tx.commit((*commit).into()).await?;
                Ok(step.next(&self.registry, Event::Committed {}).into())
            }
            Some(other) => {
                effects.push_front(other);
                Ok(effects)
            }
            None => Ok(effects),
        }
    }

    async fn push(&self, transport: &dyn Transport, request: PushRequest) -> Event {
        let sent_at = (self.env.now)();
        let answer = transport.push(&request).await;
        let now = (self.env.now)();
        match answer {
            Ok(answer) => Event::Answered {
                answer,
                sent_at,
                now,
            },
            Err(error) => Event::Failed { error, now },
        }
    }

    async fn join(&self, transport: &dyn Transport, request: JoinRequest) -> Event {
        match transport.join(&request).await {
            Ok(log_end) => {
                self.resynced.given_back(request.records.len());
                Event::Joined { log_end }
            }
            Err(error) => {
                let now = (self.env.now)();
                Event::Failed { error, now }
            }
        }
    }

    async fn fetch(&self, transport: &dyn Transport, request: SnapshotRequest) -> Event {
        let sent_at = (self.env.now)();
        let page = transport.snapshot(&request).await;
        let now = (self.env.now)();
        match page {
            Ok(page) => Event::Paged { page, sent_at, now },
            Err(error) => Event::Failed { error, now },
        }
    }
}

/// The reads that the step asks for.
struct Wanted {
    outbox: usize,
    records: BTreeSet<RecordKey>,
    texts: BTreeSet<RecordKey>,
    range: Option<RecordRange>,
}

fn rows(records: Records) -> Vec<RecordRow> {
    let rows = records.into_iter();
    rows.map(|(key, state)| RecordRow::new(key, state))
        .collect()
}

fn unexpected(what: &str) -> SyncError {
    TransportError::Unexpected(what.to_owned()).into()
}
