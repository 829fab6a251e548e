//! Redundant sound that a publisher sends (RFC 2198): its copies replace what was lost before anybody asks for it, and what is
//! kept and sent on is the plain packet. Each subscriber then gets as many copies as its own link needs.

use super::{Layer, Place, Received, Uplink, Via};
use crate::DropReason;
use crate::clock::Nanos;
use packet::fec::red;
use packet::media::Codec;
use packet::rtp::{FIXED_HEADER_LEN, RtpHeader, set_payload_type, set_seq, set_ssrc, set_timestamp};
use packet::{PayloadType, RtpTime};
use std::time::Instant;

/// A copy that stands for a missing packet.
#[derive(Clone, Copy, Debug)]
struct Copy {
    ext_seq: u64,
    timestamp: RtpTime,
    start: u16,
    len: u16,
}

impl Uplink {
    /// One packet of audio/red. The primary block is the packet itself; restored ones are in `self.restored`, older first.
    pub(super) fn on_red(
        &mut self,
        now: Instant,
        nanos: Nanos,
        place: Place,
        header: RtpHeader,
        packet: &mut [u8],
        epochs: &mut u32,
    ) -> Result<Received, DropReason> {
        let opus = self.payloads.first(Codec::Opus).ok_or(DropReason::UnknownPayloadType)?.pt;
        let (primary_len, copies) = {
            let payload = header.payload(packet);
            let blocks: arrayvec::ArrayVec<_, { red::BLOCKS_MAX + 1 }> =
                red::split(payload).ok_or(DropReason::MalformedRed)?.collect();
            let (primary, redundant) = blocks.split_last().ok_or(DropReason::MalformedRed)?;
            if primary.pt != opus || primary.payload.is_empty() {
                return Err(DropReason::MalformedRed);
            }
            (primary.payload.len(), missing(self.layer(place), &header, payload, redundant, opus))
        };
        let payload = header.payload_range();
        for copy in copies {
            let mut plain = [0; FIXED_HEADER_LEN + red::LENGTH_MAX];
            let end = FIXED_HEADER_LEN + usize::from(copy.len);
            let from = payload.start + usize::from(copy.start);
            plain[0] = 0x80;
            set_payload_type(&mut plain, opus);
            set_seq(&mut plain, packet::SeqNo(copy.ext_seq as u16));
            set_timestamp(&mut plain, copy.timestamp);
            set_ssrc(&mut plain, header.ssrc);
            plain[FIXED_HEADER_LEN..end].copy_from_slice(&packet[from..from + usize::from(copy.len)]);
            let Ok(header) = RtpHeader::parse(&plain[..end]) else { continue };
            let done =
                self.on_media(now, nanos, place, header, &plain[..end], Codec::Opus, Via::Redundancy, epochs);
            self.restored.extend(done.ok());
        }
        // The primary is the end of the payload: the header moves up to it.
        let shift = payload.end - primary_len - payload.start;
        packet.copy_within(..payload.start, shift);
        let plain = &mut packet[shift..payload.end];
        plain[0] &= !0x20;
        set_payload_type(plain, opus);
        let header = RtpHeader::parse(plain).map_err(|_| DropReason::MalformedRed)?;
        self.on_media(now, nanos, place, header, plain, Codec::Opus, Via::Itself, epochs)
    }
}

/// Which copies stand for packets that are not there. A block says its time, not its number, and senders repeat what they like: the
/// packets just before, one of every second packet, or what was asked for. The number follows from the nearest packets that are
/// here on both sides, as frames are evenly spread between them.
fn missing(
    layer: &Layer,
    header: &RtpHeader,
    payload: &[u8],
    redundant: &[red::Block<'_>],
    opus: PayloadType,
) -> arrayvec::ArrayVec<Copy, { Uplink::RESTORED_MAX }> {
    let mut found = arrayvec::ArrayVec::new();
    let Some(highest) = layer.reception.highest() else { return found };
    let carrier = (layer.reception.extend(header.seq), header.timestamp);
    for block in redundant.iter().filter(|block| block.pt == opus && !block.payload.is_empty()) {
        let timestamp = RtpTime(header.timestamp.0.wrapping_sub(block.offset));
        // Beyond what listeners still play nothing is looked for.
        let Some(ext_seq) = number_of(layer, timestamp, carrier).filter(|seq| seq + REACH > highest) else {
            continue;
        };
        let start = block.payload.as_ptr() as usize - payload.as_ptr() as usize;
        let copy = Copy { ext_seq, timestamp, start: start as u16, len: block.payload.len() as u16 };
        if found.try_push(copy).is_err() {
            break;
        }
    }
    found
}

/// Packets that a block may lie behind its carrier: 341 ms are 17 of 20 ms and 34 of 10 ms.
const REACH: u64 = 34;

/// The number of the missing packet of this time; `None` if it is here, or if that cannot be told. `later`: a packet after it.
fn number_of(layer: &Layer, timestamp: RtpTime, mut later: (u64, RtpTime)) -> Option<u64> {
    let nearest = later.0.saturating_sub(REACH)..later.0;
    let mut here = nearest.rev().filter_map(|seq| Some((seq, layer.cache.get(seq)?.0.header.timestamp)));
    let (earlier, earlier_at) = loop {
        let (seq, at) = here.next()?;
        match at.since(timestamp) {
            0 => return None,
            1.. => later = (seq, at),
            _ => break (seq, at),
        }
    };
    let (steps, ticks) = (later.0 - earlier, u64::try_from(later.1.since(earlier_at)).ok()?);
    let after = u64::try_from(timestamp.since(earlier_at)).ok()?;
    // Evenly spread: after / ticks of the way, in whole steps.
    let step = after.checked_mul(steps)?.checked_div(ticks)?;
    (step * ticks == after * steps && step > 0 && step < steps).then_some(earlier + step)
}
