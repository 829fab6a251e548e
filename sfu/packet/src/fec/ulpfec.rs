//! ULPFEC (RFC 5109), level 0 only, as browsers speak it inside RED.
//!
//! ```text
//!  0                   1                   2                   3
//!  |E|L|P|X|  CC   |M| PT recovery |            SN base            |
//!  |                          TS recovery                          |
//!  |        length recovery        |  protection length            |
//!  |             mask              |   mask continued (L = 1, 32 bits) ...   then the exclusive or of the bodies
//! ```

use super::{EncodeError, Group, Parity, RecoverError, numbers, recover_one};
use crate::{SeqNo, Ssrc};

/// Packets that the short mask reaches, counted from the base.
pub const REACH_SHORT: u16 = 16;
/// Packets that the long mask (L = 1) reaches.
pub const REACH: u16 = 48;
const HEADER_LEN: usize = 10;

/// Appends the FEC payload that protects `packets` (whole RTP packets of one source, at most [`REACH`] apart).
pub fn encode(packets: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let Group { base, mask, farthest, parity, .. } = Group::of(packets, REACH)?;
    let long = farthest >= REACH_SHORT;
    out.push(u8::from(long) << 6 | parity.first[0] & 0x3f);
    out.push(parity.first[1]);
    out.extend(base.0.to_be_bytes());
    out.extend(parity.timestamp);
    out.extend(parity.length.to_be_bytes());
    out.extend((parity.body.len() as u16).to_be_bytes());
    out.extend(&mask.to_be_bytes()[..if long { 6 } else { 2 }]);
    out.extend(parity.body);
    Ok(())
}

/// A FEC payload whose lengths are right.
#[derive(Clone, Copy, Debug)]
pub struct Ulpfec<'a> {
    base: SeqNo,
    /// The base at the top.
    mask: u128,
    header: &'a [u8; HEADER_LEN],
    body: &'a [u8],
}

impl<'a> Ulpfec<'a> {
    pub fn parse(payload: &'a [u8]) -> Result<Self, RecoverError> {
        let parsed = || {
            let (header, rest) = payload.split_first_chunk::<HEADER_LEN>()?;
            let (&length, rest) = rest.split_first_chunk::<2>()?;
            let (&[m0, m1], rest) = rest.split_first_chunk::<2>()?;
            let ([m2, m3, m4, m5], body) = match header[0] & 0x40 {
                0 => ([0; 4], rest),
                _ => rest.split_first_chunk::<4>().map(|(&low, rest)| (low, rest))?,
            };
            let mask = u128::from(u64::from_be_bytes([0, 0, m0, m1, m2, m3, m4, m5])) << 80;
            let body = body.get(..usize::from(u16::from_be_bytes(length)))?;
            let base = SeqNo(u16::from_be_bytes([header[2], header[3]]));
            (mask != 0).then_some(Self { base, mask, header, body })
        };
        parsed().ok_or(RecoverError::Malformed)
    }

    /// Sequence numbers of the group, ascending from the base.
    pub fn protected(&self) -> impl Iterator<Item = SeqNo> + Clone + use<> {
        numbers(self.base, self.mask, REACH)
    }

    /// Writes the one missing packet of `ssrc` to `out` (cleared first) and returns its sequence number. A packet longer than
    /// the protection length does not come back: the levels above zero, which would protect its rest, are not read.
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
    use super::super::tests::{
        BY_HAND, Recover, SOURCE, any_one_comes_back, encoded, group, impossible_groups_are_refused,
        recovered,
    };
    use super::*;

    const RECOVER: Recover = |fec, received, out| Ulpfec::parse(fec)?.recover(SOURCE, received, out);

    #[test]
    fn any_one_packet_of_a_group_comes_back() {
        for seqs in [&[7][..], &[65_534, 65_535, 0, 3], &[65_520, 2, 30], &[5, 3, 4]] {
            any_one_comes_back(seqs, encode, RECOVER);
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        // RFC 5109 section 7.3 and 7.4, field by field: flags, recovered PT, base, timestamp, length; length, mask, payload.
        let mut fec = Vec::new();
        encode(&BY_HAND, &mut fec).unwrap();
        let expected = [
            &[0x00, 0x80 | (11 ^ 18), 0, 8, 0, 0, 0, 6, 0, 3][..],
            &[0, 2, 0b1100_0000, 0],
            &[0xaa ^ 0x0f, 0xbb],
        ];
        assert_eq!(fec, expected.concat());
    }

    /// RFC 5109 section 10.1: four packets of 200, 140, 100 and 340 bytes, and the fields that the RFC prints for them.
    #[test]
    fn the_example_of_the_rfc_has_the_rfcs_fields() {
        let packet = |seq: u16, marker: bool, pt: u8, timestamp: u32, len: usize| {
            let mut packet = vec![0x80, u8::from(marker) << 7 | pt];
            packet.extend(seq.to_be_bytes());
            packet.extend(timestamp.to_be_bytes());
            packet.extend(2u32.to_be_bytes());
            packet.extend((0..len).map(|i| (i * usize::from(seq)) as u8));
            packet
        };
        let packets = [
            packet(8, true, 11, 3, 200),
            packet(9, false, 18, 5, 140),
            packet(10, true, 11, 7, 100),
            packet(11, false, 18, 9, 340),
        ];
        let fec = encoded(encode, &packets);
        // No extension, short mask; P, X, CC and M of an even number of packets vanish; PT 11 ^ 18 ^ 11 ^ 18 = 0; base 8;
        // TS 3 ^ 5 ^ 7 ^ 9 = 8; length 200 ^ 140 ^ 100 ^ 340 = 372; 340 bytes protected; packets 8 to 11.
        assert_eq!(fec[..14], [0x00, 0x00, 0, 8, 0, 0, 0, 8, 1, 0x74, 1, 0x54, 0xf0, 0x00]);
        assert_eq!(fec.len(), 14 + 340);
        for (lost, packet) in packets.iter().enumerate() {
            let mut out = Vec::new();
            let fec = Ulpfec::parse(&fec).unwrap();
            let received = |seq: SeqNo| {
                packets
                    .iter()
                    .enumerate()
                    .find(|(n, p)| p[3] == seq.0 as u8 && *n != lost)
                    .map(|(_, p)| &p[..])
            };
            fec.recover(Ssrc(2), received, &mut out).unwrap();
            assert_eq!(&out, packet);
        }
    }

    #[test]
    fn what_reaches_beyond_the_protection_length_is_never_made_up() {
        // Two packets of 30 bytes behind the header, protected only as far as 10: a packet of 10 comes back whole whatever
        // the others are, one of 30 not at all.
        let packet = |seq: u8, len: usize| {
            let mut packet = vec![0x80, 96, 0, seq, 0, 0, 0, 0];
            packet.extend(SOURCE.0.to_be_bytes());
            packet.extend((0..len).map(|i| seq.wrapping_mul(31).wrapping_add(i as u8)));
            packet
        };
        let packets = [packet(1, 30), packet(2, 10)];
        let mut fec = encoded(encode, &packets);
        fec[11] = 10;
        fec.truncate(14 + 10);
        assert_eq!(recovered(RECOVER, &fec, &packets, &[1]).as_ref(), Ok(&packets[1]));
        assert_eq!(recovered(RECOVER, &fec, &packets, &[0]), Err(RecoverError::Contradiction));
    }

    #[test]
    fn groups_that_no_mask_reaches_are_refused() {
        impossible_groups_are_refused(encode, REACH);
    }

    #[test]
    fn cut_and_lying_payloads_are_refused() {
        let packets = group(&[1, 2, 40]);
        let fec = encoded(encode, &packets);
        for len in 0..fec.len() {
            assert_eq!(Ulpfec::parse(&fec[..len]).err(), Some(RecoverError::Malformed), "{len} bytes");
        }
        // A length recovery beyond the body yields no packet.
        let mut lying = fec.clone();
        lying[8] ^= 0xff;
        assert_eq!(recovered(RECOVER, &lying, &packets, &[0]), Err(RecoverError::Contradiction));
    }
}
