//! The one sync step of every replica: `(state, event) → (state, effects)`, without a clock, a storage or a network.
//!
//! The CLI, the browser (through WebAssembly) and the simulation drive it; none of them decides anything. A driver
//! begins with [`Event::Started`] and carries out the effects that [`step`] returns, in their order:
//!
//! - [`Effect::Push`], [`Effect::Fetch`] and [`Effect::Join`] are requests. The driver starts them and goes on with the
//!   next effect; a new request replaces one whose reply is still awaited.
//! - [`Effect::Read`] opens an exclusive transaction over the replica's storage. [`Event::Read`] hands over what was
//!   read, and where the answer is [`Effect::Commit`], that commit happens in this same transaction. Every other
//!   answer ends the transaction without a write.
//! - [`Effect::Done`] and [`Effect::Stop`] end the sync.
//!
//! Where no effects are left, the driver awaits the reply of its request and hands it over.
//!
//! Several drivers may share one storage, as tabs and processes do: a push can be repeated, an answer can be merged
//! twice, and the cursor moves only where it still stands where this driver saw it. A [`State`] lives for one sync;
//! losing it at any point loses nothing.

mod answer;
mod apply;
mod conflicts;
mod failure;
mod give_back;
mod push;
mod rejoin;
mod shapes;
mod snapshot;
mod step;

pub use apply::{apply_changes, readable, record_key};
pub use conflicts::{note_own_texts, settled_conflicts};
pub use give_back::{GIVEN_BACK, GIVEN_BACK_BY, changes_of_state};
pub use push::{BATCH_BYTES, BATCH_CHANGES, SCHEMA_VERSION};
pub use shapes::{
    Commit, JoinRequest, LeftOut, OutboxRow, PushAnswer, PushRequest, QueuedChange, RecordRange,
    RecordRow, Refusal, RejoinPlace, ReplicaMeta, SetAside, SnapshotPage, SnapshotRecord,
    SnapshotRequest, TransportError,
};
pub use step::{Effect, Event, State, step};
