//! Identifiers as types: one cannot be passed where another is meant.

use arrayvec::ArrayString;
use std::fmt;

/// Synchronisation source (RFC 3550 section 3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Ssrc(pub u32);

/// RTP payload type, 0-127.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PayloadType(pub u8);

/// RTP sequence number; compared modulo 2^16 (RFC 3550 appendix A.1), therefore not `Ord`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// `self + n`, wrapping.
    pub fn plus(self, n: u16) -> Self {
        Self(self.0.wrapping_add(n))
    }
    /// Signed distance `self - earlier`, the shorter way round the circle.
    pub fn since(self, earlier: Self) -> i16 {
        self.0.wrapping_sub(earlier.0) as i16
    }
    /// True if `self` comes after `other` on the shorter way round.
    pub fn is_newer_than(self, other: Self) -> bool {
        self.since(other) > 0
    }
}

/// Sequence number with its rollover counter: `roc << 16 | seq`. Never wraps in practice (48 bits used by SRTP).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ExtSeq(pub u64);

impl ExtSeq {
    pub fn seq(self) -> SeqNo {
        SeqNo(self.0 as u16)
    }
    pub fn roc(self) -> u32 {
        (self.0 >> 16) as u32
    }
    /// The extended number nearest to `self` whose low 16 bits are `seq`.
    pub fn nearest(self, seq: SeqNo) -> Self {
        let delta = i64::from(seq.since(self.seq()));
        Self(self.0.saturating_add_signed(delta))
    }
}

/// RTP timestamp in units of the codec's clock; compared modulo 2^32.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RtpTime(pub u32);

impl RtpTime {
    pub fn plus(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }
    pub fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }
}

/// Media identification of one m-line (RFC 9143), at most 16 bytes as browsers use them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mid(ArrayString<16>);

/// RTP stream id of one simulcast layer (RFC 8852), at most 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rid(ArrayString<16>);

macro_rules! short_text {
    ($name:ident) => {
        impl $name {
            /// None if empty, longer than 16 bytes or not made of token characters (RFC 4566 `token`).
            pub fn new(text: &str) -> Option<Self> {
                let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&b);
                if text.is_empty() || !text.bytes().all(token) {
                    return None;
                }
                ArrayString::from(text).ok().map(Self)
            }
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}
short_text!(Mid);
short_text!(Rid);

/// One participant's media session, unique in a process's life; chosen by signaling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub u64);

/// One room; everything in a room lives on one worker. Chosen by signaling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RoomId(pub u64);
