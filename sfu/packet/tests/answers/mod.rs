//! What must hold for any bytes at all: one function per kind of input. Property tests feed them here, fuzzers elsewhere.

use packet::codec::{av1, h264, is_keyframe_start, opus, vp8, vp9};
use packet::ext::dependency_descriptor::{self, DependencyDescriptor, TemplateStructure};
use packet::ext::{Extension, ExtensionMap, Values};
use packet::media::Codec;
use packet::rtcp::{Compound, Packet};
use packet::rtp::{Outgoing, RtpHeader, rtx};
use packet::{PayloadType, Ssrc};

/// Every extension, ids 1-10.
pub fn extension_map() -> ExtensionMap {
    let mut map = ExtensionMap::default();
    for (id, extension) in (1..).zip(Extension::ALL) {
        map.set(extension, id);
    }
    map.allow_mixed = true;
    map
}

/// Ranges lie inside the packet, an original restored from RTX parses, and what is forwarded says what was read.
pub fn rtp(bytes: &[u8]) {
    let Ok(header) = RtpHeader::parse(bytes) else { return };
    let payload = header.payload(bytes);
    assert_eq!(header.header_len() + payload.len() + usize::from(header.padding_len), bytes.len());
    let map = extension_map();
    let extensions = Values::read(&header, bytes, &map);

    let mut copy = bytes.to_vec();
    if let Ok(original) = rtx::restore(&header, &mut copy, PayloadType(1), Ssrc(1)) {
        let restored = RtpHeader::parse(original).expect("the restored packet parses");
        assert_eq!(restored.payload(original), &payload[2..]);
    }

    let outgoing = Outgoing {
        marker: header.marker,
        pt: header.pt,
        seq: header.seq,
        timestamp: header.timestamp,
        ssrc: header.ssrc,
        extensions,
        payload,
        padding_len: header.padding_len,
        ..Outgoing::default()
    };
    let mut out = vec![0; bytes.len() + 600];
    let Ok(layout) = outgoing.write(&map, &mut out) else { return };
    let again = RtpHeader::parse(&out[..layout.len]).expect("what was written parses");
    assert_eq!(again.payload(&out), payload);
    assert_eq!(Values::read(&again, &out[..layout.len], &map), extensions);
}

/// No descriptor reaches outside its payload, and rewriting changes no length.
pub fn codec_descriptors(bytes: &[u8]) {
    for codec in [Codec::Opus, Codec::Red, Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
        is_keyframe_start(codec, bytes);
    }
    if let Some(descriptor) = vp8::Vp8Descriptor::parse(bytes) {
        assert!(descriptor.len <= bytes.len());
        let written = descriptor.bytes();
        let again = vp8::Vp8Descriptor::parse(&written).expect("what was written parses");
        assert_eq!(vp8::Vp8Descriptor { len: descriptor.len, ..again }, descriptor);

        let mut copy = bytes.to_vec();
        assert!(vp8::rewrite(&mut copy, 0x1234, 0x56));
        let rewritten = vp8::Vp8Descriptor::parse(&copy).expect("the rewritten descriptor parses");
        assert_eq!(rewritten.len, descriptor.len);
        assert_eq!(copy[descriptor.len..], bytes[descriptor.len..]);
    }
    if let Some(descriptor) = vp9::Vp9Descriptor::parse(bytes) {
        assert!(descriptor.len <= bytes.len());
    }
    assert!(h264::nal_types(bytes).count() <= bytes.len());
    av1::AggregationHeader::parse(bytes);
    opus::duration_samples(bytes);
}

/// A descriptor that was read can be written, and says the same when read again.
pub fn dependency_descriptor(
    bytes: &[u8],
    in_force: Option<&TemplateStructure>,
) -> Option<TemplateStructure> {
    dependency_descriptor::is_keyframe_start(bytes);
    let descriptor = DependencyDescriptor::parse(bytes, in_force).ok()?;
    let structure = descriptor.structure.clone().or(in_force.cloned()).expect("read with one");
    assert!(structure.is_consistent());
    assert!(descriptor.frame(&structure).is_some());
    for target in 0..usize::from(structure.decode_targets) {
        structure.layer_of(target);
    }
    let mut out = [0; dependency_descriptor::DESCRIPTOR_LEN_MAX];
    if bytes.len() <= out.len() {
        let len = descriptor.write(in_force, &mut out).expect("no longer than what was read");
        assert!(len <= bytes.len());
        assert_eq!(DependencyDescriptor::parse(&out[..len], in_force), Ok(descriptor));
    }
    Some(structure)
}

/// Every packet that was read is the same after writing and reading it.
pub fn rtcp(bytes: &[u8]) {
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
