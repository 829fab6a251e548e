//! VP8 frames out of an IVF file, the whole file at once.
//!
//! ```text
//! header, 32 bytes: "DKIF" version(2) header_len(2) fourcc(4) width(2) height(2) rate(4) scale(4) frames(4) unused(4)
//! each frame:       len(4) timestamp(8) data(len)                                              all little-endian
//! ```

use anyhow::{Context, Result, ensure};
use std::time::Duration;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ivf {
    pub width: u16,
    pub height: u16,
    /// From one frame to the next.
    pub interval: Duration,
    /// The first is a keyframe.
    pub frames: Vec<Picture>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    pub keyframe: bool,
    pub data: Vec<u8>,
}

pub fn read(file: &[u8]) -> Result<Ivf> {
    let header = file.get(..32).context("shorter than an IVF header")?;
    ensure!(header.starts_with(b"DKIF"), "not an IVF file");
    ensure!(&header[8..12] == b"VP80", "the video is not VP8");
    let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (rate, scale) = (u32_at(16), u32_at(20));
    ensure!(rate > 0 && scale > 0 && rate / scale <= 240, "an impossible frame rate");
    let mut rest = file.get(usize::from(u16_at(6))..).context("a cut IVF header")?;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let len = rest.first_chunk::<4>().context("a cut IVF frame")?;
        let end = 12 + u32::from_le_bytes(*len) as usize;
        let data = rest.get(12..end).context("a cut IVF frame")?.to_vec();
        // The lowest bit of the frame tag: 0 is a key frame (RFC 6386 section 9.1).
        let keyframe = data.first().context("an empty IVF frame")? & 1 == 0;
        frames.push(Picture { keyframe, data });
        rest = &rest[end..];
    }
    ensure!(frames.first().is_some_and(|f| f.keyframe), "the video does not begin with a keyframe");
    let interval = Duration::from_secs_f64(f64::from(scale) / f64::from(rate));
    Ok(Ivf { width: u16_at(12), height: u16_at(14), interval, frames })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_six_seconds_with_a_keyframe_every_two() {
        let ivf = read(crate::playback::SAMPLE_VIDEO).unwrap();
        assert_eq!((ivf.width, ivf.height, ivf.interval), (640, 360, Duration::from_millis(40)));
        let keyframes: Vec<usize> =
            ivf.frames.iter().enumerate().filter(|(_, f)| f.keyframe).map(|(i, _)| i).collect();
        assert_eq!((ivf.frames.len(), keyframes), (150, vec![0, 50, 100]));
    }

    #[test]
    fn damaged_files_are_refused() {
        let sample = crate::playback::SAMPLE_VIDEO;
        assert!(read(&sample[..sample.len() - 1]).is_err());
        assert!(read(&sample[..40]).is_err());
        assert!(read(&sample[1..]).is_err());
        let mut other = sample.to_vec();
        other[8..12].copy_from_slice(b"VP90");
        assert!(read(&other).is_err());
        other[8..12].copy_from_slice(b"VP80");
        other[20..24].fill(0);
        assert!(read(&other).is_err());
    }
}
