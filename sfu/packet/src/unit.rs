//! Quantities with their unit in the type.

use std::time::Duration;

/// Bits per second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Bitrate(pub u64);

impl Bitrate {
    pub const fn kbps(kilobits_per_s: u64) -> Self {
        Self(kilobits_per_s * 1000)
    }
    pub fn as_kbps(self) -> u64 {
        self.0 / 1000
    }
    /// How long `size` takes on a link of this rate; `Duration::MAX` at rate zero.
    pub fn time_for(self, size: DataSize) -> Duration {
        if self.0 == 0 {
            return Duration::MAX;
        }
        Duration::from_nanos(
            (u128::from(size.0) * 8_000_000_000 / u128::from(self.0)).min(u64::MAX.into()) as u64
        )
    }
}

/// Bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct DataSize(pub u64);

/// NTP timestamp, 32.32 fixed point seconds since 1900 (RFC 5905).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// Middle 32 bits as sender and receiver reports carry them (LSR, RFC 3550 section 6.4.1), 1/65536 s.
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
    pub fn plus(self, d: Duration) -> Self {
        let frac = (u128::from(d.subsec_nanos()) << 32) / 1_000_000_000;
        Self(self.0.wrapping_add((d.as_secs() << 32).wrapping_add(frac as u64)))
    }
    /// `self - earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        let delta = self.0.saturating_sub(earlier.0);
        let nanos = ((delta & 0xffff_ffff) * 1_000_000_000) >> 32;
        Duration::new(delta >> 32, nanos as u32)
    }
}
