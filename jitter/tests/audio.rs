//! What a listener hears, in virtual time: a tone whose phase is the media time goes through loss, jitter, drift and
//! silence; the samples that come out say what was played when.

use jitter::audio::{AudioBuffer, Config, DecodeError, Decoder, PULL, Packet, Rung, Stats};
use packet::{RtpTime, SeqNo};
use std::time::{Duration, Instant};

const FRAME: usize = 960;
const MS: Duration = Duration::from_millis(1);

/// Plays a 200 Hz tone at the media time that the payload names. FEC reaches one frame back, deep redundancy ten.
struct Tone {
    fec: bool,
    deep: bool,
    /// Nobody speaks in these frames, and deep redundancy leaves them out.
    pause: std::ops::Range<u32>,
}

impl Tone {
    fn render(at: i64, samples: usize, out: &mut Vec<f32>) {
        out.extend((0..samples as i64).map(|n| {
            let t = ((at + n) % 48_000) as f32 / 48_000.0;
            0.5 * (std::f32::consts::TAU * 200.0 * t).sin()
        }));
    }
    fn at(payload: &[u8]) -> Option<i64> {
        Some(i64::from_be_bytes(*payload.first_chunk::<8>()?))
    }
    fn pauses(&self, later: &[u8], before: usize, samples: usize) -> bool {
        let from = Self::at(later).map(|at| (at - (before + samples) as i64) / FRAME as i64);
        from.is_some_and(|frame| self.pause.contains(&(frame as u32)))
    }
}

impl Decoder for Tone {
    fn channels(&self) -> usize {
        1
    }
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        (!payload.is_empty()).then_some(FRAME)
    }
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        match payload.len() {
            1 => out.extend([0.0; FRAME]), // DTX
            _ => Self::render(Self::at(payload).ok_or(DecodeError)?, FRAME, out),
        }
        Ok(())
    }
    fn fec(&self, following: &[u8]) -> usize {
        if self.fec && following.len() == 8 { FRAME } else { 0 }
    }
    fn reach(&mut self, payload: &[u8]) -> usize {
        match payload.len() {
            8 => FRAME * if self.deep { 10 } else { usize::from(self.fec) },
            _ => 0,
        }
    }
    fn decode_fec(&mut self, following: &[u8], samples: usize, out: &mut Vec<f32>) -> bool {
        if let (true, Some(at)) = (self.fec, Self::at(following)) {
            Self::render(at - samples as i64, samples, out);
            return true;
        }
        false
    }
    fn decode_deep(&mut self, later: &[u8], before: usize, samples: usize, out: &mut Vec<f32>) -> bool {
        let held = self.deep && before <= 10 * FRAME && !self.pauses(later, before, samples);
        if let (true, Some(at)) = (held, Self::at(later)) {
            Self::render(at - (before + samples) as i64, samples, out);
            return true;
        }
        false
    }
    fn is_pause(&mut self, later: &[u8], before: usize, samples: usize) -> bool {
        self.deep && before <= 10 * FRAME && self.pauses(later, before, samples)
    }
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        out.extend(std::iter::repeat_n(0.1, samples));
    }
}

/// What the network does to packet `n`: `None` is loss.
type Fate<'a> = &'a dyn Fn(u32) -> Option<Duration>;

struct Call {
    fec: bool,
    deep: bool,
    /// Round trip of a request; `None`: nobody answers.
    nack: Option<Duration>,
    /// Sender's clock against ours, parts per million.
    drift_ppm: i64,
    /// The sender is silent for these packets: one DTX packet each 20.
    silent: std::ops::Range<u32>,
    /// Nobody speaks in these, and all are sent.
    pause: std::ops::Range<u32>,
    /// What is heard is looked at, not only counted.
    listened: bool,
}

impl Default for Call {
    fn default() -> Self {
        Self { fec: false, deep: false, nack: None, drift_ppm: 0, silent: 0..0, pause: 0..0, listened: true }
    }
}

struct Heard {
    stats: Stats,
    samples: Vec<f32>,
    delays: Vec<Duration>,
}

impl Heard {
    fn share(&self, rungs: &[Rung]) -> f64 {
        let heard: u64 = rungs.iter().map(|&r| self.stats.heard.samples(r)).sum();
        heard as f64 / self.stats.heard.total() as f64
    }
    fn delay(&self, quantile: f64) -> Duration {
        let mut sorted = self.delays[self.delays.len() / 4..].to_vec();
        sorted.sort_unstable();
        sorted[(sorted.len() as f64 * quantile) as usize]
    }
}

impl Call {
    /// `packets` of 20 ms, sequence numbers and timestamps starting just before their wrap.
    fn play(&self, packets: u32, fate: Fate<'_>) -> Heard {
        #[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
        let start = Instant::now();
        let first_seq = 65_500u16;
        let first_time = u32::MAX - 48_000;
        let packet = |n: u32| -> (SeqNo, RtpTime, Vec<u8>) {
            let payload = match self.silent.contains(&n) {
                true => vec![0],
                false => (i64::from(n) * FRAME as i64).to_be_bytes().to_vec(),
            };
            (
                SeqNo(first_seq.wrapping_add(n as u16)),
                RtpTime(first_time.wrapping_add(n * FRAME as u32)),
                payload,
            )
        };
        let mut arrivals: Vec<(Duration, u32, bool)> = Vec::new();
        let mut sent = 0u16;
        let mut seq_of = Vec::new();
        for n in 0..packets {
            let dtx_gap = self.silent.contains(&n) && !(n - self.silent.start).is_multiple_of(20);
            seq_of.push(sent);
            if dtx_gap {
                continue;
            }
            sent = sent.wrapping_add(1);
            let sent_at = Duration::from_micros(
                (i64::from(n) * (20_000 * (1_000_000 + self.drift_ppm)) / 1_000_000) as u64,
            );
            if let Some(delay) = fate(n) {
                arrivals.push((sent_at + delay, n, false));
            }
        }
        arrivals.sort();
        let mut arrivals = std::collections::VecDeque::from(arrivals);
        let config = Config {
            nack: self.nack.is_some(),
            round_trip: self.nack.unwrap_or(MS * 100),
            ..Config::default()
        };
        let mut buffer =
            AudioBuffer::new(config, Tone { fec: self.fec, deep: self.deep, pause: self.pause.clone() });
        let (mut heard, mut delays) = (Vec::new(), Vec::new());
        let mut out = [0.0; PULL];
        let mut tries = vec![0u32; packets as usize];
        for tick in 0..packets * 2 {
            let now = start + MS * 10 * tick;
            while arrivals.front().is_some_and(|a| start + a.0 <= now) {
                let Some((at, n, again)) = arrivals.pop_front() else { break };
                let (_, timestamp, payload) = packet(n);
                let seq = SeqNo(first_seq.wrapping_add(seq_of[n as usize]));
                let packet = Packet { seq, timestamp, payload: &payload, retransmitted: again };
                buffer.insert(start + at, packet);
            }
            buffer.pull(now, &mut out);
            if self.listened {
                heard.extend(out);
            }
            delays.push(buffer.stats().delay);
            for seq in buffer.poll_nack(now) {
                let sent = seq.since(SeqNo(first_seq)) as u16;
                let n = seq_of.iter().rposition(|&s| s == sent).unwrap_or(0) as u32;
                let n = (0..=n).find(|&m| seq_of[m as usize] == sent).unwrap_or(n);
                tries[n as usize] += 1;
                // 30 % loss both ways.
                let answered = chance(n * 31 + tries[n as usize]) < 0.49;
                if let (Some(rtt), true) = (self.nack, answered) {
                    let at = now - start + rtt;
                    let place = arrivals.partition_point(|a| a.0 <= at);
                    arrivals.insert(place, (at, n, true));
                }
            }
        }
        Heard { stats: buffer.stats().clone(), samples: heard, delays }
    }
}

/// A fixed scramble of n, uniform in 0..1.
fn chance(n: u32) -> f64 {
    let mut x = u64::from(n).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ x >> 31) >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn a_clean_call_is_heard_whole_within_40_ms() {
    let heard = Call::default().play(3000, &|_| Some(MS * 30));
    assert!(heard.share(&[Rung::Primary]) > 0.999, "{:?}", heard.stats);
    assert!(heard.delay(0.95) <= MS * 45, "{:?}", heard.delay(0.95));
    let loud = heard.samples.iter().filter(|s| s.abs() > 0.01).count();
    assert!(loud > heard.samples.len() * 9 / 10);
}

#[test]
fn single_losses_are_covered_by_in_band_fec() {
    let call = Call { fec: true, ..Call::default() };
    let heard = call.play(3000, &|n| (n % 10 != 5).then_some(MS * 30));
    assert!(heard.share(&[Rung::Fec]) > 0.08, "{:?}", heard.stats);
    assert!(heard.share(&[Rung::Conceal, Rung::Comfort]) < 0.005, "{:?}", heard.stats);
}

#[test]
fn deep_redundancy_covers_bursts_in_order() {
    let call = Call { deep: true, ..Call::default() };
    let heard = call.play(3000, &|n| (n % 20 > 4).then_some(MS * 30));
    assert!(heard.share(&[Rung::Deep]) > 0.15, "{:?}", heard.stats);
    // The tone goes on: a wrong offset would break its phase, and with it the step between samples.
    let late = &heard.samples[48_000..];
    let steps = late.windows(2).filter(|w| (w[1] - w[0]).abs() > 0.05).count();
    assert!(steps < late.len() / 2000, "{steps} steps in {}", late.len());
}

#[test]
fn retransmissions_win_over_concealment_and_buy_their_delay() {
    let lossy = |n: u32| (chance(n) > 0.3).then_some(MS * 50);
    let without = Call::default().play(3000, &lossy);
    let with = Call { nack: Some(MS * 40), ..Call::default() }.play(3000, &lossy);
    let concealed = |h: &Heard| h.share(&[Rung::Conceal, Rung::Comfort]);
    assert!(concealed(&without) > 0.2, "{:?}", without.stats);
    assert!(concealed(&with) < 0.05, "{:?}", with.stats);
    assert!(with.delay(0.95) < MS * 503, "{:?}", with.delay(0.95));
}

#[test]
fn an_hour_of_clock_drift_is_neither_overrun_nor_underrun() {
    for drift_ppm in [-500, 500] {
        let call = Call { drift_ppm, listened: false, ..Call::default() };
        let heard = call.play(60 * 60 * 50, &|_| Some(MS * 30));
        // The one with the fast clock ends 1.8 s before the other.
        assert!(heard.share(&[Rung::Primary]) > 0.999, "{drift_ppm}: {:?}", heard.stats);
        assert!(heard.delay(0.99) <= MS * 80, "{drift_ppm}: {:?}", heard.delay(0.99));
        // 1.8 s in an hour, and no more: time is not added and removed in turn.
        let Stats { added, removed, .. } = heard.stats;
        let (needed, other) = if drift_ppm > 0 { (added, removed) } else { (removed, added) };
        assert!(needed.abs_diff(86_400) < 9_600 + other && other < 4_800, "{drift_ppm}: {added} {removed}");
    }
}

#[test]
fn jitter_raises_the_delay_and_calm_lowers_it() {
    let jittery = |n: u32| Some(MS * 30 + MS * (chance(n) * 120.0 * f64::from(u8::from(n < 2000))) as u32);
    let heard = Call::default().play(8000, &jittery);
    let mean = |range: std::ops::Range<usize>| {
        heard.delays[range.clone()].iter().sum::<Duration>() / range.len() as u32
    };
    assert!(mean(2000..4000) > MS * 90, "{:?}", mean(2000..4000));
    assert!(mean(15_000..16_000) < MS * 60, "{:?}", mean(15_000..16_000));
    assert!(heard.share(&[Rung::Conceal, Rung::Comfort]) < 0.02, "{:?}", heard.stats);
}

#[test]
fn what_is_lost_of_a_pause_is_no_speech_that_is_made_up() {
    let lost = |n: u32| (!n.is_multiple_of(3)).then_some(MS * 30);
    let call = |pause| Call { deep: true, pause, ..Call::default() };
    let heard = call(500..1000).play(1500, &lost);
    assert!(heard.share(&[Rung::Conceal, Rung::Comfort]) < 0.01, "{:?}", heard.stats);
    assert!((0.10..0.12).contains(&heard.share(&[Rung::Pause])), "{:?}", heard.stats);
    // The room's noise, and no held vowel: concealment here is a level of 0.1.
    let between = &heard.samples[14 * 48_000..17 * 48_000];
    let held = between.windows(480).filter(|w| w.iter().all(|s| (s - 0.1).abs() < 1e-3)).count();
    assert!(held < between.len() / 20, "{held} of {}", between.len());
    assert_eq!(call(0..0).play(1500, &lost).share(&[Rung::Pause]), 0.0);
}

#[test]
fn announced_silence_is_no_loss() {
    let heard = Call { silent: 500..1000, ..Call::default() }.play(1500, &|_| Some(MS * 30));
    assert!(heard.share(&[Rung::Conceal]) < 0.01, "{:?}", heard.stats);
    assert!(heard.share(&[Rung::Pause]) > 0.25, "{:?}", heard.stats);
}

#[test]
fn an_outage_fades_out_and_speech_is_back_within_150_ms() {
    let heard = Call::default().play(500, &|n| (!(200..300).contains(&n)).then_some(MS * 30));
    let out_at = 200 * FRAME + FRAME * 10;
    let quiet = &heard.samples[out_at + 48_000 / 2..out_at + 48_000];
    assert!(quiet.iter().all(|s| s.abs() < 0.01), "a buzz instead of silence");
    let back = 300 * FRAME + 48 * 30;
    let again = &heard.samples[back + 48 * 150..back + 48 * 400];
    assert!(again.iter().filter(|s| s.abs() > 0.05).count() > again.len() / 2, "{:?}", heard.stats);
}

#[test]
fn the_same_packets_give_the_same_samples() {
    let lossy = |n: u32| (chance(n) > 0.2).then_some(MS * 30 + MS * (chance(n + 1) * 60.0) as u32);
    let call = Call { deep: true, nack: Some(MS * 80), ..Call::default() };
    let (a, b) = (call.play(1000, &lossy), call.play(1000, &lossy));
    assert_eq!(a.samples, b.samples);
    assert_eq!(a.stats, b.stats);
}
