//! `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`: the range in which the receiver shall keep its
//! playout delay. Two times 12 bits, in units of 10 ms.

/// Milliseconds; written in steps of 10 ms, at most 40,950.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PlayoutDelay {
    pub min_ms: u32,
    pub max_ms: u32,
}

const STEP_MS: u32 = 10;
const STEPS_MAX: u32 = 0xfff;

impl PlayoutDelay {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c] = bytes.first_chunk::<3>()?;
        let both = u32::from_be_bytes([0, a, b, c]);
        Some(Self { min_ms: (both >> 12) * STEP_MS, max_ms: (both & STEPS_MAX) * STEP_MS })
    }
    pub fn bytes(self) -> [u8; 3] {
        let steps = |ms: u32| (ms / STEP_MS).min(STEPS_MAX);
        let [_, a, b, c] = (steps(self.min_ms) << 12 | steps(self.max_ms)).to_be_bytes();
        [a, b, c]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip() {
        let delay = PlayoutDelay { min_ms: 40, max_ms: 40_950 };
        assert_eq!(delay.bytes(), [0x00, 0x4f, 0xff]);
        assert_eq!(PlayoutDelay::read(&delay.bytes()), Some(delay));
        assert_eq!(PlayoutDelay { min_ms: 0, max_ms: 99_999 }.bytes(), [0, 0x0f, 0xff]);
        assert_eq!(PlayoutDelay::read(&[1, 2]), None);
    }
}
