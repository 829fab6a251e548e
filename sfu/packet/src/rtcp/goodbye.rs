//! Goodbye (RFC 3550 section 6.6): these sources have stopped.

use super::compound::{BYE, Element, write_header};
use crate::Ssrc;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Goodbye {
    /// At most 31 are written.
    pub ssrcs: Vec<Ssrc>,
}

impl Goodbye {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let bye: rtcp::goodbye::Goodbye = element.unmarshal()?;
        Some(Self { ssrcs: bye.sources.into_iter().map(Ssrc).collect() })
    }

    /// Own bytes: the crate adds an empty reason and with it padding, which may not stand inside a compound.
    pub fn write(&self, out: &mut Vec<u8>) {
        let ssrcs = &self.ssrcs[..self.ssrcs.len().min(31)];
        write_header(ssrcs.len() as u8, BYE, ssrcs.len() as u16, out);
        for ssrc in ssrcs {
            out.extend_from_slice(&ssrc.0.to_be_bytes());
        }
    }
}
