//! Opus packets (RFC 6716 section 3.1). One packet is one RTP payload (RFC 7587 section 4.2), so packetizing is nothing
//! but knowing how much time a packet covers.
//!
//! ```text
//! | config, 5 bits |s| c |   config: mode, bandwidth and frame size; s stereo; c frames: 1, 2, 2, or in the next byte
//! ```

/// Longest duration of one packet: 120 ms at 48 kHz (RFC 6716 section 3.2.5).
pub const SAMPLES_MAX: u32 = 5760;

/// Samples at 48 kHz that the packet covers, which is what its RTP timestamp advances by (RFC 7587 section 4.1).
/// `None` if it is empty, cut or longer than 120 ms.
pub fn duration_samples(payload: &[u8]) -> Option<u32> {
    let &toc = payload.first()?;
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(payload.get(1)? & 0x3f),
    };
    Some(frames * frame_samples(toc)).filter(|n| (1..=SAMPLES_MAX).contains(n))
}

/// Samples at 48 kHz of one frame (RFC 6716 table 2).
fn frame_samples(toc: u8) -> u32 {
    match toc >> 3 {
        // SILK: 10, 20, 40, 60 ms.
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
        // Hybrid: 10, 20 ms.
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        // CELT: 2.5, 5, 10, 20 ms.
        config => [120, 240, 480, 960][usize::from(config & 3)],
    }
}

pub fn is_stereo(payload: &[u8]) -> bool {
    payload.first().is_some_and(|toc| toc & 4 != 0)
}

/// Discontinuous transmission: nothing is worth coding, the packet has no audio (RFC 6716 section 2.1.9: one or two
/// bytes).
pub fn is_dtx(payload: &[u8]) -> bool {
    (1..=2).contains(&payload.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_samples() {
        for (name, payload, expected) in [
            ("SILK 10 ms", &[0x00, 1][..], Some(480)),
            ("SILK 60 ms", &[3 << 3, 1], Some(2880)),
            ("SILK wideband 20 ms", &[9 << 3, 1], Some(960)),
            ("hybrid 10 ms", &[12 << 3, 1], Some(480)),
            ("hybrid 20 ms", &[15 << 3, 1], Some(960)),
            ("CELT 2.5 ms", &[16 << 3, 1], Some(120)),
            ("CELT 20 ms stereo", &[31 << 3 | 4, 1], Some(960)),
            ("two frames of 20 ms", &[31 << 3 | 1, 1], Some(1920)),
            ("six frames of 20 ms", &[31 << 3 | 3, 6], Some(5760)),
            ("seven are too many", &[31 << 3 | 3, 7], None),
            ("zero frames", &[31 << 3 | 3, 0], None),
            ("frame count cut", &[31 << 3 | 3], None),
            ("nothing", &[], None),
        ] {
            assert_eq!(duration_samples(payload), expected, "{name}");
        }
        assert!(is_stereo(&[4]) && !is_stereo(&[0xfb]) && !is_stereo(&[]));
        assert!(is_dtx(&[1]) && !is_dtx(&[]) && !is_dtx(&[1, 2, 3]));
    }
}
