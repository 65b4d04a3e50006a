//! The identity of a log (its epoch), and whether a cursor is one of this log's.

use mana_core::Micros;

use crate::{Cursor, Result, ResyncReason, StoreError, UserId};

/// For how long a log takes back what devices hold of it, in microseconds: 30 days.
pub(crate) const GIVE_BACK: i64 = 30 * 24 * 60 * 60 * 1_000_000;

/// The identity of a log.
///
/// An epoch belongs to one account's log and not to the server: an account moves to another server with its log, and
/// of one log alone it may be noticed that it was rolled back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogIdentity {
    /// The epoch: the account's id, until a restore begins another one or an import brings one along.
    pub epoch: String,
    /// The time of the last restore: occurrences of missions up to there are not run again.
    pub restored_at: Option<Micros>,
    /// Until when the log takes back what devices hold.
    pub give_back_until: Option<Micros>,
    /// Devices of another epoch are to drop what the log lacks.
    pub discards_newer: bool,
}

impl LogIdentity {
    /// Whether the log takes back what devices hold.
    pub fn gives_back(&self, now: Micros) -> bool {
        self.give_back_until.is_some_and(|until| now < until)
    }
}

/// A device's knowledge of the log that it reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownLog {
    /// The epoch; empty where the device has not heard of one.
    pub epoch: String,
    /// The furthest end of the log that the device was told. Its changes that were acknowledged stand before it, also
    /// where its cursor has not come so far.
    pub end: Cursor,
}

/// Which cursors a read refuses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CursorCheck {
    /// Cursors before the floor. Any other place is good, whether or not a row stands there.
    #[default]
    Floor,
    /// Cursors that are none of this log's.
    Exact(KnownLog),
    /// None: where the cursor names no row, the read begins at the start of the kept log.
    Lenient,
}

/// The stored columns of an identity: epoch, time of the restore, end of giving back, whether newer is discarded.
pub(crate) type IdentityRow = (Option<String>, Option<i64>, Option<i64>, Option<bool>);

/// The facts about a log that decide where a read begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    pub log: LogIdentity,
    pub floor: Cursor,
    /// A row stands at the cursor of the read.
    pub names_row: bool,
    /// A row stands at the end that the device knows.
    pub end_names_row: bool,
}

impl Standing {
    pub fn identity(user: &UserId, row: IdentityRow) -> LogIdentity {
        let (epoch, restored_at, give_back_until, discards_newer) = row;
        LogIdentity {
            epoch: epoch.unwrap_or_else(|| user.0.clone()),
            restored_at: restored_at.map(Micros),
            give_back_until: give_back_until.map(Micros),
            discards_newer: discards_newer.unwrap_or_default(),
        }
    }

    /// The place where the read begins.
    pub fn begin(&self, since: Cursor, check: &CursorCheck) -> Result<Cursor> {
        let compacted = since > Cursor::BEGINNING && since < self.floor;
        let unknown =
            |place: Cursor, named: bool| place > Cursor::BEGINNING && place > self.floor && !named;
        let refused = match check {
            CursorCheck::Floor if compacted => ResyncReason::Compacted,
            CursorCheck::Floor => return Ok(since),
            CursorCheck::Exact(known) => {
                if !known.epoch.is_empty() && known.epoch != self.log.epoch {
                    let since_restore = self.log.restored_at.is_none_or(|at| known.end.0 > at);
                    let rolled_back = since_restore && unknown(known.end, self.end_names_row);
                    ResyncReason::Epoch { rolled_back }
                } else if unknown(known.end, self.end_names_row) {
                    ResyncReason::Unknown { rolled_back: true }
                } else if unknown(since, self.names_row) {
                    let rolled_back = since > known.end;
                    ResyncReason::Unknown { rolled_back }
                } else if compacted {
                    ResyncReason::Compacted
                } else {
                    return Ok(since);
                }
            }
            // A row before the floor is where a page of the kept log ended: the next one goes on from there.
            CursorCheck::Lenient if self.names_row || since == self.floor => return Ok(since),
            CursorCheck::Lenient => return Ok(Cursor::BEGINNING),
        };
        Err(StoreError::ResyncRequired(refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(floor: i64, names_row: bool, end_names_row: bool) -> Standing {
        Standing {
            log: LogIdentity {
                epoch: "e".to_owned(),
                ..LogIdentity::default()
            },
            floor: Cursor(Micros(floor)),
            names_row,
            end_names_row,
        }
    }

    fn exact(epoch: &str, end: i64) -> CursorCheck {
        CursorCheck::Exact(KnownLog {
            epoch: epoch.to_owned(),
            end: Cursor(Micros(end)),
        })
    }

    #[test]
    fn sync_r7_a_cursor_is_refused_for_one_reason_and_never_where_no_epoch_is_named() {
        use ResyncReason::Compacted;
        let epoch = |rolled_back| Err(ResyncReason::Epoch { rolled_back });
        let unknown = |rolled_back| Err(ResyncReason::Unknown { rolled_back });
        let rows = [
            // (floor, names a row, its end names a row, since, check) → the place, or the reason
            ((0, true, true), 5, exact("e", 9), Ok(5)),
            ((0, true, true), 5, exact("", 9), Ok(5)),
            ((0, true, true), 5, exact("other", 9), epoch(false)),
            ((0, true, false), 5, exact("other", 9), epoch(true)),
            ((0, false, true), 0, exact("e", 0), Ok(0)),
            ((0, false, true), 0, exact("other", 0), epoch(false)),
            ((0, false, true), 5, exact("e", 0), unknown(true)),
            ((0, false, true), 5, exact("e", 9), unknown(false)),
            ((0, true, false), 5, exact("e", 9), unknown(true)),
            ((0, true, false), 0, exact("e", 9), unknown(true)),
            ((7, false, true), 5, exact("e", 9), Err(Compacted)),
            ((7, false, false), 5, exact("e", 9), unknown(true)),
            ((7, false, true), 7, exact("e", 7), Ok(7)),
            ((7, false, false), 8, exact("e", 8), unknown(true)),
            ((7, false, false), 5, CursorCheck::Lenient, Ok(0)),
            ((7, true, false), 5, CursorCheck::Lenient, Ok(5)),
            ((7, false, false), 8, CursorCheck::Lenient, Ok(0)),
            ((7, true, false), 8, CursorCheck::Lenient, Ok(8)),
            ((7, false, false), 7, CursorCheck::Lenient, Ok(7)),
            ((7, false, false), 8, CursorCheck::Floor, Ok(8)),
            ((7, false, false), 6, CursorCheck::Floor, Err(Compacted)),
        ];
        for ((floor, named, end_named), since, check, expected) in rows {
            let begun = standing(floor, named, end_named).begin(Cursor(Micros(since)), &check);
            let begun = begun.map(|place| place.0.0).map_err(|error| match error {
                StoreError::ResyncRequired(reason) => reason,
                error => panic!("{error}"),
            });
            assert_eq!(begun, expected, "floor {floor}, since {since}, {check:?}");
        }
    }

    #[test]
    fn sync_r8_an_end_from_before_a_restore_does_not_tell_of_a_rollback() {
        let reason = |restored_at, end| {
            let mut standing = standing(0, true, false);
            standing.log.restored_at = Some(Micros(restored_at));
            match standing.begin(Cursor(Micros(5)), &exact("other", end)) {
                Err(StoreError::ResyncRequired(reason)) => reason,
                begun => panic!("{begun:?}"),
            }
        };
        assert_eq!(reason(10, 9), ResyncReason::Epoch { rolled_back: false });
        assert_eq!(reason(10, 11), ResyncReason::Epoch { rolled_back: true });
    }
}
