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

/// Width and height in pixels from the sequence parameter set (ITU-T H.264 section 7.3.2.1.1), which is alone in the packet
/// or first in an aggregate. Only of the baseline, main and extended profiles, which are all that browsers send.
pub fn picture_size(payload: &[u8]) -> Option<(u16, u16)> {
    let unit = match *payload {
        [first, _, _, ref rest @ ..] if first & 0x1f == nal::STAP_A => rest,
        _ => payload,
    };
    let [first, profile, _, _, ref rest @ ..] = *unit else { return None };
    if first & 0x1f != nal::SPS || ![66, 77, 88].contains(&profile) {
        return None;
    }
    let mut bits = Bits { bytes: rest, at: 0 };
    bits.exponential()?; // seq_parameter_set_id
    bits.exponential()?; // log2_max_frame_num_minus4
    match bits.exponential()? {
        0 => drop(bits.exponential()?),
        1 => {
            bits.bit()?;
            bits.exponential()?;
            bits.exponential()?;
            for _ in 0..bits.exponential()?.min(255) {
                bits.exponential()?;
            }
        }
        _ => {}
    }
    bits.exponential()?; // max_num_ref_frames
    bits.bit()?;
    let width = (bits.exponential()? + 1) * 16;
    let map_units = (bits.exponential()? + 1) * 16;
    let frames_only = bits.bit()?;
    let height = if frames_only { map_units } else { map_units * 2 };
    if !frames_only {
        bits.bit()?;
    }
    bits.bit()?;
    // 4:2:0: cropping counts in pairs of pixels, of field lines in fours.
    let mut crop = [0; 4];
    if bits.bit()? {
        for side in &mut crop {
            *side = bits.exponential()?;
        }
    }
    let vertical = if frames_only { 2 } else { 4 };
    let width = width.checked_sub(2 * (crop[0] + crop[1]))?;
    let height = height.checked_sub(vertical * (crop[2] + crop[3]))?;
    Some((u16::try_from(width).ok()?, u16::try_from(height).ok()?))
}

/// Most significant bit first. Emulation prevention bytes are not taken out: they stand behind what is read here.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        self.at += 1;
        Some(byte >> (7 - (self.at - 1) % 8) & 1 == 1)
    }
    /// ue(v), section 9.1; values from 2^16 on are nothing that is read here.
    fn exponential(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 16 {
                return None;
            }
        }
        let mut value = 1u32;
        for _ in 0..zeros {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value - 1)
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
    fn a_parameter_set_names_the_size() {
        // OpenH264 at 640x360 (cropped from 368), as Chromium sends it; alone and aggregated.
        let sps = [0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x17, 0xfc, 0xb0, 0x0f, 0x08, 0x84, 0x6a];
        assert_eq!(picture_size(&sps), Some((640, 360)));
        let aggregate = [&[0x78, 0, sps.len() as u8][..], &sps, &[0, 1, 0x68]].concat();
        assert_eq!(picture_size(&aggregate), Some((640, 360)));
        for cut in 0..10 {
            assert_eq!(picture_size(&sps[..cut]), None, "cut at {cut}");
        }
        assert_eq!(picture_size(&[0x67, 66, 0, 0, 0, 0, 0, 0, 0, 0]), None, "no number is that long");
        assert_eq!(picture_size(&[0x65, 0x88]), None);
    }

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
