//! How much the bench of the runner measures.

/// Sizes of the largest measurement.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Missions in the schedule.
    pub missions: u64,
    /// Rows in the log.
    pub rows: u64,
    /// Missions due at once.
    pub due: usize,
}
