//! All known extensions of one packet as values: read with the sender's ids, written with the receiver's.

use super::element::{ONE_BYTE, TWO_BYTE};
use super::{
    AbsCaptureTime, AbsSendTime, AudioLevel, Extension, ExtensionMap, PlayoutDelay, TransportSequence,
    VideoOrientation, mid, repaired_rid, rid,
};
use crate::rtp::{NoRoom, RtpHeader};
use crate::{Mid, Rid};

/// What the extensions of a packet say; a field is `None` if the element is absent, unknown or malformed.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Values<'a> {
    pub mid: Option<Mid>,
    pub rid: Option<Rid>,
    pub repaired_rid: Option<Rid>,
    pub audio_level: Option<AudioLevel>,
    pub abs_send_time: Option<AbsSendTime>,
    pub transport_sequence: Option<TransportSequence>,
    pub playout_delay: Option<PlayoutDelay>,
    pub video_orientation: Option<VideoOrientation>,
    pub abs_capture_time: Option<AbsCaptureTime>,
    /// Unparsed: its meaning depends on the template structure sent earlier in the stream, see
    /// [`dependency_descriptor`](super::dependency_descriptor).
    pub dependency_descriptor: Option<&'a [u8]>,
}

impl<'a> Values<'a> {
    /// Reads with the ids that the sender negotiated. Of an element that appears twice the last one counts.
    pub fn read(header: &RtpHeader, packet: &'a [u8], map: &ExtensionMap) -> Self {
        let mut values = Self::default();
        for element in header.elements(packet) {
            let bytes = element.bytes;
            match map.extension(element.id) {
                Some(Extension::Mid) => values.mid = mid::read(bytes),
                Some(Extension::Rid) => values.rid = rid::read(bytes),
                Some(Extension::RepairedRid) => values.repaired_rid = repaired_rid::read(bytes),
                Some(Extension::AudioLevel) => values.audio_level = AudioLevel::read(bytes),
                Some(Extension::AbsSendTime) => values.abs_send_time = AbsSendTime::read(bytes),
                Some(Extension::TransportSequence) => {
                    values.transport_sequence = TransportSequence::read(bytes);
                }
                Some(Extension::PlayoutDelay) => values.playout_delay = PlayoutDelay::read(bytes),
                Some(Extension::VideoOrientation) => values.video_orientation = VideoOrientation::read(bytes),
                Some(Extension::AbsCaptureTime) => values.abs_capture_time = AbsCaptureTime::read(bytes),
                Some(Extension::DependencyDescriptor) => values.dependency_descriptor = Some(bytes),
                None => {}
            }
        }
        values
    }

    /// Calls `put` for each present extension, in the order of [`Extension::ALL`].
    fn each<E>(&self, mut put: impl FnMut(Extension, &[u8]) -> Result<(), E>) -> Result<(), E> {
        if let Some(v) = &self.mid {
            put(Extension::Mid, v.as_str().as_bytes())?;
        }
        if let Some(v) = &self.rid {
            put(Extension::Rid, v.as_str().as_bytes())?;
        }
        if let Some(v) = &self.repaired_rid {
            put(Extension::RepairedRid, v.as_str().as_bytes())?;
        }
        if let Some(v) = self.audio_level {
            put(Extension::AudioLevel, &v.bytes())?;
        }
        if let Some(v) = self.abs_send_time {
            put(Extension::AbsSendTime, &v.bytes())?;
        }
        if let Some(v) = self.transport_sequence {
            put(Extension::TransportSequence, &v.bytes())?;
        }
        if let Some(v) = self.playout_delay {
            put(Extension::PlayoutDelay, &v.bytes())?;
        }
        if let Some(v) = self.video_orientation {
            put(Extension::VideoOrientation, &v.bytes())?;
        }
        if let Some(v) = self.abs_capture_time {
            put(Extension::AbsCaptureTime, &v.bytes()[..v.wire_len()])?;
        }
        if let Some(v) = self.dependency_descriptor {
            put(Extension::DependencyDescriptor, v)?;
        }
        Ok(())
    }

    /// Bytes that these extensions add to a packet for a receiver with `map`: for the MTU budget.
    pub fn wire_len(&self, map: &ExtensionMap) -> usize {
        let two_byte = needs_two_byte(self, map);
        let mut len = 0;
        let _ = self.each(|extension, bytes| -> Result<(), NoRoom> {
            if goes_out(extension, bytes, map, two_byte).is_some() {
                len += if two_byte { 2 } else { 1 } + bytes.len();
            }
            Ok(())
        });
        if len == 0 { 0 } else { 4 + len.next_multiple_of(4) }
    }
}

/// The written block: its length with profile, length field and padding (zero if no extension goes out), and where
/// the two values are that a pacer stamps, in bytes from the block's start.
pub(crate) struct Block {
    pub len: usize,
    pub transport_sequence: Option<usize>,
    pub abs_send_time: Option<usize>,
}

/// True if an element to be written does not fit the one-byte form and the receiver takes the other. By length that is
/// only the dependency descriptor: everything else is 1 to 16 bytes.
fn needs_two_byte(values: &Values, map: &ExtensionMap) -> bool {
    let descriptor =
        values.dependency_descriptor.filter(|_| map.id(Extension::DependencyDescriptor).is_some());
    if map.allow_mixed && descriptor.is_some_and(|bytes| !(1..=16).contains(&bytes.len())) {
        return true;
    }
    if map.iter().all(|(_, id)| id <= 14) {
        return false;
    }
    let mut needed = false;
    let _ = values.each(|extension, _| -> Result<(), NoRoom> {
        needed |= map.id(extension).is_some_and(|id| id > 14);
        Ok(())
    });
    needed
}

fn goes_out(extension: Extension, bytes: &[u8], map: &ExtensionMap, two_byte: bool) -> Option<u8> {
    let fits = if two_byte { bytes.len() <= 255 } else { (1..=16).contains(&bytes.len()) };
    map.id(extension).filter(|_| fits)
}

/// Writes profile, length and elements to the start of `out`.
pub(crate) fn write_block(values: &Values, map: &ExtensionMap, out: &mut [u8]) -> Result<Block, NoRoom> {
    let two_byte = needs_two_byte(values, map);
    let mut block = Block { len: 0, transport_sequence: None, abs_send_time: None };
    let mut at = 4;
    values.each(|extension, bytes| {
        let Some(id) = goes_out(extension, bytes, map, two_byte) else { return Ok(()) };
        let len = bytes.len() as u8;
        let head = if two_byte { &[id, len][..] } else { &[id << 4 | (len - 1)] };
        let start = at + head.len();
        let end = start + bytes.len();
        let to = out.get_mut(at..end).ok_or(NoRoom)?;
        to[..head.len()].copy_from_slice(head);
        to[head.len()..].copy_from_slice(bytes);
        match extension {
            Extension::TransportSequence => block.transport_sequence = Some(start),
            Extension::AbsSendTime => block.abs_send_time = Some(start),
            _ => {}
        }
        at = end;
        Ok(())
    })?;
    if at == 4 {
        return Ok(block);
    }
    block.len = at.next_multiple_of(4);
    out.get_mut(at..block.len).ok_or(NoRoom)?.fill(0);
    let profile = if two_byte { TWO_BYTE } else { ONE_BYTE };
    let words = (block.len / 4 - 1) as u16;
    out[..2].copy_from_slice(&profile.to_be_bytes());
    out[2..4].copy_from_slice(&words.to_be_bytes());
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Outgoing;

    fn written(values: Values, map: &ExtensionMap) -> (Vec<u8>, RtpHeader) {
        let mut out = [0xee; 600];
        let len = Outgoing { extensions: values, ..Outgoing::default() }.write(map, &mut out).unwrap().len;
        assert_eq!(len, 12 + values.wire_len(map));
        let header = RtpHeader::parse(&out[..len]).unwrap();
        (out[..len].to_vec(), header)
    }

    fn all_ids(first: u8, allow_mixed: bool) -> ExtensionMap {
        let mut map = ExtensionMap { allow_mixed, ..ExtensionMap::default() };
        for (i, extension) in Extension::ALL.into_iter().enumerate() {
            map.set(extension, first + i as u8);
        }
        map
    }

    #[test]
    fn the_form_follows_ids_lengths_and_what_was_negotiated() {
        let long = [7; 17];
        let short =
            Values { mid: Mid::new("a"), dependency_descriptor: Some(&long[..16]), ..Values::default() };
        let longer = Values { dependency_descriptor: Some(&long), ..short };
        let cut = Values { dependency_descriptor: None, ..short };
        for (name, values, map, profile, expected) in [
            ("all fit one byte", short, all_ids(1, true), ONE_BYTE, short),
            ("17 bytes need the two-byte form", longer, all_ids(1, true), TWO_BYTE, longer),
            ("without allow-mixed the long one stays out", longer, all_ids(1, false), ONE_BYTE, cut),
            ("ids above 14 need the two-byte form", short, all_ids(15, false), TWO_BYTE, short),
            ("and then long ones fit", longer, all_ids(15, false), TWO_BYTE, longer),
        ] {
            let (bytes, header) = written(values, &map);
            assert_eq!(header.extension_profile, Some(profile), "{name}");
            assert_eq!(Values::read(&header, &bytes, &map), expected, "{name}");
        }
    }

    #[test]
    fn every_extension_round_trips_in_both_forms() {
        let values = Values {
            mid: Mid::new("0123456789abcdef"),
            rid: Rid::new("h"),
            repaired_rid: Rid::new("m"),
            audio_level: Some(AudioLevel { voice: true, minus_dbov: 127 }),
            abs_send_time: Some(AbsSendTime::from_ticks(0xff_ffff)),
            transport_sequence: Some(TransportSequence(0xffff)),
            playout_delay: Some(PlayoutDelay { min_ms: 0, max_ms: 400 }),
            video_orientation: Some(VideoOrientation { back_camera: true, flip: false, quarter_turns: 3 }),
            abs_capture_time: Some(AbsCaptureTime {
                capture: crate::NtpTime(u64::MAX),
                clock_offset: Some(-1),
            }),
            dependency_descriptor: Some(&[1, 2, 3]),
        };
        for map in [all_ids(1, true), all_ids(100, true)] {
            let (bytes, header) = written(values, &map);
            assert_eq!(Values::read(&header, &bytes, &map), values);
        }
    }

    #[test]
    fn malformed_elements_are_absent() {
        // One-byte form: mid that is no token, audio level of the right shape.
        let packet = [&[0x90, 96][..], &[0; 10], &[0xbe, 0xde, 0, 1, 0x10, b' ', 0x40, 0x85]].concat();
        let header = RtpHeader::parse(&packet).unwrap();
        let values = Values::read(&header, &packet, &all_ids(1, false));
        let level = Some(AudioLevel { voice: true, minus_dbov: 5 });
        assert_eq!(values, Values { audio_level: level, ..Values::default() });
    }
}
