//! Writes the first inputs of each target into `corpus/`, made by our own code, so that a fuzzer begins with what is
//! valid: `cargo run --manifest-path tests/fuzz/Cargo.toml --example seeds`.

use fuzz::pair::{CLIENT, Pair, SERVER};
use packet::codec::vp8::{PictureId, TemporalLayer, Vp8Descriptor};
use packet::demux::{Protocol, classify};
use packet::ext::dependency_descriptor::{
    DecodeTargetIndication as Dti, DependencyDescriptor, Template, TemplateStructure,
};
use packet::ext::{
    AbsCaptureTime, AbsSendTime, AudioLevel, Extension, ExtensionMap, PlayoutDelay, TransportSequence,
    Values, VideoOrientation,
};
use packet::rtcp::{
    FeedbackBuilder, Fir, FirEntry, Goodbye, Nack, Packet, Pli, ReceiverReport, ReceptionReport, Remb,
    SenderReport, SourceDescription,
};
use packet::rtp::Outgoing;
use packet::{Bitrate, Mid, NtpTime, PayloadType, Rid, RtpTime, SeqNo, Ssrc};
use std::path::Path;
use std::time::Duration;
use transport::DtlsVersion;
use voice::{Channels, OpusEncoder, Settings};

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, seeds) in [
        ("access_token", fuzz::tokens::seeds()),
        ("audio_buffer", audio_buffer()),
        ("codec_descriptors", codec_descriptors()),
        ("data_channel", fuzz::data::seeds()),
        ("dependency_descriptor", dependency_descriptor()),
        ("rtcp", rtcp()),
        ("rtp", rtp()),
        ("sdp_offer", files("signaling/sdp/tests/descriptions", "sdp")?),
        ("signaling_deflate", signaling_deflate()?),
        ("signaling_json", files("signaling/wire/fixtures", "json")?),
        ("srtp_unprotect", srtp_unprotect()),
        ("stun_demux", stun_demux()),
        ("dtls_record", dtls_record()),
        ("congestion_feedback", congestion_feedback()),
        ("fec", fec()),
        ("network_trace", network_trace()),
        ("opus", opus()),
        ("router_media", router_media()),
        ("video_buffer", video_buffer()),
    ] {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        for (name, bytes) in &seeds {
            let path = folder.join(name);
            // Those of a handshake are different each time: what is there stays.
            if !path.exists() {
                std::fs::write(path, bytes)?;
            }
        }
        println!("{target}: {} inputs", seeds.len());
    }
    Ok(())
}

type Seeds = Vec<(String, Vec<u8>)>;

/// One file of each format, behind a byte that leaves it to be found out.
fn network_trace() -> Seeds {
    let rtp = |n: u8| [&[0x80, 0, 0, n, 0, 0, n, 0, 0, 0, 0, 7][..], &[0xff; 20]].concat();
    let mut pcap = [0xa1b2_c3d4u32, 0x0002_0004, 0, 0, 65535, 101].map(u32::to_be_bytes).concat();
    let mut dump = b"#!rtpplay1.0 10.0.0.1/9\n".to_vec();
    dump.extend([0; 16]);
    for n in [0u8, 1, 3, 4] {
        let ip = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 9, 0, 9, 0, 0, 0, 0];
        let packet = [&ip[..], &rtp(n)].concat();
        pcap.extend([1, u32::from(n) * 20_000, 60, 60].map(u32::to_be_bytes).concat());
        pcap.extend(packet);
        dump.extend([0, 40, 0, 32, 0, 0, 0, n * 20]);
        dump.extend(rtp(n));
    }
    let files: [(&str, &[u8]); 8] = [
        ("mahimahi", b"1\n4\n4\n20\n"),
        ("loss", b"0010100001\n"),
        ("rates", b"0.5 4\n1 0\n3 2.5\n"),
        ("rates_of_next_to_nothing", b"0 0.000001\n0.000001 0\n"),
        ("packets", b"delay_ms,lost\n12.5,0\n,1\n0,0\n"),
        ("arrivals", b"arrival_ms,seq,rtp_timestamp\n1,0,0\n21,1,160\n70,3,480\n"),
        ("pcap", &pcap),
        ("rtpdump", &dump),
    ];
    files.map(|(name, file)| (format!("{name}.bin"), [&[0xff][..], file].concat())).to_vec()
}

/// Two seconds of a steady call, and lies.
fn congestion_feedback() -> Seeds {
    let round = [&[5, 0, 20, 1, 7, 1, 20][..], &[0, 102].repeat(20), &[0, 3, 2]].concat();
    let lies = b"\x00\xc8\x01\x3c\xff\x03\xc8\x00\x05\xff\x01\x01\x80\x02\x00\x02\x40\x03\xff\x03\xff";
    named(vec![("steady", round.repeat(40)), ("lies", lies.to_vec())])
}

fn named(seeds: Vec<(&str, Vec<u8>)>) -> Seeds {
    seeds.into_iter().map(|(name, bytes)| (format!("{name}.bin"), bytes)).collect()
}

/// The files of a folder that other tests keep.
fn files(folder: &str, ending: &str) -> std::io::Result<Seeds> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == ending) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            seeds.push((name, std::fs::read(path)?));
        }
    }
    Ok(seeds)
}

/// Messages of a client as binary frames, repeated until they are worth it: blocks of every kind.
fn signaling_deflate() -> std::io::Result<Seeds> {
    let mut seeds = Vec::new();
    for (name, bytes) in files("signaling/wire/fixtures", "json")? {
        let text = String::from_utf8_lossy(&bytes).repeat(1 + wire::deflate::WORTH_BYTES / bytes.len().max(1));
        if let Some(bytes) = wire::deflate::deflate(&text).filter(|_| name.starts_with("client_")) {
            seeds.push((name.replace(".json", ".bin"), bytes));
        }
    }
    seeds.push(("stored.bin".into(), b"\x01\x02\x00\xfd\xff{}".to_vec()));
    Ok(seeds)
}

fn packet_with(values: Values, change: impl FnOnce(&mut Outgoing)) -> Vec<u8> {
    let mut map = ExtensionMap::default();
    map.allow_mixed = true;
    for (id, extension) in (1..).zip(Extension::ALL) {
        map.set(extension, id);
    }
    let mut outgoing = Outgoing {
        marker: true,
        pt: PayloadType(96),
        seq: SeqNo(0xffff),
        timestamp: RtpTime(u32::MAX),
        ssrc: Ssrc(0x1234_5678),
        extensions: values,
        payload: b"\x90\x80\x80\x01\x10payload",
        ..Outgoing::default()
    };
    change(&mut outgoing);
    let mut out = [0; 1500];
    let len = outgoing.write(&map, &mut out).expect("fits").len;
    out[..len].to_vec()
}

fn rtp() -> Seeds {
    let all = Values {
        mid: Mid::new("12"),
        rid: Rid::new("hi"),
        repaired_rid: Rid::new("lo"),
        audio_level: Some(AudioLevel { voice: true, minus_dbov: 30 }),
        abs_send_time: Some(AbsSendTime::from_ticks(0x12_3456)),
        transport_sequence: Some(TransportSequence(0xffff)),
        playout_delay: Some(PlayoutDelay { min_ms: 0, max_ms: 400 }),
        video_orientation: Some(VideoOrientation { back_camera: true, flip: false, quarter_turns: 1 }),
        abs_capture_time: Some(AbsCaptureTime { capture: NtpTime(1 << 40), clock_offset: Some(-1) }),
        dependency_descriptor: Some(&[0xc0, 0, 1]),
    };
    let long = Values { dependency_descriptor: Some(&[0x80; 40]), ..all };
    named(vec![
        ("plain", packet_with(Values::default(), |_| {})),
        ("one_byte_form", packet_with(all, |_| {})),
        ("two_byte_form", packet_with(long, |_| {})),
        ("rtx", packet_with(all, |o| o.osn = Some(SeqNo(0xfffe)))),
        ("padded", packet_with(all, |o| o.padding_len = 9)),
        ("probe", packet_with(all, |o| (o.payload, o.padding_len) = (&[], 255))),
        ("contributing_sources", [&[0x82, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1][..], &[7; 8], b"opus"].concat()),
    ])
}

fn rtcp() -> Seeds {
    let block = ReceptionReport {
        ssrc: Ssrc(2),
        fraction_lost: 3,
        total_lost: -4,
        highest_seq: 0x0001_ffff,
        jitter: 90,
        last_sr: 1,
        delay_since_last_sr: 65_536,
    };
    let mut feedback = FeedbackBuilder::new(Ssrc(1), Ssrc(2), 255, SeqNo(0xfff0), 64_000_000);
    for (seq, at_us) in (0xfff1u16..=0xffff).chain(0..40).zip((64_001_000..).step_by(1_700)) {
        if seq % 5 != 0 {
            feedback.push(SeqNo(seq), at_us + if seq % 7 == 0 { 90_000 } else { 0 });
        }
    }
    let packets = [
        (
            "sender_report",
            Packet::SenderReport(SenderReport {
                ssrc: Ssrc(1),
                ntp: NtpTime(0xe000_0000_8000_0000),
                rtp: RtpTime(u32::MAX),
                packets: 10,
                octets: 1000,
                reports: vec![block],
            }),
        ),
        (
            "receiver_report",
            Packet::ReceiverReport(ReceiverReport { ssrc: Ssrc(1), reports: vec![block; 3] }),
        ),
        (
            "source_description",
            Packet::SourceDescription(SourceDescription {
                cnames: vec![(Ssrc(1), "sampan".into()), (Ssrc(2), "x".into())],
            }),
        ),
        ("goodbye", Packet::Goodbye(Goodbye { ssrcs: vec![Ssrc(1), Ssrc(2)] })),
        ("nack", Packet::Nack(Nack::new(Ssrc(1), Ssrc(2), [0xfffe, 0xffff, 3, 60].map(SeqNo)))),
        ("transport_feedback", Packet::TransportFeedback(feedback.finish())),
        ("pli", Packet::Pli(Pli { sender: Ssrc(1), media: Ssrc(2) })),
        (
            "fir",
            Packet::Fir(Fir { sender: Ssrc(1), entries: vec![FirEntry { media: Ssrc(2), seq: 255 }; 2] }),
        ),
        ("remb", Packet::Remb(Remb { sender: Ssrc(1), bitrate: Bitrate::kbps(2500), ssrcs: vec![Ssrc(2)] })),
    ];
    let mut compound = Vec::new();
    let mut seeds = Vec::new();
    for (name, packet) in packets {
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        // Padding may stand only at the end.
        let padded = bytes[0] & 0x20 != 0;
        if !padded {
            compound.extend_from_slice(&bytes);
        }
        seeds.push((name, bytes));
    }
    seeds.push(("compound", compound));
    named(seeds)
}

fn codec_descriptors() -> Seeds {
    let vp8 = Vp8Descriptor {
        non_reference: true,
        start_of_partition: true,
        picture_id: Some(PictureId::Fifteen(0x7fff)),
        tl0_pic_idx: Some(255),
        layer: Some(TemporalLayer { tid: 1, layer_sync: true }),
        key_idx: Some(3),
        ..Vp8Descriptor::default()
    };
    let narrow = Vp8Descriptor { picture_id: Some(PictureId::Seven(5)), ..vp8 };
    named(vec![
        ("vp8", [&vp8.bytes()[..], b"\x10\x02\x00\x9d\x01\x2a"].concat()),
        ("vp8_narrow", [&narrow.bytes()[..], b"\x11"].concat()),
        (
            "vp9_structure",
            vec![0xaa, 0x80, 1, 0, 7, 0x38, 1, 64, 0, 180, 2, 128, 1, 104, 2, 0, 8, 1, 2, 0x82],
        ),
        ("vp9_flexible", vec![0xd4, 0x7f, 3, 254, 0x86]),
        ("h264_aggregate", vec![0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce]),
        ("h264_fragment", vec![0x7c, 0x85, 0x88]),
        ("av1", vec![0x18, 0x0a, 0x0b]),
        ("opus", vec![0xff, 6, 1, 2, 3]),
    ])
}

fn dependency_descriptor() -> Seeds {
    let template = |spatial, temporal, dtis: &[Dti], diffs: &[u16], chains: &[u8]| Template {
        spatial,
        temporal,
        dtis: dtis.iter().copied().collect(),
        frame_diffs: diffs.iter().copied().collect(),
        chain_diffs: chains.iter().copied().collect(),
    };
    // Two spatial layers, two temporal ones in each.
    let structure = TemplateStructure {
        id_offset: 62,
        decode_targets: 4,
        templates: vec![
            template(0, 0, &[Dti::Switch; 4], &[], &[0, 0]),
            template(
                0,
                1,
                &[Dti::NotPresent, Dti::Discardable, Dti::NotPresent, Dti::Required],
                &[2],
                &[2, 1],
            ),
            template(1, 0, &[Dti::NotPresent, Dti::NotPresent, Dti::Switch, Dti::Switch], &[1], &[1, 1]),
            template(
                1,
                1,
                &[Dti::NotPresent, Dti::NotPresent, Dti::NotPresent, Dti::Discardable],
                &[2, 1],
                &[3, 2],
            ),
        ],
        protected_by: [0, 0, 1, 1].into_iter().collect(),
        chains: 2,
        resolutions: vec![(320, 180), (640, 360)],
    };
    let key = DependencyDescriptor {
        start_of_frame: true,
        end_of_frame: true,
        template_id: 62,
        frame_number: 0xffff,
        structure: Some(structure.clone()),
        active_decode_targets: Some(0b0011),
        ..DependencyDescriptor::default()
    };
    let plain = DependencyDescriptor { template_id: 63, frame_number: 0, ..DependencyDescriptor::default() };
    let custom = DependencyDescriptor {
        template_id: 1,
        frame_number: 1,
        dtis: Some([Dti::Required; 4].into_iter().collect()),
        frame_diffs: Some([1, 17, 300].into_iter().collect()),
        chain_diffs: Some([255, 0].into_iter().collect()),
        ..DependencyDescriptor::default()
    };
    let bytes = |descriptor: &DependencyDescriptor| {
        let mut out = [0; 255];
        let len = descriptor.write(Some(&structure), &mut out).expect("fits");
        [&[len as u8][..], &out[..len]].concat()
    };
    let stream = [bytes(&key), bytes(&plain), bytes(&custom)].concat();
    named(vec![("key", bytes(&key)), ("stream", stream)])
}

/// A chunk behind its length, as the transport's targets read it.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// Each operation on a media and a control packet, over the wrap of the sequence number.
fn srtp_unprotect() -> Seeds {
    let rtcp =
        rtcp().into_iter().find(|(name, _)| name.starts_with("receiver_report")).expect("made above").1;
    let rtp = |seq: u16| packet_with(Values::default(), |o| o.seq = SeqNo(seq));
    let step = |operation: u8, bytes: &[u8]| [&[operation][..], &chunk(bytes)].concat();
    let steps = |operation: u8| {
        [
            step(operation, &rtp(0xffff)),
            step(operation, &rtcp),
            step(operation, &rtp(0)),
            step(0x43, &rtp(0xfff0)),
        ]
        .concat()
    };
    named(vec![("raw", steps(0)), ("whole", steps(1)), ("bit_changed", steps(0x82))])
}

/// What both ends say to each other until they are connected.
fn conversation(version: DtlsVersion, server_is_dtls_client: bool) -> Vec<(usize, Vec<u8>)> {
    let mut seen = Vec::new();
    let mut pair = Pair::new(version, server_is_dtls_client);
    pair.run(&mut seen, |_| true);
    assert!(pair.ends.iter().all(|end| end.is_connected()));
    seen
}

fn stun_demux() -> Seeds {
    let seen = conversation(DtlsVersion::V12, false);
    let first = |side: usize, protocol: Protocol| {
        let found = seen.iter().find(|(to, bytes)| *to == side && classify(bytes) == Some(protocol));
        found.expect("said before connected").1.clone()
    };
    named(vec![
        ("request", first(SERVER, Protocol::Stun)),
        ("response", first(CLIENT, Protocol::Stun)),
        ("client_hello", first(SERVER, Protocol::Dtls)),
        ("media", packet_with(Values::default(), |_| {})),
    ])
}

/// All that one end hears of a handshake; a fresh session understands it up to the first signature.
fn dtls_record() -> Seeds {
    let mut seeds = Vec::new();
    for (number, version) in [(0, DtlsVersion::V12), (1, DtlsVersion::V13)] {
        for server_is_dtls_client in [false, true] {
            let seen = conversation(version, server_is_dtls_client);
            for side in [SERVER, CLIENT] {
                let kind = number << 2 | u8::from(server_is_dtls_client) << 1 | side as u8;
                let heard =
                    seen.iter().filter(|(to, bytes)| *to == side && classify(bytes) == Some(Protocol::Dtls));
                let chunks: Vec<u8> = heard.flat_map(|(_, bytes)| chunk(bytes)).collect();
                let name = format!(
                    "{version:?}_{}_of_{}.bin",
                    if side == SERVER { "server" } else { "client" },
                    if server_is_dtls_client { "active_server" } else { "passive_server" }
                );
                seeds.push((name.to_lowercase(), [&[kind][..], &chunks].concat()));
            }
        }
    }
    seeds
}

/// Streams of 20 ms packets and pulls: plain, with gaps that reach back, and with jumps of timestamps and of time.
fn audio_buffer() -> Seeds {
    let stream = |first: u8, step: &dyn Fn(u16) -> Vec<u8>| {
        let packet = |n: u16| {
            let mut bytes = vec![1];
            bytes.extend(n.wrapping_add(65_500).to_be_bytes());
            bytes.extend((u32::from(n) * 960).wrapping_sub(20_000).to_be_bytes());
            // Eight steps of 2.5 ms; reaches back one second; decodes.
            bytes.extend([4, 8, 10, 9, 9]);
            bytes
        };
        let mut input = vec![first];
        for n in 0..80 {
            input.extend(if step(n) == [0] { Vec::new() } else { [packet(n), step(n)].concat() });
            // Twice: 10 ms pass, then a pull.
            input.extend([3 | 10 << 3, 7, 3 | 10 << 3, 7]);
        }
        input
    };
    let nothing = |_: u16| Vec::new();
    named(vec![
        ("steady", stream(0, &nothing)),
        ("stereo_without_requests", stream(3, &nothing)),
        ("gaps", stream(0, &|n| if n % 7 > 3 { vec![0] } else { Vec::new() })),
        ("an_hour_passes", stream(0, &|n| if n == 40 { vec![4] } else { Vec::new() })),
        ("an_hour_back", stream(1, &|n| if n == 40 { vec![5] } else { Vec::new() })),
    ])
}

/// Streams of VP8 in the script's own bytes: whole, with losses that come again, with another owner of the slot, with a storm.
fn video_buffer() -> Seeds {
    // A key frame, then frames of two packets; the moments are in the upper bits.
    let stream = |step: &dyn Fn(usize) -> Vec<u8>| {
        let mut script = vec![0xff, 0xf0, 3, 0b0111];
        for n in 0..120 {
            script.extend([3, 0b0_0001, 3, 0b0_0010, 0, 40]);
            script.extend(step(n));
        }
        script
    };
    let sometimes = |n: usize, step: &[u8]| if n % 9 == 4 { step.to_vec() } else { Vec::new() };
    named(vec![
        ("steady", stream(&|_| Vec::new())),
        // A frame that is lost, and the same packet again later.
        ("losses", stream(&|n| sometimes(n, &[3, 0b0_1011, 8, 255, 0, 0, 0, 0b0_0011]))),
        ("another_owner", stream(&|n| sometimes(n, &[13, 4, 3, 0b0111]))),
        ("an_hour_passes", stream(&|n| sometimes(n, &[2, 0]))),
        ("a_storm", stream(&|n| if n == 60 { vec![14, 0b0_0011, 200] } else { Vec::new() })),
        ("red_and_fec", stream(&|n| sometimes(n, &[11, 4, 3, 96, 0x10, 1, 0, 0]))),
    ])
}

/// Three packets around the wrap, and what repairs them in each format.
fn fec() -> Seeds {
    let packets = [0xffff, 0, 3].map(|seq| packet_with(Values::default(), |o| o.seq = SeqNo(seq)));
    let slices = packets.each_ref().map(Vec::as_slice);
    let (mut ulp, mut flex, mut flex03, mut red) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    packet::fec::ulpfec::encode(&slices, &mut ulp).expect("one source");
    packet::fec::flexfec::encode(&slices, &mut flex).expect("one source");
    packet::fec::flexfec03::encode(&slices, &mut flex03).expect("one source");
    let block = |offset, payload| packet::fec::red::Block { pt: PayloadType(111), offset, payload };
    packet::fec::red::join(&[block(1920, &b"old"[..]), block(960, b"newer"), block(0, b"now")], &mut red);
    let group: Vec<u8> = slices.iter().flat_map(|packet| chunk(packet)).collect();
    let gap: Vec<u8> = slices[1..].iter().flat_map(|packet| chunk(packet)).collect();
    named(vec![
        ("ulpfec", [chunk(&ulp), gap.clone()].concat()),
        ("flexfec", [chunk(&flex), gap.clone()].concat()),
        ("flexfec03", [chunk(&flex03), gap].concat()),
        ("redundancy", [chunk(&red), group].concat()),
    ])
}

/// Steps of the router's target: each seed is a short call.
fn router_media() -> Seeds {
    let step = |operation: u8, bytes: &[u8]| [&[operation][..], &chunk(bytes)].concat();
    // Participant 0 or 1, choice of payload type and layer, then sequence number, time, numbers and payload.
    let likely = |index: u8, choice: u8, seq: u8, payload: &[u8]| {
        step(10 | index, &[&[choice, seq, seq, 0][..], payload].concat())
    };
    let key = b"\x90\x80\x80\x01\x10\x00\x00\x9d\x01\x2a\x80\x02\x68\x01";
    let delta = b"\x90\x80\x80\x02\x11\x00\x00";
    let pass = step(2, &[20]);
    let mut call = Vec::new();
    for seq in 0..8 {
        call.extend(likely(0, 0, seq, b"\xf8\xff\xfe"));
        call.extend(likely(0, 1 | 0x20, seq, if seq == 0 { key } else { delta }));
        call.extend(likely(
            1,
            1 | 0x20 | if seq % 2 == 0 { 0 } else { 0x10 },
            seq / 2,
            if seq < 2 { key } else { delta },
        ));
        call.extend(&pass);
    }
    let shielded: Vec<u8> = (0..16u8)
        .flat_map(|n| [step(14 | n % 2, &[&[n / 2, n % 4, if n > 7 { n } else { 0 }, n * 9][..], &[n; 40]].concat()), pass.clone()].concat())
        .collect();
    let feedback: Vec<u8> = rtcp().iter().flat_map(|(_, bytes)| step(1, bytes)).collect();
    let nacks = [step(8, &[3, 2, 1, 0]), step(9, &[200, 7, 5, 3, 1])].concat();
    let rebind =
        [step(4, &[2 | 1 << 2]), step(4, &[]), step(5, &[1 | 1 << 2]), step(6, &[]), step(0x26, &[])]
            .concat();
    named(vec![
        ("call", call.clone()),
        ("feedback", [&call[..], &feedback, &nacks, &pass, &nacks].concat()),
        ("shielded", [&call[..], &step(4, &[1 | 1 << 2]), &shielded, &step(2, &[250])].concat()),
        ("rebind", [&call[..], &rebind, &call].concat()),
        ("raw", rtp().iter().flat_map(|(_, bytes)| step(0, bytes)).collect()),
    ])
}

/// Calls as `fuzz::opus` reads them, with packets of a real encoder.
fn opus() -> Seeds {
    let call = |call: u8, number: u16, payload: &[u8]| {
        [&[call][..], &number.to_be_bytes(), &(payload.len() as u16).to_be_bytes(), payload].concat()
    };
    let packets = |settings: Settings, frame: usize| -> Vec<Vec<u8>> {
        let mut encoder = OpusEncoder::new(settings).expect("memory");
        let tone = |n: usize| 0.3 * (n as f32 * 0.02).sin() * (n as f32 * 0.000_3).sin();
        let encode = |n: usize| {
            let pcm: Vec<f32> = (0..frame * settings.channels.count()).map(|i| tone(n * frame + i)).collect();
            let mut payload = Vec::new();
            encoder.encode(&pcm, &mut payload).expect("a legal frame");
            payload
        };
        (0..60_000 / frame).map(encode).collect()
    };
    let stereo = Settings { channels: Channels::Stereo, ..Settings::default() };
    let fec = Settings { expected_loss: 0.2, ..Settings::default() };
    let deep = Settings {
        bitrate: Bitrate::kbps(40),
        expected_loss: 0.5,
        fec: false,
        deep: Duration::from_secs(1),
        ..Settings::default()
    };
    let mut seeds = Vec::new();
    for (name, setup, settings, frame) in [
        ("stereo", 1, stereo, 960),
        ("fec", 10, fec, 960),
        ("deep", 10, deep, 960),
        ("long", 11, deep, 5760),
        ("short", 15, fec, 120),
    ] {
        let mut input = vec![setup];
        let packets = packets(settings, frame);
        // The last ones: deep redundancy needs a past.
        for (n, packet) in packets[packets.len() - 10..].iter().enumerate() {
            input.extend(match n {
                4 => call(4, frame as u16, &[]),
                5 => call(3, 0, packet),
                6 => call(2, frame as u16, packet),
                7 => call(1, frame as u16, packet),
                8 => call(5, 0, packet),
                _ => call(0, 0, packet),
            });
        }
        seeds.push((name, input));
    }
    named(seeds)
}
