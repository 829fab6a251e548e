//! Whatever bytes arrive, parsers answer: they never panic and never read outside. Inputs are random bytes, and half
//! valid ones, which come further.

mod answers;

use packet::demux;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..300)) {
        demux::classify(&bytes);
        answers::rtp(&bytes);
        answers::codec_descriptors(&bytes);
        answers::dependency_descriptor(&bytes, None);
        answers::rtcp(&bytes);
    }

    #[test]
    fn forward_error_correction(
        payload in vec(any::<u8>(), 0..80),
        packets in vec((0u16..60, vec(any::<u8>(), 0..40)), 0..6),
        base in any::<u16>(),
    ) {
        let packet = |(seq, body): &(u16, Vec<u8>)| {
            let [high, low] = base.wrapping_add(*seq).to_be_bytes();
            [&[0x80, 96, high, low, 0, 0, 0, 9, 0, 0, 0, 7][..], body].concat()
        };
        let packets: Vec<Vec<u8>> = packets.iter().map(packet).collect();
        answers::fec(&payload, &packets.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    #[test]
    fn rtp_with_a_valid_first_byte(flags in 0u8..64, bytes in vec(any::<u8>(), 11..200), words in 0u8..8) {
        let mut packet = vec![0x80 | flags];
        packet.extend_from_slice(&bytes);
        let at = 12 + 4 * usize::from(flags & 15);
        for [high, low] in [[0xbe, 0xde], [0x10, 0x00]] {
            if let Some(four) = packet.get_mut(at..at + 4) {
                four.copy_from_slice(&[high, low, 0, words]);
            }
            answers::rtp(&packet);
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
        answers::rtcp(&datagram);
    }

    #[test]
    fn descriptors_with_a_structure(
        template in 0u8..64,
        rest in vec(any::<u8>(), 1..120),
        targets in 0u8..4,
        later in vec(any::<u8>(), 3..20),
    ) {
        // The flag for a structure, its id offset equal to the template id, and few decode targets.
        let fourth = 0x80 | rest[0] & 0x78 | template >> 3;
        let fifth = template << 5 | targets;
        let mut bytes = vec![0x80 | template, 0, 0, fourth, fifth];
        bytes.extend_from_slice(&rest[1..]);
        let structure = answers::dependency_descriptor(&bytes, None);
        answers::dependency_descriptor(&later, structure.as_ref());
    }
}
