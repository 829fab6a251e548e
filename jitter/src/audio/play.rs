//! The playing half of the buffer: every 10 ms a decision, every frame from the best rung that is there.

use super::arrive::DTX_LEN;
use super::buffer::{AudioBuffer, PULL, TICKS_PER_MS};
use super::decision::{Decision, Next, Situation, decide};
use super::decoder::Decoder;
use super::store::Rung;
use super::stretch::{self, Stretched};
use std::time::{Duration, Instant};

const SIMILAR: f32 = 0.9;
const SIMILAR_FAST: f32 = 0.5;
/// Later than the target by this much, speech is left out: the longest budget and half a second.
const FLUSH: Duration = Duration::from_millis(1000);
/// Made-up speech keeps its level for one frame and is gone after six: longer than that it is a buzz.
const FADE_BEGINS: usize = 20 * TICKS_PER_MS as usize;
const FADE_ENDS: usize = 120 * TICKS_PER_MS as usize;
/// Samples over which the share that nothing repaired is a mean: 4 s.
const RESIDUAL_MEMORY: f32 = 4.0 * 48_000.0;
/// Real sound takes over from made-up sound within this many samples: no click, no lost consonant.
const MERGE: usize = 5 * TICKS_PER_MS as usize;

/// Why sound is made up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Why {
    /// The sender announced silence.
    Announced,
    /// Nobody spoke, as is known now.
    Pause,
    Missing,
}

/// A stream that is being played.
pub(super) struct Playing {
    /// Unwrapped tick of the next frame to decode.
    pub next: i64,
    pub last_packet: Instant,
    /// Samples per channel of the last frame.
    frame: usize,
    /// Sequence number of the last primary decoded.
    last_seq: Option<i64>,
    /// The sender announced silence.
    silent: bool,
    /// Samples made up in a row.
    concealed: usize,
    /// Of the last made-up sample, 0.0-1.0.
    gain: f32,
    /// Media time was left out or waited for since the last real sound.
    jumped: bool,
    since_stretch: u32,
}

impl Playing {
    pub fn from(next: i64, frame: usize, now: Instant) -> Self {
        Self {
            next,
            last_packet: now,
            frame,
            last_seq: None,
            silent: false,
            concealed: 0,
            gain: 1.0,
            jumped: false,
            since_stretch: 0,
        }
    }
}

impl<D: Decoder> AudioBuffer<D> {
    /// Decides about this pull, and stretches time if that is the decision.
    pub(super) fn decide(&mut self, now: Instant) {
        let channels = self.decoder.channels();
        let Some(delay) = self.delay(now) else { return };
        let Some(playing) = &mut self.playing else { return };
        playing.since_stretch = playing.since_stretch.saturating_add(1);
        let enough = self.ready.len() >= PULL * channels;
        let next = match self.store.first() {
            _ if enough => Next::Here,
            Some((at, _)) if at <= playing.next => Next::Here,
            Some(_) => Next::Gap,
            None => Next::Nothing,
        };
        let situation = Situation {
            delay,
            target: self.stats.target,
            next,
            repairable: false, // Known only by trying; the pull is counted again below if it was.
            silent: playing.silent && !enough,
            concealing: playing.concealed > 0 && !enough,
            faded: playing.concealed >= FADE_ENDS,
            since_stretch: playing.since_stretch,
        };
        let decision = decide(&situation);
        self.stats.decisions.add(decision);
        match decision {
            Decision::Accelerate => self.stretch(now, true, SIMILAR),
            Decision::FastAccelerate => self.stretch(now, true, SIMILAR_FAST),
            Decision::PreemptiveExpand => self.stretch(now, false, SIMILAR),
            _ => {}
        }
    }

    fn stretch(&mut self, now: Instant, faster: bool, similar: f32) {
        let channels = self.decoder.channels();
        // Only what is there is decoded ahead: a hole may still be filled.
        while self.ready.len() < stretch::NEEDED * channels && self.next_is_there() {
            self.produce(now);
        }
        let mut samples = std::mem::take(&mut self.scratch);
        samples.clear();
        samples.extend(&self.ready);
        let stretched = if faster {
            stretch::accelerate(&mut samples, channels, similar)
        } else {
            stretch::expand(&mut samples, channels, similar)
        };
        if let Stretched::By(by) = stretched {
            self.ready.clear();
            self.ready.extend(&samples);
            let counter = if faster { &mut self.stats.removed } else { &mut self.stats.added };
            *counter += by as u64;
            if let Some(playing) = &mut self.playing {
                playing.since_stretch = 0;
            }
        }
        self.scratch = samples;
    }

    fn next_is_there(&self) -> bool {
        let next = self.playing.as_ref().map(|p| p.next);
        self.store.first().map(|(at, _)| at) == next
    }

    /// Appends at least one piece of sound to `ready`.
    pub(super) fn produce(&mut self, now: Instant) {
        self.scratch.clear();
        let made = match self.delay(now) {
            Some(delay) => self.next_piece(delay),
            None => None,
        };
        if made.is_none() || self.scratch.is_empty() {
            self.scratch.resize(PULL * self.decoder.channels(), 0.0);
        }
        self.ready.extend(self.scratch.drain(..));
    }

    fn next_piece(&mut self, delay: Duration) -> Option<()> {
        let waits = !self.at_budget(delay);
        let spare =
            delay.saturating_sub(self.stats.target).as_micros() as i64 * i64::from(TICKS_PER_MS) / 1000;
        let playing = self.playing.as_mut()?;
        if let Some(newest) = self.store.last().filter(|_| delay > self.stats.target + FLUSH) {
            // No stretching catches up with this: a pile that arrived at once, or a clock that jumped.
            playing.next = playing.next.max(newest.min(playing.next + spare));
            (playing.jumped, playing.concealed) = (true, playing.concealed.max(1));
            self.stats.flushes += 1;
        }
        self.store.forget_before(playing.next);
        let first = self.store.first().map(|(at, frame)| (at, frame.seq));
        match first {
            None => {
                // Nothing later is here: wait with made-up sound, and only beyond the budget let time pass.
                let silent = playing.silent;
                if silent || !waits {
                    playing.next += PULL as i64;
                }
                playing.jumped |= !silent;
                self.make_up(PULL, if silent { Why::Announced } else { Why::Missing });
            }
            Some((at, seq)) => {
                let gap = at - playing.next;
                let silent = playing.silent && seq.is_some() && seq == playing.last_seq.map(|s| s + 1);
                if !silent && playing.concealed > 0 && spare >= PULL as i64 {
                    // This time was already filled while waiting.
                    playing.next += spare.min(gap);
                    playing.jumped = true;
                }
                let gap = (at - playing.next) as usize;
                let piece = gap.min(playing.frame.max(PULL / 4));
                match gap {
                    0 => self.play_frame()?,
                    _ => self.fill_gap(at, piece, silent)?,
                }
            }
        }
        Some(())
    }

    fn play_frame(&mut self) -> Option<()> {
        let next = self.playing.as_ref()?.next;
        let frame = self.store.take(next)?;
        let tail = self.tail_to_merge();
        let playing = self.playing.as_mut()?;
        playing.next += frame.samples as i64;
        playing.frame = frame.samples;
        let start = self.scratch.len();
        if self.decoder.decode(&frame.payload, &mut self.scratch).is_err() {
            self.stats.undecodable += 1;
            self.scratch.truncate(start);
            self.make_up(frame.samples, Why::Missing);
            return Some(());
        }
        // Whatever the decoder made, time passes by what the packet says.
        self.scratch.resize(frame.samples * self.decoder.channels(), 0.0);
        playing.silent = frame.payload.len() <= DTX_LEN;
        if frame.seq.is_some() {
            playing.last_seq = frame.seq;
        }
        self.heard(frame.rung, frame.samples);
        self.noise.learn(&self.scratch);
        self.merge(&tail);
        Some(())
    }

    /// The next `samples` are missing; the first frame after them starts at `later`.
    fn fill_gap(&mut self, later: i64, samples: usize, silent: bool) -> Option<()> {
        let from = self.playing.as_ref()?.next;
        if silent {
            self.playing.as_mut()?.next = from + samples as i64;
            self.make_up(samples, Why::Announced);
            return Some(());
        }
        let tail = self.tail_to_merge();
        let (rung, samples) = self.repair_gap(from, later, samples);
        self.playing.as_mut()?.next = from + samples as i64;
        match rung {
            Some(Rung::Pause) => self.make_up(samples, Why::Pause),
            Some(rung) => {
                self.scratch.resize(samples * self.decoder.channels(), 0.0);
                self.heard(rung, samples);
                self.merge(&tail);
            }
            None => self.make_up(samples, Why::Missing),
        }
        Some(())
    }

    /// Fills up to `samples` from `from` on out of redundancy; says how, and how many samples this piece has either way.
    fn repair_gap(&mut self, from: i64, later: i64, samples: usize) -> (Option<Rung>, usize) {
        let Some((_, following)) = self.store.first() else { return (None, samples) };
        // In-band FEC covers the end of the gap only; what is before it is filled first.
        let covered = self.decoder.fec(&following.payload) as i64;
        let before = later - covered - from;
        if covered > 0
            && before <= 0
            && later - from <= samples as i64
            && self.decoder.decode_fec(&following.payload, samples, &mut self.scratch)
        {
            return (Some(Rung::Fec), samples);
        }
        let samples = if covered > 0 && before > 0 { samples.min(before as usize) } else { samples };
        let end = from + samples as i64;
        // Copies of frames carry no deep redundancy of their own, so the nearest frame may have none where the next has.
        let later = || {
            let later = self.store.until(end + super::arrive::REACH_MAX);
            later
                .filter(|(_, frame)| frame.rung != Rung::Red)
                .map(|(at, frame)| ((at - end) as usize, &frame.payload))
        };
        let (decoder, out) = (&mut self.decoder, &mut self.scratch);
        if later().any(|(before, payload)| decoder.decode_deep(payload, before, samples, out)) {
            return (Some(Rung::Deep), samples);
        }
        let is_pause = later().any(|(before, payload)| decoder.is_pause(payload, before, samples));
        (is_pause.then_some(Rung::Pause), samples)
    }

    /// Counts what is heard while somebody speaks.
    fn heard(&mut self, rung: Rung, samples: usize) {
        self.stats.heard.add(rung, samples);
        let exact = matches!(rung, Rung::Primary | Rung::Rtx | Rung::Red | Rung::Pause);
        let share = self.residual.get_or_insert(self.first_loss.share());
        *share += (f32::from(u8::from(!exact)) - *share) * samples as f32 / RESIDUAL_MEMORY;
    }

    /// Concealment that fades into comfort noise, at once where nobody spoke; in announced silence the codec's own.
    fn make_up(&mut self, samples: usize, why: Why) {
        let channels = self.decoder.channels();
        let Some(playing) = &mut self.playing else { return };
        let start = self.scratch.len();
        if playing.concealed < FADE_ENDS || why == Why::Announced {
            self.decoder.conceal(samples, &mut self.scratch);
        }
        self.scratch.resize(start + samples * channels, 0.0);
        if why == Why::Announced {
            self.stats.heard.add(Rung::Pause, samples);
            return;
        }
        if why == Why::Pause {
            playing.concealed = playing.concealed.max(FADE_BEGINS);
        }
        let rung = match why {
            Why::Pause => Rung::Pause,
            _ if playing.concealed < FADE_ENDS => Rung::Conceal,
            _ => Rung::Comfort,
        };
        for (n, frame) in self.scratch[start..].chunks_exact_mut(channels).enumerate() {
            let faded = (playing.concealed + n).saturating_sub(FADE_BEGINS) as f32;
            playing.gain = 1.0 - (faded / (FADE_ENDS - FADE_BEGINS) as f32).min(1.0);
            let noise = self.noise.sample();
            for sample in frame {
                *sample = *sample * playing.gain + noise * (1.0 - playing.gain);
            }
        }
        playing.concealed = (playing.concealed + samples).min(FADE_ENDS);
        self.heard(rung, samples);
    }

    /// After a jump in time the decoder's own smoothing does not help: made-up sound goes on for a moment, to be faded out
    /// under what comes. Must be called before that is decoded.
    fn tail_to_merge(&mut self) -> Vec<f32> {
        let mut tail = Vec::new();
        if self.playing.as_ref().is_some_and(|p| p.concealed > 0 && p.jumped && p.gain > 0.0) {
            self.decoder.conceal(MERGE, &mut tail);
        }
        tail
    }

    /// Real sound again, in `scratch`: it takes over without a click.
    fn merge(&mut self, tail: &[f32]) {
        let channels = self.decoder.channels();
        let Some(playing) = &mut self.playing else { return };
        if playing.concealed == 0 {
            return;
        }
        let gain = playing.gain;
        for (n, frame) in self.scratch.chunks_exact_mut(channels).take(MERGE).enumerate() {
            let up = (n + 1) as f32 / MERGE as f32;
            for (channel, sample) in frame.iter_mut().enumerate() {
                *sample = match tail.get(n * channels + channel) {
                    Some(old) => *sample * up + old * gain * (1.0 - up),
                    None => *sample * (gain + (1.0 - gain) * up),
                };
            }
        }
        (playing.concealed, playing.gain, playing.jumped) = (0, 1.0, false);
    }
}
