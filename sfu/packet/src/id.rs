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

/// Characters of a `token` (RFC 4566 section 9); a table, because packets carry these texts.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let others = b"!#$%&'*+-.^_`{|}~";
    let mut i = 0;
    while i < table.len() {
        table[i] = (i as u8).is_ascii_alphanumeric();
        i += 1;
    }
    let mut i = 0;
    while i < others.len() {
        table[others[i] as usize] = true;
        i += 1;
    }
    table
};

macro_rules! short_text {
    ($name:ident) => {
        impl $name {
            /// None if empty, longer than 16 bytes or not made of token characters (RFC 4566 `token`).
            pub fn new(text: &str) -> Option<Self> {
                if text.is_empty() || !text.bytes().all(|b| TOKEN[usize::from(b)]) {
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

/// One room. Chosen by signaling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RoomId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_take_the_shorter_way_round() {
        for (later, earlier, distance) in
            [(1, 0, 1), (0, 0xffff, 1), (0xffff, 0, -1), (0x7fff, 0, 0x7fff), (0x8000, 0, -0x8000), (5, 5, 0)]
        {
            assert_eq!(SeqNo(later).since(SeqNo(earlier)), distance, "{later} - {earlier}");
            assert_eq!(SeqNo(later).is_newer_than(SeqNo(earlier)), distance > 0);
        }
        assert_eq!(RtpTime(10).since(RtpTime(u32::MAX)), 11);
        assert_eq!(RtpTime(u32::MAX).plus(11), RtpTime(10));
    }

    #[test]
    fn extended_numbers_cross_the_wrap_both_ways() {
        for (known, seq, expected) in [
            (0x0_ffff, 0x0000, 0x1_0000),
            (0x1_0000, 0xffff, 0x0_ffff),
            (0x1_0005, 0x0004, 0x1_0004),
            (0x1_8000, 0x0001, 0x1_0001),
        ] {
            assert_eq!(ExtSeq(known).nearest(SeqNo(seq)), ExtSeq(expected), "{seq:#x} near {known:#x}");
        }
        assert_eq!((ExtSeq(0x3_0007).roc(), ExtSeq(0x3_0007).seq()), (3, SeqNo(7)));
    }

    #[test]
    fn names_are_tokens_of_1_to_16_bytes() {
        for (text, good) in [
            ("0", true),
            ("audio-1.hi", true),
            ("{}|~!#$%&'*+^_`", true),
            ("0123456789abcdef", true),
            ("0123456789abcdefg", false),
            ("", false),
            ("a b", false),
            ("a:b", false),
            ("\u{e9}", false),
            ("a\0", false),
        ] {
            assert_eq!(Mid::new(text).map(|m| m.to_string()), good.then(|| text.to_owned()), "{text:?}");
            assert_eq!(Rid::new(text).is_some(), good, "{text:?}");
        }
    }
}
