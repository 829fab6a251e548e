//! Full intra request (RFC 5104 section 4.3.1): a keyframe is needed, counted by a number per request so that
//! repetitions are recognised.

use super::compound::Element;
use super::write_with_crate;
use crate::Ssrc;
use rtcp::payload_feedbacks::full_intra_request as wire;

pub(super) const FORMAT: u8 = 4;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fir {
    pub sender: Ssrc,
    pub entries: Vec<FirEntry>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirEntry {
    /// Whose keyframe is wanted.
    pub media: Ssrc,
    /// Command sequence number: the same number is the same request again.
    pub seq: u8,
}

impl Fir {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let fir: wire::FullIntraRequest = element.unmarshal()?;
        let entry = |e: &wire::FirEntry| FirEntry { media: Ssrc(e.ssrc), seq: e.sequence_number };
        Some(Self { sender: Ssrc(fir.sender_ssrc), entries: fir.fir.iter().map(entry).collect() })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let entry = |e: &FirEntry| wire::FirEntry { ssrc: e.media.0, sequence_number: e.seq };
        let fir = wire::FullIntraRequest {
            sender_ssrc: self.sender.0,
            // Unused by FIR, must be zero (RFC 5104 section 4.3.1.2).
            media_ssrc: 0,
            fir: self.entries.iter().map(entry).collect(),
        };
        write_with_crate(&fir, out);
    }
}
