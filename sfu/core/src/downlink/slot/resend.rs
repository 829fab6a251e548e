//! Packets that a receiver lost, sent again; and packets sent again to fill a probe.

use super::Slot;
use crate::DropReason;
use crate::downlink::egress::{Form, Item, Media, Padding, Queue, Queued, stream_of};
use crate::downlink::history::{AUDIO_DEADLINE, Sent};
use crate::downlink::{Class, Session, SourceRef};
use crate::payloads::Payloads;
use crate::uplink::Stored;
use packet::media::MediaKind;
use packet::{RtpTime, SeqNo};
use std::time::{Duration, Instant};

/// With no round trip known: shorter than any path on which a second request makes sense.
const RESEND_INTERVAL: Duration = Duration::from_millis(20);

/// Finds a stored packet by its source and number there: what it is, what its publisher's payload types mean, and the
/// publisher's clock offset.
pub(crate) type Found<'a> = Option<(&'a Stored, &'a Payloads, Option<i64>)>;

impl Slot {
    /// Answers a NACK for one packet from the publisher's cache, on the RTX source; without one the packet
    /// that was sent, byte for byte. At high loss twice. Returns how many packets were queued.
    pub fn resend<'a>(
        &mut self,
        now: Instant,
        lost: SeqNo,
        session: &Session,
        cached: impl FnOnce(SourceRef, u64) -> Found<'a>,
        queue: &mut Queue,
    ) -> Result<usize, DropReason> {
        self.nacked += 1;
        self.repeat(now, lost, session, cached, queue)
    }

    /// Feedback says that this packet, or a copy of it, arrived.
    pub fn on_arrived(&mut self, seq: SeqNo) {
        self.history.arrived(seq);
    }

    pub fn has_arrived(&self, seq: SeqNo) -> bool {
        self.history.find(seq).is_some_and(|sent| sent.arrived)
    }

    /// Sends a packet again that is known to be lost, unless it was just now.
    pub fn repeat<'a>(
        &mut self,
        now: Instant,
        lost: SeqNo,
        session: &Session,
        cached: impl FnOnce(SourceRef, u64) -> Found<'a>,
        queue: &mut Queue,
    ) -> Result<usize, DropReason> {
        let sent = self.history.find(lost).ok_or(DropReason::NackUnknown)?;
        let rtt = session.rtt.unwrap_or(RESEND_INTERVAL);
        let age = now.saturating_duration_since(sent.at);
        if self.kind == MediaKind::Audio && age + rtt / 2 > AUDIO_DEADLINE {
            return Err(DropReason::NackTooLate);
        }
        // A second request within a round trip was sent before the answer to the first could have come. A little less
        // than the mean, or half of the timely ones would have to wait for another round.
        let answered = (rtt * 9 / 10).max(RESEND_INTERVAL);
        if sent.resent.is_some_and(|at| now.saturating_duration_since(at) < answered) {
            return Err(DropReason::NackRepeated);
        }
        if sent.arrived {
            return Err(DropReason::NackRepeated);
        }
        let copies = queue.repair.copies(self.kind);
        if self.rtx.is_none() {
            let len = queue.kept_len(stream_of(self.index, false), lost)?;
            if !queue.repair.spend(now, len * copies) {
                return Err(DropReason::NackOverBudget);
            }
            for _ in 0..copies {
                queue.repeat(stream_of(self.index, false), lost)?;
            }
        } else {
            let (stored, payloads, clock) =
                cached(sent.source, sent.source_seq).ok_or(DropReason::CacheMiss)?;
            let again = self.again(&sent, (stored, payloads, clock), session, Class::Rtx)?;
            if !queue.repair.spend(now, again.len * copies) {
                return Err(DropReason::NackOverBudget);
            }
            queue.push(again)?;
            queue.pacer.push_copies(now, again, copies - 1)?;
            self.meter.add(now, again.len * copies);
        }
        self.history.resent(lost, now);
        self.retransmitted += copies as u64;
        Ok(copies)
    }

    /// Copies of what was just sent, once everything else that waits is out. Where there is no RTX for it, or no room, the one that was
    /// sent has to do.
    pub(super) fn send_ahead(
        &mut self,
        now: Instant,
        sent: &Sent,
        found: (&Stored, &Payloads, Option<i64>),
        session: &Session,
        queue: &mut Queue,
    ) {
        // The first ones of a call wait for their turn, whatever else does.
        let class = if queue.repair.starting { Class::Padding } else { Class::Ahead };
        let Ok(again) = self.again(sent, found, session, class) else { return };
        let copies = queue.repair.spend_ahead(again.len);
        if queue.pacer.push_copies(now, again, copies).is_ok() {
            self.meter.add(now, again.len * copies);
        }
    }

    /// One packet for a probe: something sent lately once more, or nothing but padding before there is anything. Only on
    /// an RTX source: there a receiver takes what it has already, and numbers of the media stay whole. Returns its bytes.
    pub fn pad<'a>(
        &mut self,
        session: &Session,
        cached: impl Fn(SourceRef, u64) -> Found<'a>,
        queue: &mut Queue,
    ) -> Result<usize, DropReason> {
        if self.rtx.is_none() {
            return Err(DropReason::NackWithoutRtx);
        }
        self.padded = self.padded.wrapping_add(1);
        if let Some(sent) = self.history.recent(self.padded)
            && let Some(found) = cached(sent.source, sent.source_seq)
            && let Ok(again) = self.again(&sent, found, session, Class::Padding)
        {
            return queue.push(again).map(|()| again.len);
        }
        let pt = session.payloads.any_rtx().ok_or(DropReason::NackWithoutRtx)?;
        let timestamp = self.time.newest_sent().unwrap_or(RtpTime(0));
        let padding = Padding { pt, seq: self.rtx_start, timestamp };
        let len = Padding::len(self.mid, session);
        let stream = stream_of(self.index, true);
        let item = Item::Padding(padding);
        queue.push(Queued { stream, class: Class::Padding, probe: None, len, item })?;
        Ok(len)
    }

    /// A packet that was sent, in its RTX form; its number on the RTX source is given when it leaves.
    fn again(
        &self,
        sent: &Sent,
        (stored, payloads, clock_offset): (&Stored, &Payloads, Option<i64>),
        session: &Session,
        class: Class,
    ) -> Result<Queued, DropReason> {
        let mapped = session.payloads.mapped(payloads, stored.header.pt).ok_or(DropReason::NoCommonCodec)?;
        let media = Media {
            seq: SeqNo(sent.sent_seq as u16),
            pt: mapped.rtx.filter(|_| self.rtx.is_some()).ok_or(DropReason::NackWithoutRtx)?,
            again: true,
            clock_known: clock_offset.is_some(),
            keep: false,
            copies: None,
            playout: None,
            form: Form::Plain,
        };
        let len = media.len(stored, &sent.ids(stored), self.mid, session);
        let stream = stream_of(self.index, true);
        Ok(Queued { stream, class, probe: None, len, item: Item::Media(media) })
    }
}
