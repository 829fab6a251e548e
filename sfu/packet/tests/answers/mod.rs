//! What must hold for any bytes at all: one function per kind of input. Property tests feed them here, fuzzers elsewhere.

use packet::codec::{av1, h264, is_keyframe_start, opus, vp8, vp9};
use packet::ext::dependency_descriptor::{self, DependencyDescriptor, TemplateStructure};
use packet::ext::{Extension, ExtensionMap, Values};
use packet::fec::{EncodeError, RecoverError, flexfec, flexfec03, red, ulpfec};
use packet::media::Codec;
use packet::rtcp::{Compound, Packet};
use packet::rtp::{Outgoing, RtpHeader, rtx};
use packet::{PayloadType, SeqNo, Ssrc};

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

/// RED that was split joins again; a FEC payload recovers at most what it protects; of packets that can be protected,
/// each one comes back.
pub fn fec(payload: &[u8], packets: &[&[u8]]) {
    if let Some(blocks) = red::split(payload) {
        let blocks: Vec<_> = blocks.collect();
        let mut joined = Vec::new();
        let count = red::join(&blocks, &mut joined);
        assert_eq!(red::split(&joined).map(|blocks| blocks.count()), Some(count));
    }
    // Every chunk may be a repair payload as well as a packet.
    solved(&[&[payload], packets].concat(), packets);
    for (recover, encode) in [
        (recover_ulpfec as Recover, ulpfec::encode as Encode),
        (recover_flexfec as Recover, flexfec::encode as Encode),
        (recover_flexfec03 as Recover, flexfec03::encode as Encode),
    ] {
        let mut out = Vec::new();
        if let Ok(found) = recover(payload, packets, &mut out) {
            assert_eq!(sequence(&out), Some(found));
        }
        let version_2 = packets.iter().all(|packet| packet.first().is_some_and(|first| first >> 6 == 2));
        let mut repair = Vec::new();
        if !version_2 || encode(packets, &mut repair).is_err() {
            continue;
        }
        // A lone packet has no other that names its source.
        for missing in (0..packets.len()).filter(|_| packets.len() > 1) {
            let others = [&packets[..missing], &packets[missing + 1..]].concat();
            let found = recover(&repair, &others, &mut out);
            assert_eq!(found.ok(), sequence(packets[missing]));
            assert_eq!(out, packets[missing]);
        }
    }
}

/// Solved together, repair payloads bring back what each of them alone does, and never anything that is there.
fn solved(payloads: &[&[u8]], packets: &[&[u8]]) {
    let repairs: Vec<_> =
        payloads.iter().filter_map(|payload| flexfec::Flexfec::parse(payload).ok()).collect();
    let received = |seq| with_sequence(packets, seq);
    let solutions = flexfec::solve(&repairs, |seq| received(seq).is_some());
    for solution in &solutions {
        assert!(received(solution.lost).is_none());
        let mut out = Vec::new();
        if solution.restore(&repairs, source(packets), received, &mut out).is_ok() {
            assert_eq!(sequence(&out), Some(solution.lost));
        }
    }
    for repair in repairs.iter().take(flexfec::TOGETHER_MAX) {
        if let Ok(lost) = repair.recover(source(packets), received, &mut Vec::new()) {
            assert!(solutions.iter().any(|solution| solution.lost == lost));
        }
    }
}

type Recover = fn(&[u8], &[&[u8]], &mut Vec<u8>) -> Result<SeqNo, RecoverError>;
type Encode = fn(&[&[u8]], &mut Vec<u8>) -> Result<(), EncodeError>;

fn recover_ulpfec(payload: &[u8], packets: &[&[u8]], out: &mut Vec<u8>) -> Result<SeqNo, RecoverError> {
    ulpfec::Ulpfec::parse(payload)?.recover(source(packets), |seq| with_sequence(packets, seq), out)
}

fn recover_flexfec03(payload: &[u8], packets: &[&[u8]], out: &mut Vec<u8>) -> Result<SeqNo, RecoverError> {
    let (source, repair) = flexfec03::parse(payload)?;
    repair.recover(source, |seq| with_sequence(packets, seq), out)
}

fn recover_flexfec(payload: &[u8], packets: &[&[u8]], out: &mut Vec<u8>) -> Result<SeqNo, RecoverError> {
    flexfec::Flexfec::parse(payload)?.recover(source(packets), |seq| with_sequence(packets, seq), out)
}

fn sequence(packet: &[u8]) -> Option<SeqNo> {
    packet.get(2..4).map(|b| SeqNo(u16::from_be_bytes([b[0], b[1]])))
}

fn with_sequence<'a>(packets: &[&'a [u8]], seq: SeqNo) -> Option<&'a [u8]> {
    packets.iter().find(|packet| sequence(packet) == Some(seq)).copied()
}

/// Of the first packet.
fn source(packets: &[&[u8]]) -> Ssrc {
    let bytes = packets.first().and_then(|packet| packet.get(8..12));
    bytes.map_or(Ssrc(1), |b| Ssrc(u32::from_be_bytes([b[0], b[1], b[2], b[3]])))
}
