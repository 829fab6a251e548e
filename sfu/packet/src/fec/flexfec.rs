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

use super::{EncodeError, Group, Parity, RecoverError, numbers, recover_one};
use crate::{SeqNo, Ssrc};

/// Packets that the longest mask reaches: 15 + 31 + 64.
pub const REACH: u16 = 110;
const HEADER_LEN: usize = 8;
/// Where the three pieces of the mask end, counted from the top of 128 bits; "k" means that no piece follows.
const FIRST_END: u16 = 15;
const SECOND_END: u16 = 46;
const K_FIRST: u16 = 0x8000;
const K_SECOND: u32 = 0x8000_0000;

/// Appends the FEC payload that protects `packets` (whole RTP packets of one source, at most [`REACH`] apart).
pub fn encode(packets: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let Group { base, mask, farthest, parity } = Group::of(packets, REACH)?;
    out.push(parity.first[0] & 0x3f);
    out.push(parity.first[1]);
    out.extend(parity.length.to_be_bytes());
    out.extend(parity.timestamp);
    out.extend(base.0.to_be_bytes());
    let first = (mask >> (128 - FIRST_END)) as u16;
    let second = (mask >> (128 - SECOND_END)) as u32 & !K_SECOND;
    let third = (mask >> (128 - REACH)) as u64;
    if farthest < FIRST_END {
        out.extend((K_FIRST | first).to_be_bytes());
    } else if farthest < SECOND_END {
        out.extend(first.to_be_bytes());
        out.extend((K_SECOND | second).to_be_bytes());
    } else {
        out.extend(first.to_be_bytes());
        out.extend(second.to_be_bytes());
        out.extend(third.to_be_bytes());
    }
    out.extend(parity.body);
    Ok(())
}

/// Which packets a payload protects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// The base at the top.
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
                let (mask, rest) = mask(u16::from_be_bytes([m0, m1]), rest)?;
                (Shape::Mask(mask), rest)
            };
            let base = SeqNo(u16::from_be_bytes([b0, b1]));
            (shape != Shape::Mask(0)).then_some(Self { base, shape, header, body })
        };
        parsed().ok_or(RecoverError::Malformed)
    }

    /// Sequence numbers of the group, ascending from the base; at most 255.
    pub fn protected(&self) -> impl Iterator<Item = SeqNo> + Clone + use<> {
        let base = self.base;
        let (mask, step, count) = match self.shape {
            Shape::Mask(mask) => (mask, 1, 0),
            Shape::Block { step, count } => (0, u16::from(step), u16::from(count)),
        };
        numbers(base, mask, REACH).chain((0..count).map(move |n| base.plus(n.wrapping_mul(step))))
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

/// The pieces of a flexible mask behind its first one, and what follows them.
fn mask(first: u16, rest: &[u8]) -> Option<(u128, &[u8])> {
    let mut mask = u128::from(first & !K_FIRST) << (128 - FIRST_END);
    if first & K_FIRST != 0 {
        return Some((mask, rest));
    }
    let (&second, rest) = rest.split_first_chunk::<4>()?;
    let second = u32::from_be_bytes(second);
    mask |= u128::from(second & !K_SECOND) << (128 - SECOND_END);
    if second & K_SECOND != 0 {
        return Some((mask, rest));
    }
    let (&third, rest) = rest.split_first_chunk::<8>()?;
    Some((mask | u128::from(u64::from_be_bytes(third)) << (128 - REACH), rest))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{
        BY_HAND, Recover, SOURCE, any_one_comes_back, encoded, group, impossible_groups_are_refused,
    };
    use super::*;

    const RECOVER: Recover = |fec, received, out| Flexfec::parse(fec)?.recover(SOURCE, received, out);

    #[test]
    fn any_one_packet_of_a_group_comes_back_with_each_mask() {
        for seqs in [&[7][..], &[65_534, 65_535, 0, 12], &[65_520, 2, 29], &[65_500, 1, 70], &[0, 109]] {
            any_one_comes_back(seqs, encode, RECOVER);
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        // RFC 8627 section 4.2.2.1: flags, recovered PT, length, timestamp; base, mask with its k bit; payload.
        let mut fec = Vec::new();
        encode(&BY_HAND, &mut fec).unwrap();
        let expected =
            [&[0x00, 0x80 | (11 ^ 18), 0, 3, 0, 0, 0, 6][..], &[0, 8, 0b1110_0000, 0], &[0xaa ^ 0x0f, 0xbb]];
        assert_eq!(fec, expected.concat());
    }

    /// Masks at the edges of their pieces, as the bit numbers in the RFC's picture say.
    #[test]
    fn each_piece_of_the_mask_names_the_packets_of_the_rfcs_picture() {
        for (name, mask, numbers) in [
            ("bits 3, 7 and 14, then k", &[0x88, 0x81][..], vec![3, 7, 14]),
            ("bits 0 and 15, 45", &[0x40, 0, 0xc0, 0, 0, 1], vec![0, 15, 45]),
            ("bits 14, 46 and 109", &[0, 1, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 1], vec![14, 46, 109]),
        ] {
            let fec = [&[0u8; 8][..], &[0xff, 0xff], mask, &[1, 2, 3]].concat();
            let parsed = Flexfec::parse(&fec).unwrap();
            let expected: Vec<SeqNo> = numbers.iter().map(|n| SeqNo(0xffff).plus(*n)).collect();
            assert_eq!(parsed.protected().collect::<Vec<_>>(), expected, "{name}");
            assert_eq!(parsed.body, [1, 2, 3], "{name}");
        }
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
    fn groups_that_no_mask_reaches_are_refused() {
        impossible_groups_are_refused(encode, REACH);
    }

    #[test]
    fn cut_headers_and_retransmissions_are_refused() {
        let fec = encoded(encode, &group(&[1, 2, 100]));
        for len in 0..24 {
            assert_eq!(Flexfec::parse(&fec[..len]).err(), Some(RecoverError::Malformed), "{len} bytes");
        }
        assert!(Flexfec::parse(&[0x80; 64]).is_err());
        assert!(Flexfec::parse(&[0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 1]).is_err(), "an empty mask");
    }
}
