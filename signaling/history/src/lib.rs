//! One ordered log of messages per room: stored before it is acknowledged, the same for every reader, replayed from where
//! a reader was. No I/O, no clock: a store is asked with [`Output::Load`] and [`Output::Store`] and answers later.
//!
//! ```text
//!   post --> queue --(one batch in flight a room)--> Store --handle_stored--> log --> Posted to the sender
//!                                                       `- failed --> Failed to the sender; its number is used again
//!   log --> every reader, in batches, while less than a window is unacknowledged
//! ```
//!
//! A message is told apart by the key that its client chose: posted twice, it is stored once and acknowledged twice. So a
//! client that does not know whether a message arrived sends it again.
//!
//! A log has an id of its own. A reader that comes back with a cursor of another log (the store was lost, the room was
//! cleared) is given everything there is.

mod entry;
mod histories;
mod limits;
mod log;
mod reader;

pub use entry::{Cursor, Entry, Post};
pub use histories::{Batch, Histories, Loaded, Output, PostError, StoreError};
pub use limits::Limits;
pub use reader::ReaderId;
