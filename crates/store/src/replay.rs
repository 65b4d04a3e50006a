//! What the log makes of a record, and which of its rows add nothing. Apart from any database.

use mana_core::{Change, RecordState, TableSchema, apply};

/// Sorts the rows of one record, given newest first, into those that make it and those that add nothing (R1).
///
/// A row adds nothing if each of its writes lost to a later stamp, or if merging it into what the newer rows make
/// changes nothing. The second covers keyed lists, whose elements merge one by one: the merge itself is asked.
pub(crate) struct Sieve<'s> {
    schema: &'s TableSchema,
    stored: &'s RecordState,
    made: RecordState,
    superseded: Vec<i64>,
}

impl<'s> Sieve<'s> {
    /// For a record that is stored like this.
    pub fn new(schema: &'s TableSchema, stored: &'s RecordState) -> Self {
        Self {
            schema,
            stored,
            made: RecordState::default(),
            superseded: Vec::new(),
        }
    }

    /// A row that has to stay.
    pub fn keep(&mut self, change: &Change) {
        apply(self.schema, &mut self.made, change);
    }

    /// A row that may go, and its place.
    pub fn weigh(&mut self, change: &Change, place: i64) {
        if self.lost(change) || !apply(self.schema, &mut self.made, change) {
            self.superseded.push(place);
        }
    }

    fn lost(&self, change: &Change) -> bool {
        change.writes().iter().all(|write| {
            let stored = self.stored.meta.get(write.field);
            !self.schema.lists.contains_key(write.field)
                && stored.is_some_and(|stored| write.at < stored.at)
        })
    }

    /// The places that can go. None if what stays would not make the stored record: nothing may go then.
    pub fn superseded(self) -> Option<Vec<i64>> {
        (self.made == *self.stored).then_some(self.superseded)
    }
}
