//! One m-line of a subscriber, whose fixed source carries one publisher's track after another.
//!
//! ```text
//!  Idle --bind--> Waiting --keyframe (video) / packet (audio) of the chosen stream--> Sending{stream}
//!                    ^                                                                 |   ^  another stream's
//!                    +---- bind, pause, its numbering ends, nothing more fits ---------+   +--keyframe
//! ```
//! A start on something already in the cache (a group of pictures, a keyframe repaired late) is caught up with from
//! there: `catching_up` is the next cached packet, and live ones wait behind it.

mod extensions;
mod fec;
mod pause;
mod report;
mod resend;
mod start;

pub(crate) use resend::Found;

use super::egress::{Form, Item, Media, Outlet, Queue, Queued, stream_of};
use super::fec::Group;
use super::history::{History, Sent};
use super::munger::{ActiveTargets, IdMunger, SeqMunger, Shift, TimeMunger, seq};
use super::pacer::{Class, Pressure};
use super::red::{Copies, Redundancy};
use super::selector::{Admitted, Selector};
use super::{Session, SourceRef};
use crate::DropReason;
use crate::allocation::{Choice, LayerId, Memory, Preference};
use crate::clock::{Nanos, PublisherClock, SlotLine, ticks};
use crate::meter::Meter;
use crate::payloads::{Mapped, Payloads};
use crate::random::Random;
use crate::uplink::{Layer, Scheme, Stored, Track};
use extensions::Shape;
use packet::ext::PlayoutDelay;
use packet::fec::window::Window;
use packet::media::{Codec, MediaKind};
use packet::rtcp::ReceptionReport;
use packet::rtp::FIXED_HEADER_LEN;
use packet::{Mid, PayloadType, PeerId, RtpTime, SeqNo, Ssrc, prefetch};
use std::mem::offset_of;
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
    pub fec: Option<Ssrc>,
    rate: u32,
    pub bound: Option<Bound>,
    /// The stream being sent.
    pub current: Option<SourceRef>,
    pub preference: Preference,
    /// The allocation's verdict, and what its publisher should have ready besides.
    pub choice: Choice,
    pub soon: [Option<LayerId>; 2],
    pub memory: Memory,
    /// The choice is a step down for the link's sake: what can be left out of the old stream is.
    urgent: bool,
    catching_up: Option<u64>,
    announced: bool,
    seq: SeqMunger,
    time: TimeMunger,
    /// Which extensions the last packet had, and how long they were together.
    extensions_len: Option<(Shape, usize)>,
    line: Option<SlotLine>,
    last_sent: Option<Nanos>,
    /// What numbers on the RTX source count from.
    rtx_start: SeqNo,
    /// Packets that filled probes.
    padded: u64,
    history: History,
    /// Of sound, for a subscriber that negotiated RED: what its losses are worth, and what is sent.
    pub redundancy: Redundancy,
    depth: u8,
    /// What its receiver was told to wait for, and how many more packets say that it need not any longer.
    waits: Duration,
    waits_ended: u8,
    /// Of the next repair packet of FlexFEC.
    fec_seq: SeqNo,
    /// `None`: a slot for sound.
    pictures: Option<Box<Pictures>>,
    /// Repair packets sent, and those that the budget of repairs had no room for.
    pub fec_packets: u64,
    pub fec_unaffordable: u64,
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

/// What only pictures need: most slots of a class are for sound.
#[derive(Debug, Default)]
struct Pictures {
    selector: Selector,
    ids: IdMunger,
    /// What is sent says which picture is which, so a number that is missing is no picture that is missing.
    are_named: bool,
    /// The picture being sent, where it is protected.
    group: Group,
    /// The last ones, where FlexFEC protects them.
    window: Window,
}

/// Between frames that are sent together at a start.
const FRAME_STEP: Duration = Duration::from_millis(1);

/// Packets that say that there is nothing to wait for any more: more than are lost in a row.
const WAITS_ENDED: u8 = 60;
/// Pictures are waited for no longer, wherever they are lost.
const WAITS_MAX: Duration = Duration::from_millis(300);
/// What browsers go by when nobody says anything.
const PLAYOUT_MAX_MS: u32 = 10_000;

impl Slot {
    pub fn new(index: usize, described: &packet::media::Slot, random: &mut Random) -> Self {
        let rate = match described.kind {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        };
        Self {
            index,
            mid: described.mid,
            kind: described.kind,
            ssrc: described.ssrc,
            rtx: described.rtx,
            fec: described.fec,
            rate,
            bound: None,
            current: None,
            preference: Preference::default(),
            choice: Choice::Nothing,
            soon: [None; 2],
            memory: Memory::default(),
            urgent: false,
            catching_up: None,
            announced: false,
            // Below 2^15: SRTP receivers guess the rollover counter from the first packet (RFC 3711 section 3.3.1).
            seq: SeqMunger::new(random.next() & 0x3fff),
            time: TimeMunger::default(),
            extensions_len: None,
            line: None,
            last_sent: None,
            rtx_start: SeqNo(random.next() as u16 & 0x3fff),
            padded: 0,
            history: History::new(described.kind),
            redundancy: Redundancy::default(),
            depth: 0,
            waits: Duration::ZERO,
            waits_ended: 0,
            fec_seq: SeqNo(random.next() as u16 & 0x3fff),
            pictures: (described.kind == MediaKind::Video).then(Default::default),
            fec_packets: 0,
            fec_unaffordable: 0,
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

    /// A packet of it will be sent in a moment.
    pub fn prefetch(&self) {
        prefetch::whole(&self.urgent, offset_of!(Self, urgent), size_of::<Self>());
    }

    /// ... once what is asked for here is there.
    pub fn prefetch_lists(&self) {
        self.history.prefetch();
        self.seq.prefetch();
        if let Some(pictures) = &self.pictures {
            let offset = offset_of!(Pictures, are_named);
            prefetch::whole(&pictures.are_named, offset, size_of::<Pictures>());
        }
    }

    pub fn bind(&mut self, bound: Option<Bound>) {
        self.bound = bound;
        self.current = None;
        self.choice = Choice::Nothing;
        self.soon = [None; 2];
        self.memory = Memory::default();
        self.urgent = false;
        self.catching_up = None;
        self.announced = false;
        self.mapped = None;
        if let Some(pictures) = &mut self.pictures {
            pictures.group.clear();
            pictures.window.forget();
        }
        self.next_report = None;
        self.reports = 0;
    }

    /// Payload types and extension ids may have changed.
    pub fn forget_session(&mut self) {
        self.mapped = None;
        self.extensions_len = None;
    }

    /// The stream being sent, if its numbering still holds.
    fn sending(&self, source: &Source) -> Option<u8> {
        self.current.filter(|c| *c == source.reference(c.layer)).map(|c| c.layer)
    }

    /// The stream that should be sent.
    pub fn target(&self) -> Option<u8> {
        self.choice.layer().map(|layer| layer.stream)
    }

    /// What was sent as `seq`, if it is remembered.
    pub(super) fn sent(&self, seq: SeqNo) -> Option<Sent> {
        self.history.find(seq)
    }

    /// `again`: of repetitions.
    pub(super) fn outlet(&self, again: bool) -> Outlet {
        let ssrc = self.rtx.filter(|_| again).unwrap_or(self.ssrc);
        Outlet { ssrc, mid: self.mid }
    }

    /// What numbers of repetitions count from.
    pub(super) fn rtx_start(&self) -> SeqNo {
        self.rtx_start
    }

    /// What is being sent.
    pub fn layer(&self) -> Option<LayerId> {
        let (spatial, temporal) = self.pictures.as_ref().map_or((0, 0), |it| it.selector.current());
        self.current.map(|c| LayerId { stream: c.layer, spatial, temporal })
    }

    /// Video that shows nothing yet, or not the layer it should.
    pub fn wants_keyframe(&self, source: &Source) -> bool {
        let Some(target) = self.target().filter(|_| self.kind == MediaKind::Video) else { return false };
        self.sending(source) != Some(target) || self.needs_keyframe(source.layer(target))
    }

    /// The stream being sent is the right one, and the layer wanted of it begins at a keyframe.
    pub fn waits_inside(&self, source: &Source, stream: u8) -> bool {
        self.target() == Some(stream)
            && self.current.is_some_and(|c| c.layer == stream)
            && self.needs_keyframe(source.layer(stream))
    }

    fn needs_keyframe(&self, layer: &Layer) -> bool {
        let highest = || layer.describer.highest_spatial();
        self.pictures.as_ref().is_some_and(|pictures| pictures.selector.needs_keyframe(highest))
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
        if self.choice.pause().is_some() {
            return Err(DropReason::Paused);
        }
        let sending = self.sending(source);
        let pressure = if self.kind == MediaKind::Video { queue.pacer.pressure() } else { Pressure::None };
        if sending == Some(layer) {
            self.relieve(pressure, stored)?;
            if self.catching_up.is_some_and(|next| stored.ext_seq >= next) {
                return Ok(Forwarded::default());
            }
            self.send(now, source, layer, stored, session, queue)?;
            return Ok(Forwarded { packets: 1, ..Forwarded::default() });
        }
        if self.kind == MediaKind::Video {
            if self.target() != Some(layer) {
                return Err(DropReason::OtherLayer);
            }
            if sending.is_none() && pressure != Pressure::None {
                return Err(DropReason::PacerPressure);
            }
            if !stored.keyframe_start {
                let waits = sending.is_none();
                return Err(if waits { DropReason::WaitingForKeyframe } else { DropReason::OtherLayer });
            }
        }
        self.start(now, source, layer, stored.ext_seq, session, queue)
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
            self.leave_out(stored, mapped.pt, session, queue);
            return Err(DropReason::PaddingOnly);
        }
        let admitted = match &mut self.pictures {
            None => Admitted::default(),
            Some(pictures) => {
                match pictures.selector.admit(stored, source.layer(layer).describer.structure()) {
                    Ok(admitted) => admitted,
                    Err(left_out) => {
                        if left_out.first_of_frame && stored.described.scheme == Scheme::Vp8 {
                            pictures.ids.skip_picture(stored.ids);
                        }
                        self.leave_out(stored, mapped.pt, session, queue);
                        return Err(left_out.reason);
                    }
                }
            }
        };
        let sent_seq = self.seq.next(stored.ext_seq).ok_or(DropReason::BeforeSwitch)?;
        let timestamp = self.time.next(stored.header.timestamp, ticks(FRAME_STEP, self.rate));
        let mut ids = self.pictures.as_mut().map_or(stored.ids, |pictures| pictures.ids.next(stored.ids));
        ids.ends_picture = admitted.ends_picture;
        ids.active_targets = admitted.active_targets.and_then(|(mask, count)| {
            let (_, packet) = source.layer(layer).cache.get(stored.ext_seq)?;
            ActiveTargets::new(stored.dependency_descriptor.bytes(packet)?, mask, count)
        });
        let reference = source.reference(layer);
        let (pt, copies) = self.copies(source.layer(layer), stored, mapped.pt, session);
        let are_named = ids.picture_id.is_some();
        if let Some(pictures) = &mut self.pictures {
            pictures.are_named = are_named;
        }
        let fec = session.fec(stored.codec).filter(|_| self.kind == MediaKind::Video && are_named);
        let (pt, form) = match fec {
            Some(types) => (types.red, Form::Red(mapped.pt)),
            None if self.kind == MediaKind::Video && queue.repair.shields() => (pt, Form::Protected),
            None => (pt, Form::Plain),
        };
        let clock_offset = source.clock.offset();
        let media = Media {
            seq: seq(sent_seq),
            pt,
            again: false,
            clock_known: clock_offset.is_some(),
            keep: self.rtx.is_none() && self.kind == MediaKind::Audio && mapped.nack,
            copies,
            playout: self.playout(source.layer(layer), stored, session.patience).map(PlayoutDelay::bytes),
            form,
        };
        // Nearly every packet of a stream carries the same extensions: the walk through them is done once.
        let shape = Shape::of(stored, &ids, media.playout.is_some(), media.clock_known);
        let extensions_len = match self.extensions_len {
            Some((known, len)) if known == shape => len,
            _ => media.extensions_len(stored, &ids, self.mid, session),
        };
        self.extensions_len = Some((shape, extensions_len));
        let head = copies.map_or(usize::from(form.red().is_some()), |copies| usize::from(copies.len));
        let len = FIXED_HEADER_LEN + extensions_len + head + payload_len + session.overhead;
        let class = match self.kind {
            MediaKind::Audio => Class::Audio,
            MediaKind::Video if admitted.enhancement => Class::Enhancement,
            MediaKind::Video => Class::Base,
        };
        let stream = stream_of(self.index, false);
        queue.push(Queued { stream, class, probe: None, len, item: Item::Media(media) })?;
        let sent = Sent {
            sent_seq,
            source: reference,
            source_seq: stored.ext_seq,
            shift: Shift::between((stored.header.timestamp, &stored.ids), (timestamp, &ids)),
            active_targets: ids.active_targets,
            ends_picture: ids.ends_picture,
            at: now,
            resent: None,
            arrived: false,
        };
        self.history.insert(&sent);
        self.packets += 1;
        self.bytes += len as u64;
        self.octets = self.octets.wrapping_add(payload_len as u32);
        self.meter.add(now, len);
        self.last_sent = Some(nanos);
        if self.kind == MediaKind::Video && queue.repair.is_ahead() {
            self.send_ahead(now, &sent, (stored, source.payloads, clock_offset), session, queue);
        }
        if form == Form::Plain {
            self.forget_window();
        } else {
            let (_, packet) = source.layer(layer).cache.get(stored.ext_seq).ok_or(DropReason::CacheMiss)?;
            self.protect(now, &media, (&sent, (stored, packet, clock_offset)), session, queue);
        }
        Ok(())
    }

    /// A receiver keeps to what it was told until it is told something else, so the end of it is told a few times. A publisher's own
    /// wish stands.
    fn playout(&mut self, from: &Layer, stored: &Stored, patience: Duration) -> Option<PlayoutDelay> {
        if self.kind != MediaKind::Video || stored.playout_delay.is_some() {
            return None;
        }
        let waits = (from.lateness.told() + patience).min(WAITS_MAX);
        if waits.is_zero() && !std::mem::replace(&mut self.waits, waits).is_zero() {
            self.waits_ended = WAITS_ENDED;
        }
        self.waits = waits;
        if waits.is_zero() {
            self.waits_ended = self.waits_ended.checked_sub(1)?;
        }
        Some(PlayoutDelay { min_ms: waits.as_millis() as u32, max_ms: PLAYOUT_MAX_MS })
    }

    /// Payload type and copies of a packet of sound; those before the slot was bound stay unheard.
    fn copies(
        &mut self,
        from: &Layer,
        stored: &Stored,
        pt: PayloadType,
        session: &Session,
    ) -> (PayloadType, Option<Copies>) {
        if self.kind != MediaKind::Audio || stored.codec != Codec::Opus {
            return (pt, None);
        }
        self.depth = self.redundancy.depth(self.depth);
        let Some(red) = session.payloads.first(Codec::Red).filter(|_| self.depth > 0) else {
            return (pt, None);
        };
        let seq = &self.seq;
        let earlier = |number| from.cache.get(number).map(|c| c.0).filter(|_| seq.has_sent_from(number));
        let copies = Copies::choose(self.depth, stored, pt, earlier);
        (if copies.is_some() { red.pt } else { pt }, copies)
    }
}
