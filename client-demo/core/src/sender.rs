//! Everything that leaves as RTP: tracks cut into packets, which wait in classes until the pacer lets them go.
//!
//! ```text
//!  audio ──────────────────────────────► at once
//!  retransmissions ─┐
//!  lowest layer ────┼─ first come, first served in each; the upper class first ──► at the pacing rate
//!  other layers ────┘
//!  probe: what waits, then repetitions of what was sent ──► at the probe's rate
//! ```
//! Numbers that count the whole transport are given when a packet leaves, so that they are in the order of sending.

use crate::SendError;
use crate::publish::{Frame, Track};
use crate::stream::{Leaves, Stored, Unprotected};
use bwe::pacing::{Budget, ProbeBudget};
use bwe::{Controller, Kind, ProbeId, Sent};
use packet::ext::{AudioLevel, ExtensionMap};
use packet::fec::ahead::{Ahead, COPY_AFTER, Shield};
use packet::media::MediaKind;
use packet::rtcp::{Nack, ReceptionReport, TransportFeedback};
use packet::{Bitrate, Mid, NtpTime, PayloadType, SeqNo, Ssrc};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub(crate) struct Sender {
    pub tracks: Vec<Track>,
    transport_sequence: u16,
    waiting: [VecDeque<Waiting>; CLASSES],
    pub controller: Controller,
    /// What all tracks could use; None: nobody follows the estimate, so nothing waits for it.
    wanted: Option<Bitrate>,
    budget: Budget,
    /// What may be sent again.
    repeats: Budget,
    /// What was sent again.
    repeated: Rate,
    /// Pictures, sent for the first time.
    pictures: Rate,
    /// When it was last known what the path carries, since it was full: what it loses may then follow the rate.
    full: Option<Instant>,
    /// Payload type of FlexFEC, if the other end takes it.
    pub flexfec: Option<PayloadType>,
    /// Copies of what nobody has missed yet, or repair packets: when the next one may leave, and how many in all.
    ahead: VecDeque<(Instant, Waiting, usize)>,
    probe: Option<ProbeBudget>,
}

/// Audio, retransmissions, the lowest video layer, the other ones.
const CLASSES: usize = 4;
const AUDIO: usize = 0;
const REPEATED: usize = 1;
const BASE: usize = 2;
const ENHANCEMENT: usize = 3;

/// Saved up while nothing waits: a timer that is late by this much loses no rate.
const BURST: Duration = Duration::from_millis(10);
/// What waits leaves within this even if the estimate says otherwise: older pictures are worth nothing, and an encoder
/// that follows the estimate makes fewer.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Of a picture's 400 ms from capture to screen, so much for waiting here; a key frame that the rate allows needs less.
const BEHIND: Duration = Duration::from_millis(300);
/// Of the estimate, what may be sent again: where the loss is more than that, repetitions are lost as well, and what is sent
/// beyond the estimate may be what is lost.
const REPEATED_SHARE: f64 = 0.5;
/// Saved up of it: a picture that was lost as a whole is asked for at once.
const REPEATED_BURST: Duration = Duration::from_millis(500);
/// IPv4, UDP and the SRTP tag: what a packet takes on the wire besides what is written here.
const WIRE_OVERHEAD: usize = 20 + 8 + 16;
/// Headers and extensions of a video packet of full size, as a share.
const VIDEO_SHARE: f64 = 0.93;
/// Opus at 32 kb/s in packets of 20 ms, with all headers.
const AUDIO_RATE: Bitrate = Bitrate::kbps(62);

/// A burst of repair packets may be paced, but not into the next picture's.
const REPAIRS_WITHIN: Duration = Duration::from_millis(40);

/// After a path was full nothing goes ahead on it for so long.
const FULL_FOR: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Waiting {
    track: usize,
    stream: usize,
    kind: Kind,
    stored: Stored,
}

/// Bits a second, smoothed over a second; and as of when.
#[derive(Clone, Copy)]
struct Rate {
    bits: f64,
    at: Instant,
}

impl Rate {
    fn add(&mut self, bytes: usize) {
        self.bits += bytes as f64 * 8.0;
    }

    fn forget(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        *self = Self { bits: self.bits * (-since).exp(), at: now };
    }
}

impl Sender {
    pub fn new(now: Instant, transport_sequence: u16) -> Self {
        let controller = Controller::new(now, bwe::Config { shaped: true, ..bwe::Config::default() });
        let rate = controller.pacing_rate(now);
        Self {
            tracks: Vec::new(),
            transport_sequence,
            waiting: Default::default(),
            controller,
            wanted: None,
            budget: Budget::new(now, rate, BURST),
            repeats: Budget::new(now, rate, REPEATED_BURST),
            repeated: Rate { bits: 0.0, at: now },
            pictures: Rate { bits: 0.0, at: now },
            full: None,
            flexfec: None,
            ahead: VecDeque::new(),
            probe: None,
        }
    }

    pub fn frame(&mut self, now: Instant, mid: Mid, frame: Frame<'_>) -> Result<(), SendError> {
        let index = self.tracks.iter().position(|t| t.mid == mid).ok_or(SendError::UnknownTrack)?;
        let track = &mut self.tracks[index];
        if track.kind == MediaKind::Audio {
            track.speak(now, frame);
            self.queue_sound(index, frame.audio_level);
            return Ok(());
        }
        let class = if frame.layer == 0 { BASE } else { ENHANCEMENT };
        let stream = usize::from(frame.layer);
        for stored in track.packets(frame).ok_or(SendError::UnknownLayer)? {
            self.waiting[class].push_back(Waiting { track: index, stream, kind: Kind::Media, stored });
        }
        Ok(())
    }

    fn queue_sound(&mut self, track: usize, audio_level: Option<AudioLevel>) {
        for (stored, again) in self.tracks[track].sound_packets(audio_level) {
            let kind = if again { Kind::Rtx } else { Kind::Audio };
            self.waiting[AUDIO].push_back(Waiting { track, stream: 0, kind, stored });
        }
    }

    /// Queues what the other end misses; sound that a later packet can carry goes with the next ones.
    pub fn repeat(&mut self, now: Instant, nack: &Nack) {
        let find = |track: &Track| track.layer_of(nack.media);
        let Some((index, stream)) =
            self.tracks.iter().enumerate().find_map(|(index, track)| Some((index, find(track)?)))
        else {
            return;
        };
        let track = &mut self.tracks[index];
        if let Some(sound) = &mut track.sound {
            sound.on_nack(now, nack.lost());
            return self.queue_sound(index, None);
        }
        for seq in nack.lost() {
            track.sent.nacked += 1;
            let Some(stored) = track.streams[stream].sent(seq) else { continue };
            let waits = &mut self.waiting[REPEATED];
            let is_there =
                |w: &Waiting| (w.track, w.stream, w.kind, w.stored.seq) == (index, stream, Kind::Rtx, seq);
            // Whose encoder follows nothing is not held to an estimate that nothing measures.
            let may = self.wanted.is_none() || self.repeats.allows(now);
            if may && !waits.iter().any(is_there) {
                let bytes = stored.payload.len() + WIRE_OVERHEAD;
                self.repeats.spend(bytes);
                self.repeated.add(bytes);
                waits.push_back(Waiting { track: index, stream, kind: Kind::Rtx, stored: stored.clone() });
            }
        }
    }

    /// What those who hear a track lose of it beyond the server.
    pub fn sound_lost(&mut self, mid: &str, lost: f32) {
        let tracks = self.tracks.iter_mut().filter(|track| track.mid.as_str() == mid);
        tracks.filter_map(|track| track.sound.as_mut()).for_each(|sound| sound.set_listeners_loss(lost));
    }

    /// What the other end says it gets of one of our sources: `round_trip`, if that could be told.
    pub fn report(&mut self, report: &ReceptionReport, round_trip: Option<Duration>) {
        let Some((track, layer)) = self.find(report.ssrc) else { return };
        track.streams[layer].on_report(report.fraction_lost);
        if let Some(sound) = &mut track.sound {
            sound.on_report(report.fraction_lost);
            round_trip.into_iter().for_each(|rtt| sound.set_round_trip(rtt));
        }
    }

    pub fn feedback(&mut self, now: Instant, feedback: &TransportFeedback) {
        self.controller.on_transport_feedback(now, feedback);
        if self.controller.estimate().knows_capacity {
            self.full = Some(now);
        }
    }

    /// What the encoders, which follow the estimate from now on, could use for video; nothing above it is probed for.
    pub fn set_video_wanted(&mut self, now: Instant, video: Bitrate) {
        let wire = (video.0 as f64 / VIDEO_SHARE) as u64;
        let wanted = Bitrate(wire + AUDIO_RATE.0 + self.repeated.bits as u64);
        self.wanted = Some(wanted);
        self.controller.set_wanted(now, wanted);
    }

    /// What the estimate leaves for video, without headers.
    pub fn video_budget(&self) -> Bitrate {
        let taken = AUDIO_RATE.0 + self.repeated.bits as u64;
        let rate = self.controller.rate().0.saturating_sub(taken);
        Bitrate((rate as f64 * VIDEO_SHARE) as u64)
    }

    /// What waits leaves so late that one more picture would only wait behind it.
    pub fn is_behind(&self) -> bool {
        let waits = Bitrate((self.waiting_bytes() as f64 * 8.0 / BEHIND.as_secs_f64()) as u64);
        self.wanted.is_some() && waits > self.controller.rate()
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting.iter().flatten().map(|waiting| waiting.stored.payload.len()).sum()
    }

    pub fn sends(&self, ssrc: Ssrc) -> bool {
        self.tracks.iter().any(|track| track.layer_of(ssrc).is_some())
    }

    /// The track and layer that is sent with this SSRC.
    pub fn find(&mut self, ssrc: Ssrc) -> Option<(&mut Track, usize)> {
        self.tracks.iter_mut().find_map(|track| {
            let layer = track.layer_of(ssrc)?;
            Some((track, layer))
        })
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.controller.poll_timeout().is_some_and(|at| at <= now) {
            self.controller.handle_timeout(now);
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let waits = self.waiting.iter().skip(REPEATED).any(|line| !line.is_empty());
        let paced = self.budget.next().filter(|_| waits);
        let probe = self.probe.as_ref().and_then(ProbeBudget::next);
        let ahead = self.ahead.front().map(|(at, ..)| self.budget.next().map_or(*at, |paced| paced.max(*at)));
        [paced, probe, ahead, self.controller.poll_timeout()].into_iter().flatten().min()
    }

    /// The next packet that may leave.
    pub fn poll(&mut self, now: Instant, ntp: NtpTime, map: &ExtensionMap) -> Option<Unprotected> {
        self.set_pace(now);
        loop {
            let (next, probe) = self.next(now)?;
            let leaves = Leaves { at: now, ntp, transport_sequence: self.transport_sequence, map };
            if let Some(packet) = self.write(now, next, leaves, probe) {
                return Some(packet);
            }
        }
    }

    fn set_pace(&mut self, now: Instant) {
        let drain = self.waiting_bytes() as f64 * 8.0 / WAIT_MAX.as_secs_f64();
        self.budget.set_rate(now, self.controller.pacing_rate(now).max(Bitrate(drain as u64)));
        self.repeats.set_rate(now, Bitrate((self.controller.rate().0 as f64 * REPEATED_SHARE) as u64));
        [&mut self.repeated, &mut self.pictures].into_iter().for_each(|rate| rate.forget(now));
        let wants_more = self.wanted.is_some_and(|wanted| wanted > self.controller.estimate().rate);
        if wants_more && self.probe.is_none() && self.padding().is_some() {
            self.probe = self.controller.poll_probe(now).map(ProbeBudget::new);
        }
    }

    fn next(&mut self, now: Instant) -> Option<(Waiting, Option<ProbeId>)> {
        if let Some(audio) = self.waiting[AUDIO].pop_front() {
            return Some((audio, None));
        }
        if let Some(probe) = &mut self.probe {
            let (id, due, complete) = (probe.id(), probe.due(now), probe.is_complete());
            if due > 0 {
                let media = self.waiting.iter_mut().find_map(VecDeque::pop_front);
                return Some((media.or_else(|| self.padding())?, Some(id)));
            }
            if complete {
                self.probe = None;
            }
        }
        let paced = self.wanted.is_some() && !self.budget.allows(now);
        let media = self.waiting.iter_mut().skip(REPEATED).find(|line| !line.is_empty());
        match media {
            _ if paced => None,
            Some(line) => Some((line.pop_front()?, None)),
            None => Some((self.next_copy(now)?, None)),
        }
    }

    /// There was no room for them when their time came.
    fn leave_out_stale_copies(&mut self, now: Instant) {
        let within = if self.flexfec.is_some() { REPAIRS_WITHIN } else { COPY_AFTER };
        while self.ahead.pop_front_if(|(at, ..)| *at + within < now).is_some() {}
    }

    fn next_copy(&mut self, now: Instant) -> Option<Waiting> {
        self.leave_out_stale_copies(now);
        let (_, copy, copies) = self.ahead.pop_front_if(|(at, ..)| *at <= now)?;
        if copies > 1 {
            self.ahead.push_back((now + COPY_AFTER, copy.clone(), copies - 1));
        }
        self.repeated.add(copy.stored.payload.len() + WIRE_OVERHEAD);
        Some(copy)
    }

    /// Something may go ahead of loss. Not where that may follow the rate, nor for whose encoder follows nothing.
    fn may_go_ahead(&self, now: Instant) -> bool {
        let full = self.full.is_some_and(|at| now.saturating_duration_since(at) < FULL_FOR);
        self.wanted.is_some() && !full
    }

    /// A packet of a picture leaves: what goes ahead of its loss waits from now on.
    fn go_ahead(&mut self, now: Instant, waiting: &Waiting, map: &ExtensionMap) {
        self.leave_out_stale_copies(now);
        let may = self.may_go_ahead(now);
        let rtt = self.controller.estimate().rtt;
        let (media, rate) = (self.pictures.bits as u64, self.controller.rate().0);
        let track = &mut self.tracks[waiting.track];
        let stream = &mut track.streams[waiting.stream];
        let lost = stream.lost().into();
        let wants = Shield::new(lost, rtt).filter(|_| may && self.flexfec.is_some());
        let shield = wants.filter(|shield| shield.fits(media, rate));
        let (Some(pt), Some(shield)) = (self.flexfec, shield) else {
            stream.leave_unprotected();
            let ahead = Ahead::new(lost, rtt).filter(|_| may && wants.is_none());
            let copies = ahead.map_or(0, |ahead| ahead.copies(media, rate));
            if copies > 0 {
                let copy = Waiting { kind: Kind::Fec, ..waiting.clone() };
                self.ahead.push_back((now + COPY_AFTER, copy, copies));
            }
            return;
        };
        let overhead = |window| shield.overhead(window, media, rate);
        for stored in stream.protect(now, (track.mid, &track.codec, pt), &waiting.stored, map, overhead) {
            let repair = Waiting { kind: Kind::Fec, stored, ..*waiting };
            self.ahead.push_back((now, repair, 1));
        }
    }

    /// A repetition of the newest video packet of the highest layer: fills a probe, and may even repair something.
    fn padding(&self) -> Option<Waiting> {
        let videos = self.tracks.iter().enumerate().filter(|(_, track)| track.kind == MediaKind::Video);
        let tracks = videos.filter(|(_, track)| track.codec.rtx.is_some());
        let mut streams = tracks.flat_map(|(index, track)| {
            let streams = track.streams.iter().enumerate().rev();
            streams.filter_map(move |(stream, sent)| {
                sent.rtx_ssrc?;
                Some(Waiting { track: index, stream, kind: Kind::Padding, stored: sent.newest()?.clone() })
            })
        });
        streams.next()
    }

    /// None: it cannot be sent (again).
    fn write(
        &mut self,
        now: Instant,
        waiting: Waiting,
        leaves: Leaves<'_>,
        probe: Option<ProbeId>,
    ) -> Option<Unprotected> {
        if waiting.kind == Kind::Media {
            self.go_ahead(now, &waiting, leaves.map);
        }
        let Waiting { track: index, stream, kind, stored } = waiting;
        let track = &mut self.tracks[index];
        let (mid, codec) = (track.mid, &track.codec);
        let source = &mut track.streams[stream];
        let packet = match kind {
            Kind::Fec if self.flexfec == Some(stored.pt) => source.repair(mid, &stored, leaves).ok()?,
            Kind::Rtx | Kind::Padding | Kind::Fec => {
                source.rtx_ssrc.and(codec.rtx)?;
                let again = kind == Kind::Rtx && track.kind == MediaKind::Video;
                track.sent.retransmitted += u64::from(again);
                source.repeat(mid, codec, &stored, leaves).ok()?
            }
            Kind::Audio | Kind::Media => source.send(mid, codec, stored, leaves).ok()?,
        };
        let size = packet.len + WIRE_OVERHEAD;
        let seq = SeqNo(leaves.transport_sequence);
        self.transport_sequence = leaves.transport_sequence.wrapping_add(1);
        self.controller.packet_sent(now, Sent { seq, size, kind, probe });
        self.budget.spend(size);
        if kind == Kind::Media {
            self.pictures.add(size);
        }
        if let Some(running) = self.probe.as_mut().filter(|_| probe.is_some()) {
            running.sent(size);
        }
        Some(packet)
    }
}
