//! Signaling: rooms and sessions over HTTP and one WebSocket, and the server binary `sampan`.
//!
//! ```text
//!  browser --ws--> server (sockets, tasks, TLS) --> sessions (sans-IO) --> rooms (sans-IO)
//!                                                       |  ^
//!                                     sfu_core::Command v  | sfu_core::Event
//!                                                  sfu (worker threads, UDP)
//! ```
//!
//! [`sessions`] is driven by the server and by the simulator alike. It never does I/O, never asks for the time and
//! takes its randomness from a seed.

pub mod server;
pub mod sessions;
