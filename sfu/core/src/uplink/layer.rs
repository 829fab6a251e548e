//! One stream of a publisher: an audio track, a video track, or one simulcast layer of it.

use super::alive::Frames;
use super::cache::{PacketCache, Span, Stored};
use super::describe::Describer;
use super::fec::Repairs;
use super::keyframe::KeyframeRequests;
use super::lateness::Lateness;
use super::nack::{Gap, NackGenerator};
use super::rates::Rates;
use super::reception::Reception;
use crate::DropReason;
use crate::clock::{LayerClock, Nanos};
use crate::downlink::Ids;
use crate::meter::Meter;
use packet::codec::is_keyframe_start;
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
    pub frames: Frames,
    /// Where the newest keyframe starts, and when it came.
    pub group: Option<(u64, Instant)>,
    pub meter: Meter,
    pub describer: Describer,
    pub rates: Rates,
    /// How long its pictures take to be whole.
    pub lateness: Lateness,
    /// FEC that waits for the rest of its group.
    pub repairs: Repairs,
    pub packets: u64,
    pub bytes: u64,
    pub recovered: u64,
    pub keyframe_count: u64,
    /// Timestamp of the newest keyframe: its other packets are not further keyframes.
    keyframe_timestamp: Option<RtpTime>,
}

/// How a packet came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Via {
    Itself,
    Rtx,
    /// A copy inside another packet, or FEC.
    Redundancy,
}

/// One packet, as itself or unwrapped from RTX.
pub(super) struct Arrived<'a> {
    pub now: Instant,
    pub nanos: Nanos,
    pub header: RtpHeader,
    pub packet: &'a [u8],
    pub codec: Codec,
    pub via: Via,
    /// Negotiated for its payload type.
    pub nack: bool,
    pub extensions: &'a ExtensionMap,
}

/// What a packet meant for its layer.
pub(super) struct Taken {
    /// Extended sequence number.
    pub ext_seq: u64,
    /// Packets before it are missing now.
    pub gap: bool,
    pub keyframe_start: bool,
    pub new_frame: bool,
}

/// A number this far from the newest is another stream on the same source (a sender that restarted), not a gap.
const RESTART_DISTANCE: u64 = 3000;

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
            frames: Frames::default(),
            group: None,
            meter: Meter::default(),
            describer: Describer::default(),
            rates: Rates::default(),
            lateness: Lateness::default(),
            repairs: Repairs::default(),
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
        self.describer.forget();
        self.repairs.clear();
        self.lateness = Lateness::default();
        self.keyframe_timestamp = None;
        self.frames = Frames::default();
    }

    /// Nothing arrived for `time` (or ever).
    pub fn is_silent(&self, now: Instant, time: Duration) -> bool {
        self.last_arrival.is_none_or(|at| now.saturating_duration_since(at) > time)
    }

    pub fn on_goodbye(&mut self) {
        self.last_arrival = None;
        self.frames = Frames::default();
        self.nack = NackGenerator::default();
        self.keyframes.give_up();
    }

    pub(super) fn on_packet(
        &mut self,
        arrived: Arrived,
        values: &Values,
        epochs: &mut u32,
    ) -> Result<Taken, DropReason> {
        let Arrived { now, nanos, header, packet, codec, via, nack, extensions } = arrived;
        let recovered = via != Via::Itself;
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
        }
        if self.cache.contains(ext_seq) {
            return Err(DropReason::Duplicate);
        }
        self.packets += 1;
        self.bytes += packet.len() as u64;
        self.recovered += u64::from(recovered);
        self.meter.add(now, packet.len());

        let payload = header.payload(packet);
        // A source that only pads (to measure the path) is no picture.
        let new_frame = !payload.is_empty() && self.frames.on_packet(now, header.timestamp);
        let mut stored = Stored::new(ext_seq, header, codec);
        stored.verbatim = !recovered;
        stored.audio_level = values.audio_level;
        stored.video_orientation = values.video_orientation;
        stored.playout_delay = values.playout_delay.map(|delay| delay.bytes());
        stored.keyframe_start = self.kind == MediaKind::Video && is_keyframe_start(codec, payload);
        let keyframe_start = stored.keyframe_start;
        let mut descriptor = None;
        for element in header.elements(packet) {
            match extensions.extension(element.id) {
                Some(Extension::AbsCaptureTime) => stored.abs_capture_time = Span::of(element.bytes, packet),
                // VP8 says everything in its own descriptor. Frame numbers of simulcast run through all layers: one layer
                // of them, forwarded as it is, is a stream that Chromium never decodes.
                Some(Extension::DependencyDescriptor) if codec != Codec::Vp8 => {
                    descriptor = Some(element.bytes);
                }
                _ => {}
            }
        }
        if self.kind == MediaKind::Video && !payload.is_empty() {
            self.lateness.on_packet(now, header.timestamp);
            let frame = (codec, header.timestamp, keyframe_start);
            stored.described = self.describer.describe(now, frame, payload, descriptor);
            stored.ids = Ids::of(codec, payload);
            self.rates.add(now, &stored.described, packet.len());
        }
        if let Some(bytes) =
            descriptor.filter(|_| self.rid.is_none() && self.describer.distrusted(now).is_none())
        {
            stored.dependency_descriptor = Span::of(bytes, packet);
            let number = bytes.get(1..3).and_then(|b| b.first_chunk::<2>());
            stored.ids.frame_number = number.map(|b| u16::from_be_bytes(*b));
        }
        if !self.cache.insert(now, stored, packet) {
            return Err(DropReason::MalformedRtp);
        }
        let gap = nack.then(|| {
            let (is_video, answer) = (self.kind == MediaKind::Video, via != Via::Redundancy);
            self.nack.on_packet(now, ext_seq, is_video, answer)
        });
        match gap {
            Some(Gap::Outage) if self.kind == MediaKind::Video => self.keyframes.want(),
            _ => {}
        }
        if keyframe_start {
            self.on_keyframe(now, ext_seq, header.timestamp);
        }
        let gap = matches!(gap, Some(Gap::New | Gap::Outage));
        Ok(Taken { ext_seq, gap, keyframe_start, new_frame })
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

    /// The cached group of pictures to start a newcomer with: complete, not older than `age_max`, and not more than
    /// `bytes_max` of packets.
    pub fn fresh_group(&self, now: Instant, age_max: Duration, bytes_max: u64) -> Option<u64> {
        let (start, at) = self.group?;
        let highest = self.reception.highest()?;
        if now.saturating_duration_since(at) > age_max {
            return None;
        }
        let mut bytes = 0;
        for n in start..=highest {
            bytes += self.cache.get(n)?.1.len() as u64;
        }
        (bytes <= bytes_max).then_some(start)
    }
}
