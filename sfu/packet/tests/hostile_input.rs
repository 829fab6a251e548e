//! Whatever bytes arrive, parsers answer: they never panic and never read outside. Inputs are random bytes, and valid
//! packets with bytes changed, which come further.

use packet::codec::{av1, h264, is_keyframe_start, opus, vp8, vp9};
use packet::ext::dependency_descriptor::{self, DependencyDescriptor};
use packet::ext::{Extension, ExtensionMap, Values};
use packet::media::Codec;
use packet::rtcp::{Compound, Packet};
use packet::rtp::{RtpHeader, rtx};
use packet::{PayloadType, Ssrc, demux};
use proptest::collection::vec;
use proptest::prelude::*;

fn map() -> ExtensionMap {
    let mut map = ExtensionMap::default();
    for (id, extension) in (1..).zip(Extension::ALL) {
        map.set(extension, id);
    }
    map
}

fn read_rtp(bytes: &[u8]) {
    let Ok(header) = RtpHeader::parse(bytes) else { return };
    let payload = header.payload(bytes);
    assert_eq!(header.header_len() + payload.len() + usize::from(header.padding_len), bytes.len());
    let values = Values::read(&header, bytes, &map());
    if let Some(descriptor) = values.dependency_descriptor {
        let _ = DependencyDescriptor::parse(descriptor, None);
    }
    let mut copy = bytes.to_vec();
    if let Ok(original) = rtx::restore(&header, &mut copy, PayloadType(1), Ssrc(1)) {
        let restored = RtpHeader::parse(original).expect("the restored packet parses");
        assert_eq!(restored.payload(original), &payload[2..]);
    }
}

fn read_codecs(bytes: &[u8]) {
    for codec in [Codec::Opus, Codec::Red, Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
        is_keyframe_start(codec, bytes);
    }
    let mut copy = bytes.to_vec();
    if vp8::rewrite(&mut copy, 0x1234, 0x56) {
        let (before, after) = (vp8::Vp8Descriptor::parse(bytes), vp8::Vp8Descriptor::parse(&copy));
        assert_eq!(before.unwrap().len, after.unwrap().len);
    }
    if let Some(descriptor) = vp9::Vp9Descriptor::parse(bytes) {
        assert!(descriptor.len <= bytes.len());
    }
    assert!(h264::nal_types(bytes).count() <= bytes.len());
    av1::AggregationHeader::parse(bytes);
    opus::duration_samples(bytes);
    dependency_descriptor::is_keyframe_start(bytes);
}

/// A descriptor that was read can be written, and says the same when read again.
fn read_descriptor(bytes: &[u8]) {
    let Ok(descriptor) = DependencyDescriptor::parse(bytes, None) else { return };
    let structure = descriptor.structure.as_ref().expect("read without one in force");
    assert!(structure.is_consistent());
    assert!(descriptor.frame(structure).is_some());
    let mut out = [0; dependency_descriptor::DESCRIPTOR_LEN_MAX];
    if bytes.len() <= out.len() {
        let len = descriptor.write(None, &mut out).expect("as long as what was read");
        assert_eq!(DependencyDescriptor::parse(&out[..len], None), Ok(descriptor));
    }
}

/// Every packet that was read is the same after writing and reading it.
fn read_rtcp(bytes: &[u8]) {
    for packet in Compound::iter(bytes).flatten() {
        let mut out = Vec::new();
        packet.write(&mut out);
        assert!(out.len().is_multiple_of(4));
        let again: Vec<_> = Compound::iter(&out).collect();
        match &packet {
            Packet::Unknown { .. } => assert!(again.is_empty()),
            // Nothing is written without statuses, and never more than 8191 of them.
            Packet::TransportFeedback(f) if !(1..=8191).contains(&f.status_count) => {}
            // Names are made UTF-8, which can make them longer than 255 bytes.
            Packet::SourceDescription(_) => assert_eq!(again.len(), 1),
            _ => assert_eq!(again, [Ok(packet)]),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..300)) {
        demux::classify(&bytes);
        read_rtp(&bytes);
        read_codecs(&bytes);
        read_descriptor(&bytes);
        read_rtcp(&bytes);
    }

    #[test]
    fn rtp_with_a_valid_first_byte(flags in 0u8..64, bytes in vec(any::<u8>(), 11..200), words in 0u8..8) {
        let mut packet = vec![0x80 | flags];
        packet.extend_from_slice(&bytes);
        let extension = 12 + 4 * usize::from(flags & 15);
        for (profile, at) in [([0xbe, 0xde], extension), ([0x10, 0x00], extension)] {
            if let Some(four) = packet.get_mut(at..at + 4) {
                four.copy_from_slice(&[profile[0], profile[1], 0, words]);
            }
            read_rtp(&packet);
        }
    }

    #[test]
    fn rtcp_with_valid_headers(
        elements in vec((0u8..32, 199u8..=208, vec(any::<[u8; 4]>(), 0..12), any::<bool>()), 1..4)
    ) {
        let mut datagram = Vec::new();
        for (format, packet_type, body, remb) in elements {
            datagram.extend_from_slice(&[0x80 | format, packet_type, 0, body.len() as u8]);
            let start = datagram.len();
            datagram.extend(body.into_iter().flatten());
            if let (true, Some(name)) = (remb, datagram.get_mut(start + 8..start + 12)) {
                name.copy_from_slice(b"REMB");
            }
        }
        read_rtcp(&datagram);
    }

    #[test]
    fn descriptors_with_a_structure(template in 0u8..64, rest in vec(any::<u8>(), 1..120), targets in 0u8..4) {
        // The flag for a structure, its id offset equal to the template id, and few decode targets.
        let fourth = 0x80 | rest[0] & 0x78 | template >> 3;
        let fifth = template << 5 | targets;
        let mut bytes = vec![0x80 | template, 0, 0, fourth, fifth];
        bytes.extend_from_slice(&rest[1..]);
        read_descriptor(&bytes);
    }
}
