//! What we write, the `rtp` and `rtcp` crates read, and the other way round.

use bytes::Bytes;
use packet::codec::vp8::{self, PictureId, TemporalLayer, Vp8Descriptor};
use packet::ext::{AudioLevel, Extension, ExtensionMap, TransportSequence, Values};
use packet::rtcp::{Compound, Nack, Packet, SourceDescription};
use packet::rtp::{Outgoing, RtpHeader};
use packet::{Mid, PayloadType, RtpTime, SeqNo, Ssrc};
use proptest::collection::vec;
use proptest::prelude::*;
use rtp::packetizer::Depacketizer as _;
use webrtc_util::{Marshal, Unmarshal};

proptest! {
    #[test]
    fn the_rtp_crate_reads_our_packets(
        (marker, pt, seq, timestamp, ssrc) in (any::<bool>(), 0u8..128, any::<u16>(), any::<u32>(), any::<u32>()),
        payload in vec(any::<u8>(), 0..50),
        padding_len in 0u8..20,
        first_id in prop_oneof![Just(1u8), Just(20)],
        transport_sequence in any::<u16>(),
    ) {
        let mut map = ExtensionMap::default();
        map.set(Extension::Mid, first_id);
        map.set(Extension::TransportSequence, first_id + 1);
        map.set(Extension::AudioLevel, first_id + 2);
        let extensions = Values {
            mid: Mid::new("v1"),
            transport_sequence: Some(TransportSequence(transport_sequence)),
            audio_level: Some(AudioLevel { voice: true, minus_dbov: 3 }),
            ..Values::default()
        };
        let ours = Outgoing {
            marker,
            pt: PayloadType(pt),
            seq: SeqNo(seq),
            timestamp: RtpTime(timestamp),
            ssrc: Ssrc(ssrc),
            extensions,
            payload: &payload,
            padding_len,
            ..Outgoing::default()
        };
        let mut out = [0; 200];
        let len = ours.write(&map, &mut out).unwrap().len;
        let theirs = rtp::packet::Packet::unmarshal(&mut &out[..len]).unwrap();
        let header = &theirs.header;
        prop_assert_eq!((header.marker, header.payload_type), (marker, pt));
        prop_assert_eq!((header.sequence_number, header.timestamp, header.ssrc), (seq, timestamp, ssrc));
        prop_assert_eq!(&theirs.payload[..], &payload[..]);
        prop_assert_eq!(header.get_extension(first_id), Some(Bytes::from_static(b"v1")));
        let sequence = Bytes::copy_from_slice(&transport_sequence.to_be_bytes());
        prop_assert_eq!(header.get_extension(first_id + 1), Some(sequence));
        prop_assert_eq!(header.get_extension(first_id + 2), Some(Bytes::from_static(&[0x83])));
    }

    #[test]
    fn we_read_packets_of_the_rtp_crate(
        csrc in vec(any::<u32>(), 0..16),
        (seq, timestamp, ssrc) in (any::<u16>(), any::<u32>(), any::<u32>()),
        payload in vec(any::<u8>(), 0..50),
        mid in "[a-z0-9]{1,16}",
        two_byte in any::<bool>(),
    ) {
        let mut header = rtp::header::Header {
            version: 2,
            sequence_number: seq,
            timestamp,
            ssrc,
            csrc,
            payload_type: 111,
            extension: true,
            extension_profile: if two_byte { 0x1000 } else { 0xbede },
            ..rtp::header::Header::default()
        };
        header.set_extension(7, Bytes::copy_from_slice(mid.as_bytes())).unwrap();
        let theirs = rtp::packet::Packet { header, payload: Bytes::from(payload.clone()) };
        let bytes = theirs.marshal().unwrap();
        let ours = RtpHeader::parse(&bytes).unwrap();
        prop_assert_eq!((ours.seq, ours.timestamp, ours.ssrc), (SeqNo(seq), RtpTime(timestamp), Ssrc(ssrc)));
        prop_assert_eq!(ours.payload(&bytes), &payload[..]);
        let mut map = ExtensionMap::default();
        map.set(Extension::Mid, 7);
        prop_assert_eq!(Values::read(&ours, &bytes, &map).mid, Mid::new(&mid));
    }

    #[test]
    fn the_rtp_crate_puts_our_vp8_frames_together(
        frame in vec(any::<u8>(), 1..3000),
        picture_id in 0u16..0x8000,
        tl0 in any::<u8>(),
        tid in 0u8..4,
        max in 20usize..1200,
    ) {
        let descriptor = Vp8Descriptor {
            picture_id: Some(PictureId::Fifteen(picture_id)),
            tl0_pic_idx: Some(tl0),
            layer: Some(TemporalLayer { tid, layer_sync: false }),
            ..Vp8Descriptor::default()
        };
        let mut assembled = Vec::new();
        let mut ours = vp8::Depacketizer::default();
        let mut frames = Vec::new();
        for fragment in vp8::packetize(&frame, descriptor, max) {
            let payload = [&fragment.head[..], fragment.payload].concat();
            prop_assert!(payload.len() <= max);
            frames.extend(ours.push(&payload, fragment.marker));
            let mut theirs = rtp::codecs::vp8::Vp8Packet::default();
            assembled.extend_from_slice(&theirs.depacketize(&Bytes::from(payload)).unwrap());
            prop_assert_eq!((theirs.picture_id, theirs.tl0_pic_idx, theirs.tid), (picture_id, tl0, tid));
        }
        prop_assert_eq!(&assembled, &frame);
        prop_assert_eq!(frames.len(), 1);
        prop_assert_eq!(&frames[0].data, &frame);
    }

    #[test]
    fn the_rtcp_crate_reads_our_nacks(start in any::<u16>(), gaps in vec(1u16..40, 0..50)) {
        let lost: Vec<u16> = gaps.iter().scan(start, |at, gap| {
            *at = at.wrapping_add(*gap);
            Some(*at)
        }).collect();
        prop_assume!(!lost.is_empty());
        let mut bytes = Vec::new();
        Nack::new(Ssrc(1), Ssrc(2), lost.iter().map(|s| SeqNo(*s))).write(&mut bytes);
        let theirs = rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack::unmarshal(&mut &bytes[..]).unwrap();
        let read: Vec<u16> = theirs.nacks.iter().flat_map(|n| n.packet_list()).collect();
        prop_assert_eq!(read, lost);
    }

    #[test]
    fn the_rtcp_crate_reads_our_source_descriptions(name in "[a-z]{0,40}", ssrc in any::<u32>()) {
        let mut bytes = Vec::new();
        SourceDescription { cnames: vec![(Ssrc(ssrc), name.clone())] }.write(&mut bytes);
        let theirs = rtcp::source_description::SourceDescription::unmarshal(&mut &bytes[..]).unwrap();
        prop_assert_eq!(theirs.chunks.len(), 1);
        prop_assert_eq!(theirs.chunks[0].source, ssrc);
        prop_assert_eq!(&theirs.chunks[0].items[0].text[..], name.as_bytes());
    }
}

#[test]
fn feedback_that_firefox_sends_is_read() {
    // A run of 17 small deltas.
    let bytes = [
        143, 205, 0, 9, 65, 227, 184, 49, 118, 243, 78, 96, 42, 68, 0, 17, 12, 162, 167, 1, 32, 17, 88, 0, 4,
        0, 4, 8, 108, 0, 4, 0, 4, 12, 0, 4, 0, 4, 4, 0,
    ];
    let Some(Ok(Packet::TransportFeedback(feedback))) = Compound::iter(&bytes).next() else { panic!() };
    assert_eq!((feedback.base, feedback.status_count, feedback.feedback_count), (SeqNo(10_820), 17, 1));
    assert_eq!(feedback.received.len(), 17);
    let deltas: Vec<_> = feedback.received.iter().map(|r| r.delta).collect();
    assert_eq!(deltas, [88, 0, 4, 0, 4, 8, 108, 0, 4, 0, 4, 12, 0, 4, 0, 4, 4]);
}
