//! Packets that a receiver lost, sent again.

use super::Slot;
use crate::DropReason;
use crate::downlink::egress::{Item, Media, Queue, Queued, stream_of};
use crate::downlink::pacer::Class;
use crate::downlink::{Session, SourceRef};
use crate::payloads::Payloads;
use crate::uplink::Stored;
use packet::SeqNo;
use std::time::{Duration, Instant};

/// With no round trip known: shorter than any path on which a second request makes sense.
const RESEND_INTERVAL: Duration = Duration::from_millis(20);

impl Slot {
    /// Answers a NACK for one packet from the publisher's cache, on the RTX source; without one the packet
    /// that was sent, byte for byte. `cached`: finds a stored packet.
    pub fn resend<'a>(
        &mut self,
        now: Instant,
        lost: SeqNo,
        session: &Session,
        cached: impl FnOnce(SourceRef, u64) -> Option<(&'a Stored, &'a Payloads, Option<i64>)>,
        queue: &mut Queue,
    ) -> Result<(), DropReason> {
        self.nacked += 1;
        let sent = self.history.find(lost).ok_or(DropReason::NackUnknown)?;
        // A second request within a round trip was sent before the answer to the first could have come.
        let answered = session.rtt.unwrap_or(RESEND_INTERVAL).max(RESEND_INTERVAL);
        if sent.resent.is_some_and(|at| now.saturating_duration_since(at) < answered) {
            return Err(DropReason::NackRepeated);
        }
        let Some(rtx) = self.rtx else {
            queue.repeat(stream_of(self.index, false), lost)?;
            sent.resent = Some(now);
            self.retransmitted += 1;
            return Ok(());
        };
        let (stored, payloads, clock_offset) =
            cached(sent.source, sent.source_seq).ok_or(DropReason::CacheMiss)?;
        let mapped = session.payloads.mapped(payloads, stored.header.pt).ok_or(DropReason::NoCommonCodec)?;
        let media = Media {
            source: sent.source,
            source_seq: sent.source_seq,
            ssrc: rtx,
            pt: mapped.rtx.ok_or(DropReason::NackWithoutRtx)?,
            seq: self.rtx_seq,
            timestamp: sent.timestamp,
            ids: sent.ids,
            osn: Some(lost),
            mid: self.mid,
            clock_offset,
            keep: false,
        };
        let len = media.len(stored, session);
        let stream = stream_of(self.index, true);
        queue.push(Queued { stream, class: Class::Rtx, probe: None, len, item: Item::Media(media) })?;
        sent.resent = Some(now);
        self.rtx_seq = self.rtx_seq.plus(1);
        self.retransmitted += 1;
        self.meter.add(now, len);
        Ok(())
    }
}
