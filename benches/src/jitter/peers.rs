//! Other jitter buffers on the same network, each given what it understands best.
//!
//! Neither crate `neteq` nor GStreamer's `rtpjitterbuffer` can ask again over our feedback, split our RED or read deep
//! redundancy, so both get plain Opus at the same rate with in-band FEC for the network's real loss, over links with the same
//! losses and jitter. Both run on the wall clock: calls of all rows are replayed side by side in real time.

use super::call::{FRAME, HEADERS, MS, Setup};
use super::speech::Speech;
use anyhow::{Context, Result, ensure};
use netem::{Link, Output};
use neteq::codec::AudioDecoder;
use neteq::{AudioPacket, NetEq, NetEqConfig, RtpHeader};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use voice::{Channels, OpusEncoder, Settings, libopus};

/// The peer's playout delay (WEAKNET section 2).
const GSTREAMER_LATENCY_MS: u32 = 200;
const GSTREAMER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scorer/gstreamer.py");
/// The distribution's own interpreter, which has its GStreamer bindings.
const PYTHON: &str = "/usr/bin/python3";
const PAYLOAD_TYPE: u8 = 111;

/// A packet as it arrives.
#[derive(Clone)]
pub struct Arrival {
    pub after: Duration,
    pub seq: u16,
    pub timestamp: u32,
    pub payload: Vec<u8>,
}

/// What arrives of the speech when it is sent plainly.
pub fn arrivals(speech: &Speech, setup: &Setup) -> Result<Vec<Arrival>> {
    #[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
    let start = Instant::now();
    let loss = setup.forward.loss.share() as f32;
    let lost_by_trace = setup.forward.trace.as_ref().map_or(0.0, |trace| {
        let packets = trace.packets();
        packets.iter().filter(|packet| packet.lost).count() as f32 / packets.len() as f32
    });
    let expected_loss = loss.max(lost_by_trace);
    let mut encoder =
        OpusEncoder::new(Settings { expected_loss, fec: expected_loss > 0.0, ..Settings::default() })?;
    let mut link: Link<(u16, u32, Vec<u8>)> = Link::new(setup.forward.clone(), setup.seed, start);
    let mut arrivals = Vec::new();
    let mut take = |link: &mut Link<_>, until: Option<Instant>| {
        while let Some(at) = link.poll_timeout().filter(|at| until.is_none_or(|until| *at <= until)) {
            while let Output::Deliver((seq, timestamp, payload)) = link.poll_output(at) {
                arrivals.push(Arrival { after: at - start, seq, timestamp, payload });
            }
        }
    };
    for n in 0..speech.at_48_khz.len() / FRAME {
        let now = start + MS * 20 * n as u32;
        let mut payload = Vec::new();
        encoder.encode(&speech.at_48_khz[n * FRAME..][..FRAME], &mut payload)?;
        link.handle_datagram(now, payload.len() + HEADERS - 28, (n as u16, (n * FRAME) as u32, payload));
        take(&mut link, Some(now));
    }
    take(&mut link, None);
    Ok(arrivals)
}

/// libopus behind the trait of crate `neteq`.
struct Opus(libopus::Decoder);

impl AudioDecoder for Opus {
    fn sample_rate(&self) -> u32 {
        48_000
    }
    fn channels(&self) -> u8 {
        1
    }
    fn decode(&mut self, encoded: &[u8]) -> neteq::Result<Vec<f32>> {
        let mut samples = vec![0.0; 5760];
        let made = self.0.decode(Some(encoded), &mut samples);
        let made = made.map_err(|error| neteq::NetEqError::DecoderError(error.to_string()))?;
        samples.truncate(made);
        Ok(samples)
    }
}

/// A buffer of crate `neteq` at 48 kHz mono.
pub fn neteq() -> Result<NetEq> {
    let config = NetEqConfig { sample_rate: 48_000, channels: 1, ..NetEqConfig::default() };
    let mut buffer = NetEq::new(config).context("crate neteq")?;
    buffer.register_decoder(PAYLOAD_TYPE, Box::new(Opus(libopus::Decoder::new(Channels::Mono)?)));
    Ok(buffer)
}

pub fn neteq_packet(arrival: &Arrival) -> AudioPacket {
    let header = RtpHeader::new(arrival.seq, arrival.timestamp, 1, PAYLOAD_TYPE, false);
    AudioPacket::new(header, arrival.payload.clone(), 48_000, 1, 20)
}

/// Plays in real time until `lasts` has passed.
pub fn play_neteq(arrivals: &[Arrival], lasts: Duration) -> Result<Vec<f32>> {
    let mut buffer = neteq()?;
    let mut samples = Vec::new();
    let mut arrivals = arrivals.iter().peekable();
    let start = Instant::now();
    let mut tick = Duration::from_millis(3);
    while tick < lasts {
        std::thread::sleep((start + tick).saturating_duration_since(Instant::now()));
        while let Some(arrival) = arrivals.next_if(|a| a.after <= tick) {
            // A packet that it refuses is lost to it, as in any application.
            let _ = buffer.insert_packet(neteq_packet(arrival));
        }
        let frame = buffer.get_audio().context("crate neteq")?;
        samples.extend_from_slice(&frame.samples);
        tick += MS * 10;
    }
    Ok(samples)
}

/// Replays all calls side by side through GStreamer; `calls` are arrivals and where the recording goes.
pub fn play_gstreamer(calls: &[(Vec<Arrival>, PathBuf)], lasts: Duration, scratch: &Path) -> Result<()> {
    let mut child = Command::new(PYTHON)
        .arg(GSTREAMER)
        .args([lasts.as_millis().to_string(), GSTREAMER_LATENCY_MS.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start /usr/bin/python3")?;
    let mut input = child.stdin.take().context("no standard input")?;
    for (n, (arrivals, recording)) in calls.iter().enumerate() {
        let path = scratch.join(format!("gstreamer_{n}.rtp"));
        let mut bytes = Vec::new();
        for arrival in arrivals {
            bytes.extend((arrival.after.as_micros() as u64).to_be_bytes());
            bytes.extend((arrival.payload.len() as u16 + 12).to_be_bytes());
            bytes.extend([0x80, PAYLOAD_TYPE]);
            bytes.extend(arrival.seq.to_be_bytes());
            bytes.extend(arrival.timestamp.to_be_bytes());
            bytes.extend(1u32.to_be_bytes());
            bytes.extend(&arrival.payload);
        }
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        writeln!(input, "{}\t{}", path.display(), recording.display())?;
    }
    drop(input);
    let status = child.wait()?;
    ensure!(
        status.success(),
        "GStreamer's replay ended with {status}; `cargo xtask scorer` installs what it needs"
    );
    Ok(())
}
