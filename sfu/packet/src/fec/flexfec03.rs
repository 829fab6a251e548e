//! FlexFEC as it was before RFC 8627 (draft-ietf-payload-flexible-fec-scheme-03), which is what libwebrtc speaks as `flexfec-03`: a flexible
//! mask (R = 0, F = 0) over one source, which the payload names. Everything behind the header is as in [`super::flexfec`]; libwebrtc
//! does not solve repair packets together, but uses each that has one missing packet left.
//!
//! ```text
//!  0                   1                   2                   3
//!  |0|0|P|X|  CC   |M| PT recovery |        length recovery        |
//!  |                          TS recovery                          |
//!  | SSRC count, 1 |                   reserved                    |
//!  |                              SSRC                             |
//!  |            SN base            |k|          mask 0-14          |
//!  |k|                         mask 15-45                          |   if the first k is 0
//!  |1|                        mask 46-76                           |   if the second k is 0
//!  |                          mask 77-108                          |
//! ```

use super::flexfec::{Flexfec, HEADER_LEN, read_mask, write_mask};
use super::{EncodeError, Group, RecoverError};
use crate::{SeqNo, Ssrc};

/// Packets that the longest mask reaches: 15 + 31 + 63.
pub const REACH: u16 = 109;
const K_THIRD: u64 = 1 << 63;

/// Appends the FEC payload that protects `packets` (whole RTP packets of one source, at most [`REACH`] apart).
pub fn encode(packets: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let Group { source, base, mask, farthest, parity } = Group::of(packets, REACH)?;
    out.push(parity.first[0] & 0x3f);
    out.push(parity.first[1]);
    out.extend(parity.length.to_be_bytes());
    out.extend(parity.timestamp);
    out.extend([1, 0, 0, 0]);
    out.extend(source.0.to_be_bytes());
    out.extend(base.0.to_be_bytes());
    write_mask((mask, farthest), |third| K_THIRD | third >> 1, out);
    out.extend(parity.body);
    Ok(())
}

/// The source that a payload protects, and how. Reserved bits are not looked at.
pub fn parse(payload: &[u8]) -> Result<(Ssrc, Flexfec<'_>), RecoverError> {
    let parsed = || {
        let (header, rest) = payload.split_first_chunk::<HEADER_LEN>()?;
        let (&[count, _, _, _], rest) = rest.split_first_chunk::<4>()?;
        let (&source, rest) = rest.split_first_chunk::<4>()?;
        let (&[b0, b1, m0, m1], rest) = rest.split_first_chunk::<4>()?;
        if header[0] & 0xc0 != 0 || count != 1 {
            return None;
        }
        let third = |written: u64| (written & K_THIRD != 0).then_some(written << 1);
        let (mask, body) = read_mask([m0, m1], rest, third)?;
        let fec = Flexfec::of_mask(SeqNo(u16::from_be_bytes([b0, b1])), mask, header, body)?;
        Some((Ssrc(u32::from_be_bytes(source)), fec))
    };
    parsed().ok_or(RecoverError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{
        BY_HAND, Recover, SOURCE, any_one_comes_back, encoded, group, impossible_groups_are_refused,
    };
    use super::*;

    const RECOVER: Recover = |fec, received, out| {
        let (source, fec) = parse(fec)?;
        assert_eq!(source, SOURCE);
        fec.recover(source, received, out)
    };

    #[test]
    fn any_one_packet_of_a_group_comes_back_with_each_mask() {
        for seqs in [&[7][..], &[65_534, 65_535, 0, 12], &[65_520, 2, 29], &[65_500, 1, 70], &[0, 108]] {
            any_one_comes_back(seqs, encode, RECOVER);
        }
    }

    /// Section 4.2 of the draft, byte by byte: flags, recovered PT, length, timestamp; one source and which; base, mask with its k bit;
    /// payload.
    #[test]
    fn the_bytes_are_those_of_the_draft() {
        let mut fec = Vec::new();
        encode(&BY_HAND, &mut fec).unwrap();
        let expected = [
            &[0x00, 0x80 | (11 ^ 18), 0, 3, 0, 0, 0, 6][..],
            &[1, 0, 0, 0, 0, 0, 0, 2],
            &[0, 8, 0b1110_0000, 0],
            &[0xaa ^ 0x0f, 0xbb],
        ];
        assert_eq!(fec, expected.concat());
    }

    /// Masks at the edges of their pieces, as the bit numbers in the draft's picture say and as libwebrtc writes and reads them: its masks
    /// of ULPFEC have 48 bits, so the last two of them are alone in the third piece.
    #[test]
    fn each_piece_of_the_mask_names_the_packets_of_the_drafts_picture() {
        for (name, mask, numbers) in [
            ("bits 3, 7 and 14, then k", &[0x88, 0x81][..], vec![3, 7, 14]),
            ("bit 15 alone in its piece", &[0x40, 0, 0xc0, 0, 0, 0], vec![0, 15]),
            ("bits 15 and 45", &[0x40, 0, 0xc0, 0, 0, 1], vec![0, 15, 45]),
            ("bits 46 and 47", &[0x40, 0, 0, 0, 0, 0, 0xe0, 0, 0, 0, 0, 0, 0, 0], vec![0, 46, 47]),
            ("bits 14, 77 and 108", &[0, 1, 0, 0, 0, 0, 0x80, 0, 0, 0, 0x80, 0, 0, 1], vec![14, 77, 108]),
        ] {
            let fec =
                [&[0u8; 8][..], &[1, 0, 0, 0, 0xab, 0xcd, 0xef, 1, 0xff, 0xff], mask, &[1, 2, 3]].concat();
            let (source, parsed) = parse(&fec).unwrap();
            let expected: Vec<SeqNo> = numbers.iter().map(|n| SeqNo(0xffff).plus(*n)).collect();
            assert_eq!((source, parsed.protected().collect::<Vec<_>>()), (SOURCE, expected), "{name}");
            // The same numbers are written so.
            let first = numbers[0];
            let packets = group(&numbers.iter().map(|n| n - first).collect::<Vec<_>>());
            let written = encoded(encode, &packets);
            assert_eq!(parse(&written).unwrap().1.protected().count(), numbers.len(), "{name}");
            if first == 0 {
                assert_eq!(written[18..18 + mask.len()], *mask, "{name}");
            }
        }
    }

    #[test]
    fn groups_that_no_mask_reaches_are_refused() {
        impossible_groups_are_refused(encode, REACH);
    }

    #[test]
    fn what_is_cut_or_of_another_kind_is_refused() {
        let fec = encoded(encode, &group(&[1, 2, 100]));
        for len in 0..32 {
            assert_eq!(parse(&fec[..len]).err(), Some(RecoverError::Malformed), "{len} bytes");
        }
        for (name, at, value) in [
            ("a retransmission", 0, 0x80),
            ("a fixed block", 0, 0x40),
            ("no source", 8, 0),
            ("two sources", 8, 2),
            ("a third piece that is not the last", 24, 0x00),
        ] {
            let mut other = fec.clone();
            other[at] = value;
            assert!(parse(&other).is_err(), "{name}");
        }
        let nothing = [&[0; 8][..], &[1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0x80, 0, 1]].concat();
        assert!(parse(&nothing).is_err(), "an empty mask");
    }
}
