//! ULPFEC (RFC 5109), level 0 only, as browsers speak it inside RED.
//!
//! ```text
//!  0                   1                   2                   3
//!  |E|L|P|X|  CC   |M| PT recovery |            SN base            |
//!  |                          TS recovery                          |
//!  |        length recovery        |  protection length            |
//!  |             mask              |   mask continued (L = 1, 32 bits) ...   then the exclusive or of the bodies
//! ```

use super::{EncodeError, Parity, RecoverError, offsets, recover_one};
use crate::{SeqNo, Ssrc};

/// Packets that the short mask reaches, counted from the base.
pub const REACH_SHORT: u16 = 16;
/// Packets that the long mask (L = 1) reaches.
pub const REACH: u16 = 48;
const HEADER_LEN: usize = 10;

/// Appends the FEC payload that protects `packets` (whole RTP packets of one source, at most [`REACH`] apart).
pub fn encode(packets: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let (base, _, offsets) = offsets(packets, REACH)?;
    let mut parity = Parity::default();
    for packet in packets {
        parity.add(packet)?;
    }
    let long = offsets.iter().any(|&o| o >= REACH_SHORT);
    let mask = offsets.iter().fold(0u64, |mask, &o| mask | 1 << (47 - o));
    out.push(u8::from(long) << 6 | parity.first[0] & 0x3f);
    out.push(parity.first[1]);
    out.extend(base.0.to_be_bytes());
    out.extend(parity.timestamp);
    out.extend(parity.length.to_be_bytes());
    out.extend((parity.body.len() as u16).to_be_bytes());
    out.extend(&mask.to_be_bytes()[2..if long { 8 } else { 4 }]);
    out.extend(parity.body);
    Ok(())
}

/// A FEC payload whose lengths are right.
#[derive(Clone, Copy, Debug)]
pub struct Ulpfec<'a> {
    base: SeqNo,
    /// 48 bits, the base at the top.
    mask: u64,
    header: &'a [u8; HEADER_LEN],
    body: &'a [u8],
}

impl<'a> Ulpfec<'a> {
    pub fn parse(payload: &'a [u8]) -> Result<Self, RecoverError> {
        let parsed = || {
            let (header, rest) = payload.split_first_chunk::<HEADER_LEN>()?;
            let (&length, rest) = rest.split_first_chunk::<2>()?;
            let (&short, rest) = rest.split_first_chunk::<2>()?;
            let (low, body) = match header[0] & 0x40 {
                0 => ([0; 4], rest),
                _ => rest.split_first_chunk::<4>().map(|(&low, rest)| (low, rest))?,
            };
            let mask = u64::from(u16::from_be_bytes(short)) << 32 | u64::from(u32::from_be_bytes(low));
            let body = body.get(..usize::from(u16::from_be_bytes(length)))?;
            let base = SeqNo(u16::from_be_bytes([header[2], header[3]]));
            (mask != 0).then_some(Self { base, mask, header, body })
        };
        parsed().ok_or(RecoverError::Malformed)
    }

    /// Sequence numbers of the group, ascending from the base.
    pub fn protected(&self) -> impl Iterator<Item = SeqNo> + use<> {
        let (base, mask) = (self.base, self.mask);
        (0..REACH).filter(move |o| mask >> (47 - o) & 1 == 1).map(move |o| base.plus(o))
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
            length: u16::from_be_bytes([h[8], h[9]]),
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
        let fec = Ulpfec::parse(fec)?;
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
    fn any_one_packet_of_a_group_comes_back() {
        for seqs in [&[7][..], &[65_534, 65_535, 0, 3], &[65_520, 2, 30], &[5, 3, 4]] {
            let packets = group(seqs);
            any_one_comes_back(&packets, &encoded(&packets), recover);
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        // Two packets written out by hand after RFC 5109 section 7.3 (exclusive or field by field).
        let a = [0x80, 0x80 | 11, 0, 8, 0, 0, 0, 3, 0, 0, 0, 2, 0xaa, 0xbb];
        let b = [0x80, 18, 0, 9, 0, 0, 0, 5, 0, 0, 0, 2, 0x0f];
        let fec = encoded(&[a.to_vec(), b.to_vec()]);
        let mask = [0b1100_0000, 0];
        let expected =
            [&[0x00, 0x80 | (11 ^ 18), 0, 8, 0, 0, 0, 6, 0, 3, 0, 2][..], &mask, &[0xaa ^ 0x0f, 0xbb]]
                .concat();
        assert_eq!(fec, expected);
    }

    #[test]
    fn groups_that_no_mask_reaches_are_refused() {
        let all = |seqs| {
            let packets: Vec<Vec<u8>> = group(seqs);
            encode(&packets.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut Vec::new())
        };
        assert_eq!(all(&[]), Err(EncodeError::Empty));
        assert_eq!(all(&[0, 48]), Err(EncodeError::TooFar));
        assert_eq!(all(&[1, 1]), Err(EncodeError::TooFar));
        let mut other = group(&[1, 2]);
        other[1][8] ^= 1;
        assert_eq!(encode(&[&other[0], &other[1]], &mut Vec::new()), Err(EncodeError::OtherSource));
        assert_eq!(encode(&[&[0x80; 11]], &mut Vec::new()), Err(EncodeError::NotRtp));
    }

    #[test]
    fn cut_and_lying_payloads_are_refused() {
        let packets = group(&[1, 2, 40]);
        let fec = encoded(&packets);
        for len in 0..fec.len() {
            assert_eq!(Ulpfec::parse(&fec[..len]).err(), Some(RecoverError::Malformed), "{len} bytes");
        }
        // A length recovery beyond the body yields no packet.
        let mut lying = fec.clone();
        lying[8] ^= 0xff;
        let alone = |s: SeqNo| packets.iter().find(|p| p[3] as u16 == s.0 && s.0 != 1).cloned();
        assert_eq!(recover(&lying, &alone), Err(RecoverError::Contradiction));
    }
}
