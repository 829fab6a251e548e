//! The audio jitter buffer: `insert` whatever arrives, `pull` 10 ms every 10 ms.
//!
//! The playout delay is known exactly: how long after the fastest packet of the last two seconds the sample now played would
//! have to arrive. One rule follows from it: above the target time is removed (a pitch period, or a gap that need not be
//! played), below it time is added, and a gap is filled from the best rung that is there.

use super::decoder::Decoder;
use super::delay::DelayEstimator;
use super::nack::NackList;
use super::noise::ComfortNoise;
use super::store::{Frame, Refused, Rung, Rungs, Store, Unwrap};
use super::stretch::{self, Stretched};
use super::target::{Losses, target};
use packet::fec::red;
use packet::{PayloadType, RtpTime, SeqNo};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Samples per channel of one pull.
pub const PULL: usize = 480;
const TICKS_PER_MS: u32 = 48;
/// Mouth-to-ear inside 600 ms leaves this for one-way delay and playout together.
pub const BUDGET: Duration = Duration::from_millis(553);
/// Above the target by this much before time is removed: the width of one usual packet.
const SLACK: Duration = Duration::from_millis(20);
/// Above the target by this much before a period is removed at any similarity worth the name.
const FAST_SLACK: Duration = Duration::from_millis(200);
const SIMILAR: f32 = 0.9;
const SIMILAR_FAST: f32 = 0.5;
/// Pulls between two changes, so that no voice warbles (NetEQ: 5).
const STRETCH_PAUSE: u32 = 5;
/// Made-up speech is faded out over this time: longer than that it is a buzz.
const FADE: usize = 120 * TICKS_PER_MS as usize;
/// The gain returns within this many samples: no click, no lost consonant.
const GAIN_RISE: usize = 5 * TICKS_PER_MS as usize;
/// A frame whose packets stop for longer than this is a new start: the target is waited for again.
const DRY_MAX: Duration = Duration::from_secs(2);
/// An Opus packet this short holds no audio: the sender is silent (DTX, RFC 6716 section 2.1.9).
const DTX_LEN: usize = 2;

/// One RTP packet of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub seq: SeqNo,
    pub timestamp: RtpTime,
    pub payload: &'a [u8],
    /// It was asked for again.
    pub retransmitted: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Config {
    /// Known or estimated one-way delay of the network; taken off the budget.
    pub one_way: Duration,
    /// Playout delay and one-way delay together stay below this.
    pub budget: Duration,
    pub round_trip: Duration,
    /// The other end answers NACK.
    pub nack: bool,
    /// Of the comfort noise.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        let round_trip = Duration::from_millis(100);
        Self { one_way: round_trip / 2, budget: BUDGET, round_trip, nack: true, seed: 1 }
    }
}

/// What was heard and why. Samples are per channel.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stats {
    pub packets: u64,
    pub retransmitted: u64,
    pub too_late: u64,
    pub duplicate: u64,
    pub too_far_ahead: u64,
    pub undecodable: u64,
    pub heard: Rungs,
    /// Samples that were removed and added to change the delay.
    pub removed: u64,
    pub added: u64,
    pub target: Duration,
    /// Of the sample now played.
    pub delay: Duration,
    pub nacked: u64,
}

/// See the module's description.
pub struct AudioBuffer<D> {
    config: Config,
    decoder: D,
    estimator: DelayEstimator,
    nack: NackList,
    ticks: Unwrap,
    store: Store,
    noise: ComfortNoise,
    /// RTP time of unwrapped tick zero.
    zero: Option<RtpTime>,
    playing: Option<Playing>,
    first_arrival: Option<Instant>,
    /// Decoded, not yet played; interleaved.
    ready: VecDeque<f32>,
    scratch: Vec<f32>,
    /// Exponential mean of packets lost on first sending, 0.0-1.0.
    first_loss: f32,
    highest_seq: Option<i64>,
    /// Unwrapped tick at which the newest packet's frame ends.
    newest_end: Option<i64>,
    stats: Stats,
}

struct Playing {
    /// Unwrapped tick of the next frame to decode.
    next: i64,
    /// Samples per channel of the last frame.
    frame: usize,
    /// Sequence number of the last primary decoded.
    last_seq: Option<i64>,
    /// The sender announced silence.
    silent: bool,
    /// Samples made up in a row.
    concealed: usize,
    gain: f32,
    since_stretch: u32,
    last_packet: Instant,
}

impl<D: Decoder> AudioBuffer<D> {
    pub fn new(config: Config, decoder: D) -> Self {
        Self {
            config,
            decoder,
            estimator: DelayEstimator::new(TICKS_PER_MS * 1000),
            nack: NackList::default(),
            ticks: Unwrap::default(),
            store: Store::default(),
            noise: ComfortNoise::new(config.seed),
            zero: None,
            playing: None,
            first_arrival: None,
            ready: VecDeque::new(),
            scratch: Vec::new(),
            first_loss: 0.0,
            highest_seq: None,
            newest_end: None,
            stats: Stats::default(),
        }
    }

    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.config.round_trip = round_trip;
        self.config.one_way = round_trip / 2;
    }

    /// Takes one packet whose payload is one frame.
    pub fn insert(&mut self, now: Instant, packet: Packet<'_>) {
        let reach = self.decoder.reach(packet.payload);
        self.arrived(now, &packet, reach);
        let at = self.ticks.ticks(packet.timestamp);
        let rung = if packet.retransmitted { Rung::Rtx } else { Rung::Primary };
        let seq = Some(self.nack.unwrap(packet.seq));
        self.keep(at, packet.payload, rung, seq);
    }

    /// Takes one packet whose payload is RFC 2198; blocks of another payload type than `codec` are left alone.
    pub fn insert_red(&mut self, now: Instant, packet: Packet<'_>, codec: PayloadType) {
        let Some(blocks) = red::split(packet.payload) else {
            self.stats.undecodable += 1;
            return;
        };
        let reach = red::split(packet.payload).into_iter().flatten().map(|b| b.offset as usize).max();
        self.arrived(now, &packet, reach.unwrap_or(0));
        let at = self.ticks.ticks(packet.timestamp);
        let seq = self.nack.unwrap(packet.seq);
        for block in blocks.filter(|b| b.pt == codec && !b.payload.is_empty()) {
            let (rung, seq) = match block.offset {
                0 if packet.retransmitted => (Rung::Rtx, Some(seq)),
                0 => (Rung::Primary, Some(seq)),
                _ => (Rung::Red, None),
            };
            self.keep(at - i64::from(block.offset), block.payload, rung, seq);
        }
    }

    /// `reach`: how far back the packet's redundancy goes, in samples.
    fn arrived(&mut self, now: Instant, packet: &Packet<'_>, reach: usize) {
        self.stats.packets += 1;
        self.stats.retransmitted += u64::from(packet.retransmitted);
        self.first_arrival.get_or_insert(now);
        self.zero.get_or_insert(packet.timestamp);
        let at = self.ticks.ticks(packet.timestamp);
        let seq = self.nack.unwrap(packet.seq);
        self.nack.arrived(now, seq, at);
        if !packet.retransmitted {
            let relative = self.estimator.insert(now, packet.timestamp);
            let gap = self.newest_end.map_or(0, |end| at - end).clamp(0, reach as i64);
            if gap > 0 {
                let back = Duration::from_micros(gap as u64 * 1000 / u64::from(TICKS_PER_MS));
                self.estimator.sample(now, relative + back);
            }
            let lost = self.highest_seq.map_or(0, |h| (seq - h - 1).clamp(0, 100));
            for _ in 0..lost {
                self.first_loss += (1.0 - self.first_loss) / 128.0;
            }
            self.first_loss -= self.first_loss / 128.0;
            self.highest_seq = Some(self.highest_seq.map_or(seq, |h| h.max(seq)));
        }
        let end = at + self.decoder.samples(packet.payload).unwrap_or(0) as i64;
        self.newest_end = Some(self.newest_end.map_or(end, |newest| newest.max(end)));
        if let Some(playing) = &mut self.playing {
            playing.last_packet = now;
        }
    }

    fn keep(&mut self, at: i64, payload: &[u8], rung: Rung, seq: Option<i64>) {
        let Some(samples) = self.decoder.samples(payload) else {
            self.stats.undecodable += 1;
            return;
        };
        let next = self.playing.as_ref().map_or(i64::MIN / 2, |p| p.next);
        let next = if next == i64::MIN / 2 { at } else { next };
        let frame = Frame { payload: payload.to_vec(), rung, seq, samples };
        match self.store.insert(at, next, frame) {
            Ok(()) => {}
            Err(_) if rung == Rung::Red => {} // Redundancy that was not needed.
            Err(Refused::TooLate) => self.stats.too_late += 1,
            Err(Refused::Duplicate) => self.stats.duplicate += 1,
            Err(Refused::TooFarAhead) => {
                // The sender's timeline jumped: start over with this packet.
                self.stats.too_far_ahead += 1;
                self.store.clear();
                self.playing = None;
                self.first_arrival = None;
                self.estimator.rebase();
            }
        }
    }

    /// Fills `out` with the next 10 ms: [`PULL`] samples for each channel, interleaved.
    ///
    /// # Panics
    /// If `out` has another length.
    pub fn pull(&mut self, now: Instant, out: &mut [f32]) {
        let channels = self.decoder.channels();
        assert_eq!(out.len(), PULL * channels, "a pull is 10 ms of every channel");
        self.stats.target = self.target();
        if self.playing.is_none() && !self.start(now) {
            out.fill(0.0);
            return;
        }
        self.change_speed(now);
        while self.ready.len() < out.len() {
            self.produce(now);
        }
        let played = out.len();
        for (sample, ready) in out.iter_mut().zip(self.ready.drain(..played)) {
            *sample = ready;
        }
        self.stats.delay = self.delay(now).unwrap_or_default();
        let dry =
            self.playing.as_ref().is_some_and(|p| now.saturating_duration_since(p.last_packet) > DRY_MAX);
        if dry && self.store.is_empty() {
            self.playing = None;
            self.first_arrival = None;
            self.estimator.rebase();
        }
    }

    /// Sequence numbers to ask for again, each at most once a round trip and only if it can still be in time.
    pub fn poll_nack(&mut self, now: Instant) -> Vec<SeqNo> {
        if !self.config.nack {
            return Vec::new();
        }
        let per_channel = self.ready.len() / self.decoder.channels();
        let next = self.playing.as_ref().map(|p| p.next);
        // Until playing starts the whole target is ahead of everything that is missing.
        let start = self.target();
        let nacks = self.nack.poll(now, self.config.round_trip, |at| match next {
            None => Some(start),
            Some(next) => u64::try_from(at - next).ok().map(|ahead| {
                Duration::from_micros((ahead + per_channel as u64) * 1000 / u64::from(TICKS_PER_MS))
            }),
        });
        self.stats.nacked = self.nack.asked();
        nacks
    }

    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    fn target(&self) -> Duration {
        let losses = Losses {
            first_loss: if self.first_loss < 0.004 { 0.0 } else { self.first_loss },
            // Until it is measured: the request and the answer both have to get through.
            nack_success: self.nack.success((1.0 - self.first_loss).powi(2)),
            round_trip: self.config.round_trip,
            nack: self.config.nack,
        };
        target(self.estimator.target(), losses, self.config.budget.saturating_sub(self.config.one_way))
    }

    /// Playout delay of the sample that is played now.
    fn delay(&self, now: Instant) -> Option<Duration> {
        let playing = self.playing.as_ref()?;
        let played = playing.next - (self.ready.len() / self.decoder.channels()) as i64;
        self.estimator.delay_at(now, self.zero?.plus(played as u32))
    }

    fn start(&mut self, now: Instant) -> bool {
        let Some((first, frame)) = self.store.first() else {
            return false;
        };
        let waited = self.first_arrival.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        if waited < self.stats.target {
            return false;
        }
        self.playing = Some(Playing {
            next: first,
            frame: frame.samples,
            last_seq: None,
            silent: false,
            concealed: 0,
            gain: 1.0,
            since_stretch: 0,
            last_packet: now,
        });
        true
    }

    fn change_speed(&mut self, now: Instant) {
        let (Some(delay), Some(playing)) = (self.delay(now), &mut self.playing) else {
            return;
        };
        playing.since_stretch = playing.since_stretch.saturating_add(1);
        if playing.since_stretch < STRETCH_PAUSE || playing.concealed > 0 {
            return;
        }
        let target = self.stats.target;
        let channels = self.decoder.channels();
        let faster = delay > target + SLACK;
        if !faster && delay >= target {
            return;
        }
        // Only what is there is decoded ahead: a hole may still be filled.
        while self.ready.len() < stretch::NEEDED * channels && self.next_is_there() {
            self.produce(now);
        }
        self.scratch.clear();
        self.scratch.extend(&self.ready);
        let similar = if delay > target + FAST_SLACK { SIMILAR_FAST } else { SIMILAR };
        let stretched = if faster {
            stretch::accelerate(&mut self.scratch, channels, similar)
        } else {
            stretch::expand(&mut self.scratch, channels, SIMILAR)
        };
        if let Stretched::By(samples) = stretched {
            self.ready.clear();
            self.ready.extend(&self.scratch);
            let counter = if faster { &mut self.stats.removed } else { &mut self.stats.added };
            *counter += samples as u64;
            if let Some(playing) = &mut self.playing {
                playing.since_stretch = 0;
            }
        }
    }

    fn next_is_there(&self) -> bool {
        let next = self.playing.as_ref().map(|p| p.next);
        self.store.first().map(|(at, _)| at) == next
    }

    /// Appends at least one piece of sound to `ready`.
    fn produce(&mut self, now: Instant) {
        let Some(delay) = self.delay(now) else {
            return self.emit_silence();
        };
        let Some(playing) = &mut self.playing else {
            return self.emit_silence();
        };
        self.store.forget_before(playing.next);
        self.scratch.clear();
        let spare = delay.saturating_sub(self.stats.target);
        let first = self.store.first().map(|(at, frame)| (at, frame.seq));
        match first {
            Some((at, _)) if at == playing.next => self.play_frame(),
            Some((at, seq)) => {
                let gap = (at - playing.next) as usize;
                let silent = playing.silent && seq.is_some() && seq == playing.last_seq.map(|s| s + 1);
                let spare_samples = (spare.as_micros() as usize * TICKS_PER_MS as usize / 1000).min(gap);
                if !silent && playing.concealed > 0 && spare_samples >= PULL {
                    // This time was already filled while waiting.
                    playing.next += spare_samples as i64;
                    return self.produce(now); // Ends: the gap is shorter now, or closed.
                }
                let samples = gap.min(playing.frame);
                self.fill_gap(at, samples, silent);
            }
            None => {
                // Nothing later is here: wait with made-up sound, and only beyond the budget let time pass.
                let waiting = delay < self.config.budget.saturating_sub(self.config.one_way);
                let silent = playing.silent;
                if silent || !waiting {
                    playing.next += PULL as i64;
                }
                self.make_up(PULL, silent);
            }
        }
        self.ready.extend(self.scratch.drain(..));
    }

    fn emit_silence(&mut self) {
        self.ready.extend(std::iter::repeat_n(0.0, PULL * self.decoder.channels()));
    }

    fn play_frame(&mut self) {
        let Some(playing) = &mut self.playing else { return };
        let Some(frame) = self.store.take(playing.next) else { return };
        playing.next += frame.samples as i64;
        playing.frame = frame.samples;
        if self.decoder.decode(&frame.payload, &mut self.scratch).is_err() {
            self.stats.undecodable += 1;
            return self.make_up(frame.samples, false);
        }
        // Whatever the decoder made, time passes by what the packet says.
        self.scratch.resize(frame.samples * self.decoder.channels(), 0.0);
        playing.silent = frame.payload.len() <= DTX_LEN;
        if frame.seq.is_some() {
            playing.last_seq = frame.seq;
        }
        self.stats.heard.add(frame.rung, frame.samples);
        self.noise.learn(&self.scratch);
        self.end_concealment();
    }

    /// The next `samples` are missing; the first frame after them starts at `later`.
    fn fill_gap(&mut self, later: i64, samples: usize, silent: bool) {
        let Some(playing) = &mut self.playing else { return };
        let end = playing.next + samples as i64;
        playing.next = end;
        if silent {
            return self.make_up(samples, true);
        }
        let before = (later - end) as usize;
        let payload = self.store.first().map(|(_, frame)| frame.payload.as_slice()).unwrap_or_default();
        let rung = if before == 0 && self.decoder.decode_fec(payload, samples, &mut self.scratch) {
            Some(Rung::Fec)
        } else if self.decoder.decode_deep(payload, before, samples, &mut self.scratch) {
            Some(Rung::Deep)
        } else {
            None
        };
        match rung {
            Some(rung) => {
                self.stats.heard.add(rung, samples);
                self.end_concealment();
            }
            None => self.make_up(samples, false),
        }
    }

    /// Concealment that fades into comfort noise; in announced silence comfort noise at once.
    fn make_up(&mut self, samples: usize, silent: bool) {
        let channels = self.decoder.channels();
        let Some(playing) = &mut self.playing else { return };
        let start = self.scratch.len();
        if playing.concealed < FADE || silent {
            self.decoder.conceal(samples, &mut self.scratch);
        }
        self.scratch.resize(start + samples * channels, 0.0);
        if silent {
            self.stats.heard.add(Rung::Comfort, samples);
            return;
        }
        let rung = if playing.concealed < FADE { Rung::Conceal } else { Rung::Comfort };
        self.stats.heard.add(rung, samples);
        for (n, frame) in self.scratch[start..].chunks_exact_mut(channels).enumerate() {
            let gain = 1.0 - ((playing.concealed + n) as f32 / FADE as f32).min(1.0);
            playing.gain = gain;
            for sample in frame {
                *sample = *sample * gain + self.noise.sample() * (1.0 - gain);
            }
        }
        playing.concealed = (playing.concealed + samples).min(FADE);
    }

    /// Real sound again: the gain rises to one without a click.
    fn end_concealment(&mut self) {
        let channels = self.decoder.channels();
        let Some(playing) = &mut self.playing else { return };
        playing.concealed = 0;
        for frame in self.scratch.chunks_exact_mut(channels) {
            if playing.gain >= 1.0 {
                break;
            }
            playing.gain = (playing.gain + 1.0 / GAIN_RISE as f32).min(1.0);
            for sample in frame {
                *sample *= playing.gain;
            }
        }
    }
}
