//! Forward error correction as pure functions, for the receive side and the SFU alike: RED (RFC 2198) repeats payloads,
//! ULPFEC (RFC 5109) and FlexFEC (RFC 8627, and the draft that browsers speak) send the exclusive or of packets, so that one missing packet of a group comes back.
//!
//! What both of the latter protect of a packet, and in this order:
//!
//! ```text
//!  byte 0 (P X CC)   byte 1 (M PT)   timestamp (4)   length of the rest (2)   the rest: CSRCs, extension, payload, padding
//! ```

pub mod ahead;
pub mod flexfec;
pub mod flexfec03;
pub mod neighbours;
pub mod red;
pub mod ulpfec;
pub mod window;

use crate::ext::{Extension, ExtensionMap};
use crate::rtp::{FIXED_HEADER_LEN, RtpHeader};
use crate::{SeqNo, Ssrc};
use arrayvec::ArrayVec;
use thiserror::Error;

/// The most that is protected of one packet after its fixed header; more does not fit a datagram.
const BODY_MAX: usize = 65_535 - FIXED_HEADER_LEN;

/// Why a group cannot be protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum EncodeError {
    #[error("a group of nothing")]
    Empty,
    #[error("a packet shorter than its fixed header, or longer than a datagram")]
    NotRtp,
    #[error("packets of more than one source")]
    OtherSource,
    #[error("sequence numbers further apart than the mask reaches, or one twice")]
    TooFar,
}

/// Why nothing came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RecoverError {
    #[error("not a FEC payload of this format")]
    Malformed,
    #[error("every protected packet is there")]
    NothingMissing,
    #[error("more than one protected packet is missing")]
    TooManyMissing,
    #[error("the group contradicts itself: what it yields is no packet")]
    Contradiction,
}

/// Exclusive or over what is protected of a group.
#[derive(Clone, Default)]
struct Parity {
    first: [u8; 2],
    timestamp: [u8; 4],
    length: u16,
    body: Vec<u8>,
}

impl Parity {
    /// Grows to the longest packet of the group.
    fn protect(&mut self, packet: &[u8]) -> Result<(), EncodeError> {
        let body = packet.len().saturating_sub(FIXED_HEADER_LEN);
        if self.body.len() < body.min(BODY_MAX) {
            self.body.resize(body.min(BODY_MAX), 0);
        }
        self.add(packet)
    }

    /// Only as far as the repair packet protects: beyond it there is nothing to take the packets apart with.
    fn add(&mut self, packet: &[u8]) -> Result<(), EncodeError> {
        let (fixed, body) = packet.split_first_chunk::<FIXED_HEADER_LEN>().ok_or(EncodeError::NotRtp)?;
        if body.len() > BODY_MAX {
            return Err(EncodeError::NotRtp);
        }
        xor(&mut self.first, &fixed[..2]);
        xor(&mut self.timestamp, &fixed[4..8]);
        self.length ^= body.len() as u16;
        xor(&mut self.body, body);
        Ok(())
    }

    /// The exclusive or of what two repair packets protect.
    fn merge(&mut self, other: &Self) {
        xor(&mut self.first, &other.first);
        xor(&mut self.timestamp, &other.timestamp);
        self.length ^= other.length;
        self.body.resize(self.body.len().max(other.body.len()), 0);
        xor(&mut self.body, &other.body);
    }

    /// What is left once every other packet was added: the missing one, with its number and source put back.
    fn into_packet(self, seq: SeqNo, ssrc: Ssrc, out: &mut Vec<u8>) -> Result<(), RecoverError> {
        let length = usize::from(self.length);
        let body = self.body.get(..length).ok_or(RecoverError::Contradiction)?;
        out.clear();
        out.extend([0x80 | self.first[0] & 0x3f, self.first[1]]);
        out.extend(seq.0.to_be_bytes());
        out.extend(self.timestamp);
        out.extend(ssrc.0.to_be_bytes());
        out.extend_from_slice(body);
        Ok(())
    }
}

fn xor(into: &mut [u8], from: &[u8]) {
    for (a, b) in into.iter_mut().zip(from) {
        *a ^= b;
    }
}

/// Sequence number and source of a whole RTP packet.
fn identity(packet: &[u8]) -> Result<(SeqNo, Ssrc), EncodeError> {
    let fixed = packet.first_chunk::<FIXED_HEADER_LEN>().ok_or(EncodeError::NotRtp)?;
    let seq = SeqNo(u16::from_be_bytes([fixed[2], fixed[3]]));
    Ok((seq, Ssrc(u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]))))
}

/// Packets that one repair packet protects.
struct Group {
    source: Ssrc,
    base: SeqNo,
    /// Bit n, from the top of 128: the packet `base + n` is protected.
    mask: u128,
    /// Largest offset from the base.
    farthest: u16,
    parity: Parity,
}

impl Group {
    /// Whole RTP packets of one source in any order, none twice, all less than `reach` (at most 128) behind the first.
    fn of(packets: &[&[u8]], reach: u16) -> Result<Self, EncodeError> {
        let first = packets.first().ok_or(EncodeError::Empty)?;
        let (mut base, source) = identity(first)?;
        for packet in packets {
            let (seq, ssrc) = identity(packet)?;
            if ssrc != source {
                return Err(EncodeError::OtherSource);
            }
            if base.is_newer_than(seq) {
                base = seq;
            }
        }
        let mut group = Self { source, base, mask: 0, farthest: 0, parity: Parity::default() };
        for packet in packets {
            let offset = identity(packet)?.0.since(base) as u16;
            if offset >= reach || group.mask << offset >> 127 == 1 {
                return Err(EncodeError::TooFar);
            }
            group.mask |= 1 << (127 - offset);
            group.farthest = group.farthest.max(offset);
            group.parity.protect(packet)?;
        }
        Ok(group)
    }
}

/// Sequence numbers of a mask as [`Group`] has it, ascending from the base.
fn numbers(base: SeqNo, mask: u128, reach: u16) -> impl Iterator<Item = SeqNo> + Clone + use<> {
    (0..reach).filter(move |offset| mask << offset >> 127 == 1).map(move |offset| base.plus(offset))
}

/// Adds what was received of `protected` to `parity` and gives back the one packet that is missing.
fn recover_one<'a>(
    mut parity: Parity,
    ssrc: Ssrc,
    protected: impl Iterator<Item = SeqNo> + Clone,
    received: impl Fn(SeqNo) -> Option<&'a [u8]>,
    out: &mut Vec<u8>,
) -> Result<SeqNo, RecoverError> {
    let mut missing = protected.clone().filter(|seq| received(*seq).is_none());
    let lost = missing.next().ok_or(RecoverError::NothingMissing)?;
    if missing.next().is_some() {
        return Err(RecoverError::TooManyMissing);
    }
    for packet in protected.filter_map(received) {
        parity.add(packet).map_err(|_| RecoverError::Contradiction)?;
    }
    parity.into_packet(lost, ssrc, out)?;
    Ok(lost)
}

/// Sets to zero what is stamped into a packet after it was protected, or anew on each leg: transport-wide sequence number and
/// absolute send time. Whoever encodes and whoever decodes does this first (as libwebrtc does). Nothing changes in what is
/// not RTP.
pub fn zero_mutable_extensions(packet: &mut [u8], map: &ExtensionMap) {
    let Ok(header) = RtpHeader::parse(packet) else { return };
    let start = packet.as_ptr() as usize;
    let mutable =
        |id| matches!(map.extension(id), Some(Extension::TransportSequence | Extension::AbsSendTime));
    let ranges: ArrayVec<_, 4> = header
        .elements(packet)
        .filter(|element| mutable(element.id))
        .map(|element| {
            let at = element.bytes.as_ptr() as usize - start;
            at..at + element.bytes.len()
        })
        .take(4)
        .collect();
    for range in ranges {
        packet[range].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext::{TransportSequence, Values};
    use crate::rtp::Outgoing;

    pub(super) const SOURCE: Ssrc = Ssrc(0xabcd_ef01);

    /// Packets of different length and header shape around the wrap of the sequence number.
    pub(super) fn group(seqs: &[u16]) -> Vec<Vec<u8>> {
        let packet = |(n, &seq): (usize, &u16)| {
            let csrcs = n % 3;
            let mut packet = vec![0x80 | csrcs as u8, 96 | ((n as u8 & 1) << 7)];
            packet.extend(seq.to_be_bytes());
            packet.extend((0xffff_ff00u32.wrapping_add(n as u32 * 200)).to_be_bytes());
            packet.extend(SOURCE.0.to_be_bytes());
            packet.extend(std::iter::repeat_n(0x11 * n as u8, csrcs * 4));
            packet.extend((0..n * 37 % 90).map(|i| (i * 7 + n) as u8));
            packet
        };
        seqs.iter().enumerate().map(packet).collect()
    }

    /// Two packets by hand: their exclusive or can be checked by eye.
    pub(super) const BY_HAND: [&[u8]; 2] = [
        &[0x80, 0x80 | 11, 0, 8, 0, 0, 0, 3, 0, 0, 0, 2, 0xaa, 0xbb],
        &[0x80, 18, 0, 9, 0, 0, 0, 5, 0, 0, 0, 2, 0x0f],
    ];

    pub(super) type Encode = fn(&[&[u8]], &mut Vec<u8>) -> Result<(), EncodeError>;
    pub(super) type Recover =
        fn(&[u8], &dyn Fn(SeqNo) -> Option<&'static [u8]>, &mut Vec<u8>) -> Result<SeqNo, RecoverError>;

    pub(super) fn encoded(encode: Encode, packets: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&packets.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut out).unwrap();
        out
    }

    /// What comes back without the packets `gone`. (Leaks its packets: so a plain function pointer can recover.)
    pub(super) fn recovered(
        recover: Recover,
        fec: &[u8],
        packets: &[Vec<u8>],
        gone: &[usize],
    ) -> Result<Vec<u8>, RecoverError> {
        let kept: Vec<(SeqNo, &'static [u8])> = packets
            .iter()
            .enumerate()
            .filter(|(n, _)| !gone.contains(n))
            .map(|(_, p)| (identity(p).unwrap().0, &*p.clone().leak()))
            .collect();
        let mut out = Vec::new();
        recover(fec, &|seq| kept.iter().find(|(s, _)| *s == seq).map(|(_, p)| *p), &mut out)?;
        Ok(out)
    }

    /// Each packet of the group comes back byte for byte when it alone is missing; two missing do not.
    pub(super) fn any_one_comes_back(seqs: &[u16], encode: Encode, recover: Recover) {
        let packets = group(seqs);
        let fec = encoded(encode, &packets);
        for (lost, packet) in packets.iter().enumerate() {
            assert_eq!(recovered(recover, &fec, &packets, &[lost]).as_ref(), Ok(packet), "packet {lost}");
        }
        assert_eq!(recovered(recover, &fec, &packets, &[]), Err(RecoverError::NothingMissing));
        if packets.len() > 1 {
            assert_eq!(recovered(recover, &fec, &packets, &[0, 1]), Err(RecoverError::TooManyMissing));
        }
    }

    pub(super) fn impossible_groups_are_refused(encode: Encode, reach: u16) {
        let all = |seqs: &[u16]| {
            let packets = group(seqs);
            encode(&packets.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut Vec::new())
        };
        assert_eq!(all(&[]), Err(EncodeError::Empty));
        assert_eq!(all(&[5, 5 + reach]), Err(EncodeError::TooFar));
        assert_eq!(all(&[1, 1]), Err(EncodeError::TooFar));
        let mut other = group(&[1, 2]);
        other[1][8] ^= 1;
        assert_eq!(encode(&[&other[0], &other[1]], &mut Vec::new()), Err(EncodeError::OtherSource));
        assert_eq!(encode(&[&[0x80; 11]], &mut Vec::new()), Err(EncodeError::NotRtp));
    }

    #[test]
    fn what_is_stamped_later_is_not_protected() {
        let mut map = ExtensionMap::default();
        map.set(Extension::TransportSequence, 3);
        map.set(Extension::Mid, 4);
        let packet = |sequence| {
            let extensions = Values {
                mid: crate::Mid::new("1"),
                transport_sequence: Some(TransportSequence(sequence)),
                ..Values::default()
            };
            let mut bytes = [0; 100];
            let outgoing = Outgoing { payload: &[7, 8], extensions, ..Outgoing::default() };
            let len = outgoing.write(&map, &mut bytes).unwrap().len;
            bytes[..len].to_vec()
        };
        let (mut one, mut other) = (packet(1), packet(0xffff));
        assert_ne!(one, other);
        zero_mutable_extensions(&mut one, &map);
        zero_mutable_extensions(&mut other, &map);
        assert_eq!(one, other);
        assert_eq!(one, packet(0), "everything else stays");
        let mut noise = [0x9f; 7];
        zero_mutable_extensions(&mut noise, &map);
        assert_eq!(noise, [0x9f; 7]);
    }
}
