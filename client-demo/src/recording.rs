//! What a participant hears, mixed and written to a WAV file: 48 kHz, mono, 16 bit.

use anyhow::{Context, Result};
use client_core::Sound;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

/// Samples of 10 ms.
const PIECE: usize = 480;
/// A pause that is written as silence at most; longer ones are a machine that slept.
const PAUSE_MAX: u128 = 60_000;

pub struct Recording {
    writer: hound::WavWriter<BufWriter<File>>,
    /// 10 ms that may still get more voices.
    open: Option<(Instant, Vec<f32>)>,
}

impl Recording {
    pub fn create(path: &Path) -> Result<Self> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: voice::SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let writer = hound::WavWriter::create(path, spec)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { writer, open: None })
    }

    /// Everybody's sound of one moment is heard together; it begins with the first.
    pub fn hear(&mut self, sound: &Sound) -> Result<()> {
        let (at, mut mix) = self.open.take().unwrap_or_else(|| (sound.at, vec![0.0; PIECE]));
        if sound.at > at {
            self.write(&mix)?;
            let passed = (sound.at - at).as_millis().min(PAUSE_MAX);
            for _ in 1..(passed + 5) / 10 {
                self.write(&[0.0; PIECE])?;
            }
            mix = vec![0.0; PIECE];
        }
        let channels = (sound.samples.len() / PIECE).max(1);
        for (sum, samples) in mix.iter_mut().zip(sound.samples.chunks_exact(channels)) {
            *sum += samples.iter().sum::<f32>() / channels as f32;
        }
        self.open = Some((at.max(sound.at), mix));
        Ok(())
    }

    pub fn finish(mut self) -> Result<()> {
        if let Some((_, mix)) = self.open.take() {
            self.write(&mix)?;
        }
        Ok(self.writer.finalize()?)
    }

    fn write(&mut self, samples: &[f32]) -> Result<()> {
        for sample in samples {
            self.writer.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16)?;
        }
        Ok(())
    }
}
