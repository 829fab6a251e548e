//! What is said in the calls: a fixed corpus at 16 kHz, brought to 48 kHz for the encoder.

use anyhow::{Context, Result, ensure};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};
use std::path::{Path, PathBuf};

/// Rate of the corpus and of the scores.
pub const NARROW: usize = 16_000;
/// Debian's `pocketsphinx-testdata` (BSD): readings from LibriVox and two prompts. Its other clips are left out because PLCMOS finds
/// fault with the recordings themselves (below 4.3).
const PACKAGE: &str = "/usr/share/pocketsphinx/test/data";
const PACKAGE_CLIPS: &[&str] = &[
    "librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
    "numbers.raw",
    "librivox/sense_and_sensibility_01_austen_64kb-0880.wav",
    "librivox/sense_and_sensibility_01_austen_64kb-0890.wav",
    "something.raw",
    "librivox/sense_and_sensibility_01_austen_64kb-0920.wav",
    "librivox/sense_and_sensibility_01_austen_64kb-0930.wav",
];
/// The first of them, for machines without the package; a recording in the public domain.
const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../speech/austen.wav");
/// Between two clips.
const PAUSE: usize = NARROW * 3 / 10;
/// Every clip is brought to this level (-26 dBFS, ITU-T P.56's usual one), so that no speaker is louder than another.
const LEVEL: f32 = 0.05;

pub struct Speech {
    /// For the report.
    pub corpus: String,
    pub at_16_khz: Vec<f32>,
    pub at_48_khz: Vec<f32>,
}

/// Clips one after the other, from the first again when there are no more, `seconds` long.
pub fn load(seconds: usize) -> Result<Speech> {
    let package: Vec<PathBuf> = PACKAGE_CLIPS.iter().map(|clip| Path::new(PACKAGE).join(clip)).collect();
    let (corpus, clips) = if package.iter().all(|clip| clip.exists()) {
        ("Debian's pocketsphinx-testdata, 7 clips of 3 speakers".to_owned(), package)
    } else {
        let why = "one reading of 7 s from the repository, repeated: pocketsphinx-testdata is not installed (`cargo xtask scorer` does it)";
        eprintln!("speech: {why}");
        (why.to_owned(), vec![PathBuf::from(OURS)])
    };
    let clips: Vec<Vec<f32>> = clips.iter().map(|clip| read(clip)).collect::<Result<_>>()?;
    let mut at_16_khz = Vec::with_capacity(seconds * NARROW);
    for clip in clips.iter().cycle() {
        at_16_khz.extend(levelled(clip));
        at_16_khz.extend([0.0; PAUSE]);
        if at_16_khz.len() >= seconds * NARROW {
            break;
        }
    }
    at_16_khz.truncate(seconds * NARROW);
    let at_48_khz = upsampled(&at_16_khz)?;
    Ok(Speech { corpus, at_16_khz, at_48_khz })
}

/// WAV, or raw little-endian 16 bit; both 16 kHz mono.
fn read(path: &Path) -> Result<Vec<f32>> {
    let shown = || path.display().to_string();
    if path.extension().is_some_and(|extension| extension == "raw") {
        let bytes = std::fs::read(path).with_context(shown)?;
        let sample = |b: &[u8]| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0;
        return Ok(bytes.chunks_exact(2).map(sample).collect());
    }
    let mut wav = hound::WavReader::open(path).with_context(shown)?;
    let spec = wav.spec();
    ensure!(spec.sample_rate as usize == NARROW && spec.channels == 1, "{} is not 16 kHz mono", shown());
    let samples = wav.samples::<i16>().map(|sample| Ok(f32::from(sample?) / 32_768.0));
    samples.collect::<Result<_>>().with_context(shown)
}

fn levelled(clip: &[f32]) -> impl Iterator<Item = f32> + '_ {
    let power = clip.iter().map(|s| s * s).sum::<f32>() / clip.len().max(1) as f32;
    let gain = LEVEL / power.sqrt().max(1e-4);
    clip.iter().map(move |s| (s * gain).clamp(-1.0, 1.0))
}

fn upsampled(narrow: &[f32]) -> Result<Vec<f32>> {
    resampled(narrow, NARROW, 3 * NARROW, narrow.len() * 3)
}

/// From 48 kHz to the rate of the corpus.
pub fn narrowed(wide: &[f32]) -> Result<Vec<f32>> {
    resampled(wide, 3 * NARROW, NARROW, wide.len() / 3)
}

fn resampled(samples: &[f32], from: usize, to: usize, len: usize) -> Result<Vec<f32>> {
    if samples.is_empty() {
        return Ok(Vec::new());
    }
    // Long pieces make a steep filter: PLCMOS hears it when the highest half octave is gone.
    let mut resampler =
        Fft::<f32>::new_custom(from, to, 1 << 14, 1, 1, WindowFunction::BlackmanHarris2, FixedSync::Both)?;
    let input = InterleavedSlice::new(samples, 1, samples.len())?;
    let mut result = resampler.process_all(&input, samples.len(), None)?.take_data();
    result.resize(len, 0.0);
    Ok(result)
}

/// Mono, 16 bit.
pub fn write_wav(path: &Path, sample_rate: u32, samples: &[f32]) -> Result<()> {
    let sample_format = hound::SampleFormat::Int;
    let spec = hound::WavSpec { channels: 1, sample_rate, bits_per_sample: 16, sample_format };
    let mut wav = hound::WavWriter::create(path, spec).with_context(|| path.display().to_string())?;
    for sample in samples {
        wav.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16)?;
    }
    wav.finalize().with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upsampling_keeps_time_and_tone() {
        let tone = |rate: f32, n: usize| (std::f32::consts::TAU * 440.0 * n as f32 / rate).sin() * 0.5;
        let narrow: Vec<f32> = (0..NARROW).map(|n| tone(16_000.0, n)).collect();
        let wide = upsampled(&narrow).expect("a fixed ratio");
        assert_eq!(wide.len(), 48_000);
        let worst = (2400..45_600).map(|n| (wide[n] - tone(48_000.0, n)).abs()).fold(0.0, f32::max);
        assert!(worst < 0.005, "{worst}");
        let again = narrowed(&wide).expect("a fixed ratio");
        let worst = (800..15_200).map(|n| (again[n] - narrow[n]).abs()).fold(0.0, f32::max);
        assert!(again.len() == narrow.len() && worst < 0.005, "{worst} and back");
    }

    #[test]
    fn the_sample_in_the_repository_is_speech_of_a_usual_level() {
        let clip = read(Path::new(OURS)).expect("shipped");
        assert!(clip.len() > 5 * NARROW);
        let power = levelled(&clip).map(|s| s * s).sum::<f32>() / clip.len() as f32;
        assert!((power.sqrt() / LEVEL - 1.0).abs() < 0.05, "{}", power.sqrt());
    }
}
