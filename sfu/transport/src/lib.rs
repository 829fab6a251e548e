//! One peer's secure path, either end: ICE, DTLS, SRTP, and SCTP inside DTLS for data channels.
//!
//! A [`Transport`] is a state machine: datagrams and the time go in, datagrams, events and a next wake-up come out.
//!
//! ```text
//! handle_datagram(now, local, from, bytes) -> Handled | Rtp | Rtcp | DropReason      protect_rtp / protect_rtcp (in place)
//! send_message(now, channel, bytes)        next_message() -> Message
//! handle_timeout(now)                      poll_output() -> Transmit | Data | Event | Timeout(when, reason)
//! ```
//!
//! It opens no socket, asks for no time and knows nothing about what the media means. Network input never panics it and
//! never closes it, short of what the authenticated peer says.

mod certificate;
mod config;
mod drop_reason;
mod dtls;
mod ice;
mod offer;
mod output;
pub mod parameters;
pub mod sctp;
mod session;
mod signing;
mod srtp;
mod transport;

pub use certificate::{Certificate, CertificateError};
pub use config::{Config, DtlsConfig, DtlsVersion, IceMode};
pub use drop_reason::DropReason;
pub use ice::stun_ufrag;
pub use output::{CloseReason, DataCloseReason, Event, Incoming, Output, Reason, Stages, Transmit};
pub use parameters::{Candidate, DtlsSetup, Fingerprint, IceCredentials, Remote};
pub use sctp::Message;
pub use session::Session;
pub use srtp::{Profile, ProtectError};
pub use transport::{Transport, TransportError};
