//! H.264 payload formats (RFC 6184 section 5.2): which NAL units a packet begins.
//!
//! ```text
//! |F|NRI|  Type   |   1-23 one NAL unit; 24 STAP-A: several, each behind two bytes of length;
//!                     28 FU-A: part of one, |S|E|R| Type | follows, S on the first part
//! ```

/// NAL unit types (ITU-T H.264 table 7-1, RFC 6184 table 1).
pub mod nal {
    pub const IDR: u8 = 5;
    pub const SPS: u8 = 7;
    pub const PPS: u8 = 8;
    pub const STAP_A: u8 = 24;
    pub const FU_A: u8 = 28;
}

/// Types of the NAL units that begin in this payload: none for the later parts of a fragmented one.
pub fn nal_types(payload: &[u8]) -> NalTypes<'_> {
    NalTypes(match *payload {
        [first, ref rest @ ..] if first & 0x1f == nal::STAP_A => Rest::Aggregate(rest),
        [first, fu, ..] if first & 0x1f == nal::FU_A => {
            if fu & 0x80 != 0 {
                Rest::One(fu & 0x1f)
            } else {
                Rest::None
            }
        }
        [first, ..] if (1..=23).contains(&(first & 0x1f)) => Rest::One(first & 0x1f),
        _ => Rest::None,
    })
}

#[derive(Clone, Debug)]
pub struct NalTypes<'a>(Rest<'a>);

#[derive(Clone, Debug)]
enum Rest<'a> {
    None,
    One(u8),
    Aggregate(&'a [u8]),
}

impl Iterator for NalTypes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        match std::mem::replace(&mut self.0, Rest::None) {
            Rest::None => None,
            Rest::One(nal) => Some(nal),
            Rest::Aggregate(bytes) => {
                let (&len, rest) = bytes.split_first_chunk::<2>()?;
                let (unit, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(len)))?;
                self.0 = Rest::Aggregate(rest);
                unit.first().map(|first| first & 0x1f)
            }
        }
    }
}

/// The packet with the sequence parameter set: WebRTC senders send it in-band before each IDR picture (RFC 7742
/// section 6.2), and without it a decoder that starts here has nothing to decode the picture with.
pub fn is_keyframe_start(payload: &[u8]) -> bool {
    nal_types(payload).any(|nal| nal == nal::SPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_that_begin_here() {
        for (name, payload, types, keyframe) in [
            ("slice", &[0x41, 0x9a][..], vec![1], false),
            ("IDR alone", &[0x65, 0x88], vec![5], false),
            ("SPS alone", &[0x67, 0x42], vec![7], true),
            ("STAP-A of SPS and PPS", &[0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68], vec![7, 8], true),
            ("STAP-A of PPS and SPS", &[0x78, 0, 1, 0x68, 0, 1, 0x67], vec![8, 7], true),
            ("STAP-A with an empty unit", &[0x78, 0, 0, 0, 1, 0x67], vec![], false),
            ("STAP-A cut inside a unit", &[0x78, 0, 1, 0x68, 0, 9, 0x67], vec![8], false),
            ("FU-A first part of an IDR", &[0x7c, 0x85, 1], vec![5], false),
            ("FU-A first part of an SPS", &[0x7c, 0x87, 1], vec![7], true),
            ("FU-A later part", &[0x7c, 0x47, 1], vec![], false),
            ("FU-A cut", &[0x7c], vec![], false),
            ("type 0", &[0x60, 7], vec![], false),
            ("nothing", &[], vec![], false),
        ] {
            assert_eq!(nal_types(payload).collect::<Vec<_>>(), types, "{name}");
            assert_eq!(is_keyframe_start(payload), keyframe, "{name}");
        }
    }
}
