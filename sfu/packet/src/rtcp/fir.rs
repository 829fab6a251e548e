//! Full intra request (RFC 5104 section 4.3.1): a keyframe is needed, counted by a number per request so that
//! repetitions are recognised. Own bytes: the `rtcp` crate panics on a message without an entry.
//!
//! ```text
//! |                              SSRC                             |   per entry
//! |    seq nr     |    reserved                                   |
//! ```

use super::compound::{Element, PSFB, write_header};
use crate::Ssrc;

pub(super) const FORMAT: u8 = 4;
/// More would not fit the length field.
const ENTRIES_MAX: usize = (u16::MAX as usize - 2) / 2;

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
        let (sender, _, fci) = element.feedback()?;
        let (entries, rest) = fci.as_chunks::<8>();
        if entries.is_empty() || !rest.is_empty() {
            return None;
        }
        let entry = |&[a, b, c, d, seq, ..]: &[u8; 8]| FirEntry {
            media: Ssrc(u32::from_be_bytes([a, b, c, d])),
            seq,
        };
        Some(Self { sender, entries: entries.iter().map(entry).collect() })
    }

    /// Writes nothing without an entry.
    pub fn write(&self, out: &mut Vec<u8>) {
        let entries = &self.entries[..self.entries.len().min(ENTRIES_MAX)];
        if entries.is_empty() {
            return;
        }
        write_header(FORMAT, PSFB, 2 + 2 * entries.len() as u16, out);
        out.extend_from_slice(&self.sender.0.to_be_bytes());
        // The media source is unused and zero (RFC 5104 section 4.3.1.2).
        out.extend_from_slice(&[0; 4]);
        for entry in entries {
            out.extend_from_slice(&entry.media.0.to_be_bytes());
            out.extend_from_slice(&[entry.seq, 0, 0, 0]);
        }
    }
}
