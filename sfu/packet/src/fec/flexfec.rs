//! FlexFEC (RFC 8627) between our own ends: flexible mask (R = 0, F = 0) and fixed block (R = 0, F = 1), one source.
//! The protected source is the one CSRC of the FEC packet's RTP header, so it is an argument here. Repair packets have a source of their
//! own, so a lost one leaves no hole in the numbers of the media.
//!
//! The exclusive or of two repair packets is a repair packet again. So several that have lost packets in common are equations, and bring
//! back as many packets as there are independent ones among them, whichever were lost ([`solve`]).
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
use std::collections::BTreeSet;

/// Packets that the longest mask reaches: 15 + 31 + 64.
pub const REACH: u16 = 110;
pub(super) const HEADER_LEN: usize = 8;
/// Where the three pieces of the mask end, counted from the top of 128 bits; "k" means that no piece follows.
const FIRST_END: u16 = 15;
const SECOND_END: u16 = 46;
const K_FIRST: u16 = 0x8000;
const K_SECOND: u32 = 0x8000_0000;

/// Appends the FEC payload that protects `packets` (whole RTP packets of one source, at most [`REACH`] apart).
pub fn encode(packets: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let Group { base, mask, farthest, parity, .. } = Group::of(packets, REACH)?;
    out.push(parity.first[0] & 0x3f);
    out.push(parity.first[1]);
    out.extend(parity.length.to_be_bytes());
    out.extend(parity.timestamp);
    out.extend(base.0.to_be_bytes());
    write_mask((mask, farthest), |third| third, out);
    out.extend(parity.body);
    Ok(())
}

/// The pieces of a flexible mask as far as they are needed; `last` makes of the third what is written.
pub(super) fn write_mask((mask, farthest): (u128, u16), last: impl FnOnce(u64) -> u64, out: &mut Vec<u8>) {
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
        out.extend(last(third).to_be_bytes());
    }
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
                let (mask, rest) = read_mask([m0, m1], rest, Some)?;
                (Shape::Mask(mask), rest)
            };
            let base = SeqNo(u16::from_be_bytes([b0, b1]));
            (shape != Shape::Mask(0)).then_some(Self { base, shape, header, body })
        };
        parsed().ok_or(RecoverError::Malformed)
    }

    /// `None`: a mask of nothing.
    pub(super) fn of_mask(
        base: SeqNo,
        mask: u128,
        header: &'a [u8; HEADER_LEN],
        body: &'a [u8],
    ) -> Option<Self> {
        (mask != 0).then_some(Self { base, shape: Shape::Mask(mask), header, body })
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
        recover_one(self.parity(), ssrc, self.protected(), received, out)
    }

    fn parity(&self) -> Parity {
        let h = self.header;
        Parity {
            first: [h[0] & 0x3f, h[1]],
            timestamp: [h[4], h[5], h[6], h[7]],
            length: u16::from_be_bytes([h[2], h[3]]),
            body: self.body.to_vec(),
        }
    }
}

/// Repair packets that are solved together; later ones are not looked at.
pub const TOGETHER_MAX: usize = 64;
/// Different packets that may be missing of them.
const UNKNOWN_MAX: usize = 128;

/// A missing packet, and the repair packets whose exclusive or it is, apart from packets that are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Solution {
    pub lost: SeqNo,
    /// Bit n: the n-th repair packet.
    from: u64,
}

/// The same exclusive or, before it is computed: which packets are missing in it, by their place in a list.
#[derive(Clone, Copy)]
struct Equation {
    unknown: u128,
    /// The one of them that is in no other equation.
    pivot: u128,
    from: u64,
}

impl Equation {
    fn add(&mut self, other: Self) {
        self.unknown ^= other.unknown;
        self.from ^= other.from;
    }
}

/// Everything that `repairs` bring back together: Gauss-Jordan elimination over masks, a few microseconds for 64.
pub fn solve(repairs: &[Flexfec], is_there: impl Fn(SeqNo) -> bool) -> Vec<Solution> {
    let mut missing: Vec<SeqNo> = Vec::new();
    let mut equations: Vec<Equation> = Vec::with_capacity(repairs.len().min(TOGETHER_MAX));
    'repairs: for (n, repair) in repairs.iter().take(TOGETHER_MAX).enumerate() {
        let mut equation = Equation { unknown: 0, pivot: 0, from: 1 << n };
        for seq in repair.protected().filter(|seq| !is_there(*seq)) {
            let place = missing.iter().position(|known| *known == seq).unwrap_or(missing.len());
            if place == UNKNOWN_MAX {
                continue 'repairs;
            }
            if place == missing.len() {
                missing.push(seq);
            }
            equation.unknown ^= 1 << place;
        }
        let reduced = equations.iter().filter(|known| equation.unknown & known.pivot != 0);
        let parts = reduced.fold((0, 0), |(unknown, from), e| (unknown ^ e.unknown, from ^ e.from));
        (equation.unknown, equation.from) = (equation.unknown ^ parts.0, equation.from ^ parts.1);
        if equation.unknown == 0 {
            continue;
        }
        equation.pivot = equation.unknown & equation.unknown.wrapping_neg();
        let others = equations.iter_mut().filter(|known| known.unknown & equation.pivot != 0);
        others.for_each(|known| known.add(equation));
        equations.push(equation);
    }
    let solved = equations.into_iter().filter(|equation| equation.unknown == equation.pivot);
    let lost = |equation: &Equation| missing.get(equation.pivot.trailing_zeros() as usize).copied();
    solved.filter_map(|e| Some(Solution { lost: lost(&e)?, from: e.from })).collect()
}

impl Solution {
    /// Writes the packet to `out` (cleared first). `repairs` and what was received are those that it was found with.
    pub fn restore<'p>(
        self,
        repairs: &[Flexfec],
        ssrc: Ssrc,
        received: impl Fn(SeqNo) -> Option<&'p [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), RecoverError> {
        let mut parity = Parity::default();
        // What is in two of them is in neither.
        let mut odd: BTreeSet<u16> = BTreeSet::new();
        for repair in repairs.iter().enumerate().filter(|(n, _)| self.from >> n & 1 == 1).map(|(_, r)| r) {
            parity.merge(&repair.parity());
            for seq in repair.protected() {
                if !odd.insert(seq.0) {
                    odd.remove(&seq.0);
                }
            }
        }
        for packet in odd.into_iter().map(SeqNo).filter_map(received) {
            parity.protect(packet).map_err(|_| RecoverError::Contradiction)?;
        }
        let beyond = parity.body.get(usize::from(parity.length)..).ok_or(RecoverError::Contradiction)?;
        if beyond.iter().any(|byte| *byte != 0) {
            return Err(RecoverError::Contradiction);
        }
        parity.into_packet(self.lost, ssrc, out)
    }
}

/// A flexible mask from its first piece on, and what follows it; `last` makes of what is written of the third the piece.
pub(super) fn read_mask(
    first: [u8; 2],
    rest: &[u8],
    last: impl FnOnce(u64) -> Option<u64>,
) -> Option<(u128, &[u8])> {
    let first = u16::from_be_bytes(first);
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
    Some((mask | u128::from(last(u64::from_be_bytes(third))?) << (128 - REACH), rest))
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
    fn repair_packets_with_losses_in_common_bring_them_back_together() {
        let packets = group(&[65_533, 65_534, 65_535, 0, 1, 2]);
        let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        let payload = |which: &[usize]| {
            let mut out = Vec::new();
            encode(&which.iter().map(|n| slices[*n]).collect::<Vec<_>>(), &mut out).unwrap();
            out
        };
        // Three are lost; each of these has two of them or three, and the last says nothing new.
        let payloads =
            [payload(&[0, 1, 2]), payload(&[1, 3, 5]), payload(&[0, 1, 3, 4]), payload(&[2, 3, 4])];
        let repairs: Vec<Flexfec> = payloads.iter().map(|p| Flexfec::parse(p).unwrap()).collect();
        let lost = [0, 1, 3];
        let received = |seq: SeqNo| {
            let n = packets.iter().position(|p| p[2..4] == seq.0.to_be_bytes())?;
            (!lost.contains(&n)).then_some(slices[n])
        };
        let is_there = |seq| received(seq).is_some();
        let mut found: Vec<_> = solve(&repairs, is_there)
            .into_iter()
            .map(|solution| {
                let mut out = Vec::new();
                solution.restore(&repairs, SOURCE, received, &mut out).unwrap();
                (solution.lost.0, out)
            })
            .collect();
        found.sort();
        let expected =
            [3, 0, 1].map(|n| (u16::from_be_bytes([packets[n][2], packets[n][3]]), packets[n].clone()));
        assert_eq!(found, expected);
        assert!(solve(&repairs[..1], is_there).is_empty());
        assert!(solve(&repairs, |_| true).is_empty());
        // A packet that is not what was protected leaves something behind its end.
        let other = [&packets[2][..], &[1; 200]].concat();
        let wrong = |seq: SeqNo| if seq.0 == 65_535 { Some(&other[..]) } else { received(seq) };
        let solutions = solve(&repairs, is_there);
        let restored = solutions.iter().map(|s| s.restore(&repairs, SOURCE, wrong, &mut Vec::new()));
        assert!(restored.into_iter().any(|result| result == Err(RecoverError::Contradiction)));
    }

    #[test]
    fn more_repairs_and_more_losses_than_are_solved_together_are_no_harm() {
        let payload = |n: u16| {
            let mask = [0x7f, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
            [&[0u8; 8][..], &(n * 40).to_be_bytes(), &mask, &[1, 2]].concat()
        };
        let payloads: Vec<_> = (0..200).map(payload).collect();
        let repairs: Vec<Flexfec> = payloads.iter().map(|p| Flexfec::parse(p).unwrap()).collect();
        assert!(solve(&repairs, |_| false).is_empty());
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
