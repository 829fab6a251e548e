//! What has happened in rooms, told to an application's servers (webhooks): stored first, in order within a room, again and
//! again until it was taken. No I/O, no clock: the shell stores, reads and sends what [`Hooks::poll_output`] says.
//!
//! ```text
//!   record --> unstored --(one batch at a time)--> Store --handle_stored--> a queue for each target and room
//!   queue:  Idle --> Sending --taken--> the next of the room, or gone when there is none
//!                      `- failed --> Waiting (twice as long each time, with jitter) --> Sending
//! ```
//!
//! One event of a room is under way to a target at a time, so a room's events arrive in their order; rooms do not wait for each
//! other, and targets neither. What waits for a target that is down is on disk: a queue that waits holds no events. An event
//! may be told twice (the answer was lost, the process ended): its number says so.

mod hooks;
mod limits;
mod queue;

pub use hooks::{Behind, Event, Failure, Hooks, Output, Page, Stats, TargetStats};
pub use limits::Limits;
