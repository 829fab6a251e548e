//! Walking a datagram: one element per packet, each with its length checked.

use super::*;
use crate::Ssrc;
use thiserror::Error;

/// Why an element of a compound is not a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    #[error("version is not 2")]
    Version,
    #[error("element ends after the datagram")]
    Length,
    #[error("padding is zero, longer than the element, or not in the last one")]
    Padding,
    #[error("the body does not match its type")]
    Body,
}

/// Packets of one datagram. A malformed body is an error and the walk goes on behind it; a broken header ends it.
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

/// One element: header fields and the body without header and padding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub packet_type: u8,
    /// Count or feedback message type, 0-31.
    pub format: u8,
    pub body: &'a [u8],
}

impl<'a> Compound<'a> {
    pub fn iter(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    fn element(&mut self) -> Result<Element<'a>, ParseError> {
        let all = std::mem::take(&mut self.rest);
        let &[first, packet_type, l0, l1] = all.first_chunk::<4>().ok_or(ParseError::Length)?;
        if first >> 6 != 2 {
            return Err(ParseError::Version);
        }
        let len = 4 + usize::from(u16::from_be_bytes([l0, l1])) * 4;
        let (element, rest) = all.split_at_checked(len).ok_or(ParseError::Length)?;
        let mut body = &element[4..];
        if first & 0x20 != 0 {
            let padding = usize::from(body.last().copied().unwrap_or(0));
            if padding == 0 || padding > body.len() || !rest.is_empty() {
                return Err(ParseError::Padding);
            }
            body = &body[..body.len() - padding];
        }
        self.rest = rest;
        Ok(Element { packet_type, format: first & 0x1f, body })
    }
}

impl Iterator for Compound<'_> {
    type Item = Result<Packet, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        Some(self.element().and_then(|element| element.read()))
    }
}

/// Packet types (RFC 3550 section 12.1, RFC 4585 section 6.1).
pub(super) const RTPFB: u8 = 205;
pub(super) const PSFB: u8 = 206;

impl Element<'_> {
    fn read(&self) -> Result<Packet, ParseError> {
        let packet = match (self.packet_type, self.format) {
            (200, _) => SenderReport::read(self).map(Packet::SenderReport),
            (201, _) => ReceiverReport::read(self).map(Packet::ReceiverReport),
            (202, _) => SourceDescription::read(self).map(Packet::SourceDescription),
            (203, _) => Goodbye::read(self).map(Packet::Goodbye),
            (RTPFB, nack::FORMAT) => Nack::read(self).map(Packet::Nack),
            (RTPFB, transport_feedback::FORMAT) => {
                TransportFeedback::read(self).map(Packet::TransportFeedback)
            }
            (PSFB, pli::FORMAT) => Pli::read(self).map(Packet::Pli),
            (PSFB, fir::FORMAT) => Fir::read(self).map(Packet::Fir),
            // "Application layer feedback": only those that name themselves REMB are it.
            (PSFB, remb::FORMAT) if Remb::is_one(self) => Remb::read(self).map(Packet::Remb),
            (packet_type, format) => Some(Packet::Unknown { packet_type, format }),
        };
        packet.ok_or(ParseError::Body)
    }

    /// The element as the `rtcp` crate wants it: with its header, without padding.
    pub fn unmarshal<T: webrtc_util::Unmarshal>(&self) -> Option<T> {
        let words = u16::try_from(self.body.len() / 4).ok().filter(|_| self.body.len().is_multiple_of(4))?;
        let mut bytes = Vec::with_capacity(4 + self.body.len());
        write_header(self.format, self.packet_type, words, &mut bytes);
        bytes.extend_from_slice(self.body);
        T::unmarshal(&mut bytes.as_slice()).ok()
    }

    /// Body of a feedback message (RFC 4585 section 6.1): packet sender, media source, feedback control information.
    pub fn feedback(&self) -> Option<(Ssrc, Ssrc, &[u8])> {
        let (&[a, b, c, d, e, f, g, h], fci) = self.body.split_first_chunk::<8>()?;
        Some((Ssrc(u32::from_be_bytes([a, b, c, d])), Ssrc(u32::from_be_bytes([e, f, g, h])), fci))
    }
}

/// `words` is the length of what follows the header, in 32-bit words.
pub(super) fn write_header(format: u8, packet_type: u8, words: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x80 | format & 0x1f, packet_type]);
    out.extend_from_slice(&words.to_be_bytes());
}
