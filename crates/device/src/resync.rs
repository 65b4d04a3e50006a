//! Notes for the person whose device could not go on from its place in the log (R11).

use std::sync::Mutex;

use mana_core::{
    RecordKey,
    sync::{Commit, TransportError},
};

/// A log that was read anew since the person was last told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resynced {
    /// Whether the log is another than this device knew: restored, rolled back or set up anew. Otherwise it was
    /// shortened past the place of this device.
    pub restored: bool,
    /// Records that went back to it.
    pub given_back: usize,
    /// Records of which this device alone holds all, because the log takes nothing back.
    pub kept: Vec<RecordKey>,
    /// Records that are gone from here, because nothing newer than the backup was to come back.
    pub dropped: usize,
}

/// Collects the notes beside the syncs.
#[derive(Debug, Default)]
pub(crate) struct ResyncNotes(Mutex<Option<Resynced>>);

impl ResyncNotes {
    /// Takes the notes, which are told once.
    pub fn take(&self) -> Option<Resynced> {
        self.0.lock().expect("no panic").take()
    }

    pub fn refused(&self, error: &TransportError) {
        if let TransportError::Refused(refusal) = error
            && refusal.code == "resync_required"
        {
            let reason = refusal.details.get("reason");
            let reason = reason.and_then(|reason| reason.as_str());
            self.note(|one| one.restored |= matches!(reason, Some("epoch" | "unknown")));
        }
    }

    pub fn given_back(&self, count: usize) {
        self.note(|one| {
            one.restored = true;
            one.given_back += count;
        });
    }

    pub fn committed(&self, commit: &Commit) {
        if !commit.kept.is_empty() {
            self.note(|one| one.kept.extend(commit.kept.iter().cloned()));
        }
        if let Some(one) = &mut *self.0.lock().expect("no panic")
            && one.restored
        {
            one.dropped += commit.dropped.len();
        }
    }

    fn note(&self, what: impl FnOnce(&mut Resynced)) {
        what(self.0.lock().expect("no panic").get_or_insert_default());
    }
}
