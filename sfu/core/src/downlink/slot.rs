//! One m-line of a subscriber, whose fixed source carries one publisher's track after another.
//!
//! ```text
//!  Idle --bind--> Waiting --keyframe (video) / packet (audio) of the best layer--> Sending{layer}
//!                    ^                                                              |   ^  another layer's
//!                    +------------------ bind, layer's numbering ends --------------+   +--keyframe
//! ```
//! A start on something already in the cache (a group of pictures, a keyframe repaired late) is caught up with from
//! there: `catching_up` is the next cached packet, and live ones wait behind it.

mod resend;

use super::egress::{Item, Media, Queue, Queued, stream_of};
use super::history::{History, Sent};
use super::munger::{IdMunger, SeqMunger, TimeMunger, seq};
use super::pacer::Class;
use super::{Session, SourceRef};
use crate::DropReason;
use crate::clock::{Nanos, PublisherClock, SlotLine, ticks};
use crate::meter::Meter;
use crate::payloads::{Mapped, Payloads};
use crate::random::Random;
use crate::uplink::{Layer, Stored, Track};
use packet::ext::{AbsCaptureTime, PlayoutDelay, TransportSequence, Values};
use packet::media::MediaKind;
use packet::rtcp::{ReceptionReport, SenderReport};
use packet::rtp::FIXED_HEADER_LEN;
use packet::{Mid, PayloadType, PeerId, RtpTime, SeqNo, Ssrc};
use std::time::{Duration, Instant};

/// What a slot is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bound {
    /// Index of the publisher.
    pub index: usize,
    pub peer: PeerId,
    pub track: u8,
    pub mid: Mid,
    pub since: Instant,
}

/// The publisher's side of one forwarding step.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub index: usize,
    pub track_index: u8,
    pub track: &'a Track,
    pub payloads: &'a Payloads,
    pub clock: &'a PublisherClock,
}

impl<'a> Source<'a> {
    fn layer(&self, layer: u8) -> &'a Layer {
        &self.track.layers[usize::from(layer)]
    }
    fn reference(&self, layer: u8) -> SourceRef {
        let epoch = self.layer(layer).epoch;
        SourceRef { peer: self.index as u32, track: self.track_index, layer, epoch }
    }
}

/// What one step did besides queueing packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Forwarded {
    pub packets: u32,
    /// The slot carries a newly bound source from this timestamp on.
    pub first_frame: Option<RtpTime>,
    /// More of the cache is to be sent: the replay timer.
    pub catching_up: bool,
}

#[derive(Debug)]
pub(crate) struct Slot {
    index: usize,
    pub mid: Mid,
    pub kind: MediaKind,
    pub ssrc: Ssrc,
    pub rtx: Option<Ssrc>,
    rate: u32,
    pub bound: Option<Bound>,
    /// The layer being sent.
    pub current: Option<SourceRef>,
    catching_up: Option<u64>,
    announced: bool,
    seq: SeqMunger,
    time: TimeMunger,
    ids: IdMunger,
    /// Which extensions the last packet had, and how long they were together.
    extensions_len: Option<(Shape, usize)>,
    line: Option<SlotLine>,
    last_sent: Option<Nanos>,
    rtx_seq: SeqNo,
    history: History,
    /// Publisher's payload type in the publisher's numbering, and what it is here.
    mapped: Option<(u32, PayloadType, Mapped)>,
    /// Sender report: when next, and how many since the line last moved.
    pub next_report: Option<Instant>,
    reports: u32,
    pub packets: u64,
    pub bytes: u64,
    octets: u32,
    pub meter: Meter,
    pub remote: Option<ReceptionReport>,
    pub nacked: u64,
    pub retransmitted: u64,
    pub keyframe_requests: u64,
}

/// Audio that lies this little before what was sent is left out; more means that the line is wrong.
const BEHIND_MAX: Duration = Duration::from_millis(300);
/// Further ahead than this, the line is wrong too: no receiver buffers so much.
const AHEAD_MAX: Duration = Duration::from_secs(5);
/// Between frames that are sent together at a start.
const FRAME_STEP: Duration = Duration::from_millis(1);
/// Without a sender report of the publisher for so long, reports are made from arrival times.
const REPORT_PATIENCE: Duration = Duration::from_secs(5);

impl Slot {
    pub fn new(index: usize, described: &packet::media::Slot, random: &mut Random) -> Self {
        let (rate, history) = match described.kind {
            MediaKind::Audio => (48_000, 256),
            // One second of 8 Mb/s in 1000-byte packets.
            MediaKind::Video => (90_000, 1024),
        };
        Self {
            index,
            mid: described.mid,
            kind: described.kind,
            ssrc: described.ssrc,
            rtx: described.rtx,
            rate,
            bound: None,
            current: None,
            catching_up: None,
            announced: false,
            // Below 2^15: SRTP receivers guess the rollover counter from the first packet (RFC 3711 section 3.3.1).
            seq: SeqMunger::new(random.next() & 0x3fff),
            time: TimeMunger::default(),
            ids: IdMunger::default(),
            extensions_len: None,
            line: None,
            last_sent: None,
            rtx_seq: SeqNo(random.next() as u16 & 0x3fff),
            history: History::new(history),
            mapped: None,
            next_report: None,
            reports: 0,
            packets: 0,
            bytes: 0,
            octets: 0,
            meter: Meter::default(),
            remote: None,
            nacked: 0,
            retransmitted: 0,
            keyframe_requests: 0,
        }
    }

    pub fn bind(&mut self, bound: Option<Bound>) {
        self.bound = bound;
        self.current = None;
        self.catching_up = None;
        self.announced = false;
        self.mapped = None;
        self.next_report = None;
        self.reports = 0;
    }

    /// Payload types and extension ids may have changed.
    pub fn forget_session(&mut self) {
        self.mapped = None;
        self.extensions_len = None;
    }

    /// The layer being sent, if its numbering still holds.
    fn sending(&self, source: &Source) -> Option<u8> {
        self.current.filter(|c| *c == source.reference(c.layer)).map(|c| c.layer)
    }

    /// Video that shows nothing yet, or not the layer it should.
    pub fn wants_keyframe(&self, source: &Source) -> bool {
        self.kind == MediaKind::Video
            && source.track.best.is_some()
            && self.sending(source) != source.track.best
    }

    /// A packet of the bound track has arrived and is in the cache.
    pub fn on_packet(
        &mut self,
        now: (Instant, Nanos),
        source: &Source,
        layer: u8,
        stored: &Stored,
        session: &Session,
        queue: &mut Queue,
    ) -> Result<Forwarded, DropReason> {
        if !session.connected {
            return Err(DropReason::NotConnected);
        }
        let sending = self.sending(source);
        if sending == Some(layer) {
            if self.catching_up.is_some_and(|next| stored.ext_seq >= next) {
                return Ok(Forwarded::default());
            }
            self.send(now, source, layer, stored, session, queue)?;
            return Ok(Forwarded { packets: 1, ..Forwarded::default() });
        }
        if source.track.best != Some(layer) {
            return Err(DropReason::OtherLayer);
        }
        if self.kind == MediaKind::Video && !stored.keyframe_start {
            return Err(if sending.is_some() {
                DropReason::OtherLayer
            } else {
                DropReason::WaitingForKeyframe
            });
        }
        self.start(now, source, layer, stored.ext_seq, session, queue)
    }

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
        self.ids.switch(stored.ids);
        self.current = Some(source.reference(layer));
        self.catching_up = Some(first);
        let first_frame = (!std::mem::replace(&mut self.announced, true))
            .then(|| self.time.next(timestamp, ticks(FRAME_STEP, self.rate)));
        if first_frame.is_some() {
            self.next_report = Some(now.0);
        }
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

    fn payload_type(
        &mut self,
        source: &Source,
        layer: u8,
        pt: PayloadType,
        session: &Session,
    ) -> Result<Mapped, DropReason> {
        let epoch = source.layer(layer).epoch;
        match self.mapped {
            Some((e, p, mapped)) if e == epoch && p == pt => Ok(mapped),
            _ => {
                let mapped = session.payloads.mapped(source.payloads, pt).ok_or(DropReason::NoCommonCodec)?;
                self.mapped = Some((epoch, pt, mapped));
                Ok(mapped)
            }
        }
    }

    fn send(
        &mut self,
        (now, nanos): (Instant, Nanos),
        source: &Source,
        layer: u8,
        stored: &Stored,
        session: &Session,
        queue: &mut Queue,
    ) -> Result<(), DropReason> {
        let mapped = self.payload_type(source, layer, stored.header.pt, session)?;
        let payload_len = stored.header.payload_range().len();
        if payload_len == 0 {
            self.seq.skip(stored.ext_seq);
            return Err(DropReason::PaddingOnly);
        }
        let sent_seq = self.seq.next(stored.ext_seq).ok_or(DropReason::BeforeSwitch)?;
        let timestamp = self.time.next(stored.header.timestamp, ticks(FRAME_STEP, self.rate));
        let ids = self.ids.next(stored.ids);
        let reference = source.reference(layer);
        let media = Media {
            source: reference,
            source_seq: stored.ext_seq,
            ssrc: self.ssrc,
            pt: mapped.pt,
            seq: seq(sent_seq),
            timestamp,
            ids,
            osn: None,
            mid: self.mid,
            clock_offset: source.clock.offset(),
            keep: self.rtx.is_none() && self.kind == MediaKind::Audio && mapped.nack,
        };
        // Nearly every packet of a stream carries the same extensions: the walk through them is done once.
        let shape = Shape::of(stored, media.clock_offset.is_some());
        let extensions_len = match self.extensions_len {
            Some((known, len)) if known == shape => len,
            _ => media.extensions_len(stored, session),
        };
        self.extensions_len = Some((shape, extensions_len));
        let len = FIXED_HEADER_LEN + extensions_len + payload_len + session.overhead;
        let class = if self.kind == MediaKind::Audio { Class::Audio } else { Class::Base };
        let stream = stream_of(self.index, false);
        queue.push(Queued { stream, class, probe: None, len, item: Item::Media(media) })?;
        let sent = Sent {
            sent_seq,
            source: reference,
            source_seq: stored.ext_seq,
            timestamp,
            ids,
            at: now,
            resent: None,
        };
        self.history.insert(sent);
        self.packets += 1;
        self.bytes += len as u64;
        self.octets = self.octets.wrapping_add(payload_len as u32);
        self.meter.add(now, len);
        self.last_sent = Some(nanos);
        Ok(())
    }

    /// The sender report that is due, on the router's clock, and when the next one is.
    pub fn report(&mut self, now: (Instant, Nanos), source: Option<&Source>) -> Option<SenderReport> {
        self.next_report.filter(|at| *at <= now.0)?;
        let layer = source.and_then(|s| Some((s, s.layer(self.sending(s)?))));
        let (Some((source, layer)), Some(bound)) = (layer, self.bound) else {
            self.next_report = None;
            return None;
        };
        let patient = now.0.saturating_duration_since(bound.since) < REPORT_PATIENCE;
        if patient && !layer.clock.has_report() {
            // Soon: lip-sync begins with it.
            self.next_report = Some(now.0 + Duration::from_millis(50));
            return None;
        }
        // Receivers fit a line through reports; two in quick succession make one.
        let wait_ms = if self.reports < 3 { 200 } else { 1000 };
        self.next_report = Some(now.0 + Duration::from_millis(wait_ms));
        self.reports += 1;
        let rtp = self.time.line(layer.clock.rtp_at(now.1, source.clock)?);
        self.line = Some(SlotLine::new(self.rate, now.1, rtp));
        Some(SenderReport {
            ssrc: self.ssrc,
            ntp: now.1.ntp(),
            rtp,
            packets: self.packets as u32,
            octets: self.octets,
            reports: Vec::new(),
        })
    }
}

impl Media {
    /// Header extensions as this subscriber gets them; the transport sequence number is a placeholder of its size.
    pub fn extensions<'a>(&self, stored: &Stored, packet: &'a [u8], session: &Session) -> Values<'a> {
        use packet::ext::Extension;
        let map = &session.extensions;
        let feedback = map.id(Extension::TransportSequence).is_some();
        // The publisher's capture clock becomes the router's; without a known offset it would mislead.
        let captured = stored.abs_capture_time.bytes(packet).and_then(AbsCaptureTime::read);
        let abs_capture_time = captured.zip(self.clock_offset).map(|(time, offset)| AbsCaptureTime {
            capture: Nanos(Nanos::from_ntp(time.capture).0.wrapping_add(offset)).ntp(),
            clock_offset: None,
        });
        Values {
            mid: Some(self.mid),
            audio_level: stored.audio_level,
            transport_sequence: feedback.then_some(TransportSequence(0)),
            // One of the two is enough for any estimator, and this one is longer.
            abs_send_time: (!feedback).then(Default::default),
            playout_delay: stored.playout_delay.and_then(|bytes| PlayoutDelay::read(&bytes)),
            video_orientation: stored.video_orientation,
            abs_capture_time,
            dependency_descriptor: stored.dependency_descriptor.bytes(packet),
            ..Values::default()
        }
    }

    /// Bytes of the extensions on the wire, with their padding.
    fn extensions_len(&self, stored: &Stored, session: &Session) -> usize {
        // Their bytes do not matter here, their lengths do.
        const ZEROS: [u8; 255] = [0; 255];
        let mut values = self.extensions(stored, &[], session);
        if !stored.abs_capture_time.is_empty() && self.clock_offset.is_some() {
            values.abs_capture_time = AbsCaptureTime::read(&ZEROS[..8]);
        }
        if !stored.dependency_descriptor.is_empty() {
            values.dependency_descriptor = Some(&ZEROS[..stored.dependency_descriptor.len()]);
        }
        values.wire_len(&session.extensions)
    }

    /// Bytes on the wire, encrypted.
    pub fn len(&self, stored: &Stored, session: &Session) -> usize {
        let osn = if self.osn.is_some() { packet::rtp::rtx::OSN_LEN } else { 0 };
        let payload = stored.header.payload_range().len();
        FIXED_HEADER_LEN + self.extensions_len(stored, session) + osn + payload + session.overhead
    }
}

/// Which extensions a packet has: what their length depends on within one slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    audio_level: bool,
    video_orientation: bool,
    playout_delay: bool,
    capture_time: bool,
    dependency_descriptor: usize,
}

impl Shape {
    fn of(stored: &Stored, clock_known: bool) -> Self {
        Self {
            audio_level: stored.audio_level.is_some(),
            video_orientation: stored.video_orientation.is_some(),
            playout_delay: stored.playout_delay.is_some(),
            capture_time: clock_known && !stored.abs_capture_time.is_empty(),
            dependency_descriptor: stored.dependency_descriptor.len(),
        }
    }
}
