//! `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464 section 3).
//!
//! ```text
//! |V|   level     |   level: -dBov, 0 loudest, 127 silence
//! ```

/// Loudness of the audio in one packet, as its sender measured it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AudioLevel {
    /// The sender believes this is speech.
    pub voice: bool,
    /// -dBov: 0 is the loudest, 127 is digital silence.
    pub minus_dbov: u8,
}

impl AudioLevel {
    /// Trailing bytes are ignored: some senders pad to the two-byte form's shape.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first().map(|b| Self { voice: b & 0x80 != 0, minus_dbov: b & 0x7f })
    }
    pub fn bytes(self) -> [u8; 1] {
        [u8::from(self.voice) << 7 | self.minus_dbov.min(127)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_round_trips() {
        for b in 0..=255 {
            assert_eq!(AudioLevel::read(&[b]).unwrap().bytes(), [b]);
        }
        assert_eq!(AudioLevel::read(&[]), None);
        assert_eq!(AudioLevel { voice: false, minus_dbov: 200 }.bytes(), [127]);
    }
}
