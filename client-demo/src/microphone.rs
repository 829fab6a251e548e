//! A WAV file as a microphone: resampled, encoded live with as much redundancy as the network needs, in a loop.

use anyhow::{Context, Result, ensure};
use client_core::SenderAdvice;
use packet::RtpTime;
use packet::ext::AudioLevel;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};
use std::io::Cursor;
use std::time::{Duration, Instant};
use voice::{Encoded, OpusEncoder, SAMPLE_RATE, Settings, without_redundancy};

/// 20 ms at 48 kHz.
const FRAME: usize = 960;
const FRAME_TIME: Duration = Duration::from_millis(20);
/// Further behind than this (the process was stopped), it goes on from now instead of catching up.
const BEHIND_MAX: Duration = Duration::from_millis(500);
/// Quieter is no voice, in -dBov.
const VOICE_MIN: u8 = 50;

pub struct Microphone {
    pcm: Vec<f32>,
    next: usize,
    due: Instant,
    timestamp: RtpTime,
    encoder: OpusEncoder,
    payload: Vec<u8>,
    copy: Vec<u8>,
}

pub struct Spoken<'a> {
    pub timestamp: RtpTime,
    pub data: &'a [u8],
    /// Without deep redundancy.
    pub copy: &'a [u8],
    pub silence: bool,
    pub level: AudioLevel,
}

impl Microphone {
    /// `file`: 16-bit PCM or 32-bit float, any rate; several channels are mixed.
    pub fn new(file: &[u8], start: Instant) -> Result<Self> {
        let mut pcm = at_48_khz(file)?;
        pcm.resize(pcm.len().next_multiple_of(FRAME), 0.0);
        let encoder = OpusEncoder::new(Settings::default())?;
        Ok(Self {
            pcm,
            next: 0,
            due: start,
            timestamp: RtpTime(0),
            encoder,
            payload: Vec::new(),
            copy: Vec::new(),
        })
    }

    pub fn due(&self) -> Instant {
        self.due
    }

    /// Nothing is due before.
    pub fn start_at(&mut self, now: Instant) {
        self.due = now;
    }

    /// The next 20 ms, if their time has come, encoded as advised. Call until None.
    pub fn take(&mut self, now: Instant, advice: Option<&SenderAdvice>) -> Result<Option<Spoken<'_>>> {
        if self.due > now {
            return Ok(None);
        }
        if now - self.due > BEHIND_MAX {
            self.due = now;
        }
        let settings = advice.map_or(Settings::default(), |advice| Settings::default().advised(advice));
        if settings != *self.encoder.settings() {
            self.encoder.set(settings)?;
        }
        let pcm = &self.pcm[self.next..][..FRAME];
        let silence = self.encoder.encode(pcm, &mut self.payload)? == Encoded::Silence;
        let level = level(pcm);
        self.copy.clone_from(&self.payload);
        without_redundancy(&mut self.copy);
        let timestamp = self.timestamp;
        self.next = (self.next + FRAME) % self.pcm.len();
        self.timestamp = timestamp.plus(FRAME as u32);
        self.due += FRAME_TIME;
        Ok(Some(Spoken { timestamp, data: &self.payload, copy: &self.copy, silence, level }))
    }
}

/// RFC 6464: 0 is the loudest.
fn level(pcm: &[f32]) -> AudioLevel {
    let power = pcm.iter().map(|sample| sample * sample).sum::<f32>() / pcm.len() as f32;
    let minus_dbov = (-10.0 * power.max(1e-13).log10()).clamp(0.0, 127.0) as u8;
    AudioLevel { voice: minus_dbov < VOICE_MIN, minus_dbov }
}

fn at_48_khz(file: &[u8]) -> Result<Vec<f32>> {
    let mut wav = hound::WavReader::new(Cursor::new(file)).context("not a WAV file")?;
    let spec = wav.spec();
    ensure!(spec.channels > 0 && spec.sample_rate > 0, "a WAV file without channels or rate");
    let interleaved: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => wav.samples::<f32>().collect::<Result<_, _>>()?,
        hound::SampleFormat::Int => {
            let full = (1i64 << (spec.bits_per_sample - 1)) as f32;
            wav.samples::<i32>()
                .map(|sample| Ok(sample? as f32 / full))
                .collect::<Result<_, hound::Error>>()?
        }
    };
    let channels = usize::from(spec.channels);
    let mono: Vec<f32> =
        interleaved.chunks_exact(channels).map(|c| c.iter().sum::<f32>() / channels as f32).collect();
    ensure!(!mono.is_empty(), "a WAV file without sound");
    if spec.sample_rate == SAMPLE_RATE {
        return Ok(mono);
    }
    let (from, to) = (spec.sample_rate as usize, SAMPLE_RATE as usize);
    let window = WindowFunction::BlackmanHarris2;
    let mut resampler = Fft::<f32>::new_custom(from, to, 1 << 14, 1, 1, window, FixedSync::Both)?;
    let input = InterleavedSlice::new(&mono, 1, mono.len())?;
    let mut pcm = resampler.process_all(&input, mono.len(), None)?.take_data();
    pcm.truncate((mono.len() as u64 * to as u64 / from as u64) as usize);
    Ok(pcm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(rate: u32, channels: u16, seconds: f32) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for n in 0..(rate as f32 * seconds) as u32 {
            let sample = (std::f32::consts::TAU * 300.0 * n as f32 / rate as f32).sin() * 8000.0;
            (0..channels).for_each(|_| writer.write_sample(sample as i16).unwrap());
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn any_rate_and_any_channels_become_48_khz_mono_of_the_same_length_and_level() {
        for (rate, channels) in [(16_000, 1), (44_100, 2), (48_000, 1)] {
            let pcm = at_48_khz(&wav(rate, channels, 1.0)).unwrap();
            assert!(pcm.len().abs_diff(48_000) <= 2, "{rate}: {}", pcm.len());
            assert_eq!(level(&pcm[4800..43_200]).minus_dbov, 15, "{rate}");
        }
        assert!(at_48_khz(b"RIFF").is_err());
    }

    #[test]
    fn frames_follow_each_other_over_the_seam_and_the_advice_changes_them() {
        let start = Instant::now();
        let mut microphone = Microphone::new(&wav(16_000, 1, 0.1), start).unwrap();
        assert!(microphone.take(start - Duration::from_millis(1), None).unwrap().is_none());
        let advice = SenderAdvice {
            expected_loss: 0.3,
            deep: true,
            bitrate: packet::Bitrate::kbps(40),
            red_depth: 0,
            red_stride: 1,
            answers: 1,
            round_trip: Duration::from_millis(100),
        };
        for n in 0..50 {
            let now = microphone.due();
            let spoken = microphone.take(now, (n >= 20).then_some(&advice)).unwrap().unwrap();
            assert_eq!(spoken.timestamp, RtpTime(n * 960));
            assert!(
                n < 30 || spoken.copy.len() < spoken.data.len(),
                "deep redundancy only in the packet itself"
            );
        }
    }
}
