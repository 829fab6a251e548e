//! Goodbye (RFC 3550 section 6.6): these sources have stopped.

use super::compound::Element;
use super::write_with_crate;
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

    pub fn write(&self, out: &mut Vec<u8>) {
        let sources = self.ssrcs.iter().take(31).map(|s| s.0).collect();
        write_with_crate(&rtcp::goodbye::Goodbye { sources, reason: Default::default() }, out);
    }
}
