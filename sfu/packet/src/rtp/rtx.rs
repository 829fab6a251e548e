//! Retransmission payload format (RFC 4588 section 4): the original sequence number, then the original payload.
//! Sending it is [`Outgoing::osn`](super::Outgoing::osn); receiving it is [`restore`].

use super::{RtpHeader, set_payload_type, set_seq, set_ssrc};
use crate::{PayloadType, SeqNo, Ssrc};
use thiserror::Error;

/// The bytes that the RTX form adds to a packet.
pub const OSN_LEN: usize = 2;

/// Why an RTX packet holds no original packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RtxError {
    /// Senders probe with RTX packets that are only padding; they count for feedback and then end here.
    #[error("only padding")]
    OnlyPadding,
    #[error("no original sequence number")]
    Short,
}

/// The original sequence number, without changing anything.
pub fn osn(header: &RtpHeader, packet: &[u8]) -> Result<SeqNo, RtxError> {
    match header.payload(packet) {
        [] => Err(RtxError::OnlyPadding),
        [a, b, ..] => Ok(SeqNo(u16::from_be_bytes([*a, *b]))),
        _ => Err(RtxError::Short),
    }
}

/// Turns an RTX packet back into the original, in place and without moving the payload: the header moves two bytes
/// towards it. Returns the original packet, which starts two bytes later than `packet`. Extensions stay as received
/// (they are the retransmission's own: a new transport sequence number, `repaired-rtp-stream-id` for `rid`).
pub fn restore<'a>(
    header: &RtpHeader,
    packet: &'a mut [u8],
    pt: PayloadType,
    ssrc: Ssrc,
) -> Result<&'a mut [u8], RtxError> {
    let seq = osn(header, packet)?;
    packet.copy_within(..header.header_len(), OSN_LEN);
    let original = &mut packet[OSN_LEN..];
    set_payload_type(original, pt);
    set_seq(original, seq);
    set_ssrc(original, ssrc);
    Ok(original)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_payload_is_no_original() {
        for (name, first, tail, expected) in [
            ("only padding", 0xa0, &[0, 0, 3][..], RtxError::OnlyPadding),
            ("empty", 0x80, &[], RtxError::OnlyPadding),
            ("one byte", 0x80, &[1], RtxError::Short),
            ("one byte and padding", 0xa0, &[1, 0, 2], RtxError::Short),
        ] {
            let mut packet = vec![first, 97, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
            packet.extend_from_slice(tail);
            let header = RtpHeader::parse(&packet).unwrap();
            let before = packet.clone();
            assert_eq!(restore(&header, &mut packet, PayloadType(1), Ssrc(1)), Err(expected), "{name}");
            assert_eq!(packet, before, "{name}: unchanged");
        }
    }

    #[test]
    fn a_header_of_another_packet_does_not_panic() {
        let long = RtpHeader::parse(&[&[0x8f, 97][..], &[0; 90]].concat()).unwrap();
        assert_eq!(osn(&long, &[0; 20]), Err(RtxError::OnlyPadding));
    }
}
