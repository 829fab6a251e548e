//! Forward error correction as pure functions, for the receive side and the SFU alike: RED (RFC 2198) repeats payloads,
//! ULPFEC (RFC 5109) and FlexFEC (RFC 8627) send the exclusive or of packets, so that one missing packet of a group comes back.
//!
//! What both of the latter protect of a packet, and in this order:
//!
//! ```text
//!  byte 0 (P X CC)   byte 1 (M PT)   timestamp (4)   length of the rest (2)   the rest: CSRCs, extension, payload, padding
//! ```

pub mod flexfec;
pub mod red;
pub mod ulpfec;

use crate::rtp::FIXED_HEADER_LEN;
use crate::{SeqNo, Ssrc};
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
    fn add(&mut self, packet: &[u8]) -> Result<(), EncodeError> {
        let (fixed, body) = packet.split_first_chunk::<FIXED_HEADER_LEN>().ok_or(EncodeError::NotRtp)?;
        if body.len() > BODY_MAX {
            return Err(EncodeError::NotRtp);
        }
        xor(&mut self.first, &fixed[..2]);
        xor(&mut self.timestamp, &fixed[4..8]);
        self.length ^= body.len() as u16;
        if self.body.len() < body.len() {
            self.body.resize(body.len(), 0);
        }
        xor(&mut self.body, body);
        Ok(())
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

/// The base number, and for each packet its offset from it; packets may come in any order.
fn offsets(packets: &[&[u8]], reach: u16) -> Result<(SeqNo, Ssrc, Vec<u16>), EncodeError> {
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
    let mut offsets = Vec::with_capacity(packets.len());
    for packet in packets {
        let offset = identity(packet)?.0.since(base) as u16;
        if offset >= reach || offsets.contains(&offset) {
            return Err(EncodeError::TooFar);
        }
        offsets.push(offset);
    }
    Ok((base, source, offsets))
}

/// Adds what was received of `protected` to `parity` and gives back the one packet that is missing.
fn recover_one<'a>(
    mut parity: Parity,
    ssrc: Ssrc,
    protected: impl Iterator<Item = SeqNo>,
    received: impl Fn(SeqNo) -> Option<&'a [u8]>,
    out: &mut Vec<u8>,
) -> Result<SeqNo, RecoverError> {
    let mut missing = None;
    for seq in protected {
        match received(seq) {
            Some(packet) => parity.add(packet).map_err(|_| RecoverError::Contradiction)?,
            None if missing.is_some() => return Err(RecoverError::TooManyMissing),
            None => missing = Some(seq),
        }
    }
    let seq = missing.ok_or(RecoverError::NothingMissing)?;
    parity.into_packet(seq, ssrc, out)?;
    Ok(seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of different length and header shape around the wrap of the sequence number.
    pub(super) fn group(seqs: &[u16]) -> Vec<Vec<u8>> {
        let packet = |(n, &seq): (usize, &u16)| {
            let csrcs = n % 3;
            let mut packet = vec![0x80 | csrcs as u8, 96 | ((n as u8 & 1) << 7)];
            packet.extend(seq.to_be_bytes());
            packet.extend((0xffff_ff00u32.wrapping_add(n as u32 * 200)).to_be_bytes());
            packet.extend(0xabcd_ef01u32.to_be_bytes());
            packet.extend(std::iter::repeat_n(0x11 * n as u8, csrcs * 4));
            packet.extend((0..n * 37 % 90).map(|i| (i * 7 + n) as u8));
            packet
        };
        seqs.iter().enumerate().map(packet).collect()
    }

    pub(super) type Recover = fn(&[u8], &dyn Fn(SeqNo) -> Option<Vec<u8>>) -> Result<Vec<u8>, RecoverError>;

    /// Each packet of the group comes back byte for byte when it alone is missing; two missing do not.
    pub(super) fn any_one_comes_back(packets: &[Vec<u8>], fec: &[u8], recover: Recover) {
        let seq = |p: &[u8]| identity(p).unwrap().0;
        let without = |gone: &[usize], wanted: SeqNo| {
            packets
                .iter()
                .enumerate()
                .find(|(n, p)| seq(p) == wanted && !gone.contains(n))
                .map(|(_, p)| p.clone())
        };
        for (lost, packet) in packets.iter().enumerate() {
            let back = recover(fec, &|s| without(&[lost], s)).unwrap();
            assert_eq!(&back, packet, "packet {lost}");
        }
        assert_eq!(recover(fec, &|s| without(&[], s)), Err(RecoverError::NothingMissing));
        if packets.len() > 1 {
            assert_eq!(recover(fec, &|s| without(&[0, 1], s)), Err(RecoverError::TooManyMissing));
        }
    }
}
