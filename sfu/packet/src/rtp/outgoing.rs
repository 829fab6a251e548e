//! Writing: one outgoing packet from its parts, in one pass, without allocation.

use super::FIXED_HEADER_LEN;
use crate::ext::{self, ExtensionMap, Values};
use crate::{PayloadType, RtpTime, SeqNo, Ssrc};
use std::ops::Range;
use thiserror::Error;

/// The output buffer is too small for the packet, or the packet longer than 65535 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the packet does not fit the buffer")]
pub struct NoRoom;

/// What a packet on the wire shall say. The body is `osn ++ head ++ payload`:
/// `osn` makes it the RTX form (RFC 4588 section 4), `head` replaces a codec descriptor whose length changes
/// (VP8 with a widened picture id) while `payload` stays where it is stored.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Outgoing<'a> {
    pub marker: bool,
    pub pt: PayloadType,
    pub seq: SeqNo,
    pub timestamp: RtpTime,
    pub ssrc: Ssrc,
    /// Written with the receiver's ids; what the receiver did not negotiate is left out.
    pub extensions: Values<'a>,
    pub osn: Option<SeqNo>,
    pub head: &'a [u8],
    pub payload: &'a [u8],
    /// Padding bytes at the end, the count byte included; zero: no padding.
    pub padding_len: u8,
}

/// Where things ended up in the written packet; offsets in bytes from its start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The whole packet.
    pub len: usize,
    /// `head ++ payload`, without the OSN and the padding.
    pub payload: Range<usize>,
    /// The two bytes of the transport-wide sequence number, for a pacer that knows it only when it sends.
    pub transport_sequence: Option<usize>,
    /// The three bytes of abs-send-time, for the same reason.
    pub abs_send_time: Option<usize>,
}

impl Outgoing<'_> {
    /// Writes the packet to the start of `out`, with `map` as the receiver negotiated it.
    pub fn write(&self, map: &ExtensionMap, out: &mut [u8]) -> Result<Layout, NoRoom> {
        let fixed = out.first_chunk_mut::<FIXED_HEADER_LEN>().ok_or(NoRoom)?;
        fixed[1] = u8::from(self.marker) << 7 | (self.pt.0 & 0x7f);
        fixed[2..4].copy_from_slice(&self.seq.0.to_be_bytes());
        fixed[4..8].copy_from_slice(&self.timestamp.0.to_be_bytes());
        fixed[8..12].copy_from_slice(&self.ssrc.0.to_be_bytes());

        let block = ext::write_block(&self.extensions, map, &mut out[FIXED_HEADER_LEN..])?;
        let padded = self.padding_len > 0;
        out[0] = 0x80 | u8::from(padded) << 5 | u8::from(block.len > 0) << 4;

        let mut at = FIXED_HEADER_LEN + block.len;
        let mut put = |bytes: &[u8]| {
            let to = out.get_mut(at..at + bytes.len()).ok_or(NoRoom)?;
            to.copy_from_slice(bytes);
            at += bytes.len();
            Ok(at)
        };
        if let Some(osn) = self.osn {
            put(&osn.0.to_be_bytes())?;
        }
        let payload_start = put(&[])?;
        put(self.head)?;
        let payload_end = put(self.payload)?;

        let len = payload_end + usize::from(self.padding_len);
        if len > usize::from(u16::MAX) {
            return Err(NoRoom);
        }
        let padding = out.get_mut(payload_end..len).ok_or(NoRoom)?;
        padding.fill(0);
        if let Some(last) = padding.last_mut() {
            *last = self.padding_len;
        }
        let from_block = |offset: usize| FIXED_HEADER_LEN + offset;
        Ok(Layout {
            len,
            payload: payload_start..payload_end,
            transport_sequence: block.transport_sequence.map(from_block),
            abs_send_time: block.abs_send_time.map(from_block),
        })
    }
}
