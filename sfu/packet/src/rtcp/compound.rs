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
const SR: u8 = 200;
const RR: u8 = 201;
pub(super) const SDES: u8 = 202;
pub(super) const BYE: u8 = 203;
pub(super) const RTPFB: u8 = 205;
pub(super) const PSFB: u8 = 206;

impl Element<'_> {
    fn read(&self) -> Result<Packet, ParseError> {
        let packet = match (self.packet_type, self.format) {
            (SR, _) => SenderReport::read(self).map(Packet::SenderReport),
            (RR, _) => ReceiverReport::read(self).map(Packet::ReceiverReport),
            (SDES, _) => SourceDescription::read(self).map(Packet::SourceDescription),
            (BYE, _) => Goodbye::read(self).map(Packet::Goodbye),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NtpTime, RtpTime};

    fn all() -> Vec<Packet> {
        let block = ReceptionReport { ssrc: Ssrc(3), fraction_lost: 255, ..ReceptionReport::default() };
        vec![
            Packet::SenderReport(SenderReport {
                ssrc: Ssrc(u32::MAX),
                ntp: NtpTime(u64::MAX),
                rtp: RtpTime(u32::MAX),
                packets: u32::MAX,
                octets: 1,
                reports: vec![block],
            }),
            Packet::ReceiverReport(ReceiverReport { ssrc: Ssrc(1), reports: vec![block, block] }),
            Packet::SourceDescription(SourceDescription { cnames: vec![(Ssrc(1), "sampan".into())] }),
            Packet::Goodbye(Goodbye { ssrcs: vec![Ssrc(1), Ssrc(2)] }),
            Packet::Nack(Nack::new(Ssrc(1), Ssrc(2), [crate::SeqNo(0xffff)])),
            Packet::Pli(Pli { sender: Ssrc(1), media: Ssrc(2) }),
            Packet::Fir(Fir { sender: Ssrc(1), entries: vec![FirEntry { media: Ssrc(2), seq: 255 }] }),
            Packet::Remb(Remb { sender: Ssrc(1), bitrate: crate::Bitrate::kbps(512), ssrcs: vec![Ssrc(2)] }),
        ]
    }

    fn bytes(packets: &[Packet]) -> Vec<u8> {
        let mut out = Vec::new();
        packets.iter().for_each(|p| p.write(&mut out));
        out
    }

    #[test]
    fn a_compound_of_every_kind_round_trips() {
        let read: Vec<_> = Compound::iter(&bytes(&all())).collect();
        assert_eq!(read, all().into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn each_kind_cut_to_any_length_is_an_error_or_smaller_and_never_a_panic() {
        for packet in all() {
            let whole = bytes(std::slice::from_ref(&packet));
            for words in 0..whole.len() / 4 - 1 {
                let mut cut = whole[..4 + words * 4].to_vec();
                cut[2..4].copy_from_slice(&(words as u16).to_be_bytes());
                let read: Vec<_> = Compound::iter(&cut).collect();
                assert_ne!(read, [Ok(packet.clone())], "{words} words");
                assert_eq!(read.len(), 1);
            }
        }
    }

    #[test]
    fn a_bad_body_does_not_hide_the_packet_behind_it() {
        let pli = Packet::Pli(Pli { sender: Ssrc(1), media: Ssrc(2) });
        let broken = [0x81, 200, 0, 1, 0, 0, 0, 1];
        let mixed = [&broken[..], &bytes(std::slice::from_ref(&pli))].concat();
        assert_eq!(Compound::iter(&mixed).collect::<Vec<_>>(), [Err(ParseError::Body), Ok(pli)]);
    }

    #[test]
    fn broken_headers_end_the_walk() {
        for (name, datagram, expected) in [
            ("half a header", &[0x80, 200][..], ParseError::Length),
            ("version 1", &[0x40, 200, 0, 0], ParseError::Version),
            ("longer than the datagram", &[0x80, 200, 0, 1, 0, 0, 0], ParseError::Length),
            ("padding without a body", &[0xa0, 203, 0, 0], ParseError::Padding),
            ("padding of zero", &[0xa0, 203, 0, 1, 0, 0, 0, 0], ParseError::Padding),
            ("padding longer than the body", &[0xa0, 203, 0, 1, 0, 0, 0, 5], ParseError::Padding),
            ("padding not at the end", &[0xa0, 203, 0, 1, 0, 0, 0, 4, 0x80, 203, 0, 0], ParseError::Padding),
        ] {
            assert_eq!(Compound::iter(datagram).collect::<Vec<_>>(), [Err(expected)], "{name}");
        }
    }

    #[test]
    fn padding_is_cut_before_the_body_is_read() {
        let padded = [0xa1, 203, 0, 2, 0, 0, 0, 7, 0, 0, 0, 4];
        let bye = Packet::Goodbye(Goodbye { ssrcs: vec![Ssrc(7)] });
        assert_eq!(Compound::iter(&padded).collect::<Vec<_>>(), [Ok(bye)]);
    }

    #[test]
    fn what_we_do_not_act_on_is_unknown_and_not_an_error() {
        let app = [0x85, 204, 0, 1, 1, 2, 3, 4];
        let afb = [0x8f, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, b'x', b'y', b'z', b'w'];
        for (datagram, packet_type, format) in [(&app[..], 204, 5), (&afb, 206, 15)] {
            let unknown = Packet::Unknown { packet_type, format };
            assert_eq!(Compound::iter(datagram).collect::<Vec<_>>(), [Ok(unknown)]);
        }
    }
}
