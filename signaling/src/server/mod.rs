//! The server: sockets, TLS, HTTP, WebSockets and the clock around [`crate::sessions`] and the media plane.
//!
//! ```text
//!  accept loops --(cap, TLS, header timeout)--> HTTP/1.1 --> pages, /healthz, /readyz, /metrics
//!                                                   |
//!                                                  /ws --> one task per WebSocket
//!                                                            | bounded queues both ways
//!                                                          engine: one task that owns Sessions and the media plane
//! ```

mod address;
mod api;
mod engine;
mod hooks;
mod http;
mod limits;
mod listen;
mod metrics;
mod options;
mod outbox;
mod pages;
mod start;
pub mod store;
#[cfg(target_os = "linux")]
mod tcp;
mod tls;
mod websocket;
mod whip;

pub use self::hooks::{Secret, Url, Webhooks};
pub use address::{BadListen, Listen};
pub use api::openapi;
pub use options::{Options, Tls};
pub use start::{Server, StartError};
