//! Reading: bytes to numbers and ranges, once.

use super::{CSRC_LEN, FIXED_HEADER_LEN};
use crate::ext::Elements;
use crate::{PayloadType, RtpTime, SeqNo, Ssrc};
use std::ops::Range;
use thiserror::Error;

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    #[error("shorter than the fixed header")]
    Short,
    #[error("longer than 65535 bytes")]
    Long,
    #[error("version is not 2")]
    Version,
    #[error("CSRC list ends after the packet")]
    Csrc,
    #[error("header extension ends after the packet")]
    Extension,
    #[error("padding length is zero or longer than the payload")]
    Padding,
}

/// One packet's header. Offsets are bytes from the packet's start and valid for the packet it was parsed from (or
/// one of the same length and shape).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RtpHeader {
    pub marker: bool,
    pub pt: PayloadType,
    pub seq: SeqNo,
    pub timestamp: RtpTime,
    pub ssrc: Ssrc,
    /// Number of contributing sources, 0-15.
    pub csrc_count: u8,
    /// The 16 bits "defined by profile": 0xBEDE one-byte form, 0x100x two-byte form. `None`: no extension.
    pub extension_profile: Option<u16>,
    extension_start: u16,
    payload_start: u16,
    payload_end: u16,
    /// Padding bytes at the end, the count byte included; zero without padding.
    pub padding_len: u8,
}

impl RtpHeader {
    /// Parses and checks every length: afterwards all ranges lie inside `packet`.
    pub fn parse(packet: &[u8]) -> Result<Self, ParseError> {
        let Some((fixed, _)) = packet.split_first_chunk::<12>() else {
            return Err(ParseError::Short);
        };
        if fixed[0] >> 6 != 2 {
            return Err(ParseError::Version);
        }
        let total = u16::try_from(packet.len()).map_err(|_| ParseError::Long)?;
        let csrc_count = fixed[0] & 0x0f;
        let csrc_end = 12 + u16::from(csrc_count) * 4;
        if csrc_end > total {
            return Err(ParseError::Csrc);
        }
        let (extension_profile, extension_start, payload_start) = if fixed[0] & 0x10 != 0 {
            let at = usize::from(csrc_end);
            let Some(&[p0, p1, l0, l1]) = packet[at..].first_chunk::<4>() else {
                return Err(ParseError::Extension);
            };
            let end = at + 4 + usize::from(u16::from_be_bytes([l0, l1])) * 4;
            if end > packet.len() {
                return Err(ParseError::Extension);
            }
            (Some(u16::from_be_bytes([p0, p1])), csrc_end + 4, end as u16)
        } else {
            (None, csrc_end, csrc_end)
        };
        let padding_len = if fixed[0] & 0x20 != 0 { packet[packet.len() - 1] } else { 0 };
        let padded = fixed[0] & 0x20 != 0;
        if padded && (padding_len == 0 || u16::from(padding_len) > total - payload_start) {
            return Err(ParseError::Padding);
        }
        Ok(Self {
            marker: fixed[1] & 0x80 != 0,
            pt: PayloadType(fixed[1] & 0x7f),
            seq: SeqNo(u16::from_be_bytes([fixed[2], fixed[3]])),
            timestamp: RtpTime(u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]])),
            ssrc: Ssrc(u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]])),
            csrc_count,
            extension_profile,
            extension_start,
            payload_start,
            payload_end: total - u16::from(padding_len),
            padding_len,
        })
    }

    /// The first contributing source; `None` also if `packet` is not the one that was parsed and too short.
    pub fn first_csrc(&self, packet: &[u8]) -> Option<Ssrc> {
        let first = packet.get(FIXED_HEADER_LEN..)?.first_chunk::<CSRC_LEN>()?;
        (self.csrc_count > 0).then_some(Ssrc(u32::from_be_bytes(*first)))
    }
    /// Where the payload is, without padding.
    pub fn payload_range(&self) -> Range<usize> {
        usize::from(self.payload_start)..usize::from(self.payload_end)
    }
    /// Where the extension elements are, without the four bytes of profile and length; empty without extension.
    pub fn extension_range(&self) -> Range<usize> {
        usize::from(self.extension_start)..usize::from(self.payload_start)
    }
    /// Everything before the payload, in bytes.
    pub fn header_len(&self) -> usize {
        usize::from(self.payload_start)
    }
    /// The payload without padding; empty if `packet` is not the one that was parsed and too short.
    pub fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(self.payload_range()).unwrap_or_default()
    }
    /// Extension elements as (id, bytes); nothing for an unknown profile.
    pub fn elements<'a>(&self, packet: &'a [u8]) -> Elements<'a> {
        let bytes = packet.get(self.extension_range()).unwrap_or_default();
        Elements::new(self.extension_profile, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed() -> Vec<u8> {
        vec![0x80, 0x80 | 96, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 1, 2, 3, 4]
    }

    #[test]
    fn numbers_at_the_wrap_are_read_as_they_are() {
        let header = RtpHeader::parse(&fixed()).unwrap();
        assert!(header.marker);
        assert_eq!(header.pt, PayloadType(96));
        assert_eq!(header.seq, SeqNo(0xffff));
        assert_eq!(header.seq.plus(1), SeqNo(0));
        assert_eq!(header.timestamp, RtpTime(0xffff_fffe));
        assert_eq!(header.ssrc, Ssrc(0x0102_0304));
        assert_eq!(header.payload_range(), 12..12);
    }

    #[test]
    fn truncation_is_an_error_with_its_name() {
        let with = |first: u8, tail: &[u8]| {
            let mut packet = fixed();
            packet[0] = first;
            packet.extend_from_slice(tail);
            RtpHeader::parse(&packet).map(|h| h.payload_range())
        };
        for (name, first, tail, expected) in [
            ("no payload", 0x80, &[][..], Ok(12..12)),
            ("version 1", 0x40, &[], Err(ParseError::Version)),
            ("one CSRC, three bytes", 0x81, &[0; 3], Err(ParseError::Csrc)),
            ("one CSRC", 0x81, &[0; 5], Ok(16..17)),
            ("extension without its length", 0x90, &[0xbe, 0xde, 0], Err(ParseError::Extension)),
            (
                "extension longer than the packet",
                0x90,
                &[0xbe, 0xde, 0, 2, 0, 0, 0, 0],
                Err(ParseError::Extension),
            ),
            ("extension length at its maximum", 0x90, &[0xbe, 0xde, 0xff, 0xff], Err(ParseError::Extension)),
            ("empty extension", 0x90, &[0xbe, 0xde, 0, 0, 9], Ok(16..17)),
            ("extension of one word", 0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0, 0, 9], Ok(20..21)),
            ("padding of zero", 0xa0, &[7, 0], Err(ParseError::Padding)),
            ("padding longer than the payload", 0xa0, &[7, 3], Err(ParseError::Padding)),
            ("padding over the whole payload", 0xa0, &[0, 2], Ok(12..12)),
            ("padding of one", 0xa0, &[7, 1], Ok(12..13)),
            ("padding bit without a byte for its length", 0xa0, &[], Err(ParseError::Padding)),
        ] {
            assert_eq!(with(first, tail), expected, "{name}");
        }
        assert_eq!(RtpHeader::parse(&fixed()[..11]), Err(ParseError::Short));
        assert_eq!(RtpHeader::parse(&vec![0x80; 65_536]), Err(ParseError::Long));
        assert!(RtpHeader::parse(&vec![0x80; 65_535]).is_ok());
    }
}
