//! What a pull costs: the buffer's own work on real sound, the decoder alone on the same packets, and crate `neteq`.

use super::call::{DECODER_COMPLEXITY, MS};
use super::peers::{self, Arrival};
use crate::report::Report;
use anyhow::{Context, Result};
use jitter::audio::{AudioBuffer, Config, DecodeError, Decoder, PULL, Packet};
use packet::{RtpTime, SeqNo};
use std::time::{Duration, Instant};
use voice::{Channels, OpusDecoder};

/// Rounds of the whole speech; the fastest is taken, since another program only ever makes it slower.
const ROUNDS: usize = 5;
/// Streams that are held at once to see what one needs.
const STREAMS: usize = 400;
/// Each has heard this much.
const STREAM_ARRIVALS: usize = 500;

/// Plays what was decoded before: the time of a buffer on it is the buffer's own.
struct Decoded<'a> {
    samples: &'a [f32],
    at: usize,
}

impl Decoded<'_> {
    fn append(&mut self, samples: usize, out: &mut Vec<f32>) {
        let from = self.at % (self.samples.len() - samples);
        out.extend_from_slice(&self.samples[from..from + samples]);
        self.at = from + samples;
    }
}

impl Decoder for Decoded<'_> {
    fn channels(&self) -> usize {
        1
    }
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        packet::codec::opus::duration_samples(payload).map(|samples| samples as usize)
    }
    fn decode(&mut self, _: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        self.append(960, out);
        Ok(())
    }
    fn fec(&self, _: &[u8]) -> usize {
        0
    }
    fn reach(&mut self, _: &[u8]) -> usize {
        0
    }
    fn decode_fec(&mut self, _: &[u8], _: usize, _: &mut Vec<f32>) -> bool {
        false
    }
    fn decode_deep(&mut self, _: &[u8], _: usize, _: usize, _: &mut Vec<f32>) -> bool {
        false
    }
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        self.append(samples, out);
    }
}

/// `calm` and `jittery`: what arrives on a clean network, and on one that makes the buffer stretch time.
pub fn measure(report: &mut Report, calm: &[Arrival], jittery: &[Arrival]) -> Result<()> {
    report.heading("Cost of a pull of 10 ms, 48 kHz mono, the fastest of five runs");
    let sound = decoded(calm)?;
    let decoder = fastest(|| time_of(|| decoded(calm).map(drop)))?;
    let pulls = calm.len() as f64 * 2.0;
    report.figure("decoder_us", decoder / pulls, "libopus alone, the same packets, complexity 7");
    for (name, arrivals) in [("", calm), ("jittery_", jittery)] {
        let own = fastest(|| time_of(|| play(arrivals, || Ok(Decoded { samples: &sound, at: 0 }))))?;
        let whole = fastest(|| {
            time_of(|| play(arrivals, || Ok(OpusDecoder::new(Channels::Mono, DECODER_COMPLEXITY)?)))
        })?;
        report.figure(format!("{name}pull_us"), whole / pulls, "insert, poll and pull with the decoder");
        report.figure(format!("{name}pull_own_us"), own / pulls, "the same with a decoder that only copies");
        report.figure(
            format!("{name}own_share_pct"),
            100.0 * own / decoder,
            "of the decoder's time; goal 10",
        );
    }
    let neteq = fastest(|| time_of(|| play_neteq(calm)))?;
    report.figure("neteq_pull_us", neteq / pulls, "crate neteq with the same libopus, as fast as it goes");
    report.figure(
        "bytes_per_stream",
        bytes_per_stream(jittery, &sound),
        "the buffer without its decoder, as the allocator counts it",
    );
    Ok(())
}

fn fastest(mut run: impl FnMut() -> Result<f64>) -> Result<f64> {
    (0..ROUNDS).try_fold(f64::INFINITY, |best, _| Ok(best.min(run()?)))
}

/// In microseconds.
fn time_of(run: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

fn decoded(arrivals: &[Arrival]) -> Result<Vec<f32>> {
    let mut decoder = OpusDecoder::new(Channels::Mono, DECODER_COMPLEXITY)?;
    let mut samples = Vec::with_capacity(arrivals.len() * 960);
    for arrival in arrivals {
        decoder.decode(&arrival.payload, &mut samples)?;
    }
    Ok(samples)
}

fn play<D: Decoder>(arrivals: &[Arrival], decoder: impl FnOnce() -> Result<D>) -> Result<()> {
    let mut buffer = AudioBuffer::new(Config::default(), decoder()?);
    feed(&mut buffer, arrivals);
    Ok(())
}

fn feed<D: Decoder>(buffer: &mut AudioBuffer<D>, arrivals: &[Arrival]) {
    let start = Instant::now();
    let mut out = [0.0; PULL];
    let mut arrivals = arrivals.iter().peekable();
    let mut tick = Duration::from_millis(3);
    while arrivals.peek().is_some() {
        while let Some(Arrival { after, seq, timestamp, payload }) = arrivals.next_if(|a| a.after <= tick) {
            let (seq, timestamp) = (SeqNo(*seq), RtpTime(*timestamp));
            buffer.insert(start + *after, Packet { seq, timestamp, payload, retransmitted: false });
        }
        buffer.pull(start + tick, &mut out);
        buffer.poll_nack(start + tick);
        tick += MS * 10;
    }
}

fn play_neteq(arrivals: &[Arrival]) -> Result<()> {
    let mut buffer = peers::neteq()?;
    for arrival in arrivals {
        let _ = buffer.insert_packet(peers::neteq_packet(arrival));
        for _ in 0..2 {
            buffer.get_audio().context("crate neteq")?;
        }
    }
    Ok(())
}

/// What many streams have allocated, divided. Resident memory would say nothing: pages that were freed before are used again.
fn bytes_per_stream(arrivals: &[Arrival], sound: &[f32]) -> f64 {
    let arrivals = &arrivals[..arrivals.len().min(STREAM_ARRIVALS)];
    let before = allocated();
    let mut streams = Vec::with_capacity(STREAMS);
    for _ in 0..STREAMS {
        let mut buffer = AudioBuffer::new(Config::default(), Decoded { samples: sound, at: 0 });
        feed(&mut buffer, arrivals);
        streams.push(buffer);
    }
    (allocated() - before) / streams.len() as f64
}

/// Bytes in use, over all arenas and mappings.
fn allocated() -> f64 {
    // SAFETY: it takes nothing and returns a plain struct.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks as f64 + info.hblkhd as f64
}
