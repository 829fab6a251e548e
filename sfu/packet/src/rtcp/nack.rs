//! Generic NACK (RFC 4585 section 6.2.1): which packets of one source are missing.
//!
//! ```text
//! |            PID                |             BLP               |   per entry: the packet PID is lost, and
//!                                                                     bit i of BLP: PID + i + 1 is lost too
//! ```

use super::compound::{Element, RTPFB, write_header};
use crate::{SeqNo, Ssrc};

pub(super) const FORMAT: u8 = 1;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nack {
    pub sender: Ssrc,
    /// Whose packets are missing.
    pub media: Ssrc,
    pub pairs: Vec<NackPair>,
}

/// One lost packet and which of the sixteen behind it are lost too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NackPair {
    pub pid: SeqNo,
    pub blp: u16,
}

impl NackPair {
    /// The lost sequence numbers, 1 to 17 of them.
    pub fn lost(self) -> impl Iterator<Item = SeqNo> {
        let behind = (0..16).filter(move |i| self.blp >> i & 1 == 1).map(move |i| self.pid.plus(i + 1));
        std::iter::once(self.pid).chain(behind)
    }
}

impl Nack {
    /// Packs `lost`, in ascending order (modulo 2^16), into as few entries as possible.
    pub fn new(sender: Ssrc, media: Ssrc, lost: impl IntoIterator<Item = SeqNo>) -> Self {
        let mut pairs: Vec<NackPair> = Vec::new();
        for seq in lost {
            match pairs.last_mut().map(|last| (seq.0.wrapping_sub(last.pid.0), last)) {
                Some((0, _)) => {}
                Some((distance @ 1..=16, last)) => last.blp |= 1 << (distance - 1),
                _ => pairs.push(NackPair { pid: seq, blp: 0 }),
            }
        }
        Self { sender, media, pairs }
    }

    /// Every lost sequence number, in the order of the message.
    pub fn lost(&self) -> impl Iterator<Item = SeqNo> + '_ {
        self.pairs.iter().flat_map(|p| p.lost())
    }

    pub(super) fn read(element: &Element) -> Option<Self> {
        let (sender, media, fci) = element.feedback()?;
        let (words, rest) = fci.as_chunks::<4>();
        if words.is_empty() || !rest.is_empty() {
            return None;
        }
        let pair = |&[a, b, c, d]: &[u8; 4]| NackPair {
            pid: SeqNo(u16::from_be_bytes([a, b])),
            blp: u16::from_be_bytes([c, d]),
        };
        Some(Self { sender, media, pairs: words.iter().map(pair).collect() })
    }

    /// Writes nothing if nothing is lost; more than 65,533 entries are cut, which is every packet there is.
    pub fn write(&self, out: &mut Vec<u8>) {
        let pairs = &self.pairs[..self.pairs.len().min(usize::from(u16::MAX) - 2)];
        if pairs.is_empty() {
            return;
        }
        write_header(FORMAT, RTPFB, 2 + pairs.len() as u16, out);
        out.extend_from_slice(&self.sender.0.to_be_bytes());
        out.extend_from_slice(&self.media.0.to_be_bytes());
        for pair in pairs {
            out.extend_from_slice(&pair.pid.0.to_be_bytes());
            out.extend_from_slice(&pair.blp.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet, ParseError};
    use super::*;

    fn pairs(lost: &[u16]) -> Vec<(u16, u16)> {
        let nack = Nack::new(Ssrc(1), Ssrc(2), lost.iter().map(|s| SeqNo(*s)));
        assert_eq!(nack.lost().collect::<Vec<_>>(), lost.iter().map(|s| SeqNo(*s)).collect::<Vec<_>>());
        nack.pairs.iter().map(|p| (p.pid.0, p.blp)).collect()
    }

    #[test]
    fn lost_packets_share_entries_across_the_wrap() {
        for (name, lost, expected) in [
            ("none", &[][..], vec![]),
            ("over the wrap", &[0xfff5, 0xffff, 0, 5], vec![(0xfff5, 1 << 15 | 1 << 10 | 1 << 9)]),
            ("sixteen behind share", &[10, 26], vec![(10, 0x8000)]),
            ("seventeen behind do not", &[10, 27], vec![(10, 0), (27, 0)]),
            ("all", &(0..17).collect::<Vec<_>>(), vec![(0, 0xffff)]),
        ] {
            assert_eq!(pairs(lost), expected, "{name}");
        }
        let twice = Nack::new(Ssrc(1), Ssrc(2), [SeqNo(3), SeqNo(3)]);
        assert_eq!(twice.lost().count(), 1);
    }

    #[test]
    fn bytes_round_trip_and_an_empty_list_is_an_error() {
        let nack = Nack::new(Ssrc(1), Ssrc(2), [SeqNo(0xffff), SeqNo(1), SeqNo(500)]);
        let mut bytes = Vec::new();
        nack.write(&mut bytes);
        assert_eq!(bytes.len(), 20);
        assert_eq!(Compound::iter(&bytes).collect::<Vec<_>>(), [Ok(Packet::Nack(nack))]);
        let empty = [0x81, RTPFB, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(Compound::iter(&empty).collect::<Vec<_>>(), [Err(ParseError::Body)]);
        let mut nothing = Vec::new();
        Nack::new(Ssrc(1), Ssrc(2), []).write(&mut nothing);
        assert!(nothing.is_empty());
    }
}
