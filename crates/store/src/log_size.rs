//! How much a log holds, and how much a push may add to it (S12).

/// How much a log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogSize {
    /// The content of its rows, in bytes, without what the database adds.
    pub bytes: u64,
    /// Its merged records, deleted ones too.
    pub records: u64,
}

/// The most that a push may add to a log; none: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes, as [`LogSize::bytes`] counts them.
    pub bytes: Option<u64>,
    /// Records that are not there yet, removed ones too.
    pub records: Option<u64>,
}

impl Room {
    /// The room that is left once so much was added.
    #[must_use]
    pub fn less(self, grown: LogSize) -> Room {
        Room {
            bytes: self.bytes.map(|bytes| bytes.saturating_sub(grown.bytes)),
            records: self
                .records
                .map(|records| records.saturating_sub(grown.records)),
        }
    }
}

/// A measure of what a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogMeasure {
    /// The content of its rows.
    Bytes,
    /// Its records.
    Records,
}

impl LogMeasure {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            LogMeasure::Bytes => "bytes",
            LogMeasure::Records => "records",
        }
    }
}
