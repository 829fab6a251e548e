//! Source description (RFC 3550 section 6.5): which SSRCs belong to which canonical name.

use super::compound::{Element, SDES, write_header};
use crate::Ssrc;
use rtcp::source_description as wire;

/// Item type of a canonical name (RFC 3550 section 12.2).
const CNAME: u8 = 1;

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

    /// Own bytes: the crate sets the padding bit where a chunk was filled up to a word, which is not padding of the
    /// packet (RFC 3550 section 6.5).
    pub fn write(&self, out: &mut Vec<u8>) {
        let cnames = &self.cnames[..self.cnames.len().min(31)];
        let start = out.len();
        write_header(cnames.len() as u8, SDES, 0, out);
        for (ssrc, name) in cnames {
            let name = &name.as_bytes()[..name.len().min(255)];
            out.extend_from_slice(&ssrc.0.to_be_bytes());
            out.extend_from_slice(&[CNAME, name.len() as u8]);
            out.extend_from_slice(name);
            // At least one zero ends the chunk.
            let len = out.len() - start;
            out.resize(start + (len + 1).next_multiple_of(4), 0);
        }
        let words = ((out.len() - start) / 4 - 1) as u16;
        out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet};
    use super::*;

    #[test]
    fn names_of_every_length_round_trip() {
        for len in 0..=255 {
            let cnames = vec![(Ssrc(1), "x".repeat(len)), (Ssrc(2), "y".into())];
            let sdes = SourceDescription { cnames };
            let mut bytes = Vec::new();
            sdes.write(&mut bytes);
            assert_eq!(
                Compound::iter(&bytes).collect::<Vec<_>>(),
                [Ok(Packet::SourceDescription(sdes))],
                "{len}"
            );
        }
    }
}
