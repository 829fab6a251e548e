//! How a slot begins with a stream: where in time, and with what is in the cache already.

use super::{FRAME_STEP, Forwarded, Slot, Source};
use crate::DropReason;
use crate::clock::{Nanos, SlotLine, ticks};
use crate::downlink::Session;
use crate::downlink::egress::Queue;
use crate::downlink::munger::TimeMunger;
use crate::random::Random;
use crate::uplink::Layer;
use packet::RtpTime;
use packet::media::MediaKind;
use std::time::{Duration, Instant};

/// Audio that lies this little before what was sent is left out; more means that the line is wrong.
const BEHIND_MAX: Duration = Duration::from_millis(300);
/// Further ahead than this, the line is wrong too: no receiver buffers so much.
const AHEAD_MAX: Duration = Duration::from_secs(5);

impl Slot {
    /// Starts sending `layer` with its cached packet `first`, and everything after it that is there.
    pub fn start(
        &mut self,
        now: (Instant, Nanos),
        source: &Source,
        layer: u8,
        first: u64,
        session: &Session,
        queue: &mut Queue,
    ) -> Result<Forwarded, DropReason> {
        let from = source.layer(layer);
        let (stored, _) = from.cache.get(first).ok_or(DropReason::CacheMiss)?;
        self.payload_type(source, layer, stored.header.pt, session)?;
        let timestamp = stored.header.timestamp;
        let sent_as = self.place_in_time(now.1, source, from, timestamp)?;
        self.time.switch(timestamp, sent_as);
        let highest = from.reception.highest().unwrap_or(first);
        if self.kind == MediaKind::Video && highest > first {
            self.gather(from, first, highest);
        }
        self.seq.switch(first);
        if let Some(pictures) = &mut self.pictures {
            pictures.ids.switch(stored.ids);
            pictures.selector.set_target(self.choice.layer());
            pictures.selector.start();
        }
        self.urgent = false;
        self.current = Some(source.reference(layer));
        self.catching_up = Some(first);
        let first_frame = (!std::mem::replace(&mut self.announced, true))
            .then(|| self.time.next(timestamp, ticks(FRAME_STEP, self.rate)));
        // Soon, also after a pause: lip-sync begins with it.
        self.next_report.get_or_insert(now.0);
        let burst = self.catch_up(now, source, session, queue, Self::START_BURST);
        Ok(Forwarded { first_frame, ..burst })
    }

    /// Packets sent at once at a start, and then per replay step: 1.2 Mb within 50 ms, so that half a second of a
    /// 2.5 Mb/s camera is there in less than 100 ms.
    const START_BURST: usize = 24;
    pub const REPLAY_BURST: usize = 12;

    /// The timestamp a start is sent with: on the slot's line, where the publisher's clock says it was captured.
    fn place_in_time(
        &mut self,
        nanos: Nanos,
        source: &Source,
        from: &Layer,
        timestamp: RtpTime,
    ) -> Result<RtpTime, DropReason> {
        let captured = from.clock.captured(timestamp, source.clock).unwrap_or(nanos);
        let Some(line) = self.line else {
            let random = RtpTime(Random::new(u64::from(self.ssrc.0)).next() as u32);
            self.line = Some(SlotLine::new(self.rate, captured, random));
            return Ok(random);
        };
        let sent_as = line.rtp_at(captured);
        let Some(newest) = self.time.newest_sent() else { return Ok(sent_as) };
        let ahead = sent_as.since(newest);
        let idle = nanos.0 - self.last_sent.map_or(nanos.0, |at| at.0);
        let ahead_max = ticks(AHEAD_MAX, self.rate) as i32;
        let idle_ticks = ticks(Duration::from_nanos(idle.max(0) as u64), self.rate);
        if ahead < -(ticks(BEHIND_MAX, self.rate) as i32)
            || ahead > ahead_max.saturating_add(idle_ticks as i32)
        {
            // The line was wrong (a publisher without reports, a clock that was set): go on from what was sent.
            let sent_as = newest.plus(idle_ticks.max(1));
            self.line = Some(SlotLine::new(self.rate, captured, sent_as));
            self.reports = 0;
            return Ok(sent_as);
        }
        if ahead <= 0 && self.kind == MediaKind::Audio {
            return Err(DropReason::BehindLine);
        }
        Ok(sent_as)
    }

    /// Frames that are sent late together get times close together, the newest its own: a receiver that takes times
    /// for the pace of playing would otherwise stay behind by the age of the group.
    fn gather(&mut self, from: &Layer, first: u64, highest: u64) {
        let mut frames: arrayvec::ArrayVec<RtpTime, { TimeMunger::MOVED }> = Default::default();
        let timestamps = (first..=highest).filter_map(|n| from.cache.get(n)).map(|(s, _)| s.header.timestamp);
        for timestamp in timestamps {
            if frames.last().is_none_or(|last| timestamp.since(*last) > 0)
                && frames.try_push(timestamp).is_err()
            {
                return;
            }
        }
        let Some((&newest, earlier)) = frames.split_last() else { return };
        let step = ticks(FRAME_STEP, self.rate);
        let mut at = self.time.line(newest).0.wrapping_sub(step * earlier.len() as u32);
        if let Some(sent) = self.time.newest_sent()
            && RtpTime(at).since(sent) <= 0
        {
            at = sent.0.wrapping_add(step);
        }
        for &timestamp in earlier {
            self.time.place(timestamp, RtpTime(at));
            at = at.wrapping_add(step);
        }
    }

    /// Sends up to `burst` cached packets; the rest at the next replay step.
    pub fn catch_up(
        &mut self,
        now: (Instant, Nanos),
        source: &Source,
        session: &Session,
        queue: &mut Queue,
        burst: usize,
    ) -> Forwarded {
        let mut done = Forwarded::default();
        let (Some(mut next), Some(layer)) = (self.catching_up, self.sending(source)) else { return done };
        let from = source.layer(layer);
        let highest = from.reception.highest().unwrap_or(0);
        while next <= highest {
            if done.packets as usize >= burst {
                done.catching_up = true;
                break;
            }
            if let Some((stored, _)) = from.cache.get(next)
                && self.send(now, source, layer, stored, session, queue).is_ok()
            {
                done.packets += 1;
            }
            next += 1;
        }
        self.catching_up = (next <= highest).then_some(next);
        done
    }
}
