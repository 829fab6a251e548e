//! Writing: one outgoing packet from its parts, in one pass, without allocation.

use super::{CSRC_LEN, FIXED_HEADER_LEN};
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
    /// The one source that this packet is made of, where it is another (FlexFEC).
    pub csrc: Option<Ssrc>,
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

        let mut header_len = FIXED_HEADER_LEN;
        if let Some(csrc) = self.csrc {
            let to = out[FIXED_HEADER_LEN..].first_chunk_mut::<CSRC_LEN>().ok_or(NoRoom)?;
            *to = csrc.0.to_be_bytes();
            header_len += CSRC_LEN;
        }
        let block = ext::write_block(&self.extensions, map, &mut out[header_len..])?;
        let padded = self.padding_len > 0;
        let csrcs = u8::from(self.csrc.is_some());
        out[0] = 0x80 | u8::from(padded) << 5 | u8::from(block.len > 0) << 4 | csrcs;

        let mut at = header_len + block.len;
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
        let from_block = |offset: usize| header_len + offset;
        Ok(Layout {
            len,
            payload: payload_start..payload_end,
            transport_sequence: block.transport_sequence.map(from_block),
            abs_send_time: block.abs_send_time.map(from_block),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext::{AbsSendTime, Extension, TransportSequence};
    use crate::rtp::{RtpHeader, rtx};
    use crate::{Mid, Rid};

    fn map() -> ExtensionMap {
        let mut map = ExtensionMap::default();
        map.set(Extension::Mid, 4);
        map.set(Extension::AbsSendTime, 2);
        map.set(Extension::TransportSequence, 3);
        map
    }

    fn packet() -> Outgoing<'static> {
        Outgoing {
            marker: true,
            pt: PayloadType(96),
            seq: SeqNo(0xffff),
            timestamp: RtpTime(u32::MAX),
            ssrc: Ssrc(7),
            payload: &[1, 2, 3],
            ..Outgoing::default()
        }
    }

    #[test]
    fn what_is_written_is_what_is_parsed() {
        let extensions = Values {
            mid: Mid::new("12"),
            // Not negotiated by this receiver.
            rid: Rid::new("hi"),
            abs_send_time: Some(AbsSendTime::from_ticks(0x01_0203)),
            transport_sequence: Some(TransportSequence(0xffff)),
            ..Values::default()
        };
        let mut out = [0xee; 64];
        let written =
            Outgoing { extensions, head: &[9, 8], padding_len: 5, ..packet() }.write(&map(), &mut out);
        let layout = written.unwrap();
        let bytes = &out[..layout.len];
        let header = RtpHeader::parse(bytes).unwrap();
        assert_eq!((header.marker, header.pt, header.ssrc), (true, PayloadType(96), Ssrc(7)));
        assert_eq!((header.seq, header.timestamp), (SeqNo(0xffff), RtpTime(u32::MAX)));
        assert_eq!(header.payload(bytes), [9, 8, 1, 2, 3]);
        assert_eq!(header.payload_range(), layout.payload);
        assert_eq!(header.padding_len, 5);
        assert_eq!(Values::read(&header, bytes, &map()), Values { rid: None, ..extensions });
        let at = layout.transport_sequence.unwrap();
        assert_eq!(bytes[at..at + 2], [0xff, 0xff]);
        let at = layout.abs_send_time.unwrap();
        assert_eq!(bytes[at..at + 3], [1, 2, 3]);
        assert_eq!(layout.payload.start, FIXED_HEADER_LEN + extensions.wire_len(&map()));
    }

    #[test]
    fn a_contributing_source_stands_before_the_extensions() {
        let extensions = Values { mid: Mid::new("12"), ..Values::default() };
        let mut out = [0xee; 64];
        let written = Outgoing { extensions, csrc: Some(Ssrc(0x0102_0304)), ..packet() };
        let len = written.write(&map(), &mut out).unwrap().len;
        let header = RtpHeader::parse(&out[..len]).unwrap();
        assert_eq!(header.first_csrc(&out[..len]), Some(Ssrc(0x0102_0304)));
        assert_eq!(header.payload(&out[..len]), packet().payload);
        assert_eq!(Values::read(&header, &out[..len], &map()), extensions);
        assert_eq!(written.write(&map(), &mut [0; 14]), Err(NoRoom));
    }

    #[test]
    fn without_extensions_there_is_no_block() {
        let mut out = [0; 15];
        let extensions = Values { rid: Rid::new("q"), ..Values::default() };
        let layout = Outgoing { extensions, ..packet() }.write(&map(), &mut out).unwrap();
        assert_eq!(
            layout,
            Layout { len: 15, payload: 12..15, transport_sequence: None, abs_send_time: None }
        );
        assert_eq!(out[0], 0x80);
    }

    #[test]
    fn a_buffer_one_byte_short_is_no_room_and_no_panic() {
        let extensions = Values { mid: Mid::new("audio"), ..Values::default() };
        let full = Outgoing { extensions, osn: Some(SeqNo(1)), padding_len: 2, ..packet() };
        let mut out = [0; 64];
        let len = full.write(&map(), &mut out).unwrap().len;
        assert_eq!(len, 12 + 12 + 2 + 3 + 2);
        for short in 0..len {
            assert_eq!(full.write(&map(), &mut out[..short]), Err(NoRoom), "{short} bytes");
        }
        let huge = vec![0; 70_000];
        let mut out = vec![0; 80_000];
        assert_eq!(Outgoing { payload: &huge, ..packet() }.write(&map(), &mut out), Err(NoRoom));
    }

    #[test]
    fn a_probe_is_nothing_but_padding() {
        let mut out = [0; 300];
        let layout = Outgoing { payload: &[], padding_len: 255, ..packet() }.write(&map(), &mut out).unwrap();
        let header = RtpHeader::parse(&out[..layout.len]).unwrap();
        assert_eq!((layout.len, header.padding_len, header.payload_range()), (267, 255, 12..12));
    }

    #[test]
    fn an_rtx_packet_restores_to_the_original_in_place() {
        let extensions = Values { mid: Mid::new("1"), ..Values::default() };
        let original = Outgoing { extensions, ..packet() };
        let (mut plain, mut resent) = ([0; 64], [0; 64]);
        let plain_len = original.write(&map(), &mut plain).unwrap().len;
        let rtx = Outgoing {
            pt: PayloadType(97),
            ssrc: Ssrc(8),
            seq: SeqNo(5),
            osn: Some(SeqNo(0xffff)),
            ..original
        };
        let layout = rtx.write(&map(), &mut resent).unwrap();
        assert_eq!(layout.len, plain_len + rtx::OSN_LEN);
        let resent = &mut resent[..layout.len];
        let header = RtpHeader::parse(resent).unwrap();
        assert_eq!(rtx::osn(&header, resent), Ok(SeqNo(0xffff)));
        let restored = rtx::restore(&header, resent, PayloadType(96), Ssrc(7)).unwrap();
        assert_eq!(restored, &plain[..plain_len]);
    }
}
