//! A sender of video frames behind a pacer of 5 ms ticks, and the receiver that reports every 50 ms.

use super::control::Control;
use super::{Flow, Payload};
use bwe::pacing::{Budget, ProbeBudget};
use netem::Random;
use packet::rtcp::{Received, TransportFeedback};
use packet::{Bitrate, SeqNo, Ssrc};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// What there is to send.
#[derive(Clone, Debug)]
pub enum Source {
    /// An encoder that follows the estimate up to this rate.
    Follows(u64),
    /// An SFU: of these rates, ascending, the highest that fits; the last is wanted.
    Layers(&'static [u64]),
    /// The same after [`LOBBY`], in which there is nothing to send.
    LayersAfterLobby(&'static [u64]),
}

pub struct Media<C> {
    control: C,
    source: Source,
    random: Random,
    next_tick: Instant,
    begins: Instant,
    next_frame: Instant,
    frame: u32,
    seq: u16,
    budget: Budget,
    probe: Option<ProbeBudget>,
    queue: VecDeque<(usize, u32, u16)>,
    layer: usize,
    out: VecDeque<(usize, Payload)>,
    receiver: Receiver,
}

const TICK: Duration = Duration::from_millis(5);
pub const LOBBY: Duration = Duration::from_secs(3);
pub const FRAME: Duration = Duration::from_micros(33_333);
const PACKET_MAX: usize = 1200;
const HEADERS: usize = 28;
/// RTP padding has 255 bytes at most (RFC 3550 section 5.1).
const PADDING: usize = 267;
/// A pacer that is this far behind throws away what is too old to be shown.
const QUEUE_MAX: Duration = Duration::from_millis(500);
/// Every 10 s a frame of three times the size.
const KEYFRAME_EVERY: u32 = 300;

impl Source {
    /// What it could use.
    pub fn wanted(&self) -> u64 {
        match self {
            Self::Follows(wanted) => *wanted,
            Self::Layers(layers) | Self::LayersAfterLobby(layers) => layers.last().copied().unwrap_or(0),
        }
    }
    /// What the next layer takes.
    pub fn next(&self, layer: usize) -> Option<u64> {
        match self {
            Self::Follows(_) => None,
            Self::Layers(layers) | Self::LayersAfterLobby(layers) => layers.get(layer + 1).copied(),
        }
    }
    /// The rate to encode at, and the layer.
    pub fn choose(&self, estimate: u64) -> (u64, usize) {
        match self {
            Self::Follows(wanted) => (estimate.min(*wanted), 0),
            Self::Layers(layers) | Self::LayersAfterLobby(layers) => {
                let layer = layers.iter().rposition(|layer| *layer <= estimate).unwrap_or(0);
                (layers[layer].min(estimate), layer)
            }
        }
    }
}

/// Bytes of the next frame: it varies by a fifth, and keyframes are large.
pub fn frame_size(rate: u64, frame: u32, random: &mut Random) -> usize {
    let mean = rate as f64 * FRAME.as_secs_f64() / 8.0;
    let key = frame.is_multiple_of(KEYFRAME_EVERY);
    let size = mean * (0.8 + 0.4 * random.share()) * if key { 3.0 } else { 0.98 };
    (size as usize).max(200)
}

impl<C: Control> Media<C> {
    pub fn new(now: Instant, seed: u64, source: Source, mut control: C) -> Self {
        control.wanted(now, source.wanted());
        let lobby = match source {
            Source::LayersAfterLobby(_) => LOBBY,
            Source::Follows(_) | Source::Layers(_) => Duration::ZERO,
        };
        if !lobby.is_zero() {
            control.ask_ahead(now);
        }
        let pacing = Bitrate(control.pacing(now));
        Self {
            control,
            source,
            random: Random::for_purpose(seed, 77),
            next_tick: now,
            begins: now + lobby,
            next_frame: now + lobby,
            frame: 0,
            // Shortly before the wrap, so that every scenario crosses it.
            seq: 65_000,
            budget: Budget::new(now, pacing, TICK * 2),
            probe: None,
            queue: VecDeque::new(),
            layer: 0,
            out: VecDeque::new(),
            receiver: Receiver::new(now),
        }
    }

    fn begins_after_lobby(&self) -> bool {
        matches!(self.source, Source::LayersAfterLobby(_))
    }

    fn encode(&mut self) {
        let (rate, layer) = self.source.choose(self.control.rate());
        self.layer = layer;
        if self.begins_after_lobby() {
            self.control.goal(self.source.next(layer));
        }
        let size = frame_size(rate, self.frame, &mut self.random);
        let count = size.div_ceil(PACKET_MAX - HEADERS);
        self.queue.extend((0..count).map(|_| (size / count, self.frame, count as u16)));
        self.frame += 1;
        // Of the oldest frames, so many that the rest can leave in time.
        let rate = self.control.rate().max(1);
        let most = (rate as f64 * QUEUE_MAX.as_secs_f64() / 8.0) as usize + 20_000;
        while self.queue.iter().map(|(size, ..)| size + HEADERS).sum::<usize>() > most {
            self.queue.pop_front();
        }
    }

    fn send(&mut self, now: Instant, size: usize, frame: u32, count: u16) {
        let probe = self.probe.as_mut().map(|probe| {
            probe.sent(size + HEADERS);
            probe.id()
        });
        self.budget.spend(size + HEADERS);
        self.control.sent(now, self.seq, size + HEADERS, count == 0, probe);
        self.out.push_back((size, Payload::Rtp { seq: self.seq, frame, count }));
        self.seq = self.seq.wrapping_add(1);
        if self.probe.as_ref().is_some_and(ProbeBudget::is_complete) {
            self.probe = None;
        }
    }
}

impl<C: Control> Flow for Media<C> {
    fn handle_timeout(&mut self, now: Instant) {
        self.control.handle_timeout(now);
        if now >= self.next_frame {
            if self.next_frame == self.begins {
                self.control.begin(now);
            }
            self.next_frame += FRAME;
            self.encode();
        }
        if now >= self.next_tick {
            self.next_tick += TICK;
            let pacing = Bitrate(self.control.pacing(now));
            self.budget.set_rate(now, pacing);
            if self.probe.is_none() {
                self.probe = self.control.probe(now).map(ProbeBudget::new);
            }
            // Scenes without a lobby are older than what a Router really does, and held as they were.
            let padding = if self.begins_after_lobby() { PADDING } else { PACKET_MAX - HEADERS };
            while let Some(probe) = &mut self.probe {
                if probe.due(now) == 0 {
                    break;
                }
                let (size, frame, count) = self.queue.pop_front().unwrap_or((padding, 0, 0));
                self.send(now, size, frame, count);
            }
            while self.probe.is_none() && !self.queue.is_empty() && self.budget.allows(now) {
                let (size, frame, count) = self.queue.pop_front().expect("not empty");
                self.send(now, size, frame, count);
            }
        }
    }
    fn next(&self) -> Option<Instant> {
        Some(self.next_tick.min(self.next_frame))
    }
    fn poll_forward(&mut self, _: Instant) -> Option<(usize, Payload)> {
        self.out.pop_front()
    }
    fn poll_back(&mut self, now: Instant) -> Option<(usize, Payload)> {
        self.receiver.message(now).map(|message| (60, Payload::Feedback(message)))
    }
    fn on_forward(&mut self, now: Instant, payload: Payload) {
        if let Payload::Rtp { seq, frame, count } = payload {
            self.receiver.arrived(now, seq, frame, count);
        }
    }
    fn on_back(&mut self, now: Instant, payload: Payload) {
        if let Payload::Feedback(feedback) = payload {
            self.control.feedback(now, &feedback);
        }
    }
    fn estimate(&self) -> Option<u64> {
        Some(self.control.rate())
    }
    fn layer(&self) -> usize {
        self.layer
    }
    fn frames(&self) -> &[Instant] {
        &self.receiver.complete
    }
    fn explain(&self) -> String {
        let waiting: usize = self.queue.iter().map(|(size, ..)| size).sum();
        format!("layer {} waits {waiting} {}", self.layer, self.control.explain())
    }
}

/// Reports every arrival and every gap once, late ones again with what came after them.
struct Receiver {
    origin: Instant,
    highest: Option<u64>,
    told: u64,
    untold: BTreeMap<u64, i64>,
    due: Option<Instant>,
    count: u8,
    frames: BTreeMap<u32, u16>,
    complete: Vec<Instant>,
}

const FEEDBACK: Duration = Duration::from_millis(50);
/// The receiver's clock differs from the sender's, and its 24 bits of 64 ms wrap after a few seconds.
const CLOCK_US: i64 = (1 << 23) * 64_000 - 5_000_000;

impl Receiver {
    fn new(now: Instant) -> Self {
        Self {
            origin: now,
            highest: None,
            told: 0,
            untold: BTreeMap::new(),
            due: None,
            count: 0,
            frames: BTreeMap::new(),
            complete: Vec::new(),
        }
    }

    fn arrived(&mut self, now: Instant, seq: u16, frame: u32, count: u16) {
        let highest = self.highest.unwrap_or_else(|| {
            self.told = (1 << 16) + u64::from(seq);
            self.told
        });
        let ext = packet::ExtSeq(highest).nearest(SeqNo(seq)).0;
        self.highest = Some(highest.max(ext));
        self.untold.entry(ext).or_insert((now - self.origin).as_micros() as i64 + CLOCK_US);
        self.due.get_or_insert(now + FEEDBACK);
        if count > 0 {
            let missing = self.frames.entry(frame).or_insert(count);
            *missing = missing.saturating_sub(1);
            if *missing == 0 {
                self.complete.push(now);
            }
            while self.frames.len() > 100 {
                self.frames.pop_first();
            }
        }
    }

    fn message(&mut self, now: Instant) -> Option<TransportFeedback> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        self.due = None;
        let (&first, &first_us) = self.untold.first_key_value()?;
        let base = first.min(self.told);
        let reference = first_us.div_euclid(64_000);
        let mut at_us = reference * 64_000;
        let mut received = Vec::new();
        let mut last = base;
        while let Some((&ext, &us)) = self.untold.first_key_value() {
            let (Ok(offset), Ok(delta)) = (u16::try_from(ext - base), i16::try_from((us - at_us) / 250))
            else {
                break;
            };
            self.untold.pop_first();
            received.push(Received { offset, delta });
            at_us += i64::from(delta) * 250;
            last = ext;
        }
        self.told = self.told.max(last + 1);
        self.count = self.count.wrapping_add(1);
        Some(TransportFeedback {
            sender: Ssrc(1),
            media: Ssrc(2),
            base: SeqNo(base as u16),
            status_count: (last - base + 1) as u16,
            feedback_count: self.count,
            reference_time: (reference as i32) << 8 >> 8,
            received,
        })
    }
}
