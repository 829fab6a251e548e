//! RTCP (RFC 3550 section 6, RFC 4585, RFC 5104): typed values in, bytes out, and back.
//!
//! [`Compound`] walks a datagram and checks every length. Reports, source descriptions, goodbyes and picture loss
//! indications are then read with the `rtcp` crate, once or twice a second per stream. NACK and transport-wide feedback
//! come for every few packets and are parsed and written here; so are those where the crate panics on hostile bytes
//! (REMB, FIR), and SDES and BYE are written here, because the crate sets the padding bit on them inside a compound.
//!
//! ```text
//! |V=2|P|  count  |  packet type  |  length in words - 1  |   ... repeated to the end of the datagram
//! ```

mod compound;
mod fir;
mod goodbye;
mod nack;
mod pli;
mod receiver_report;
mod remb;
mod sender_report;
mod source_description;
mod transport_feedback;

pub use compound::{Compound, ParseError};
pub use fir::{Fir, FirEntry};
pub use goodbye::Goodbye;
pub use nack::{Nack, NackPair};
pub use pli::Pli;
pub use receiver_report::{ReceiverReport, ReceptionReport};
pub use remb::Remb;
pub use sender_report::SenderReport;
pub use source_description::SourceDescription;
pub use transport_feedback::{FeedbackBuilder, Received, TransportFeedback};

/// One packet of a compound.
#[derive(Clone, PartialEq, Debug)]
pub enum Packet {
    SenderReport(SenderReport),
    ReceiverReport(ReceiverReport),
    SourceDescription(SourceDescription),
    Goodbye(Goodbye),
    Nack(Nack),
    TransportFeedback(TransportFeedback),
    Pli(Pli),
    Fir(Fir),
    Remb(Remb),
    /// Well-formed, but nothing we act on. `format` is the count field.
    Unknown {
        packet_type: u8,
        format: u8,
    },
}

impl Packet {
    /// Appends the packet's bytes, a multiple of four. `Unknown` appends nothing.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::SenderReport(p) => p.write(out),
            Self::ReceiverReport(p) => p.write(out),
            Self::SourceDescription(p) => p.write(out),
            Self::Goodbye(p) => p.write(out),
            Self::Nack(p) => p.write(out),
            Self::TransportFeedback(p) => p.write(out),
            Self::Pli(p) => p.write(out),
            Self::Fir(p) => p.write(out),
            Self::Remb(p) => p.write(out),
            Self::Unknown { .. } => {}
        }
    }
}

/// Appends what the `rtcp` crate makes of `packet`; nothing if it refuses (more entries than the count field holds,
/// which the callers prevent).
fn write_with_crate(packet: &impl webrtc_util::Marshal, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + packet.marshal_size(), 0);
    match packet.marshal_to(&mut out[start..]) {
        Ok(len) => out.truncate(start + len),
        Err(_) => out.truncate(start),
    }
}
