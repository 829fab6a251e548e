//! One stream of a publisher: an audio track, a video track, or one simulcast layer of it.

use super::cache::{PacketCache, Span, Stored};
use super::keyframe::KeyframeRequests;
use super::nack::{Gap, NackGenerator};
use super::reception::Reception;
use crate::DropReason;
use crate::clock::{LayerClock, Nanos};
use crate::downlink::Ids;
use crate::meter::Meter;
use packet::codec::{is_keyframe_start, vp8::Vp8Descriptor};
use packet::ext::{Extension, ExtensionMap, Values};
use packet::media::{Codec, MediaKind};
use packet::rtp::RtpHeader;
use packet::{Rid, RtpTime, Ssrc};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Layer {
    pub rid: Option<Rid>,
    pub ssrc: Option<Ssrc>,
    pub rtx: Option<Ssrc>,
    /// Another number whenever sequence numbers begin anew; unique in a router's life.
    pub epoch: u32,
    pub kind: MediaKind,
    pub rate: u32,
    pub cache: PacketCache,
    pub reception: Reception,
    pub nack: NackGenerator,
    pub keyframes: KeyframeRequests,
    pub clock: LayerClock,
    pub last_arrival: Option<Instant>,
    /// Between frames, smoothed; `None` before the second.
    frame_interval: Option<Duration>,
    last_frame: Option<(RtpTime, Instant)>,
    /// Where the newest keyframe starts, and when it came.
    pub group: Option<(u64, Instant)>,
    pub meter: Meter,
    pub packets: u64,
    pub bytes: u64,
    pub recovered: u64,
    pub keyframe_count: u64,
    /// Timestamp of the newest keyframe: its other packets are not further keyframes.
    keyframe_timestamp: Option<RtpTime>,
}

/// One packet, as itself or unwrapped from RTX.
pub(super) struct Arrived<'a> {
    pub now: Instant,
    pub nanos: Nanos,
    pub header: RtpHeader,
    pub packet: &'a [u8],
    pub codec: Codec,
    pub recovered: bool,
    /// Negotiated for its payload type.
    pub nack: bool,
    pub extensions: &'a ExtensionMap,
}

/// A number this far from the newest is another stream on the same source (a sender that restarted), not a gap.
const RESTART_DISTANCE: u64 = 3000;

/// A layer that is silent for so long has stopped: at least, at most. A viewer notices the sum of this and a keyframe.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_millis(700));

impl Layer {
    pub fn new(kind: MediaKind, rate: u32, rid: Option<Rid>, epochs: &mut u32) -> Self {
        *epochs += 1;
        Self {
            rid,
            ssrc: None,
            rtx: None,
            epoch: *epochs,
            kind,
            rate,
            cache: PacketCache::new(kind),
            reception: Reception::new(rate),
            nack: NackGenerator::default(),
            keyframes: KeyframeRequests::default(),
            clock: LayerClock::new(rate),
            last_arrival: None,
            frame_interval: None,
            last_frame: None,
            group: None,
            meter: Meter::default(),
            packets: 0,
            bytes: 0,
            recovered: 0,
            keyframe_count: 0,
            keyframe_timestamp: None,
        }
    }

    /// Another source sends this layer now; what subscribers were sent stays theirs, what was received is void.
    pub fn restart(&mut self, epochs: &mut u32) {
        *epochs += 1;
        self.epoch = *epochs;
        self.cache.clear();
        self.reception = Reception::new(self.rate);
        self.nack = NackGenerator::default();
        self.clock = LayerClock::new(self.rate);
        self.group = None;
        self.keyframe_timestamp = None;
        self.last_frame = None;
    }

    /// Nothing arrived for `time` (or ever).
    pub fn is_silent(&self, now: Instant, time: Duration) -> bool {
        self.last_arrival.is_none_or(|at| now.saturating_duration_since(at) > time)
    }

    /// True if several frames did not come that should have: at 30 frames a second after a quarter of a second, at five
    /// or less after most of one.
    pub fn has_paused(&self, now: Instant) -> bool {
        let time = self.frame_interval.map_or(PAUSE.1, |interval| (interval * 5).clamp(PAUSE.0, PAUSE.1));
        self.is_silent(now, time)
    }

    fn on_frame(&mut self, now: Instant, timestamp: RtpTime) {
        match self.last_frame {
            Some((newest, _)) if timestamp.since(newest) <= 0 => return,
            Some((_, at)) => {
                let interval = now.saturating_duration_since(at).min(PAUSE.1);
                let smoothed = self.frame_interval.get_or_insert(interval);
                *smoothed = (*smoothed * 7 + interval) / 8;
            }
            None => {}
        }
        self.last_frame = Some((timestamp, now));
    }

    pub fn on_goodbye(&mut self) {
        self.last_arrival = None;
        self.nack = NackGenerator::default();
        self.keyframes.give_up();
    }

    /// Extended sequence number, whether packets before it are missing, whether a keyframe starts here.
    pub(super) fn on_packet(
        &mut self,
        arrived: Arrived,
        values: &Values,
        epochs: &mut u32,
    ) -> Result<(u64, bool, bool), DropReason> {
        let Arrived { now, nanos, header, packet, codec, recovered, nack, extensions } = arrived;
        let mut ext_seq = self.reception.extend(header.seq);
        if let Some(highest) = self.reception.highest() {
            if ext_seq.abs_diff(highest) > RESTART_DISTANCE {
                if recovered {
                    return Err(DropReason::TooOld);
                }
                self.restart(epochs);
                ext_seq = self.reception.extend(header.seq);
            }
        } else if recovered {
            // A retransmission of something from before the first packet helps nobody.
            return Err(DropReason::MalformedRtx);
        }
        if !recovered {
            self.reception.on_packet(now, ext_seq, header.timestamp);
            self.clock.on_packet(nanos, header.timestamp);
            self.last_arrival = Some(now);
            self.on_frame(now, header.timestamp);
        }
        if self.cache.contains(ext_seq) {
            return Err(DropReason::Duplicate);
        }
        self.packets += 1;
        self.bytes += packet.len() as u64;
        self.recovered += u64::from(recovered);
        self.meter.add(now, packet.len());

        let payload = header.payload(packet);
        let mut stored = Stored::new(ext_seq, header, now, codec);
        stored.audio_level = values.audio_level;
        stored.video_orientation = values.video_orientation;
        stored.playout_delay = values.playout_delay.map(|delay| delay.bytes());
        for element in header.elements(packet) {
            match extensions.extension(element.id) {
                Some(Extension::AbsCaptureTime) => stored.abs_capture_time = Span::of(element.bytes, packet),
                // VP8 says everything in its own descriptor. Frame numbers of simulcast run through all layers: one layer
                // of them, forwarded as it is, is a stream that Chromium never decodes.
                Some(Extension::DependencyDescriptor) if codec != Codec::Vp8 && self.rid.is_none() => {
                    stored.dependency_descriptor = Span::of(element.bytes, packet);
                    let number = element.bytes.get(1..3).and_then(|b| b.first_chunk::<2>());
                    stored.ids.frame_number = number.map(|b| u16::from_be_bytes(*b));
                }
                _ => {}
            }
        }
        if codec == Codec::Vp8
            && let Some(descriptor) = Vp8Descriptor::parse(payload)
        {
            stored.ids = Ids::of_vp8(&descriptor);
        }
        stored.keyframe_start = self.kind == MediaKind::Video && is_keyframe_start(codec, payload);
        let keyframe_start = stored.keyframe_start;
        if !self.cache.insert(stored, packet) {
            return Err(DropReason::MalformedRtp);
        }
        let gap = nack.then(|| self.nack.on_packet(now, ext_seq, self.kind == MediaKind::Video));
        match gap {
            Some(Gap::Outage) if self.kind == MediaKind::Video => self.keyframes.want(),
            _ => {}
        }
        if keyframe_start {
            self.on_keyframe(now, ext_seq, header.timestamp);
        }
        Ok((ext_seq, matches!(gap, Some(Gap::New | Gap::Outage)), keyframe_start))
    }

    fn on_keyframe(&mut self, now: Instant, ext_seq: u64, timestamp: RtpTime) {
        if self.group.is_some_and(|(start, _)| start > ext_seq) {
            return;
        }
        // H264 says "keyframe" once for its parameter sets and once for the picture; the first is where to start.
        if self.keyframe_timestamp == Some(timestamp) {
            return;
        }
        self.keyframe_timestamp = Some(timestamp);
        self.keyframe_count += 1;
        self.group = Some((ext_seq, now));
        self.keyframes.on_keyframe();
        self.nack.forget_before(ext_seq);
    }

    /// The cached group of pictures to start a newcomer with: complete and not older than `age_max`.
    pub fn fresh_group(&self, now: Instant, age_max: Duration) -> Option<u64> {
        let (start, at) = self.group?;
        let highest = self.reception.highest()?;
        let fresh = now.saturating_duration_since(at) <= age_max;
        (fresh && (start..=highest).all(|n| self.cache.contains(n))).then_some(start)
    }
}
