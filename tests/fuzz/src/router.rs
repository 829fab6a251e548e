//! Two participants of one room who have the keys and send what they like: the router forwards, answers or drops, and
//! what it sends is always whole, new and addressed.

use super::chunk;
use packet::demux::{Protocol, classify};
use packet::ext::{ExtensionMap, Values};
use packet::media::{Codec, CodecConfig, MediaKind, PeerMedia, SendTrack, Slot};
use packet::rtcp::{Compound, Nack};
use packet::rtp::{Outgoing, RtpHeader};
use packet::{Mid, NtpTime, PayloadType, PeerId, Rid, RoomId, RtpTime, SeqNo, Ssrc};
use sfu_core::{Command, Config, Output, Router};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use transport::{
    Candidate, Certificate, DropReason, DtlsConfig, DtlsSetup, IceCredentials, IceMode, Incoming, Remote,
    Transport,
};

const PEERS: [PeerId; 2] = [PeerId(1), PeerId(2)];
/// Datagrams that one step may cause: repairs of a whole NACK, an old group of pictures, reports.
const DATAGRAMS_MAX: usize = 20_000;

fn server() -> SocketAddr {
    "10.9.9.9:3478".parse().expect("an address")
}

fn address(index: usize) -> SocketAddr {
    format!("10.0.0.{}:5000", index + 1).parse().expect("an address")
}

fn mid(text: &str) -> Mid {
    Mid::new(text).expect("a token")
}

/// One audio and one video track, the second participant's in two layers, and a pair of slots.
fn media(index: usize) -> PeerMedia {
    let codec = |codec: Codec, pt: u8, rtx: Option<u8>| CodecConfig {
        codec,
        pt: PayloadType(pt),
        rtx: rtx.map(PayloadType),
        fmtp: String::new(),
        nack: true,
        pli: codec.kind() == MediaKind::Video,
        transport_cc: true,
    };
    let ssrc = |n: u32| Ssrc(1000 * (index as u32 + 1) + n);
    let rids = if index == 0 { vec![] } else { ["lo", "hi"].map(|r| Rid::new(r).expect("a token")).to_vec() };
    let track = |name, kind, rids| SendTrack { mid: mid(name), kind, rids, ssrcs: vec![] };
    let slot = |name, kind, n, rtx: Option<u32>| Slot {
        mid: mid(name),
        kind,
        ssrc: ssrc(n),
        rtx: rtx.map(ssrc),
        fec: rtx.map(|n| ssrc(n + 1)),
    };
    PeerMedia {
        codecs: vec![
            codec(Codec::Opus, 111, None),
            codec(Codec::Red, 63, None),
            codec(Codec::Vp8, 96, Some(97)),
            codec(Codec::Vp9, 98, Some(99)),
            codec(Codec::H264, 102, Some(103)),
            codec(Codec::Av1, 45, Some(46)),
            codec(Codec::VideoRed, 115, Some(116)),
            codec(Codec::Ulpfec, 117, None),
            codec(Codec::Flexfec, 118, None),
            codec(Codec::Flexfec03, 119, None),
        ],
        extensions: extensions(),
        tracks: vec![track("0", MediaKind::Audio, vec![]), track("1", MediaKind::Video, rids)],
        slots: vec![slot("a", MediaKind::Audio, 1, None), slot("v", MediaKind::Video, 2, Some(3))],
        sctp_port: None,
    }
}

fn extensions() -> ExtensionMap {
    super::packet_answers::extension_map()
}

struct Room {
    now: Instant,
    router: Router,
    ends: [Transport; 2],
    /// Source and number of the last media packet that each participant got.
    last: [(Ssrc, SeqNo); 2],
    /// Every datagram that each participant got, as it was on the wire.
    got: [BTreeSet<Vec<u8>>; 2],
}

impl Room {
    /// Both are connected and see each other.
    fn new() -> Self {
        static CERTIFICATE: OnceLock<(Instant, Arc<Certificate>)> = OnceLock::new();
        let (now, certificate) = CERTIFICATE
            .get_or_init(|| (Instant::now(), Arc::new(Certificate::generate().expect("a certificate"))))
            .clone();
        let mut config = Config::new((now, NtpTime(3_950_000_000 << 32)), 1, certificate.clone());
        config.candidates = vec![Candidate { address: server() }];
        let mut router = Router::new(config);
        let ends = [0, 1].map(|index: usize| {
            let credentials = |name: &str| IceCredentials {
                ufrag: format!("00{name}{index}"),
                pwd: format!("{name}-0123456789abcdefghijkl"),
            };
            let (local, theirs) = (credentials("server"), credentials("client"));
            let fingerprint = certificate.fingerprint();
            let offer =
                Remote { ice: theirs.clone(), fingerprint, setup: DtlsSetup::ActPass, candidates: vec![] };
            let answer = Remote {
                ice: local.clone(),
                fingerprint,
                setup: DtlsConfig::default().setup(),
                candidates: vec![Candidate { address: server() }],
            };
            let add = Command::AddPeer {
                peer: PEERS[index],
                room: RoomId(1),
                local,
                remote: offer,
                media: media(index),
            };
            router.handle_command(now, add);
            let config = transport::Config {
                ice: IceMode::Full { tie_breaker: 1 + index as u64 },
                local: theirs,
                certificate: certificate.clone(),
                local_addresses: vec![address(index)],
                dtls: DtlsConfig::default(),
            };
            Transport::new(config, Some(answer), now).expect("an address and a certificate")
        });
        let mut room = Self { now, router, ends, last: [(Ssrc(0), SeqNo(0)); 2], got: Default::default() };
        for subscriber in 0..2 {
            for (slot, track) in [("a", "0"), ("v", "1")] {
                room.bind(subscriber, slot, Some((PEERS[1 - subscriber], mid(track))));
            }
        }
        for _ in 0..100 {
            room.settle();
            if room.ends.iter().all(Transport::is_connected) {
                break;
            }
            room.pass(Duration::from_millis(5));
        }
        assert!(room.ends.iter().all(Transport::is_connected), "{:?}", room.router.stats());
        room
    }

    fn bind(&mut self, subscriber: usize, slot: &str, source: Option<(PeerId, Mid)>) {
        let command = Command::Bind { subscriber: PEERS[subscriber], slot: mid(slot), source };
        self.router.handle_command(self.now, command);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.router.handle_timeout(self.now);
        self.ends.iter_mut().for_each(|end| end.handle_timeout(self.now));
        self.settle();
    }

    /// Delivers until nobody has anything to say.
    fn settle(&mut self) {
        let mut delivered = 0;
        loop {
            let mut datagrams = Vec::new();
            loop {
                match self.router.poll_output() {
                    Output::Transmit(transmit) => {
                        assert!(transmit.segment_size > 0 && transmit.bytes.len() <= 65_000);
                        let index = (0..2).find(|i| transmit.to == address(*i)).expect("a participant");
                        let segments = transmit.bytes.chunks(transmit.segment_size);
                        datagrams.extend(segments.map(|segment| (index, segment.to_vec())));
                    }
                    Output::Event(_) | Output::Relay(_) => {}
                    Output::Timeout(_) => break,
                }
            }
            for (index, datagram) in datagrams {
                delivered += 1;
                self.receive(index, datagram);
            }
            let mut quiet = true;
            for index in 0..2 {
                while let transport::Output::Transmit(transmit) = self.next(index) {
                    quiet = false;
                    delivered += 1;
                    let mut bytes = transmit.bytes;
                    self.router.handle_datagram(self.now, server(), address(index), &mut bytes);
                }
            }
            assert!(delivered <= DATAGRAMS_MAX, "one step caused {delivered} datagrams");
            if quiet {
                return;
            }
        }
    }

    fn next(&mut self, index: usize) -> transport::Output {
        loop {
            match self.ends[index].poll_output() {
                transport::Output::Event(_) => {}
                other => return other,
            }
        }
    }

    /// Everything that reaches a participant is authentic and well formed, and new or, as the answer to a NACK on a stream
    /// without RTX, the same bytes again: an index is never used for two texts.
    fn receive(&mut self, index: usize, mut datagram: Vec<u8>) {
        let repeated = !self.got[index].insert(datagram.clone());
        match self.ends[index].handle_datagram(self.now, address(index), server(), &mut datagram) {
            Ok(Incoming::Handled) => {}
            Ok(Incoming::Rtp { packet, .. }) => {
                let header = RtpHeader::parse(packet).expect("what is forwarded is RTP");
                let slots = media(index).slots;
                let of = slots.iter().find(|s| [Some(s.ssrc), s.rtx, s.fec].contains(&Some(header.ssrc)));
                let of = of.expect("an SSRC of a slot");
                let values = Values::read(&header, packet, &extensions());
                assert!(values.mid.is_none_or(|mid| mid == of.mid));
                if header.ssrc == of.ssrc {
                    self.last[index] = (header.ssrc, header.seq);
                }
            }
            Ok(Incoming::Rtcp(packet)) => {
                assert!(Compound::iter(packet).all(|element| element.is_ok()), "{packet:02x?}");
            }
            Err(DropReason::SrtpReplayed) if repeated => {}
            Err(reason) => panic!("a participant cannot use what it gets: {reason:?}"),
        }
    }

    fn send(&mut self, index: usize, plain: &[u8]) {
        let end = &mut self.ends[index];
        let mut buffer = plain.to_vec();
        buffer.resize(plain.len() + end.srtcp_overhead(), 0);
        let protected = match classify(plain) {
            Some(Protocol::Rtp) => end.protect_rtp(&mut buffer, plain.len()),
            Some(Protocol::Rtcp) => end.protect_rtcp(&mut buffer, plain.len()),
            _ => return,
        };
        let Ok(len) = protected else { return };
        self.router.handle_datagram(self.now, server(), address(index), &mut buffer[..len]);
        self.settle();
    }
}

/// Pictures, in RED or protected by FlexFEC of either kind, one of them missing, and a repair packet for them, as hostile as the bytes say.
fn shielded(room: &mut Room, index: usize, body: &[u8]) {
    let (&[seq, lost, kind, lie], noise) = body.split_first_chunk::<4>().unwrap_or((&[0; 4], body));
    let number = |n: u16| SeqNo(65_500u16.wrapping_add(u16::from(seq) * 8).wrapping_add(n));
    let rid = Rid::new("lo").filter(|_| index == 1);
    let write = |n: u16, payload: &[u8]| {
        let extensions_of = Values { mid: Some(mid("1")), rid, ..Values::default() };
        let outgoing = Outgoing {
            marker: n % 3 == 2,
            pt: PayloadType(115),
            seq: number(n),
            timestamp: RtpTime(u32::from(seq) * 3000),
            ssrc: Ssrc(0x6000),
            extensions: extensions_of,
            payload,
            ..Outgoing::default()
        };
        let mut out = vec![0; 1600];
        let len = outgoing.write(&extensions(), &mut out).map_or(0, |layout| layout.len);
        out.truncate(len);
        out
    };
    let mut plain = Vec::new();
    for n in 0..3u16 {
        let key = u8::from(seq > 0);
        let picture = [&[96, 0x90, 0x80, 0x80, seq, key][..], &noise[..noise.len().min(900)]].concat();
        let packet = write(n, &picture);
        let mut inner = packet.clone();
        let at = RtpHeader::parse(&packet).expect("written here").payload_range().start;
        inner.remove(at);
        inner[1] = inner[1] & 0x80 | 96;
        plain.push(inner);
        if n != u16::from(lost % 4) {
            room.send(index, if kind & 4 == 4 { &plain[usize::from(n)] } else { &packet });
        }
    }
    let group: Vec<&[u8]> = plain.iter().map(Vec::as_slice).collect();
    let mut repair = Vec::new();
    if kind & 12 == 12 {
        packet::fec::flexfec03::encode(&group, &mut repair).expect("three packets of one source");
    } else if kind & 4 == 4 {
        packet::fec::flexfec::encode(&group, &mut repair).expect("three packets of one source");
    } else {
        repair.push(117);
        packet::fec::ulpfec::encode(&group, &mut repair).expect("three packets of one source");
    }
    if kind & 1 == 1 {
        let at = usize::from(lie) % repair.len();
        repair[at] ^= kind;
    }
    if kind & 2 == 2 {
        repair.truncate(usize::from(lie));
    }
    let packet = match kind & 4 {
        4 => {
            let (ssrc, csrc) = (Ssrc(0x7000), Some(Ssrc(0x6000)));
            let outgoing = Outgoing {
                pt: PayloadType(if kind & 8 == 8 { 119 } else { 118 }),
                seq: number(3),
                ssrc,
                csrc,
                payload: &repair,
                ..Outgoing::default()
            };
            let mut out = vec![0; 1600];
            let len = outgoing.write(&extensions(), &mut out).map_or(0, |layout| layout.len);
            out.truncate(len);
            out
        }
        _ => write(3, &repair),
    };
    room.send(index, &packet);
}

/// A packet that comes far: payload types, sources and extensions that were negotiated, numbers close to each other.
fn likely(index: usize, choice: u8, body: &[u8], out: &mut [u8; 1600]) -> usize {
    let (&[seq, time, numbers], payload) = body.split_first_chunk::<3>().unwrap_or((&[0; 3], body));
    let pt = [111, 96, 98, 102, 45, 63, 97, 99][usize::from(choice & 7)];
    let audio = matches!(pt, 111 | 63);
    let rid = Rid::new(if choice & 0x10 == 0 { "lo" } else { "hi" }).filter(|_| index == 1 && !audio);
    let retransmission = matches!(pt, 97 | 99);
    let values = Values {
        mid: Some(mid(if audio { "0" } else { "1" })),
        rid: rid.filter(|_| !retransmission),
        repaired_rid: rid.filter(|_| retransmission),
        transport_sequence: Some(packet::ext::TransportSequence(u16::from(seq) << (numbers & 7))),
        audio_level: audio.then_some(packet::ext::AudioLevel { voice: true, minus_dbov: time & 0x7f }),
        dependency_descriptor: (numbers & 0x20 != 0).then(|| &payload[..payload.len().min(40)]),
        ..Values::default()
    };
    let source = u32::from(choice & 0x17);
    let outgoing = Outgoing {
        marker: choice & 0x20 != 0,
        pt: PayloadType(pt),
        seq: SeqNo(65_500u16.wrapping_add(u16::from(seq) << (numbers >> 6))),
        timestamp: RtpTime(u32::MAX.wrapping_add(u32::from(time) * 960)),
        ssrc: Ssrc(0x5000 + source),
        extensions: values,
        payload: &payload[..payload.len().min(1100)],
        padding_len: if numbers & 0x18 == 0x18 { seq } else { 0 },
        ..Outgoing::default()
    };
    outgoing.write(&extensions(), out).map_or(0, |layout| layout.len)
}

/// Steps of an operation and a chunk.
pub fn router_media(mut input: &[u8]) {
    let mut room = Room::new();
    for _ in 0..200 {
        let Some((&operation, rest)) = input.split_first() else { break };
        input = rest;
        let Some(body) = chunk(&mut input) else { break };
        let index = usize::from(operation & 1);
        match operation >> 1 & 7 {
            0 => room.send(index, body),
            1 => room.pass(Duration::from_millis(body.iter().map(|b| u64::from(*b)).sum::<u64>().min(3000))),
            2 => {
                let slot = if operation & 0x10 == 0 { "v" } else { "a" };
                let source = body
                    .first()
                    .map(|b| (PeerId(u64::from(b & 3)), mid(["0", "1", "2", "v"][usize::from(b >> 2 & 3)])));
                room.bind(index, slot, source);
                room.settle();
            }
            3 => {
                let mut media = media(index);
                media.tracks.truncate(usize::from(operation >> 4));
                let command = Command::UpdatePeer { peer: PEERS[index], media, restart: None };
                room.router.handle_command(room.now, command);
                room.settle();
            }
            4 => {
                let (media, last) = room.last[index];
                let lost = body.iter().map(|behind| SeqNo(last.0.wrapping_sub(u16::from(*behind))));
                let mut nack = Vec::new();
                Nack::new(Ssrc(1), media, lost).write(&mut nack);
                room.send(index, &nack);
            }
            7 => shielded(&mut room, index, body),
            _ => {
                let Some((&choice, body)) = body.split_first() else { continue };
                let mut out = [0; 1600];
                let len = likely(index, choice, body, &mut out);
                room.send(index, &out[..len]);
            }
        }
    }
    room.pass(Duration::from_secs(1));
    room.router.stats();
    assert!(PEERS.iter().all(|peer| room.router.peer_stats(*peer).is_some()));
}
