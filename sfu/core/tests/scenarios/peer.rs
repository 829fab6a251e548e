//! A participant: a full transport, sources that send, and a record of everything that arrived.

use packet::codec::vp8::{PictureId, TemporalLayer, Vp8Descriptor};
use packet::codec::vp9::Vp9Descriptor;
use packet::ext::{AudioLevel, Extension, ExtensionMap, TransportSequence, Values};
use packet::media::{Codec, CodecConfig, MediaKind, PeerMedia, SendTrack, Slot};
use packet::rtcp::{Compound, FeedbackBuilder, Nack, Packet, Pli, SenderReport};
use packet::rtp::{Outgoing, RtpHeader};
use packet::{Mid, NtpTime, PayloadType, PeerId, Rid, RtpTime, SeqNo, Ssrc};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{
    Certificate, Config, DtlsConfig, DtlsSetup, IceCredentials, IceMode, Incoming, Remote, Transport,
};

pub const OPUS: u8 = 111;

/// One stream that is sent.
pub struct Source {
    pub ssrc: Ssrc,
    pub rtx: Option<Ssrc>,
    pub mid: Mid,
    pub rid: Option<Rid>,
    pub kind: MediaKind,
    pub interval: Duration,
    pub packets_per_frame: usize,
    /// Pictures have ids, as without the dependency descriptor.
    pub picture_ids: bool,
    /// Every other frame can be left out.
    pub has_enhancement: bool,
    /// VP9: sizes inside each other, 240x135 the smallest, with three temporal layers each (L3T3_KEY). 0: VP8.
    pub sizes: u8,
    /// From capture to sending: what an encoder takes.
    pub encode: Duration,
    pub running: bool,
    pub keyframe: bool,
    /// Send mid and rid only in the first packets, as browsers do.
    pub frames: u32,
    since_keyframe: u32,
    pub seq: u16,
    pub timestamp: u32,
    pub level: Option<u8>,
    next: Instant,
    next_report: Instant,
    rtx_seq: u16,
    sent: BTreeMap<u16, Vec<u8>>,
    pub keyframes_asked: Vec<Instant>,
}

impl Source {
    fn vp8(&self, index: usize, keyframe: bool) -> Vec<u8> {
        let frame = self.frames;
        let tid = u8::from(self.has_enhancement && !keyframe && frame % 2 == 1);
        let ids = self.picture_ids;
        let descriptor = Vp8Descriptor {
            start_of_partition: index == 0,
            picture_id: ids.then_some(PictureId::Fifteen((0x7ff0 + frame as u16) & 0x7fff)),
            tl0_pic_idx: ids.then_some(250u8.wrapping_add(frame as u8)),
            layer: ids.then_some(TemporalLayer { tid, layer_sync: true }),
            ..Vp8Descriptor::default()
        };
        [&descriptor.bytes()[..], &[u8::from(!keyframe)]].concat()
    }

    /// The descriptor in flexible mode. `picture` counts from the keyframe: nothing else refers to another size.
    fn vp9(&self, size: u8, index: usize, picture: u32) -> Vec<u8> {
        let keyframe = picture == 0;
        let (begins, ends) = (index == 0, index + 1 == self.packets_per_frame);
        let structure = keyframe && size == 0 && begins;
        let flag = |is: bool, bit: u8| u8::from(is) << bit;
        let first = 0xb0
            | flag(!keyframe, 6)
            | flag(begins, 3)
            | flag(ends, 2)
            | flag(structure, 1)
            | flag(!keyframe, 0);
        let [high, low] = ((0x7ff0 + self.frames as u16) | 0x8000).to_be_bytes();
        let tid = [0, 2, 1, 2][picture as usize % 4];
        let mut bytes = vec![first, high, low, tid << 5 | 1 << 4 | size << 1 | flag(keyframe && size > 0, 0)];
        if !keyframe {
            bytes.push([4, 1, 2, 1][picture as usize % 4] << 1);
        }
        if structure {
            bytes.push((self.sizes - 1) << 5 | 0x10);
            for size in 0..self.sizes {
                bytes.extend((240u16 << size).to_be_bytes());
                bytes.extend((135u16 << size).to_be_bytes());
            }
        }
        bytes
    }
}

/// One packet that arrived, decrypted.
#[derive(Clone, Debug)]
pub struct Got {
    pub at: Instant,
    pub header: RtpHeader,
    pub mid: Option<Mid>,
    pub audio_level: Option<u8>,
    pub payload: Vec<u8>,
    /// All of it; of a retransmission, the original with its extensions.
    pub bytes: Vec<u8>,
    pub repaired: bool,
}

impl Got {
    pub fn stamp(&self) -> Option<Stamp> {
        Stamp::read(&self.payload)
    }
    pub fn vp8(&self) -> Vp8Descriptor {
        Vp8Descriptor::parse(&self.payload).unwrap()
    }
    pub fn vp9(&self) -> Vp9Descriptor {
        Vp9Descriptor::parse(&self.payload).unwrap()
    }
}

/// What every payload says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    pub captured_us: u64,
    pub ssrc: u32,
    pub frame: u32,
    pub index: u8,
    pub keyframe: bool,
}

const MARK: &[u8; 4] = b"SIM!";

impl Stamp {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(MARK);
        out.extend_from_slice(&self.captured_us.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&self.frame.to_be_bytes());
        out.extend_from_slice(&[self.index, u8::from(self.keyframe)]);
    }
    fn read(payload: &[u8]) -> Option<Self> {
        let at = payload.windows(4).position(|w| w == MARK)? + 4;
        let b = payload.get(at..at + 18)?;
        Some(Self {
            captured_us: u64::from_be_bytes(b[..8].try_into().unwrap()),
            ssrc: u32::from_be_bytes(b[8..12].try_into().unwrap()),
            frame: u32::from_be_bytes(b[12..16].try_into().unwrap()),
            index: b[16],
            keyframe: b[17] == 1,
        })
    }
}

pub struct Peer {
    pub id: PeerId,
    pub address: SocketAddr,
    pub transport: Transport,
    pub credentials: IceCredentials,
    pub fingerprint: transport::Fingerprint,
    pub media: PeerMedia,
    pub sources: Vec<Source>,
    pub connected: Option<Instant>,
    pub got: Vec<Got>,
    pub reports: Vec<(Instant, SenderReport)>,
    pub control: Vec<(Instant, Packet)>,
    /// Data messages that arrived.
    pub data: Vec<(Instant, transport::Message)>,
    /// Does not read them.
    pub deaf: bool,
    /// Begins an association, where one is agreed on.
    pub begins_data: bool,
    /// Answer gaps with NACK.
    pub asks: bool,
    /// Tell what arrived by transport-wide sequence number, every 50 ms, as browsers do.
    pub feedback: bool,
    /// Transport-wide sequence numbers, extended, with arrival in microseconds; not told yet.
    arrivals: BTreeMap<u64, i64>,
    newest_arrival: u64,
    feedback_due: Option<Instant>,
    feedback_count: u8,
    /// Retransmissions that arrived: when, and the RTX source's own number.
    pub rtx_arrived: Vec<(Instant, SeqNo)>,
    /// Transport-wide sequence numbers that arrived.
    pub transport_numbers: Vec<u16>,
    /// Datagrams with media, RTX and padding that arrived, and their bytes.
    pub received: (u64, u64),
    missing: BTreeMap<(u32, u64), Missing>,
    highest: BTreeMap<u32, u64>,
    lowest: BTreeMap<u32, u64>,
    start: Instant,
    /// This peer's wall clock is ahead of the router's by so much.
    pub clock_ahead: Duration,
    transport_sequence: u16,
    pub wake: Option<Instant>,
}

pub fn mid(text: &str) -> Mid {
    Mid::new(text).unwrap()
}

pub fn extensions(first: u8) -> ExtensionMap {
    let mut map = ExtensionMap::default();
    let known = [
        Extension::Mid,
        Extension::Rid,
        Extension::RepairedRid,
        Extension::TransportSequence,
        Extension::AudioLevel,
    ];
    for (i, extension) in known.into_iter().enumerate() {
        map.set(extension, first + i as u8);
    }
    map
}

fn codec(codec: Codec, pt: u8, rtx: Option<u8>) -> CodecConfig {
    let nack = codec.kind() == MediaKind::Video;
    CodecConfig {
        codec,
        pt: PayloadType(pt),
        rtx: rtx.map(PayloadType),
        fmtp: String::new(),
        nack,
        pli: nack,
        transport_cc: true,
    }
}

/// Asked for a few times, then given up.
struct Missing {
    ask_at: Instant,
    tries_left: u8,
}

impl Missing {
    fn new(now: Instant) -> Self {
        Self { ask_at: now + Duration::from_millis(10), tries_left: 10 }
    }
}

impl Peer {
    /// Takes and sends VP9 instead of VP8, of so many sizes.
    pub fn speaks_vp9(&mut self, sizes: u8) {
        self.media.codecs[1].codec = Codec::Vp9;
        self.video(0).sizes = sizes;
    }

    /// Publishes audio on mid 0 and video on mid 1 (with `rids` as simulcast), receives on `slots` pairs of m-lines
    /// `a0 v0 a1 v1 ...`. Payload types and extension ids differ from peer to peer.
    pub fn new(number: u64, start: Instant, rids: &[&str], slots: usize) -> Self {
        let base = 1000 * number as u32;
        let vp8 = 96 + number as u8 % 4 * 2;
        let video_ssrcs =
            if rids.is_empty() { vec![(Ssrc(base + 20), Some(Ssrc(base + 21)))] } else { vec![] };
        let rids: Vec<Rid> = rids.iter().map(|r| Rid::new(r).unwrap()).collect();
        let audio = SendTrack {
            mid: mid("0"),
            kind: MediaKind::Audio,
            rids: vec![],
            ssrcs: vec![(Ssrc(base + 10), None)],
        };
        let video =
            SendTrack { mid: mid("1"), kind: MediaKind::Video, rids: rids.clone(), ssrcs: video_ssrcs };
        let slots = (0..slots as u32).flat_map(|i| {
            [
                Slot {
                    mid: mid(&format!("a{i}")),
                    kind: MediaKind::Audio,
                    ssrc: Ssrc(base + 500 + i * 10),
                    rtx: None,
                    fec: None,
                },
                Slot {
                    mid: mid(&format!("v{i}")),
                    kind: MediaKind::Video,
                    ssrc: Ssrc(base + 501 + i * 10),
                    rtx: Some(Ssrc(base + 502 + i * 10)),
                    fec: None,
                },
            ]
        });
        let media = PeerMedia {
            codecs: vec![codec(Codec::Opus, OPUS, None), codec(Codec::Vp8, vp8, Some(vp8 + 1))],
            extensions: extensions(1 + number as u8 % 3),
            tracks: vec![audio, video],
            slots: slots.collect(),
            sctp_port: None,
        };
        let address: SocketAddr = format!("10.0.0.{}:5000", number + 1).parse().unwrap();
        let certificate = Arc::new(Certificate::generate().unwrap());
        let fingerprint = certificate.fingerprint();
        let credentials =
            IceCredentials { ufrag: format!("cl{number}"), pwd: format!("client-{number}-0123456789abcdef") };
        let config = Config {
            ice: IceMode::Full { tie_breaker: number },
            local: credentials.clone(),
            certificate,
            local_addresses: vec![address],
            dtls: DtlsConfig::default(),
        };
        let transport = Transport::new(config, None, start).unwrap();
        let mut peer = Self {
            id: PeerId(number),
            address,
            transport,
            credentials,
            fingerprint,
            media,
            sources: Vec::new(),
            connected: None,
            got: Vec::new(),
            reports: Vec::new(),
            control: Vec::new(),
            data: Vec::new(),
            deaf: false,
            begins_data: true,
            asks: false,
            feedback: true,
            arrivals: BTreeMap::new(),
            newest_arrival: 1 << 16,
            feedback_due: None,
            feedback_count: 0,
            rtx_arrived: Vec::new(),
            transport_numbers: Vec::new(),
            received: (0, 0),
            missing: BTreeMap::new(),
            highest: BTreeMap::new(),
            lowest: BTreeMap::new(),
            start,
            clock_ahead: Duration::from_secs(1000 * number + 7),
            transport_sequence: 65_000,
            wake: None,
        };
        peer.add_source(base + 10, None, mid("0"), None, MediaKind::Audio, start);
        if rids.is_empty() {
            peer.add_source(base + 20, Some(base + 21), mid("1"), None, MediaKind::Video, start);
        }
        for (i, rid) in rids.into_iter().enumerate() {
            let ssrc = base + 20 + 2 * i as u32;
            peer.add_source(ssrc, Some(ssrc + 1), mid("1"), Some(rid), MediaKind::Video, start);
        }
        peer
    }

    fn add_source(
        &mut self,
        ssrc: u32,
        rtx: Option<u32>,
        mid: Mid,
        rid: Option<Rid>,
        kind: MediaKind,
        start: Instant,
    ) {
        let audio = kind == MediaKind::Audio;
        self.sources.push(Source {
            ssrc: Ssrc(ssrc),
            rtx: rtx.map(Ssrc),
            mid,
            rid,
            kind,
            interval: Duration::from_millis(if audio { 20 } else { 40 }),
            has_enhancement: false,
            sizes: 0,
            packets_per_frame: if audio { 1 } else { 3 },
            picture_ids: true,
            encode: Duration::from_millis(if audio { 1 } else { 30 }),
            running: true,
            keyframe: true,
            frames: 0,
            since_keyframe: 0,
            // Wraps within the first seconds.
            seq: 65_500,
            timestamp: u32::MAX - 100_000,
            level: Some(40),
            next: start,
            next_report: start + Duration::from_millis(if audio { 700 } else { 400 }),
            rtx_seq: 65_530,
            sent: BTreeMap::new(),
            keyframes_asked: Vec::new(),
        });
    }

    pub fn remote(&self) -> Remote {
        Remote {
            ice: self.credentials.clone(),
            fingerprint: self.fingerprint,
            setup: DtlsSetup::Active,
            candidates: vec![],
        }
    }

    pub fn audio(&mut self) -> &mut Source {
        &mut self.sources[0]
    }
    pub fn video(&mut self, layer: usize) -> &mut Source {
        &mut self.sources[1 + layer]
    }
    pub fn slot(&self, name: &str) -> Ssrc {
        self.media.slots.iter().find(|s| s.mid == mid(name)).unwrap().ssrc
    }
    /// Media that arrived on a slot, in order of arrival.
    pub fn on(&self, name: &str) -> Vec<&Got> {
        let ssrc = self.slot(name);
        self.got.iter().filter(|g| g.header.ssrc == ssrc).collect()
    }

    pub fn ntp(&self, now: Instant) -> NtpTime {
        super::world::EPOCH.plus(now - self.start + self.clock_ahead)
    }

    /// Media and reports that are due.
    pub fn send(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        if self.connected.is_none() {
            return;
        }
        let media = &self.media;
        let pt = |kind| media.codecs.iter().find(|c| c.codec.kind() == kind).unwrap().pt;
        for i in 0..self.sources.len() {
            let source = &mut self.sources[i];
            if !source.running {
                source.next = source.next.max(now);
                continue;
            }
            while source.next + source.encode <= now {
                let captured = source.next;
                source.next += source.interval;
                let clock = if source.kind == MediaKind::Audio { 48_000 } else { 90_000 };
                let since = captured.saturating_duration_since(self.start);
                let timestamp = source.timestamp.wrapping_add((since.as_micros() * clock / 1_000_000) as u32);
                let keyframe = source.kind == MediaKind::Video && std::mem::take(&mut source.keyframe);
                let picture = if keyframe { 0 } else { source.since_keyframe + 1 };
                source.since_keyframe = picture;
                let per_size = source.packets_per_frame;
                for (size, index) in
                    (0..source.sizes.max(1)).flat_map(|size| (0..per_size).map(move |i| (size, i)))
                {
                    let stamp = Stamp {
                        captured_us: since.as_micros() as u64,
                        ssrc: source.ssrc.0,
                        frame: source.frames,
                        index: index as u8,
                        keyframe,
                    };
                    let mut payload = match (source.kind, source.sizes) {
                        (MediaKind::Audio, _) => Vec::new(),
                        (MediaKind::Video, 0) => source.vp8(index, keyframe),
                        (MediaKind::Video, _) => source.vp9(size, index, picture),
                    };
                    stamp.write(&mut payload);
                    let bytes = match (source.kind, source.sizes) {
                        (MediaKind::Audio, _) => 80,
                        (MediaKind::Video, 0) => 1000 + index,
                        (MediaKind::Video, _) => {
                            if size == 0 {
                                150
                            } else {
                                600
                            }
                        }
                    };
                    payload.resize(bytes, 0x55);
                    let named = source.frames < 20;
                    let extensions = Values {
                        mid: named.then_some(source.mid),
                        rid: source.rid.filter(|_| named),
                        audio_level: (source.kind == MediaKind::Audio)
                            .then_some(source.level)
                            .flatten()
                            .map(|minus_dbov| AudioLevel { voice: true, minus_dbov }),
                        transport_sequence: Some(TransportSequence(self.transport_sequence)),
                        ..Values::default()
                    };
                    self.transport_sequence = self.transport_sequence.wrapping_add(1);
                    let outgoing = Outgoing {
                        marker: index + 1 == per_size && size + 1 == source.sizes.max(1),
                        pt: pt(source.kind),
                        seq: SeqNo(source.seq),
                        timestamp: RtpTime(timestamp),
                        ssrc: source.ssrc,
                        extensions,
                        payload: &payload,
                        ..Outgoing::default()
                    };
                    let mut packet = vec![0; 1500];
                    let len = outgoing.write(&media.extensions, &mut packet).unwrap().len;
                    packet.truncate(len);
                    source.sent.insert(source.seq, packet.clone());
                    source.seq = source.seq.wrapping_add(1);
                    out.extend(protect(&mut self.transport, &packet));
                }
                source.frames += 1;
            }
            if source.next_report <= now {
                source.next_report += Duration::from_millis(1000);
                let clock = if source.kind == MediaKind::Audio { 48_000 } else { 90_000 };
                let ticks = ((now - self.start).as_micros() * clock / 1_000_000) as u32;
                let report = SenderReport {
                    ssrc: source.ssrc,
                    ntp: super::world::EPOCH.plus(now - self.start + self.clock_ahead),
                    rtp: RtpTime(source.timestamp.wrapping_add(ticks)),
                    packets: source.frames,
                    octets: 0,
                    reports: vec![],
                };
                out.extend(protect_rtcp(&mut self.transport, &[Packet::SenderReport(report)]));
            }
        }
        if self.asks {
            self.ask(now, out);
        }
        if self.feedback && self.feedback_due.is_some_and(|at| at <= now) {
            self.tell(out);
        }
    }

    fn tell(&mut self, out: &mut Vec<Vec<u8>>) {
        self.feedback_due = None;
        let mut open: Option<FeedbackBuilder> = None;
        let mut messages = Vec::new();
        for (seq, us) in std::mem::take(&mut self.arrivals) {
            let seq = SeqNo(seq as u16);
            if open.as_mut().is_some_and(|builder| builder.push(seq, us)) {
                continue;
            }
            messages.extend(open.take().map(FeedbackBuilder::finish));
            open = Some(FeedbackBuilder::new(Ssrc(1), Ssrc(2), self.feedback_count, seq, us));
            self.feedback_count = self.feedback_count.wrapping_add(1);
        }
        messages.extend(open.map(FeedbackBuilder::finish));
        for message in messages {
            out.extend(protect_rtcp(&mut self.transport, &[Packet::TransportFeedback(message)]));
        }
    }

    pub fn send_rtcp(&mut self, packets: &[Packet]) -> Vec<Vec<u8>> {
        protect_rtcp(&mut self.transport, packets).into_iter().collect()
    }

    pub fn ask_keyframe(&mut self, name: &str) -> Vec<Vec<u8>> {
        let media = self.slot(name);
        self.send_rtcp(&[Packet::Pli(Pli { sender: Ssrc(1), media })])
    }

    fn ask(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let mut lost: BTreeMap<u32, Vec<SeqNo>> = BTreeMap::new();
        self.missing.retain(|_, missing| missing.tries_left > 0);
        for ((ssrc, seq), missing) in &mut self.missing {
            if missing.ask_at <= now {
                missing.ask_at = now + Duration::from_millis(60);
                missing.tries_left -= 1;
                lost.entry(*ssrc).or_default().push(SeqNo(*seq as u16));
            }
        }
        for (ssrc, lost) in lost {
            let nack = Nack::new(Ssrc(1), Ssrc(ssrc), lost);
            out.extend(protect_rtcp(&mut self.transport, &[Packet::Nack(nack)]));
        }
    }

    pub fn receive(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        mut datagram: Vec<u8>,
    ) -> Vec<Vec<u8>> {
        let incoming = self.transport.handle_datagram(now, local, from, &mut datagram);
        match incoming {
            Ok(Incoming::Rtp { packet, .. }) => {
                let packet = packet.to_vec();
                self.on_rtp(now, packet);
                vec![]
            }
            Ok(Incoming::Rtcp(compound)) => {
                let packets: Vec<_> = Compound::iter(compound).map(|p| p.expect("valid RTCP")).collect();
                self.on_rtcp(now, packets)
            }
            Ok(Incoming::Handled) => vec![],
            Err(reason) => panic!("peer {:?} cannot use a datagram: {reason:?}", self.id),
        }
    }

    fn on_rtp(&mut self, now: Instant, mut packet: Vec<u8>) {
        let header = RtpHeader::parse(&packet).unwrap();
        let rtx = self.media.slots.iter().find(|s| s.rtx == Some(header.ssrc)).cloned();
        let repaired = rtx.is_some();
        let transport_sequence = Values::read(&header, &packet, &self.media.extensions).transport_sequence;
        self.received = (self.received.0 + 1, self.received.1 + packet.len() as u64);
        if let Some(number) = transport_sequence {
            self.transport_numbers.push(number.0);
            let seq = packet::ExtSeq(self.newest_arrival).nearest(SeqNo(number.0)).0;
            self.newest_arrival = self.newest_arrival.max(seq);
            self.arrivals.entry(seq).or_insert((now - self.start).as_micros() as i64);
            self.feedback_due.get_or_insert(now + Duration::from_millis(50));
        }
        let flexfec = [Codec::Flexfec, Codec::Flexfec03];
        if self.media.codecs.iter().any(|c| flexfec.contains(&c.codec) && c.pt == header.pt) {
            // Nobody asks for those.
            let payload = header.payload(&packet).to_vec();
            let got = Got {
                at: now,
                header,
                mid: None,
                audio_level: None,
                payload,
                repaired: false,
                bytes: packet,
            };
            return self.got.push(got);
        }
        if let Some(slot) = rtx {
            let media =
                self.media.codecs.iter().find(|c| c.rtx == Some(header.pt)).expect("an RTX payload type");
            match packet::rtp::rtx::restore(&header, &mut packet, media.pt, slot.ssrc) {
                Ok(restored) => packet = restored.to_vec(),
                // Padding: it only measures the path.
                Err(_) => return,
            }
            self.rtx_arrived.push((now, header.seq));
        }
        let header = RtpHeader::parse(&packet).unwrap();
        let values = Values::read(&header, &packet, &self.media.extensions);
        let highest = self.highest.get(&header.ssrc.0).copied();
        let ext = match highest {
            Some(highest) => packet::ExtSeq(highest).nearest(header.seq).0,
            None => (1 << 16) + u64::from(header.seq.0),
        };
        if let Some(highest) = highest {
            for seq in highest + 1..ext {
                self.missing.insert((header.ssrc.0, seq), Missing::new(now));
            }
        }
        let was_missing = self.missing.remove(&(header.ssrc.0, ext)).is_some();
        // The head of a stream is not missed by anybody before a part of it is there.
        let lowest = *self.lowest.entry(header.ssrc.0).or_insert(ext);
        for seq in ext + 1..lowest {
            self.missing.insert((header.ssrc.0, seq), Missing::new(now));
        }
        self.lowest.insert(header.ssrc.0, lowest.min(ext));
        if repaired && !was_missing && ext >= lowest && highest.is_some_and(|highest| ext <= highest) {
            // Sent again although it had arrived: a copy, or padding that measures the path.
            return;
        }
        self.highest.insert(header.ssrc.0, highest.unwrap_or(0).max(ext));
        self.got.push(Got {
            at: now,
            header,
            mid: values.mid,
            audio_level: values.audio_level.map(|l| l.minus_dbov),
            payload: header.payload(&packet).to_vec(),
            repaired,
            bytes: packet,
        });
    }

    fn on_rtcp(&mut self, now: Instant, packets: Vec<Packet>) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for packet in packets {
            match &packet {
                Packet::SenderReport(report) => self.reports.push((now, report.clone())),
                Packet::Pli(pli) => {
                    if let Some(source) = self.sources.iter_mut().find(|s| s.ssrc == pli.media) {
                        source.keyframe = true;
                        source.keyframes_asked.push(now);
                    }
                }
                Packet::Nack(nack) => {
                    let lost: Vec<SeqNo> = nack.lost().collect();
                    for seq in lost {
                        out.extend(self.resend(nack.media, seq));
                    }
                }
                _ => {}
            }
            self.control.push((now, packet));
        }
        out
    }

    fn resend(&mut self, media: Ssrc, seq: SeqNo) -> Option<Vec<u8>> {
        let extensions = self.media.extensions;
        let source = self.sources.iter_mut().find(|s| s.ssrc == media)?;
        let (stored, rtx) = (source.sent.get(&seq.0)?, source.rtx?);
        let header = RtpHeader::parse(stored).unwrap();
        let pt = self.media.codecs.iter().find(|c| c.pt == header.pt)?.rtx?;
        let outgoing = Outgoing {
            marker: header.marker,
            pt,
            seq: SeqNo(source.rtx_seq),
            timestamp: header.timestamp,
            ssrc: rtx,
            extensions: Values {
                mid: Some(source.mid),
                repaired_rid: source.rid,
                transport_sequence: Some(TransportSequence(self.transport_sequence)),
                ..Values::default()
            },
            osn: Some(seq),
            payload: header.payload(stored),
            ..Outgoing::default()
        };
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        source.rtx_seq = source.rtx_seq.wrapping_add(1);
        let mut packet = vec![0; 1500];
        let len = outgoing.write(&extensions, &mut packet).unwrap().len;
        protect(&mut self.transport, &packet[..len])
    }

    /// Sends bytes as an RTP packet, whatever they are.
    pub fn send_raw(&mut self, packet: &[u8]) -> Vec<Vec<u8>> {
        protect(&mut self.transport, packet).into_iter().collect()
    }
}

fn protect(transport: &mut Transport, packet: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + 64, 0);
    let len = transport.protect_rtp(&mut buffer, packet.len()).ok()?;
    buffer.truncate(len);
    Some(buffer)
}

fn protect_rtcp(transport: &mut Transport, packets: &[Packet]) -> Option<Vec<u8>> {
    let mut buffer = Vec::new();
    packets.iter().for_each(|p| p.write(&mut buffer));
    let len = buffer.len();
    buffer.resize(len + 64, 0);
    let len = transport.protect_rtcp(&mut buffer, len).ok()?;
    buffer.truncate(len);
    Some(buffer)
}
