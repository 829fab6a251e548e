//! `urn:3gpp:video-orientation` (3GPP TS 26.114 section 7.4.5, coordination of video orientation).
//!
//! ```text
//! |0 0 0 0 C F R1 R0|   C back camera, F horizontal flip, R rotation in steps of 90 degrees
//! ```

/// How the receiver shall turn the picture.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct VideoOrientation {
    pub back_camera: bool,
    pub flip: bool,
    /// Counter-clockwise quarter turns that were applied, 0-3.
    pub quarter_turns: u8,
}

impl VideoOrientation {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first().map(|b| Self { back_camera: b & 8 != 0, flip: b & 4 != 0, quarter_turns: b & 3 })
    }
    pub fn bytes(self) -> [u8; 1] {
        [u8::from(self.back_camera) << 3 | u8::from(self.flip) << 2 | (self.quarter_turns & 3)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_round_trips() {
        for b in 0..16 {
            assert_eq!(VideoOrientation::read(&[b]).unwrap().bytes(), [b]);
        }
        assert_eq!(VideoOrientation::read(&[]), None);
    }
}
