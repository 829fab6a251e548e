//! Source description (RFC 3550 section 6.5): which SSRCs belong to which canonical name.

use super::compound::Element;
use super::write_with_crate;
use crate::Ssrc;
use rtcp::source_description as wire;

/// Canonical names; other items are ignored when read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceDescription {
    /// At most 31 are written, each name cut at 255 bytes.
    pub cnames: Vec<(Ssrc, String)>,
}

impl SourceDescription {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let sdes: wire::SourceDescription = element.unmarshal()?;
        let cname = |items: &[wire::SourceDescriptionItem]| {
            let item = items.iter().find(|i| i.sdes_type == wire::SdesType::SdesCname)?;
            Some(String::from_utf8_lossy(&item.text).into_owned())
        };
        let named = |chunk: &wire::SourceDescriptionChunk| Some((Ssrc(chunk.source), cname(&chunk.items)?));
        Some(Self { cnames: sdes.chunks.iter().filter_map(named).collect() })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let chunk = |(ssrc, name): &(Ssrc, String)| wire::SourceDescriptionChunk {
            source: ssrc.0,
            items: vec![wire::SourceDescriptionItem {
                sdes_type: wire::SdesType::SdesCname,
                text: bytes::Bytes::copy_from_slice(&name.as_bytes()[..name.len().min(255)]),
            }],
        };
        let sdes = wire::SourceDescription { chunks: self.cnames.iter().take(31).map(chunk).collect() };
        write_with_crate(&sdes, out);
    }
}
