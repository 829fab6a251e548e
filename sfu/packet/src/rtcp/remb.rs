//! Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03 section 2.2). Own bytes: the `rtcp` crate reads
//! as many SSRCs as the message claims, whatever its length.
//!
//! ```text
//! |   'R' 'E' 'M' 'B'                                             |
//! |  num SSRC     |  exp, 6 bits  |  mantissa, 18 bits            |   bitrate = mantissa * 2^exp bit/s
//! |   SSRC feedback ...                                           |
//! ```

use super::compound::{Element, PSFB, write_header};
use crate::{Bitrate, Ssrc};

pub(super) const FORMAT: u8 = 15;
const NAME: &[u8; 4] = b"REMB";
const MANTISSA_BITS: u32 = 18;
/// The highest rate that both 64 bits and the format hold.
const RATE_MAX: u64 = ((1 << MANTISSA_BITS) - 1) << (u64::BITS - MANTISSA_BITS);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remb {
    pub sender: Ssrc,
    /// Written with 18 bits of precision, rounded down; read saturating just below 2^64.
    pub bitrate: Bitrate,
    /// Streams that share the rate; at most 255 are written.
    pub ssrcs: Vec<Ssrc>,
}

impl Remb {
    pub(super) fn is_one(element: &Element) -> bool {
        element.body.get(8..12) == Some(NAME)
    }

    pub(super) fn read(element: &Element) -> Option<Self> {
        let (sender, _, fci) = element.feedback()?;
        let (&[_, _, _, _, count, a, b, c], rest) = fci.split_first_chunk::<8>()?;
        let mantissa = u64::from(u32::from_be_bytes([0, a & 3, b, c]));
        let exp = u32::from(a >> 2);
        let rate = u64::try_from(u128::from(mantissa) << exp).map_or(RATE_MAX, |rate| rate.min(RATE_MAX));
        let (words, _) = rest.as_chunks::<4>();
        let words = words.get(..usize::from(count))?;
        let ssrcs = words.iter().map(|w| Ssrc(u32::from_be_bytes(*w))).collect();
        Some(Self { sender, bitrate: Bitrate(rate), ssrcs })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let ssrcs = &self.ssrcs[..self.ssrcs.len().min(255)];
        write_header(FORMAT, PSFB, 4 + ssrcs.len() as u16, out);
        out.extend_from_slice(&self.sender.0.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(NAME);
        let exp = (u64::BITS - self.bitrate.0.leading_zeros()).saturating_sub(MANTISSA_BITS);
        let [_, a, b, c] = ((self.bitrate.0 >> exp) as u32).to_be_bytes();
        out.extend_from_slice(&[ssrcs.len() as u8, (exp as u8) << 2 | a, b, c]);
        for ssrc in ssrcs {
            out.extend_from_slice(&ssrc.0.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet, ParseError};
    use super::*;

    #[test]
    fn rates_round_trip_with_18_bits() {
        for (rate, read) in [
            (0, 0),
            (1, 1),
            (0x3_ffff, 0x3_ffff),
            (0x4_0001, 0x4_0000),
            (2_500_000, 2_500_000 & !15),
            (u64::MAX, 0x3_ffff << 46),
        ] {
            let remb = Remb { sender: Ssrc(1), bitrate: Bitrate(rate), ssrcs: vec![Ssrc(2), Ssrc(3)] };
            let mut bytes = Vec::new();
            remb.write(&mut bytes);
            let expected = Remb { bitrate: Bitrate(read), ..remb };
            assert_eq!(Compound::iter(&bytes).collect::<Vec<_>>(), [Ok(Packet::Remb(expected))]);
        }
    }

    #[test]
    fn more_ssrcs_than_bytes_are_an_error_and_a_huge_exponent_saturates() {
        let message = |count: u8, exp: u8| {
            let head = [0x8f, PSFB, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B'];
            let bytes = [&head[..], &[count, exp << 2 | 3, 0xff, 0xff]].concat();
            Compound::iter(&bytes).next().unwrap()
        };
        assert_eq!(message(1, 0), Err(ParseError::Body));
        let expected = Remb { sender: Ssrc(1), bitrate: Bitrate(RATE_MAX), ssrcs: vec![] };
        assert_eq!(message(0, 63), Ok(Packet::Remb(expected)));
    }
}
