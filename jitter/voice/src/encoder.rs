//! The send side's codec: how many bits, and how much of them for what the network will lose.

use crate::libopus::{self, Channels, Control, Error, Redundancy};
use jitter::audio::SenderAdvice;
use opusic_sys as sys;
use packet::Bitrate;
use std::time::Duration;

/// Longest payload: what fits into a datagram on every path, with the headers around it.
const PAYLOAD_MAX: usize = 1200;
/// A packet of at most this many bytes says that nothing is worth coding (RFC 6716 section 2.1.9).
const DTX_LEN: usize = 2;
/// Deep redundancy is counted in steps of 10 ms, and there are no more than this.
const DEEP_STEPS_MAX: u128 = 104;
/// As far back as an encoder goes; a shorter gap costs no more for it, since bits run out first.
const DEEP: Duration = Duration::from_millis(1040);
/// Enough to see where deep redundancy ends, in samples.
const REACH_SHOWN: usize = 1920;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Application {
    Voice,
    Music,
}

/// What an encoder is told.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Settings {
    pub channels: Channels,
    pub application: Application,
    /// Of the payloads, everything inside them counted.
    pub bitrate: Bitrate,
    /// Share of packets that the network is expected to lose, 0.0 to 1.0. Neither FEC nor deep redundancy is written at zero.
    pub expected_loss: f32,
    /// Each packet repeats the frame before it at a low rate (LBRR).
    pub fec: bool,
    /// How far back the deep redundancy (DRED) of each packet shall go; at most 1.04 s. What is really written depends on the
    /// bitrate: at 24 kb/s 175 ms, at 32 215, at 40 695.
    pub deep: Duration,
    /// Silence is not sent.
    pub dtx: bool,
    /// 0 to 10.
    pub complexity: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            channels: Channels::Mono,
            application: Application::Voice,
            bitrate: Bitrate::kbps(32),
            expected_loss: 0.0,
            fec: true,
            deep: Duration::ZERO,
            dtx: false,
            complexity: 9,
        }
    }
}

impl Settings {
    /// These settings, changed as the receiver advises. Deep redundancy replaces in-band FEC: with both, libopus 1.6.1 at 40 kb/s
    /// writes 135 ms of it instead of 695.
    pub fn advised(self, advice: &SenderAdvice) -> Self {
        let deep = if advice.deep { DEEP } else { Duration::ZERO };
        let expected_loss = if advice.expected_loss.is_finite() { advice.expected_loss } else { 0.0 };
        Self { bitrate: advice.bitrate, expected_loss, deep, fec: !advice.deep, ..self }
    }
}

/// What became of the samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoded {
    /// A packet to send.
    Packet,
    /// Nobody speaks and the receiver knows it: nothing to send.
    Silence,
}

/// An encoder of one stream at 48 kHz.
pub struct OpusEncoder {
    encoder: libopus::Encoder,
    settings: Settings,
    /// The last packet sent announced silence.
    silent: bool,
    redundancy: Redundancy,
    /// The deep redundancy of the last packet ended before a pause, or there was none.
    paused: bool,
}

impl OpusEncoder {
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let application = match settings.application {
            Application::Voice => sys::OPUS_APPLICATION_VOIP,
            Application::Music => sys::OPUS_APPLICATION_AUDIO,
        };
        let mut encoder = libopus::Encoder::new(settings.channels, application)?;
        if settings.application == Application::Voice {
            encoder.set(Control::Signal, sys::OPUS_SIGNAL_VOICE)?;
        }
        let mut this =
            Self { encoder, settings, silent: false, redundancy: Redundancy::new()?, paused: false };
        this.set(settings)?;
        Ok(this)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes everything but channels and application, which stay those of `new`.
    pub fn set(&mut self, settings: Settings) -> Result<(), Error> {
        let Settings { channels, application, .. } = self.settings;
        let settings = Settings { channels, application, ..settings };
        let percent = (settings.expected_loss.clamp(0.0, 1.0) * 100.0).round() as i32;
        let steps = settings.deep.as_millis().div_ceil(10).min(DEEP_STEPS_MAX) as i32;
        let bits = i32::try_from(settings.bitrate.0).unwrap_or(i32::MAX).clamp(6_000, 510_000);
        for (control, value) in [
            (Control::Bitrate, bits),
            (Control::ExpectedLoss, percent),
            (Control::InbandFec, i32::from(settings.fec)),
            (Control::DeepRedundancy, steps),
            (Control::Dtx, i32::from(settings.dtx)),
            (Control::Complexity, i32::from(settings.complexity.min(10))),
        ] {
            self.encoder.set(control, value)?;
        }
        self.settings = settings;
        Ok(())
    }

    /// Samples per channel by which what is heard lags behind what was encoded, besides network and buffer.
    pub fn lookahead(&mut self) -> usize {
        self.encoder.lookahead().unwrap_or(0)
    }

    /// Encodes interleaved samples, -1.0 to 1.0, of one packet: 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms. `payload` is cleared
    /// first. The first packet of a silence is sent, for it announces the silence.
    pub fn encode(&mut self, pcm: &[f32], payload: &mut Vec<u8>) -> Result<Encoded, Error> {
        payload.clear();
        payload.resize(PAYLOAD_MAX, 0);
        let len = self.encoder.encode(pcm, payload);
        payload.truncate(*len.as_ref().unwrap_or(&0));
        let silent = len? <= DTX_LEN;
        if !self.settings.deep.is_zero() {
            self.withhold_misplaced(payload);
        }
        let known = std::mem::replace(&mut self.silent, silent);
        Ok(if silent && known { Encoded::Silence } else { Encoded::Packet })
    }

    /// libopus 1.6.1 leaves the pause out of the first redundancy that it writes after one, and does not count it: what is said
    /// to lie just before the packet lies before the pause, and a receiver would hear the last word again (`dnn/dred_encoder.c`,
    /// `delayed_dred`). That packet goes without; the next one is right.
    fn withhold_misplaced(&mut self, payload: &mut Vec<u8>) {
        let reach = self.redundancy.measure(payload, REACH_SHOWN);
        let paused = reach.is_none_or(|reach| reach.newest > 0);
        if self.paused && !paused {
            without_redundancy(payload);
        }
        self.paused = paused;
    }
}

/// Takes the deep redundancy out of a packet, and any padding. A second copy needs none: whatever carries it has its own.
/// A packet that cannot be read is left as it is.
pub fn without_redundancy(packet: &mut Vec<u8>) {
    if let Ok(len) = opus::packet::unpad(packet) {
        packet.truncate(len);
    }
}
