//! The buffer: packets in, pictures out, and what to ask for.
//!
//! Here are the type and what it is asked; `arrive` takes packets, `show` gives pictures, `judge` gives up.

use super::assembly::{Assembly, Frame};
use super::config::Config;
use super::fec::FecDecoder;
use super::freeze::{Freezes, Rhythm};
use super::keyframe::{KeyframeReason, Requests};
use super::nack::NackList;
use super::overdue::Overdue;
use super::references::References;
use super::stats::{Discarded, DropReason, Stats};
use super::timing::Timing;
use super::unwrap::Unwrap;
use packet::media::Codec;
use packet::{RtpTime, SeqNo, Ssrc};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So long after its picture's moment a packet is still worth asking for: what follows needs it, and a key frame has more
/// packets to lose. At least so long, and so many round trips.
pub(super) const REPAIR_LATE: Duration = Duration::from_secs(1);
const REPAIR_ROUNDS: u32 = 6;

/// Below this loss the next packet shows soon enough what is missing.
const EXPECTS_LOSS: f32 = 0.02;

/// How a packet came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// As it was first sent.
    Media,
    /// Restored from a retransmission (RFC 4588).
    Rtx,
    /// Recovered from FEC elsewhere, or a repair packet.
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
    pub(super) config: Config,
    pub(super) now: Option<Instant>,
    pub(super) source: Option<Ssrc>,
    pub(super) former: Option<(Ssrc, Instant)>,
    pub(super) seqs: Unwrap,
    /// Of the sequence that may be beginning beside ours.
    pub(super) odd: Option<SeqNo>,
    pub(super) timestamps: Unwrap,
    pub(super) assembly: Assembly,
    /// Whole frames not handed on yet, by first packet.
    pub(super) frames: BTreeMap<i64, Frame>,
    pub(super) frame_bytes: usize,
    pub(super) references: References,
    /// The last packet that was handed on or skipped; nothing at or before it is of use.
    pub(super) frontier: Option<i64>,
    /// Timestamp of a picture that was handed on before it was known to be complete.
    pub(super) open: Option<i64>,
    /// The newest number given up.
    pub(super) given_up: Option<i64>,
    pub(super) nack: NackList,
    pub(super) overdue: Overdue,
    pub(super) fec: Option<FecDecoder>,
    pub(super) timing: Timing,
    pub(super) requests: Requests,
    pub(super) rhythm: Rhythm,
    pub(super) first_arrival: Option<Instant>,
    pub(super) last_shown: Option<(RtpTime, Instant)>,
    /// When the last picture handed on could be decoded.
    pub(super) whole_since: Option<Instant>,
    pub(super) stats: Stats,
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
            overdue: Overdue::default(),
            fec: None,
            timing: Timing::new(config.one_way, config.budget, config.render),
            requests: Requests::default(),
            rhythm: Rhythm::default(),
            first_arrival: None,
            last_shown: None,
            whole_since: None,
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
        if self.expects() {
            while let Some((from, to)) = self.overdue.take(now, self.timing.jitter.jitter()) {
                self.nack.expect(now, from, to);
            }
        }
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
        let overdue = self.overdue.due(self.timing.jitter.jitter()).filter(|_| self.expects());
        let times =
            [picture, overdue, self.nack.poll_timeout(), self.requests.due(self.config.round_trip), stalled];
        times.into_iter().flatten().min()
    }

    /// Packets are asked for that no later one has shown to be missing.
    fn expects(&self) -> bool {
        self.config.nack && self.nack.loss() >= EXPECTS_LOSS
    }

    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.config.round_trip = round_trip;
        self.timing.one_way = round_trip / 2;
    }

    /// How much longer the way from the sender is than half of the round trip: what is behind a server, say.
    pub fn set_farther(&mut self, farther: Duration) {
        self.timing.farther = Some(farther);
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

    /// [`Stats::bytes_recovered_by_fec`], without making all of them.
    pub fn bytes_recovered_by_fec(&self) -> u64 {
        self.stats.bytes_recovered_by_fec
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
}
