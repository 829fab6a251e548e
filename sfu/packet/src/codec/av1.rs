//! AV1 aggregation header (AV1 RTP payload specification v1.0 section 4.4).
//!
//! ```text
//! |Z|Y|W W|N|-|-|-|   Z continues an OBU, Y the last OBU continues, W number of elements (0: each has a length),
//!                     N first packet of a coded video sequence
//! ```

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AggregationHeader {
    /// The first element continues the last one of the packet before.
    pub continues: bool,
    /// The last element goes on in the next packet.
    pub continued: bool,
    /// 1-3, or zero: every element has its length in front.
    pub elements: u8,
    /// First packet of a coded video sequence: its sequence header and a key frame follow.
    pub new_sequence: bool,
}

impl AggregationHeader {
    pub fn parse(payload: &[u8]) -> Option<Self> {
        payload.first().map(|b| Self {
            continues: b & 0x80 != 0,
            continued: b & 0x40 != 0,
            elements: b >> 4 & 3,
            new_sequence: b & 0x08 != 0,
        })
    }
    pub fn byte(self) -> u8 {
        u8::from(self.continues) << 7
            | u8::from(self.continued) << 6
            | (self.elements & 3) << 4
            | u8::from(self.new_sequence) << 3
    }
}

/// N set. With Z too the packet is malformed (section 4.4) and starts nothing.
pub fn is_keyframe_start(payload: &[u8]) -> bool {
    AggregationHeader::parse(payload).is_some_and(|h| h.new_sequence && !h.continues)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_sequence_is_a_keyframe() {
        for (name, payload, expected) in [
            ("new sequence, one element", &[0x18, 0x0a][..], true),
            ("new sequence, goes on", &[0x58, 0x0a], true),
            ("no new sequence", &[0x10, 0x32], false),
            ("contradiction", &[0x98, 0x32], false),
            ("nothing", &[], false),
        ] {
            assert_eq!(is_keyframe_start(payload), expected, "{name}");
        }
        for byte in (0..=255).step_by(8) {
            assert_eq!(AggregationHeader::parse(&[byte]).unwrap().byte(), byte);
        }
    }
}
