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
