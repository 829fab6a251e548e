//! A bad network as a value: links that delay, drop, reorder, repeat and queue packets, and always the same way for a seed.
//!
//! ```text
//! handle_datagram -> outage? -> queue and capacity -> loss -> duplication -> delay, jitter, reordering -> poll_output
//! ```
//!
//! A [`Link`] is one direction; a path is two of them, each with its own [`LinkConfig`]. Payloads are opaque: virtual-time
//! tests pass datagrams with addresses, a proxy passes bytes. Nothing here opens a socket, asks for the time or reads a
//! file: traces are parsed from text that the caller has read.
//!
//! Every impairment draws from a random sequence of its own, so that switching one on does not move the losses of another.

mod capacity;
mod link;
mod loss;
pub mod named;
pub mod preset;
mod random;
pub mod trace;

pub use capacity::{Bitrate, Capacity, Opportunities, QueueLimit, Segment, Segments};
pub use link::{Fate, Jitter, Link, LinkConfig, Outage, Output, Reorder, Stats};
pub use loss::{GilbertElliott, Loss};
pub use named::{Direction, NAMED, Named};
pub use preset::{PRESETS, Preset};
pub use random::Random;
