//! `http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time`: when the frame was captured, in the capturer's NTP
//! clock (8 bytes), and optionally that clock's offset to the sender's (8 bytes more).

use crate::NtpTime;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AbsCaptureTime {
    pub capture: NtpTime,
    /// Capturer's clock minus sender's clock: signed 32.32 fixed-point seconds.
    pub clock_offset: Option<i64>,
}

impl AbsCaptureTime {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&capture, rest) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            capture: NtpTime(u64::from_be_bytes(capture)),
            clock_offset: rest.first_chunk::<8>().map(|&b| i64::from_be_bytes(b)),
        })
    }
    /// Sixteen bytes of which [`Self::wire_len`] count.
    pub fn bytes(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.capture.0.to_be_bytes());
        out[8..].copy_from_slice(&self.clock_offset.unwrap_or(0).to_be_bytes());
        out
    }
    /// 16 with the offset, 8 without.
    pub fn wire_len(self) -> usize {
        if self.clock_offset.is_some() { 16 } else { 8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lengths_round_trip() {
        for clock_offset in [None, Some(-5), Some(i64::MAX)] {
            let time = AbsCaptureTime { capture: NtpTime(0x0102_0304_0506_0708), clock_offset };
            assert_eq!(AbsCaptureTime::read(&time.bytes()[..time.wire_len()]), Some(time));
        }
        assert_eq!(AbsCaptureTime::read(&[0; 7]), None);
    }
}
