//! The figures of runs.

/// The figures of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Actions that were carried out.
    pub actions: u64,
    /// Changes that a device acknowledged to a person.
    pub acknowledged: u64,
    /// Rows in the log at the end.
    pub rows: u64,
    /// Pushes that arrived.
    pub pushes: u64,
    /// Packets lost, late or cut off.
    pub lost: u64,
    /// Things under way that a crash ended.
    pub crashed: u64,
    /// Times that the database was put back to a copy.
    pub put_back: u64,
    /// Older devices that were told to update.
    pub updated: u64,
    /// Records that the server had forgotten at the end.
    pub forgotten: u64,
    /// Iterations at the end.
    pub iterations: u64,
    /// Steps decided at the end.
    pub decided: u64,
}

impl Figures {
    /// Adds another run's.
    pub fn add(&mut self, other: Figures) {
        self.actions += other.actions;
        self.acknowledged += other.acknowledged;
        self.rows += other.rows;
        self.pushes += other.pushes;
        self.lost += other.lost;
        self.crashed += other.crashed;
        self.put_back += other.put_back;
        self.updated += other.updated;
        self.forgotten += other.forgotten;
        self.iterations += other.iterations;
        self.decided += other.decided;
    }
}
