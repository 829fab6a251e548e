//! FlexFEC (RFC 8627) between our own ends: flexible mask (R = 0, F = 0) and fixed block (R = 0, F = 1), one source.
//! The protected source is the one CSRC of the FEC packet's RTP header, so it is an argument here.
//!
//! ```text
//!  0                   1                   2                   3
//!  |0|F|P|X|  CC   |M| PT recovery |        length recovery        |
//!  |                          TS recovery                          |
//!  |            SN base            |k|          mask 0-14          |   F = 1: L (8), D (8) instead of the mask
//!  |k|                         mask 15-45                          |   if the first k is 0
//!  |                          mask 46-77                           |   if the second k is 0
//!  |                          mask 78-109                          |
//! ```

use super::{EncodeError, Parity, RecoverError, offsets, recover_one};
use crate::{SeqNo, Ssrc};

/// Packets that the longest mask reaches: 15 + 31 + 64.
pub const REACH: u16 = 110;
const HEADER_LEN: usize = 8;

/// Appends the FEC payload that protects `packets` (whole RTP packets of one source, at most [`REACH`] apart).
pub fn encode(packets: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let (base, _, offsets) = offsets(packets, REACH)?;
    let mut parity = Parity::default();
    for packet in packets {
        parity.add(packet)?;
    }
    let mask = offsets.iter().fold(0u128, |mask, &o| mask | 1 << (109 - o));
    let farthest = offsets.iter().max().copied().unwrap_or(0);
    out.push(parity.first[0] & 0x3f);
    out.push(parity.first[1]);
    out.extend(parity.length.to_be_bytes());
    out.extend(parity.timestamp);
    out.extend(base.0.to_be_bytes());
    let first = (mask >> 95) as u16;
    let second = (mask >> 64) as u32 & 0x7fff_ffff;
    match farthest {
        0..=14 => out.extend((0x8000 | first).to_be_bytes()),
        15..=45 => {
            out.extend(first.to_be_bytes());
            out.extend((0x8000_0000 | second).to_be_bytes());
        }
        _ => {
            out.extend(first.to_be_bytes());
            out.extend(second.to_be_bytes());
            out.extend((mask as u64).to_be_bytes());
        }
    }
    out.extend(parity.body);
    Ok(())
}

/// Which packets a payload protects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// 110 bits, the base at the top.
    Mask(u128),
    /// Every `step`-th packet, `count` of them: a row (step 1) or a column (step L) of a block.
    Block { step: u8, count: u8 },
}

/// A FEC payload whose lengths are right.
#[derive(Clone, Copy, Debug)]
pub struct Flexfec<'a> {
    base: SeqNo,
    shape: Shape,
    header: &'a [u8; HEADER_LEN],
    body: &'a [u8],
}

impl<'a> Flexfec<'a> {
    pub fn parse(payload: &'a [u8]) -> Result<Self, RecoverError> {
        let parsed = || {
            let (header, rest) = payload.split_first_chunk::<HEADER_LEN>()?;
            let (&[b0, b1, m0, m1], rest) = rest.split_first_chunk::<4>()?;
            if header[0] & 0x80 != 0 {
                return None; // A retransmission: that is what RTX is for here.
            }
            let (shape, body) = if header[0] & 0x40 != 0 {
                // D = 0: one row of L; D = 1: the rows of a block with columns, D > 1: a column of D packets, L apart.
                let shape = match (m0, m1) {
                    (0, _) => return None,
                    (l, 0 | 1) => Shape::Block { step: 1, count: l },
                    (l, d) => Shape::Block { step: l, count: d },
                };
                (shape, rest)
            } else {
                let first = u16::from_be_bytes([m0, m1]);
                let mut mask = u128::from(first & 0x7fff) << 95;
                let mut rest = rest;
                if first & 0x8000 == 0 {
                    let (&second, after) = rest.split_first_chunk::<4>()?;
                    let second = u32::from_be_bytes(second);
                    mask |= u128::from(second & 0x7fff_ffff) << 64;
                    rest = after;
                    if second & 0x8000_0000 == 0 {
                        let (&third, after) = rest.split_first_chunk::<8>()?;
                        mask |= u128::from(u64::from_be_bytes(third));
                        rest = after;
                    }
                }
                (Shape::Mask(mask), rest)
            };
            (shape != Shape::Mask(0)).then_some(Self {
                base: SeqNo(u16::from_be_bytes([b0, b1])),
                shape,
                header,
                body,
            })
        };
        parsed().ok_or(RecoverError::Malformed)
    }

    /// Sequence numbers of the group, ascending from the base; at most 255.
    pub fn protected(&self) -> impl Iterator<Item = SeqNo> + use<> {
        let (base, shape) = (self.base, self.shape);
        let count = match shape {
            Shape::Mask(_) => REACH,
            Shape::Block { count, .. } => u16::from(count),
        };
        (0..count).filter_map(move |n| match shape {
            Shape::Mask(mask) => (mask >> (109 - n) & 1 == 1).then(|| base.plus(n)),
            Shape::Block { step, .. } => Some(base.plus(n.wrapping_mul(u16::from(step)))),
        })
    }

    /// Writes the one missing packet of `ssrc` to `out` (cleared first) and returns its sequence number.
    pub fn recover<'p>(
        &self,
        ssrc: Ssrc,
        received: impl Fn(SeqNo) -> Option<&'p [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<SeqNo, RecoverError> {
        let h = self.header;
        let parity = Parity {
            first: [h[0] & 0x3f, h[1]],
            timestamp: [h[4], h[5], h[6], h[7]],
            length: u16::from_be_bytes([h[2], h[3]]),
            body: self.body.to_vec(),
        };
        recover_one(parity, ssrc, self.protected(), received, out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{any_one_comes_back, group};
    use super::*;

    fn recover(fec: &[u8], have: &dyn Fn(SeqNo) -> Option<Vec<u8>>) -> Result<Vec<u8>, RecoverError> {
        let fec = Flexfec::parse(fec)?;
        let kept: Vec<_> = fec.protected().map(|s| (s, have(s))).collect();
        let find = |s: SeqNo| kept.iter().find(|k| k.0 == s).and_then(|k| k.1.as_deref());
        let mut out = Vec::new();
        fec.recover(Ssrc(0xabcd_ef01), find, &mut out)?;
        Ok(out)
    }

    fn encoded(packets: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&packets.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut out).unwrap();
        out
    }

    #[test]
    fn any_one_packet_of_a_group_comes_back_with_each_mask() {
        for seqs in [&[7][..], &[65_534, 65_535, 0, 12], &[65_520, 2, 29], &[65_500, 1, 70], &[0, 109]] {
            let packets = group(seqs);
            any_one_comes_back(&packets, &encoded(&packets), recover);
        }
        assert_eq!(encode(&[&group(&[0])[0], &group(&[110])[0]], &mut Vec::new()), Err(EncodeError::TooFar));
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        // Two packets written out by hand after RFC 8627 section 4.2.2.1 and 6.2.
        let a = [0x80, 0x80 | 11, 0, 8, 0, 0, 0, 3, 0, 0, 0, 2, 0xaa, 0xbb];
        let b = [0x80, 18, 0, 9, 0, 0, 0, 5, 0, 0, 0, 2, 0x0f];
        let expected =
            [&[0x00, 0x80 | (11 ^ 18), 0, 3, 0, 0, 0, 6][..], &[0, 8, 0b1110_0000, 0], &[0xaa ^ 0x0f, 0xbb]];
        assert_eq!(encoded(&[a.to_vec(), b.to_vec()]), expected.concat());
    }

    #[test]
    fn rows_and_columns_of_a_block_name_their_packets() {
        let block = |l, d| {
            let fec = [0x40, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, l, d];
            Flexfec::parse(&fec).map(|f| f.protected().map(|s| s.0).collect::<Vec<_>>())
        };
        assert_eq!(block(3, 0), Ok(vec![65_534, 65_535, 0]));
        assert_eq!(block(3, 1), Ok(vec![65_534, 65_535, 0]));
        assert_eq!(block(5, 3), Ok(vec![65_534, 3, 8]));
        assert_eq!(block(0, 3), Err(RecoverError::Malformed));
    }

    #[test]
    fn cut_headers_and_retransmissions_are_refused() {
        let fec = encoded(&group(&[1, 2, 100]));
        for len in 0..24 {
            assert_eq!(Flexfec::parse(&fec[..len]).err(), Some(RecoverError::Malformed), "{len} bytes");
        }
        assert!(Flexfec::parse(&[0x80; 64]).is_err());
        assert!(Flexfec::parse(&[0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 1]).is_err(), "an empty mask");
    }
}
