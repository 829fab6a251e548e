//! The forwarder of one worker as a state machine: peers with their secure transports, rooms, every publisher's
//! packets to every subscriber that has a slot bound to them.
//!
//! ```text
//!  datagram -> demux -> transport -> uplink (statistics, NACK, RTX, cache) -> for each subscriber:
//!              by address  decrypts    layer selection -> munger -> queue -> batch (rewrite, encrypt) -> Transmit
//! ```
//!
//! What a publisher sends goes once to each other worker where somebody watches, whose router forwards it as if it had come there.
//!
//! Data messages go from a peer to the others of its room, or to those it names, behind all media of a link.
//!
//! It never opens a socket, asks for the time, waits, or reads an unordered container; what arrives is counted,
//! with a [`DropReason`] for everything that goes no further.

#![deny(clippy::iter_over_hash_type)]

pub mod allocation;
mod clock;
mod command;
mod config;
mod data;
mod downlink;
mod drop_reason;
mod event;
mod meter;
mod payloads;
mod random;
mod relay;
mod router;
mod speakers;
mod stats;
mod timers;
mod uplink;
mod window;

pub use command::Command;
pub use config::{Config, Shedding};
pub use drop_reason::DropReason;
pub use event::{AllocationReport, CloseReason, Event, Output, SlotReport, Stages, TimeoutReason, Transmit};
pub use relay::Relay;
pub use router::Router;
pub use stats::{DownlinkStats, LayerStats, PeerStats, SlotStats, Stats, TrackStats, UplinkStats};

#[cfg(test)]
mod tests {
    use packet::rtp::Outgoing;
    use packet::{PayloadType, RtpTime, SeqNo, Ssrc};
    use std::time::Instant;

    /// The one moment that tests count from.
    #[allow(
        clippy::disallowed_methods,
        reason = "an Instant can be had no other way; only differences matter"
    )]
    pub fn start() -> Instant {
        use std::sync::OnceLock;
        static START: OnceLock<Instant> = OnceLock::new();
        *START.get_or_init(Instant::now)
    }

    /// An RTP packet without extensions, payload type 96, source 1.
    pub fn rtp(seq: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let outgoing = Outgoing {
            pt: PayloadType(96),
            seq: SeqNo(seq),
            timestamp: RtpTime(timestamp),
            ssrc: Ssrc(1),
            payload,
            ..Outgoing::default()
        };
        let mut bytes = vec![0; 12 + payload.len()];
        let layout = outgoing.write(&Default::default(), &mut bytes).unwrap();
        bytes.truncate(layout.len);
        bytes
    }
}
