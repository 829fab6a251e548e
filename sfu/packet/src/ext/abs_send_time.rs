//! `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`: when the packet left, 24 bits, 6.18 fixed-point
//! seconds, so it wraps every 64 s.

use crate::NtpTime;
use std::time::Duration;

/// 24 bits of 1/262144 s; compared modulo 64 s.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct AbsSendTime(u32);

const BITS: u32 = 24;
const TICKS_PER_S: i64 = 1 << 18;

impl AbsSendTime {
    /// The low 24 bits of `ticks`.
    pub fn from_ticks(ticks: u32) -> Self {
        Self(ticks & ((1 << BITS) - 1))
    }
    pub fn from_ntp(ntp: NtpTime) -> Self {
        Self::from_ticks((ntp.0 >> 14) as u32)
    }
    /// 1/262144 s.
    pub fn ticks(self) -> u32 {
        self.0
    }
    /// Microseconds `self - earlier`, the shorter way round (within ±32 s).
    pub fn since_us(self, earlier: Self) -> i64 {
        let shift = 32 - BITS;
        let ticks = (self.0.wrapping_sub(earlier.0) << shift) as i32 >> shift;
        i64::from(ticks) * 1_000_000 / TICKS_PER_S
    }
    pub fn plus(self, d: Duration) -> Self {
        let ticks = (d.as_nanos() * TICKS_PER_S as u128 / 1_000_000_000) as u32;
        Self::from_ticks(self.0.wrapping_add(ticks))
    }
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c] = bytes.first_chunk::<3>()?;
        Some(Self(u32::from_be_bytes([0, a, b, c])))
    }
    pub fn bytes(self) -> [u8; 3] {
        let [_, a, b, c] = self.0.to_be_bytes();
        [a, b, c]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_cross_the_wrap_both_ways() {
        let late = AbsSendTime::from_ticks(0xff_ffff);
        let early = AbsSendTime::from_ticks(TICKS_PER_S as u32 - 1);
        assert_eq!(early.since_us(late), 1_000_000);
        assert_eq!(late.since_us(early), -1_000_000);
        assert_eq!(late.plus(Duration::from_secs(1)), early);
        assert_eq!(early.plus(Duration::from_secs(64)), early);
    }

    #[test]
    fn ntp_seconds_become_six_bits() {
        let ntp = NtpTime((64 + 5) << 32 | 0x8000_0000);
        assert_eq!(AbsSendTime::from_ntp(ntp).ticks(), 5 << 18 | 1 << 17);
    }

    #[test]
    fn bytes_round_trip() {
        assert_eq!(AbsSendTime::read(&[0xab, 0xcd, 0xef]).unwrap().bytes(), [0xab, 0xcd, 0xef]);
        assert_eq!(AbsSendTime::read(&[1, 2]), None);
    }
}
