//! The buffer: packets in, pictures out, and what to ask for.

use super::assembly::{Assembly, Frame, Outcome, Received};
use super::config::{Config, Payload};
use super::fec::{FecDecoder, Format};
use super::freeze::{Freezes, Rhythm};
use super::keyframe::{KeyframeReason, Requests};
use super::nack::NackList;
use super::part::Part;
use super::references::References;
use super::stats::{Discarded, DropReason, Stats};
use super::timing::Timing;
use super::unwrap::Unwrap;
use packet::ext::Values;
use packet::fec::red;
use packet::media::{Codec, MediaKind};
use packet::rtp::RtpHeader;
use packet::{RtpTime, SeqNo, Ssrc};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Further ahead or behind than this a number is of another sequence (RFC 3550 appendix A.1: 3000 and 100; behind, as far as
/// packets are kept).
const AHEAD_MAX: i64 = 3000;
const BEHIND_MAX: i64 = super::assembly::PACKETS_MAX as i64;
/// Packets of the source before are stragglers for so long; later they are a new stream.
const FORMER_SOURCE: Duration = Duration::from_secs(2);
/// So long after its picture's moment a packet is still worth asking for: what follows needs it, and a key frame has more
/// packets to lose. At least so long, and so many round trips.
const REPAIR_LATE: Duration = Duration::from_secs(1);
const REPAIR_ROUNDS: u32 = 6;
/// A picture that stands still for so long, and so many round trips, is not waited for alone any more: a key frame is asked for
/// besides what is missing. What was lost on the way to a forwarder may never come, however short our own round trip is.
const STALLED: Duration = Duration::from_millis(500);
const STALLED_ROUNDS: u32 = 4;
/// Packets without a key frame among them are no accident after this.
const NONE_YET: Duration = Duration::from_millis(50);
/// A picture whose upper layers are not there when it is due waits this long for those that are on their way.
const LAYER_WAIT: Duration = Duration::from_millis(20);
/// Whole frames kept: ten seconds at 50 a second, and as many bytes as packets may take.
const FRAMES_MAX: usize = 512;
const FRAME_BYTES_MAX: usize = 8 << 20;
/// See [`Stats::in_time`].
const IN_TIME: Duration = Duration::from_millis(400);

/// How a packet came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// As it was first sent.
    Media,
    /// Restored from a retransmission (RFC 4588).
    Rtx,
    /// Recovered from FEC elsewhere.
    Fec,
}

/// One picture for the decoder: everything of one timestamp that it can decode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// Of its first and last packet; ascending over all pictures, and no number is in two.
    pub seqs: (SeqNo, SeqNo),
    pub timestamp: RtpTime,
    pub codec: Codec,
    pub keyframe: bool,
    /// When it belongs on screen; not before now plus the time that rendering takes.
    pub render_at: Instant,
    /// Its moment had passed when it was whole.
    pub late: bool,
    /// On screen within 400 ms of capture, as far as this end can tell: one-way delay plus playout delay.
    pub in_time: bool,
    /// A packet of it came by retransmission or FEC.
    pub repaired: bool,
    /// Payload bytes.
    pub len: usize,
    /// As the decoder takes it; empty unless [`Config::keep_data`].
    pub data: Vec<u8>,
}

/// See the module's description.
pub struct VideoBuffer {
    config: Config,
    now: Option<Instant>,
    source: Option<Ssrc>,
    former: Option<(Ssrc, Instant)>,
    seqs: Unwrap,
    /// Of the sequence that may be beginning beside ours.
    odd: Option<SeqNo>,
    timestamps: Unwrap,
    assembly: Assembly,
    /// Whole frames not handed on yet, by first packet.
    frames: BTreeMap<i64, Frame>,
    frame_bytes: usize,
    references: References,
    /// The last packet that was handed on or skipped; nothing at or before it is of use.
    frontier: Option<i64>,
    /// Timestamp of a picture that was handed on before it was known to be complete.
    open: Option<i64>,
    /// The newest number given up.
    given_up: Option<i64>,
    nack: NackList,
    fec: Option<FecDecoder>,
    timing: Timing,
    requests: Requests,
    rhythm: Rhythm,
    first_arrival: Option<Instant>,
    last_shown: Option<(RtpTime, Instant)>,
    stats: Stats,
}

impl VideoBuffer {
    pub fn new(config: Config) -> Self {
        Self {
            now: None,
            source: None,
            former: None,
            seqs: Unwrap::new(16),
            odd: None,
            timestamps: Unwrap::new(32),
            assembly: Assembly::new(),
            frames: BTreeMap::new(),
            frame_bytes: 0,
            references: References::default(),
            frontier: None,
            open: None,
            given_up: None,
            nack: NackList::default(),
            fec: config.uses_fec().then(|| FecDecoder::new(config.extensions)),
            timing: Timing::new(config.one_way, config.budget, config.render),
            requests: Requests::default(),
            rhythm: Rhythm::default(),
            first_arrival: None,
            last_shown: None,
            stats: Stats::default(),
            config,
        }
    }

    /// Takes one RTP packet, authenticated and decrypted; a retransmission restored to the packet that it repeats.
    pub fn insert(&mut self, now: Instant, rtp: &[u8], via: Via) -> Result<(), DropReason> {
        let now = self.advance(now);
        let taken = self.take_packet(now, rtp, via);
        if let Err(reason) = taken {
            self.stats.dropped[reason as usize] += 1;
        }
        self.recover(now);
        self.judge(now);
        taken
    }

    /// The next picture, once it is due. Call until None.
    pub fn pull(&mut self, now: Instant) -> Option<Picture> {
        let now = self.advance(now);
        self.drop_late_layers();
        let (first, due) = self.candidate()?;
        if due > now {
            return None;
        }
        let picture = self.hand_on(now, first, due);
        self.judge(now);
        Some(picture)
    }

    /// Packets to ask for now, each at most once a round trip (twice where requests are lost too).
    pub fn poll_nack(&mut self, now: Instant) -> Vec<SeqNo> {
        let now = self.advance(now);
        let round_trip = self.config.nack.then_some(self.config.round_trip);
        let mut given_up = Vec::new();
        let (assembly, timing) = (&self.assembly, &self.timing);
        let deadline = |seq| {
            let media = assembly.timestamp_of(seq).and_then(|timestamp| timing.render_at(timestamp));
            // Without the other end's help only FEC fills holes, and it comes soon or not at all.
            media.unwrap_or(now)
                + round_trip.map_or(Duration::ZERO, |rtt| REPAIR_LATE.max(rtt * REPAIR_ROUNDS))
        };
        let asked = self.nack.poll(now, round_trip, deadline, &mut given_up);
        self.given_up = self.given_up.max(given_up.last().copied());
        if !given_up.is_empty() {
            self.judge(now);
        }
        asked
    }

    /// A key frame must be asked for now.
    pub fn poll_keyframe(&mut self, now: Instant) -> Option<KeyframeReason> {
        let now = self.advance(now);
        self.judge(now);
        self.requests.poll(now, self.config.round_trip)
    }

    /// When one of the above has something new.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let picture = self.candidate().map(|(_, due)| due);
        let stalled = self.stalls_at().filter(|_| picture.is_none() && !self.requests.is_wanted());
        let times = [picture, self.nack.poll_timeout(), self.requests.due(self.config.round_trip), stalled];
        times.into_iter().flatten().min()
    }

    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.config.round_trip = round_trip;
        self.timing.one_way = round_trip / 2;
    }

    /// How long the decoder took for a picture.
    pub fn decoded(&mut self, took: Duration) {
        self.timing.decoded(took);
    }

    /// For lip-sync: sound is played so late; zero takes it back.
    pub fn set_minimum_delay(&mut self, minimum: Duration) {
        self.timing.set_minimum(minimum);
    }

    /// Playout delay now.
    pub fn delay(&self) -> Duration {
        self.timing.current()
    }

    /// Playout delay that the pictures need by themselves.
    pub fn own_delay(&self) -> Duration {
        self.timing.own_target()
    }

    /// The last picture handed on: its timestamp and when it is on screen.
    pub fn shown(&self) -> Option<(RtpTime, Instant)> {
        self.last_shown
    }

    /// Pictures are stopped on purpose (muted, or somebody else's from here on): that is no freeze.
    pub fn pause(&mut self) {
        self.rhythm.pause();
    }

    /// Somebody else's pictures come from here on, in the same numbers and on the same clock: nothing of the ones before is shown any
    /// more, and the first picture is a key picture. What was learnt about the network stays.
    pub fn begin_anew(&mut self) {
        self.stats.discarded[Discarded::Restart as usize] += self.frames.len() as u64;
        self.frames.clear();
        self.frame_bytes = 0;
        self.references.reset();
        (self.open, self.first_arrival, self.last_shown) = (None, None, None);
        if let Some(newest) = self.seqs.newest() {
            self.skip_to(newest);
        }
        self.requests.settled();
        self.rhythm.pause();
    }

    /// Packets and bytes kept: of frames that are not whole, of whole ones, and for FEC.
    pub fn held(&self) -> (usize, usize) {
        let (packets, bytes) = self.assembly.held();
        let (fec_packets, fec_bytes) = self.fec.as_ref().map_or((0, 0), FecDecoder::held);
        (packets + self.frames.len() + fec_packets, bytes + self.frame_bytes + fec_bytes)
    }

    pub fn freezes(&self, now: Instant) -> Freezes {
        self.rhythm.freezes(now)
    }

    /// Missing packets that are not waited for any more.
    pub fn lost(&self) -> u64 {
        self.nack.outcomes().2
    }

    pub fn stats(&self) -> Stats {
        let (recovered, overtaken, lost) = self.nack.outcomes();
        Stats {
            nacked: self.nack.asked(),
            recovered,
            overtaken,
            lost,
            loss: self.nack.loss(),
            keyframe_requests: KeyframeReason::ALL.map(|reason| self.requests.asked(reason)),
            jitter: self.timing.jitter.jitter(),
            target: self.timing.target(),
            delay: self.timing.current(),
            ..self.stats.clone()
        }
    }

    /// Time never goes back.
    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.now.map_or(now, |latest| latest.max(now));
        self.now = Some(now);
        now
    }

    fn take_packet(&mut self, now: Instant, rtp: &[u8], via: Via) -> Result<(), DropReason> {
        let header = RtpHeader::parse(rtp).map_err(|_| DropReason::Malformed)?;
        let payload = header.payload(rtp);
        match self.config.payload(header.pt).ok_or(DropReason::UnknownPayloadType)? {
            Payload::Codec(codec) if codec.kind() == MediaKind::Video => {
                self.follow(now, header.ssrc)?;
                let seq = self.place(now, header.seq, via)?;
                self.keep_for_fec(seq, rtp, via);
                self.media(now, seq, codec, rtp, &header, via)
            }
            Payload::Red => {
                self.follow(now, header.ssrc)?;
                let seq = self.place(now, header.seq, via)?;
                self.red(now, seq, rtp, &header, via)
            }
            Payload::Flexfec => {
                let fec = self.fec.as_mut().ok_or(DropReason::BadPayload)?;
                if !fec.repair(Format::Flexfec, payload) {
                    return Err(DropReason::BadPayload);
                }
                self.stats.fec_packets += 1;
                Ok(())
            }
            Payload::Ulpfec | Payload::Codec(_) => Err(DropReason::BadPayload),
        }
    }

    /// Another source is a new stream.
    fn follow(&mut self, now: Instant, ssrc: Ssrc) -> Result<(), DropReason> {
        let Some(source) = self.source.replace(ssrc).filter(|source| *source != ssrc) else { return Ok(()) };
        let straggler = self
            .former
            .is_some_and(|(former, left)| former == ssrc && now.duration_since(left) < FORMER_SOURCE);
        if straggler {
            self.source = Some(source);
            return Err(DropReason::FormerSource);
        }
        self.former = Some((source, now));
        self.restart();
        Ok(())
    }

    /// The unwrapped sequence number, what is missing before it noticed.
    fn place(&mut self, now: Instant, number: SeqNo, via: Via) -> Result<i64, DropReason> {
        if let Some(newest) = self.seqs.newest() {
            let distance = self.seqs.peek(number.0.into()) - newest;
            if !(-BEHIND_MAX..=AHEAD_MAX).contains(&distance) {
                let begins = via == Via::Media && self.odd == Some(number);
                self.odd = Some(number.plus(1)).filter(|_| via == Via::Media);
                if !begins {
                    return Err(DropReason::OutOfSequence);
                }
                self.restart();
            }
        }
        let newest = self.seqs.newest();
        let seq = self.seqs.unwrap(number.0.into());
        if self.frontier.is_some_and(|frontier| seq <= frontier) {
            return Err(DropReason::TooLate);
        }
        if self.assembly.contains(seq) {
            return Err(DropReason::Duplicate);
        }
        match newest {
            Some(newest) if seq > newest => {
                let dropped = self.nack.notice(now, newest + 1, seq);
                self.given_up = self.given_up.max(dropped);
                self.nack.arrived_new();
            }
            _ => {
                self.nack.filled(now, seq, via != Via::Media);
            }
        }
        self.first_arrival.get_or_insert(now);
        Ok(seq)
    }

    fn keep_for_fec(&mut self, seq: i64, rtp: &[u8], via: Via) {
        if let Some(fec) = &mut self.fec
            && via != Via::Rtx
        {
            fec.media(seq, rtp);
        }
    }

    /// Media or ULPFEC inside RED: one block, since video is never repeated in it.
    fn red(
        &mut self,
        now: Instant,
        seq: i64,
        rtp: &[u8],
        header: &RtpHeader,
        via: Via,
    ) -> Result<(), DropReason> {
        let block = red::split(header.payload(rtp)).and_then(|mut blocks| blocks.next());
        let block = block.filter(|block| block.offset == 0).ok_or(DropReason::BadPayload)?;
        match self.config.payload(block.pt) {
            Some(Payload::Ulpfec) => {
                let fec = self.fec.as_mut().ok_or(DropReason::BadPayload)?;
                let good = fec.repair(Format::Ulpfec, block.payload);
                self.stats.fec_packets += u64::from(good);
                self.filler(now, seq)?;
                if good { Ok(()) } else { Err(DropReason::BadPayload) }
            }
            Some(Payload::Codec(codec)) if codec.kind() == MediaKind::Video => {
                // As it was before it went into RED: without the block's header, with the block's payload type.
                let start = header.payload_range().start;
                let mut plain = rtp[..start].to_vec();
                plain.extend_from_slice(&rtp[start + 1..]);
                packet::rtp::set_payload_type(&mut plain, block.pt);
                let header = RtpHeader::parse(&plain).map_err(|_| DropReason::BadPayload)?;
                self.keep_for_fec(seq, &plain, via);
                self.media(now, seq, codec, &plain, &header, via)
            }
            _ => Err(DropReason::UnknownPayloadType),
        }
    }

    fn filler(&mut self, now: Instant, seq: i64) -> Result<(), DropReason> {
        self.stats.fillers += 1;
        let outcome = self.assembly.filler(seq, now).map_err(|_| DropReason::Duplicate)?;
        self.take_outcome(now, outcome);
        Ok(())
    }

    fn media(
        &mut self,
        now: Instant,
        seq: i64,
        codec: Codec,
        rtp: &[u8],
        header: &RtpHeader,
        via: Via,
    ) -> Result<(), DropReason> {
        let payload = header.payload(rtp);
        if payload.is_empty() {
            return self.filler(now, seq);
        }
        let values = Values::read(header, rtp, &self.config.extensions);
        let part = Part::describe(codec, payload, header.marker, values.dependency_descriptor)
            .ok_or(DropReason::BadPayload)?;
        if let Some(playout) = values.playout_delay {
            self.timing.set_playout(playout);
        }
        let timestamp = self.timestamps.unwrap(header.timestamp.0);
        if via == Via::Media && self.timing.timeline.arrived(now, timestamp) {
            self.timing.jitter.rebase();
            self.stats.restarts += 1;
        }
        self.stats.received += 1;
        self.stats.retransmitted += u64::from(via == Via::Rtx);
        self.stats.recovered_by_fec += u64::from(via == Via::Fec);
        let body = &payload[part.header_len..];
        let received = Received {
            part,
            timestamp,
            body: if self.config.keep_data { body.to_vec() } else { Vec::new() },
            len: body.len(),
            repaired: via != Via::Media,
        };
        let outcome = self.assembly.insert(seq, received, now).map_err(|_| DropReason::Duplicate)?;
        self.take_outcome(now, outcome);
        if let Some(evicted) = self.assembly.evict() {
            self.stats.dropped[DropReason::Overflow as usize] += 1;
            self.given_up = self.given_up.max(Some(evicted));
            self.nack.forget_up_to(evicted);
        }
        Ok(())
    }

    fn take_outcome(&mut self, now: Instant, outcome: Outcome) {
        for (_, last) in outcome.contradictions {
            self.stats.discarded[Discarded::Contradiction as usize] += 1;
            self.given_up = self.given_up.max(Some(last));
        }
        for frame in outcome.frames {
            self.timing.repair.frame(self.timing.timeline.lateness(now, frame.timestamp));
            if !frame.repaired {
                let media_us = frame.timestamp.saturating_mul(100) / 9;
                self.timing.jitter.frame(now, media_us, frame.len);
            }
            self.frame_bytes += frame.data.len();
            self.frames.insert(frame.first, frame);
        }
        while self.frames.len() > FRAMES_MAX || self.frame_bytes > FRAME_BYTES_MAX {
            let Some((&first, _)) = self.frames.first_key_value() else { break };
            let last = self.discard(first, Discarded::Overflow);
            self.skip_to(last);
        }
    }

    /// Every packet that repair packets bring back.
    fn recover(&mut self, now: Instant) {
        let (Some(ssrc), Some(newest)) = (self.source, self.seqs.newest()) else { return };
        while let Some(rtp) = self.fec.as_mut().and_then(|fec| fec.recover(ssrc, newest)) {
            let of_stream = RtpHeader::parse(&rtp)
                .is_ok_and(|header| matches!(self.config.payload(header.pt), Some(Payload::Codec(_))));
            let taken =
                if of_stream { self.take_packet(now, &rtp, Via::Fec) } else { Err(DropReason::BadRecovery) };
            if let Err(reason) = taken {
                self.stats.dropped[reason as usize] += 1;
            }
        }
    }

    /// The first frame that the decoder can take now, and when it should.
    fn candidate(&self) -> Option<(i64, Instant)> {
        let (&first, frame) = self.frames.iter().find(|(_, frame)| self.decodable(frame))?;
        let due = self.timing.render_at(frame.timestamp);
        let due = due.and_then(|at| at.checked_sub(self.timing.ahead())).unwrap_or(frame.completed);
        let whole = self.picture(first).last().is_some_and(|(_, frame)| frame.ends_picture);
        Some((first, if whole { due } else { due.max(frame.completed + LAYER_WAIT) }))
    }

    fn decodable(&self, frame: &Frame) -> bool {
        self.references.decodable(frame, self.assembly.behind(frame.first))
    }

    /// The frames of the picture that begins with `first`: one timestamp, nothing missing between.
    fn picture(&self, first: i64) -> impl Iterator<Item = (i64, &Frame)> {
        let mut before: Option<&Frame> = None;
        self.frames.range(first..).map_while(move |(&first, frame)| {
            let goes_on = before.is_none_or(|before| {
                !before.ends_picture
                    && before.timestamp == frame.timestamp
                    && self.assembly.behind(first) == Some(before.last)
            });
            before = Some(frame);
            goes_on.then_some((first, frame))
        })
    }

    fn hand_on(&mut self, now: Instant, first: i64, due: Instant) -> Picture {
        let late = now.saturating_duration_since(due);
        self.timing.late(late);
        self.timing.step(now);
        while let Some((&older, _)) = self.frames.first_key_value().filter(|(seq, _)| **seq < first) {
            self.discard(older, Discarded::Undecodable);
        }
        let seqs: Vec<i64> = self.picture(first).map(|(seq, _)| seq).collect();
        let (mut taken, mut last, mut left_out): (Vec<Frame>, i64, bool) = (Vec::new(), first, false);
        for seq in seqs {
            let Some(frame) = self.frames.remove(&seq) else { continue };
            self.frame_bytes -= frame.data.len();
            last = frame.last;
            if self.decodable(&frame) {
                self.references.took(&frame, self.assembly.behind(frame.first));
                taken.push(frame);
            } else {
                left_out = true;
                self.stats.discarded[Discarded::Undecodable as usize] += 1;
            }
        }
        self.skip_to(last);
        let top = &taken[taken.len() - 1];
        let (timestamp, render) = (top.timestamp, self.timing.render_at(top.timestamp));
        self.open = (!top.ends_picture && !left_out).then_some(timestamp);
        let render_at = render.map_or(now, |at| at.max(now + self.timing.ahead()));
        let picture = Picture {
            seqs: (SeqNo(taken[0].first as u16), SeqNo(top.last as u16)),
            timestamp: RtpTime(timestamp as u32),
            codec: taken[0].codec,
            keyframe: taken[0].keyframe,
            render_at,
            late: !late.is_zero(),
            in_time: self.timing.timeline.lateness(render_at, timestamp) + self.timing.one_way <= IN_TIME,
            repaired: taken.iter().any(|frame| frame.repaired),
            len: taken.iter().map(|frame| frame.len).sum(),
            data: if let [only] = &mut taken[..] {
                std::mem::take(&mut only.data)
            } else {
                taken.iter().flat_map(|frame| &frame.data).copied().collect()
            },
        };
        self.count(&picture, left_out || self.open.is_some());
        picture
    }

    fn count(&mut self, picture: &Picture, without_layers: bool) {
        let stats = &mut self.stats;
        stats.pictures += 1;
        stats.keyframes += u64::from(picture.keyframe);
        stats.repaired += u64::from(picture.repaired);
        stats.late += u64::from(picture.late);
        stats.without_layers += u64::from(without_layers);
        stats.in_time += u64::from(picture.in_time);
        self.rhythm.shown(picture.render_at);
        self.last_shown = Some((picture.timestamp, picture.render_at));
        self.requests.settled();
        if without_layers {
            self.requests.want(KeyframeReason::LayersLost, picture.render_at + REPAIR_LATE);
        }
    }

    /// Layers of a picture that is on screen already.
    fn drop_late_layers(&mut self) {
        while let Some(open) = self.open
            && let Some((&first, frame)) = self.frames.first_key_value()
            && frame.timestamp == open
        {
            if frame.ends_picture {
                self.open = None;
            }
            let last = self.discard(first, Discarded::LateLayer);
            self.skip_to(last);
        }
    }

    /// Takes a whole frame out; its last packet.
    fn discard(&mut self, first: i64, why: Discarded) -> i64 {
        let Some(frame) = self.frames.remove(&first) else { return first };
        self.frame_bytes -= frame.data.len();
        self.stats.discarded[why as usize] += 1;
        frame.last
    }

    /// Nothing up to `seq` is of use any more.
    fn skip_to(&mut self, seq: i64) {
        self.frontier = self.frontier.max(Some(seq));
        self.nack.forget_up_to(seq);
        self.stats.unused_packets += self.assembly.forget_up_to(seq) as u64;
        self.given_up = self.given_up.filter(|given_up| *given_up > seq);
    }

    /// Decides whether a key frame is needed.
    fn judge(&mut self, now: Instant) {
        if self.candidate().is_some() {
            return;
        }
        let from = self.frontier.map_or(i64::MIN, |frontier| frontier + 1);
        let begun = self.assembly.keyframe_begun(from);
        let coming = begun.filter(|(first, _)| self.given_up.is_none_or(|given_up| given_up < *first));
        if let (Some((first, _)), true) = (coming, self.is_broken()) {
            // Nothing before it can be decoded any more.
            while let Some((&older, _)) = self.frames.first_key_value().filter(|(seq, _)| **seq < first) {
                self.discard(older, Discarded::Undecodable);
            }
            self.skip_to(first - 1);
        }
        let stalled = self.stalls_at().is_some_and(|at| at <= now);
        if coming.is_some() && !stalled {
            self.requests.settled();
        } else if stalled {
            self.requests.want(KeyframeReason::Stalled, now);
        } else if !self.references.has_keyframe() {
            if let Some(first) = self.first_arrival {
                self.requests.want(KeyframeReason::NoneYet, first + NONE_YET);
            }
        } else if self.is_broken() {
            if self.references.is_chain()
                && let Some(newest) = self.seqs.newest()
            {
                // Only what is yet to come can be, or belong to, a key frame.
                self.nack.forget_up_to(newest);
            }
            self.requests.want(KeyframeReason::Broken, now);
        }
    }

    /// Nothing that may still come leads on from what was decoded.
    fn is_broken(&self) -> bool {
        if !self.references.has_keyframe() {
            return false;
        }
        let chain_cut = self.references.is_chain() && self.given_up > self.frontier;
        let blocked = || {
            let from = self.frontier.map_or(i64::MIN, |frontier| frontier + 1);
            self.frames.first_key_value().is_some_and(|(&first, _)| !self.nack.any_in(from, first))
        };
        chain_cut || blocked()
    }

    /// When a picture that stands still although packets come becomes a reason to act.
    fn stalls_at(&self) -> Option<Instant> {
        let waiting = !self.frames.is_empty() || self.assembly.is_waiting();
        let since = self.last_shown.map(|(_, at)| at).or(self.first_arrival)?;
        waiting.then(|| since + STALLED.max(self.config.round_trip * STALLED_ROUNDS))
    }

    /// A new stream: nothing of the old one is of use to its decoder.
    fn restart(&mut self) {
        self.stats.restarts += 1;
        self.stats.discarded[Discarded::Restart as usize] += self.frames.len() as u64;
        self.seqs = Unwrap::new(16);
        self.timestamps = Unwrap::new(32);
        self.odd = None;
        self.assembly.clear();
        self.frames.clear();
        self.frame_bytes = 0;
        self.references.reset();
        (self.frontier, self.open, self.given_up, self.first_arrival) = (None, None, None, None);
        self.nack.clear();
        if let Some(fec) = &mut self.fec {
            fec.clear();
        }
        self.timing.rebase();
        self.requests.settled();
    }
}
