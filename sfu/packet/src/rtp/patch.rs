//! Changes in place, of a packet that `RtpHeader::parse` accepted: same length, or longer by padding.
//! Each setter does nothing on fewer than 12 bytes, so that it cannot panic.

use super::NoRoom;
use crate::{PayloadType, RtpTime, SeqNo, Ssrc};

/// The most padding one packet can carry: its length is one byte (RFC 3550 section 5.1).
pub const PADDING_MAX: usize = 255;

fn fixed(packet: &mut [u8]) -> Option<&mut [u8; 12]> {
    packet.first_chunk_mut()
}

pub fn set_marker(packet: &mut [u8], marker: bool) {
    if let Some(h) = fixed(packet) {
        h[1] = h[1] & 0x7f | u8::from(marker) << 7;
    }
}

pub fn set_payload_type(packet: &mut [u8], pt: PayloadType) {
    if let Some(h) = fixed(packet) {
        h[1] = h[1] & 0x80 | pt.0 & 0x7f;
    }
}

pub fn set_seq(packet: &mut [u8], seq: SeqNo) {
    if let Some(h) = fixed(packet) {
        h[2..4].copy_from_slice(&seq.0.to_be_bytes());
    }
}

pub fn set_timestamp(packet: &mut [u8], timestamp: RtpTime) {
    if let Some(h) = fixed(packet) {
        h[4..8].copy_from_slice(&timestamp.0.to_be_bytes());
    }
}

pub fn set_ssrc(packet: &mut [u8], ssrc: Ssrc) {
    if let Some(h) = fixed(packet) {
        h[8..12].copy_from_slice(&ssrc.0.to_be_bytes());
    }
}

/// Makes the packet of `len` bytes at the start of `buffer` longer by `more` bytes of padding and returns the new
/// length. Padding that is there stays and is counted. Fails if `buffer` or the count byte has no room.
pub fn add_padding(buffer: &mut [u8], len: usize, more: usize) -> Result<usize, NoRoom> {
    if more == 0 {
        return Ok(len);
    }
    if len < super::FIXED_HEADER_LEN || len > buffer.len() {
        return Err(NoRoom);
    }
    let before = if buffer[0] & 0x20 != 0 { usize::from(buffer[len - 1]) } else { 0 };
    let count = before.checked_add(more).filter(|&n| n <= PADDING_MAX).ok_or(NoRoom)?;
    let added = buffer.get_mut(len..len + more).ok_or(NoRoom)?;
    added.fill(0);
    added[more - 1] = count as u8;
    buffer[0] |= 0x20;
    Ok(len + more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::RtpHeader;

    fn packet() -> Vec<u8> {
        vec![0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xaa, 0xbb]
    }

    #[test]
    fn setters_touch_only_their_field() {
        let mut packet = packet();
        set_marker(&mut packet, true);
        set_payload_type(&mut packet, PayloadType(0xff));
        set_seq(&mut packet, SeqNo(0).plus(0xffff));
        set_timestamp(&mut packet, RtpTime(0).plus(u32::MAX));
        set_ssrc(&mut packet, Ssrc(0x0a0b_0c0d));
        assert_eq!(packet, [0x80, 0xff, 255, 255, 255, 255, 255, 255, 10, 11, 12, 13, 0xaa, 0xbb]);
        set_marker(&mut packet, false);
        set_payload_type(&mut packet, PayloadType(0));
        assert_eq!(packet[1], 0);
        set_ssrc(&mut packet[..11], Ssrc(1));
        assert_eq!(packet[8], 10, "a short slice is left alone");
    }

    #[test]
    fn padding_adds_up_and_the_payload_stays() {
        let mut buffer = packet();
        buffer.resize(300, 0xee);
        let len = add_padding(&mut buffer, 14, 3).unwrap();
        let len = add_padding(&mut buffer, len, 1).unwrap();
        assert_eq!(add_padding(&mut buffer, len, 0), Ok(len));
        let header = RtpHeader::parse(&buffer[..len]).unwrap();
        assert_eq!((len, header.padding_len), (18, 4));
        assert_eq!(header.payload(&buffer[..len]), [0xaa, 0xbb]);
        assert_eq!(add_padding(&mut buffer, len, 252), Err(NoRoom), "the count byte ends at 255");
        assert_eq!(add_padding(&mut buffer, len, 251), Ok(len + 251));
    }

    #[test]
    fn padding_without_room_is_refused() {
        let mut buffer = packet();
        assert_eq!(add_padding(&mut buffer, 14, 1), Err(NoRoom));
        assert_eq!(add_padding(&mut buffer, 15, 1), Err(NoRoom));
        assert_eq!(add_padding(&mut buffer, 11, 1), Err(NoRoom));
        assert_eq!(buffer, packet());
    }
}
