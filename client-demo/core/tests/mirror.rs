//! A client in front of a mirror: a server of a few lines that sends everything back in the first slot, over a
//! link of 20 ms that loses what the test wants lost. Virtual time.

use client_core::{Client, Config, Event, Frame, Output, Stats};
use packet::fec::window::{Decoder, Window};
use packet::fec::zero_mutable_extensions;
use packet::media::{Codec, MediaKind, PeerMedia};
use packet::rtcp::{Compound, Nack, Packet, Pli, ReceiverReport, SenderReport};
use packet::rtp::{Outgoing, RtpHeader, set_ssrc};
use packet::{NtpTime, RtpTime, SeqNo, Ssrc};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{Certificate, DtlsConfig, DtlsSetup, IceCredentials, IceMode, Incoming, Transport};
use wire::{Binding, ClientMessage, ServerMessage, Share, SlotPair, Source};

#[test]
fn a_client_hears_and_sees_itself_in_the_mirror() {
    let mut world = World::new();
    world.run(Duration::from_secs(3));
    let stats = world.client.stats();
    let video = stats.received[0].video;
    assert!(video.frames >= 60, "{video:?}");
    assert_eq!((video.lost, video.freezes), (0, 0));
    let audio = stats.received[0].audio;
    assert!(audio.packets >= 120, "{audio:?}");
    assert_eq!(stats.sent[1].frames, video.frames + world.in_flight(&stats));
    let rtt = stats.round_trip.unwrap();
    assert!((39..45).contains(&rtt.as_millis()), "{rtt:?}");
    assert!(stats.feedbacks_sent > 20);
    let stages = &stats.stages;
    assert!(stages.ice_ms.unwrap() <= stages.dtls_ms.unwrap());
    assert!(stages.first_audio_ms.is_some() && stages.first_frame_ms.is_some());
    assert!(
        world
            .messages
            .iter()
            .any(|m| matches!(m, ClientMessage::Stages { stages } if stages.first_frame_ms.is_some()))
    );
    assert_eq!(stats.dropped, []);
}

#[test]
fn loss_is_repaired_on_both_legs() {
    let mut world = World::new();
    // Every twentieth video packet of each leg, never a retransmission.
    world.lose_up = |seq| seq % 20 == 7;
    world.lose_down = |seq| seq % 20 == 13;
    world.run(Duration::from_secs(5));
    let stats = world.client.stats();
    assert!(stats.sent[1].retransmitted > 10, "{stats:?}");
    assert!(world.mirror.retransmitted > 10);
    let video = stats.received[0].video;
    assert_eq!((video.lost, world.undecodable(&stats)), (0, 0));
    assert!(stats.sent[1].frames - video.frames < 6, "{stats:?}");
    assert_eq!(stats.received[0].audio.lost, 0, "{stats:?}");
}

#[test]
fn pictures_come_back_out_of_repair_packets_and_nobody_has_to_be_asked() {
    let mut world = World::new();
    world.lose_down = |seq| seq % 3 == 1;
    world.mirror.deaf_to_nacks = true;
    world.mirror.window = Some(Window::default());
    world.run(Duration::from_secs(5));
    let stats = world.client.stats();
    let video = stats.received[0].video;
    assert_eq!((video.lost, video.freezes, stats.keyframes_asked), (0, 0, 0), "{video:?}");
    assert!(stats.sent[1].frames - video.frames < 6, "{stats:?}");
    let share = video.bytes as f64 / stats.sent[1].bytes as f64;
    assert!((0.9..1.0).contains(&share), "what came back counts, and what brought it does not: {share}");
    assert_eq!(stats.dropped, []);
}

#[test]
fn a_hole_nobody_fills_ends_in_a_keyframe_request() {
    let mut world = World::new();
    world.lose_down = |seq| seq % 350 == 60;
    world.mirror.deaf_to_nacks = true;
    world.run(Duration::from_secs(5));
    let stats = world.client.stats();
    assert!(stats.keyframes_asked >= 1);
    assert!(stats.sent[1].keyframes_wanted >= 1, "the mirror passes the request on");
    let video = stats.received[0].video;
    assert!((1..=2).contains(&video.lost), "{video:?}");
    assert!(video.keyframes >= 2 && video.freezes >= 1, "{video:?}");
    assert!(stats.sent[1].frames - video.frames < 60);
}

#[test]
fn after_an_outage_the_picture_is_back_at_once() {
    let mut world = World::new();
    world.run(Duration::from_secs(2));
    world.outage = true;
    world.run(Duration::from_secs(2));
    world.outage = false;
    let before = world.client.stats().received[0].video.frames;
    // Until the next frame, its way, the request, the next frame, its way.
    world.run(Duration::from_millis(5 * 40 + 10));
    assert!(world.client.stats().received[0].video.frames > before, "{:?}", world.client.stats());
}

#[test]
fn more_slots_are_offered_when_the_server_needs_them() {
    let mut world = World::new();
    world.run(Duration::from_millis(500));
    let now = world.now;
    world.client.handle_message(now, ServerMessage::NeedSlots { wanted: 6 });
    world.run(Duration::from_millis(500));
    let Some(ClientMessage::Offer { slots, .. }) =
        world.messages.iter().find(|m| matches!(m, ClientMessage::Offer { .. }))
    else {
        panic!("no offer");
    };
    assert_eq!(slots.len(), 6);
    assert_eq!(world.mirror.media.slots.len(), 12);
    let before = world.client.stats().received[0].video.frames;
    world.run(Duration::from_secs(1));
    assert!(world.client.stats().received[0].video.frames > before + 20, "media went on");
}

#[test]
fn who_is_moved_to_another_room_hears_and_sees_who_is_there_and_nobody_else() {
    let mut world = World::new();
    world.run(Duration::from_secs(1));
    let moved = |bindings| ServerMessage::Moved {
        room: "room\u{1f}one".into(),
        group: Some("one".into()),
        participants: vec![],
        bindings,
        attributes: vec![],
        locked: false,
        waiting: false,
        publish: vec![],
        spotlight: None,
    };
    let frames = |world: &World, name: &str| {
        let received = world.client.stats().received;
        received.iter().filter(|r| r.participant == name).map(|r| r.video.frames).sum::<u64>()
    };
    world.client.handle_message(world.now, moved(vec![]));
    let before = frames(&world, "mirror");
    world.run(Duration::from_secs(1));
    assert_eq!(frames(&world, "mirror"), before, "what still comes is nobody's");
    let joined = world.messages.iter().find_map(|m| match m {
        ClientMessage::Join { slots, .. } => Some(slots[0].clone()),
        _ => None,
    });
    let slot = joined.expect("a join");
    let other = Binding { slot, participant: Some("other".into()), share: Share::Person };
    world.client.handle_message(world.now, moved(vec![other]));
    world.run(Duration::from_secs(1));
    let received = world.client.stats().received;
    assert!(received.iter().any(|r| r.participant == "other"), "{received:?}");
    assert_eq!(frames(&world, "mirror"), before);
}

#[test]
fn an_ice_restart_keeps_the_call() {
    let mut world = World::new();
    world.run(Duration::from_secs(1));
    let before = world.client.stats().received[0].video;
    world.client.restart_ice();
    world.run(Duration::from_secs(2));
    assert_eq!(world.mirror.restarts, 1);
    let after = world.client.stats().received[0].video;
    assert!(after.frames - before.frames >= 49, "{after:?}");
    assert_eq!((after.lost, after.freezes), (0, 0));
    // Consent lasts 30 s (RFC 7675): if checks still carried the old credentials, it would be gone.
    world.run(Duration::from_secs(35));
    assert!(world.client.is_connected());
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let sent = || {
        let mut world = World::new();
        world.run(Duration::from_millis(20));
        world.messages
    };
    assert_eq!(format!("{:?}", sent()), format!("{:?}", sent()));
}

const ONE_WAY: Duration = Duration::from_millis(20);

struct World {
    now: Instant,
    client: Client,
    mirror: Mirror,
    /// Datagrams by arrival: true is towards the mirror.
    flying: VecDeque<(Instant, bool, Vec<u8>)>,
    messages: Vec<ClientMessage>,
    lose_up: fn(u16) -> bool,
    lose_down: fn(u16) -> bool,
    /// Nothing arrives anywhere.
    outage: bool,
    picture: u64,
    next_frame: Instant,
    next_packet: Instant,
    keyframe_next: bool,
    connected: bool,
}

impl World {
    fn new() -> Self {
        let now = start();
        let certificate = certificate();
        let clock = (now, NtpTime(3_900_000_000 << 32));
        let mut config = Config::new("room", "ann", certificate.clone(), vec![client_address()], clock, 7);
        config.slot_pairs = 2;
        Self {
            now,
            client: Client::new(config, now).unwrap(),
            mirror: Mirror::new(certificate),
            flying: VecDeque::new(),
            messages: Vec::new(),
            lose_up: |_| false,
            lose_down: |_| false,
            outage: false,
            picture: 0,
            next_frame: now,
            next_packet: now,
            keyframe_next: true,
            connected: false,
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let mut wake = self.drain_client();
            wake = wake.min(self.mirror.drain(self.now, self.lose_down, &mut self.flying));
            if self.connected {
                wake = wake.min(self.next_frame).min(self.next_packet);
            }
            wake = self.flying.front().map_or(wake, |f| f.0.min(wake));
            if wake > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(wake);
            while self.flying.front().is_some_and(|f| f.0 <= self.now) {
                let Some((_, up, mut bytes)) = self.flying.pop_front() else { break };
                if self.outage {
                    continue;
                }
                if up {
                    self.mirror.handle(self.now, &mut bytes, self.lose_up);
                } else {
                    self.client.handle_datagram(self.now, client_address(), server_address(), &mut bytes);
                }
            }
            self.client.handle_timeout(self.now);
            self.mirror.handle_timeout(self.now);
            self.play();
        }
    }

    fn drain_client(&mut self) -> Instant {
        loop {
            match self.client.poll_output() {
                Output::Message(message) => {
                    if let Some(answer) = self.mirror.answer(self.now, &message) {
                        self.client.handle_message(self.now, answer);
                    }
                    self.messages.push(message);
                }
                Output::Transmit(t) => self.flying.push_back((self.now + ONE_WAY, true, t.bytes)),
                Output::Event(Event::Connected) => {
                    self.connected = true;
                    (self.next_frame, self.next_packet) = (self.now, self.now);
                }
                Output::Event(Event::KeyframeWanted { .. }) => self.keyframe_next = true,
                Output::Event(Event::Closed(reason)) => panic!("{reason:?}"),
                Output::Event(Event::BadAnswer(why)) => panic!("{why}"),
                Output::Event(_) => {}
                Output::Timeout(at, _) => return at,
            }
        }
    }

    /// 25 pictures of three packets and 50 sounds a second.
    fn play(&mut self) {
        if !self.connected {
            return;
        }
        let (camera, microphone) =
            (self.client.mid(Source::Camera).unwrap(), self.client.mid(Source::Microphone).unwrap());
        while self.next_frame <= self.now {
            let mut data = vec![0u8; 3000];
            data[0] = u8::from(!std::mem::take(&mut self.keyframe_next));
            let frame = Frame::new(RtpTime(self.picture as u32 * 3600), &data);
            self.client.send_frame(self.now, camera, frame).unwrap();
            self.picture += 1;
            self.next_frame += Duration::from_millis(40);
        }
        while self.next_packet <= self.now {
            let frame = Frame::new(RtpTime(0), &[0xf8; 80]);
            self.client.send_frame(self.now, microphone, frame).unwrap();
            self.next_packet += Duration::from_millis(20);
        }
    }

    /// Frames sent that cannot be back yet: a round trip's worth.
    fn in_flight(&self, stats: &Stats) -> u64 {
        let n = stats.sent[1].frames - stats.received[0].video.frames;
        assert!(n <= 2, "{n}");
        n
    }

    fn undecodable(&self, stats: &Stats) -> u64 {
        stats.dropped.iter().find(|d| d.0 == "undecodable_frame").map_or(0, |d| d.1)
    }
}

/// The server end.
struct Mirror {
    certificate: Arc<Certificate>,
    transport: Option<Transport>,
    media: PeerMedia,
    version: u64,
    remote_ufrag: Option<String>,
    restarts: u64,
    out: Vec<Vec<u8>>,
    /// By slot SSRC and number: what was sent, for retransmission.
    history: BTreeMap<(Ssrc, u16), Vec<u8>>,
    rtx_seq: u16,
    seen: BTreeMap<Ssrc, u16>,
    lost_once: BTreeSet<(Ssrc, u16)>,
    retransmitted: u64,
    deaf_to_nacks: bool,
    /// Pictures go out protected by FlexFEC.
    window: Option<Window>,
    fec_seq: u16,
    report_at: Option<Instant>,
}

impl Mirror {
    fn new(certificate: Arc<Certificate>) -> Self {
        Self {
            certificate,
            transport: None,
            media: PeerMedia::default(),
            version: 0,
            remote_ufrag: None,
            restarts: 0,
            out: Vec::new(),
            history: BTreeMap::new(),
            rtx_seq: 1,
            seen: BTreeMap::new(),
            lost_once: BTreeSet::new(),
            retransmitted: 0,
            deaf_to_nacks: false,
            window: None,
            fec_seq: 0,
            report_at: None,
        }
    }

    fn answer(&mut self, now: Instant, message: &ClientMessage) -> Option<ServerMessage> {
        let (id, offer, slots) = match message {
            ClientMessage::Join { id, offer, slots, .. } | ClientMessage::Offer { id, offer, slots, .. } => {
                (*id, offer, slots)
            }
            _ => return None,
        };
        self.version += 1;
        let offer = sdp::Offer::parse(offer).unwrap();
        let restart = self.remote_ufrag.as_ref().is_some_and(|known| *known != offer.ice().ufrag);
        self.remote_ufrag = Some(offer.ice().ufrag.clone());
        self.restarts += u64::from(restart);
        let ice = IceCredentials {
            ufrag: format!("mirr{}", self.restarts),
            pwd: "mirrormirrormirrormirror".into(),
        };
        let candidates = [transport::Candidate { address: server_address() }];
        let previous = self.media.clone();
        let params = sdp::AnswerParams {
            ice: ice.clone(),
            fingerprint: self.certificate.fingerprint(),
            setup: DtlsSetup::Passive,
            candidates: &candidates,
            ice_lite: true,
            pairs: &[],
            red: false,
            data: false,
            ssrc_seed: 5,
            previous: Some(&previous),
            session_id: 9,
            session_version: self.version,
        };
        let (answer, media, remote) = sdp::answer(&offer, &params).unwrap();
        self.media = media;
        if let Some(transport) = self.transport.as_mut().filter(|_| restart) {
            transport.restart_ice(now, ice, Some(remote)).unwrap();
            return Some(ServerMessage::Answer { re: id, answer });
        }
        if self.version > 1 {
            return Some(ServerMessage::Answer { re: id, answer });
        }
        let config = transport::Config {
            ice: IceMode::Lite,
            local: ice,
            certificate: self.certificate.clone(),
            local_addresses: vec![server_address()],
            dtls: DtlsConfig::default(),
        };
        self.transport = Some(Transport::new(config, Some(remote), now).unwrap());
        let slot: SlotPair = slots[0].clone();
        Some(ServerMessage::Joined {
            re: id,
            participant: "p1".into(),
            room: "room".into(),
            answer: Some(answer),
            participants: vec![],
            bindings: vec![Binding { slot, participant: Some("mirror".into()), share: Share::Person }],
            resume: wire::ResumeTicket { token: "r1".into(), grace_ms: 30_000 },
            grants: wire::Grants::default(),
            role: None,
            attributes: vec![],
            server_ms: 0.0,
        })
    }

    fn handle(&mut self, now: Instant, bytes: &mut [u8], lose: fn(u16) -> bool) {
        let Some(transport) = &mut self.transport else { return };
        match transport.handle_datagram(now, server_address(), client_address(), bytes) {
            Ok(Incoming::Rtp { packet, .. }) => {
                let packet = packet.to_vec();
                self.reflect(now, packet, lose);
            }
            Ok(Incoming::Rtcp(compound)) => {
                let packets: Vec<Packet> = Compound::iter(compound).map(|p| p.unwrap()).collect();
                self.rtcp(now, packets);
            }
            // A repeated request for sound has it repeated byte for byte.
            Ok(Incoming::Handled) | Err(transport::DropReason::SrtpReplayed) => {}
            Err(reason) => panic!("{reason:?}"),
        }
    }

    /// A packet of the client's goes into the first slot of its kind; holes in what arrives are asked for.
    fn reflect(&mut self, now: Instant, mut packet: Vec<u8>, lose: fn(u16) -> bool) {
        let header = RtpHeader::parse(&packet).unwrap();
        let is_rtx = |m: &PeerMedia| m.tracks.iter().any(|t| t.ssrcs[0].1 == Some(header.ssrc));
        if is_rtx(&self.media) {
            let track = self.media.tracks.iter().find(|t| t.ssrcs[0].1 == Some(header.ssrc)).unwrap();
            let pt = self.media.codecs.iter().find(|c| c.rtx == Some(header.pt)).unwrap().pt;
            let ssrc = track.ssrcs[0].0;
            let original = packet::rtp::rtx::restore(&header, &mut packet, pt, ssrc).unwrap().to_vec();
            return self.send_back(now, original);
        }
        let video =
            self.media.tracks.iter().any(|t| t.kind == MediaKind::Video && t.ssrcs[0].0 == header.ssrc);
        if video && lose(header.seq.0) && self.lost_once.insert((header.ssrc, header.seq.0)) {
            return;
        }
        let last = self.seen.insert(header.ssrc, header.seq.0).unwrap_or(header.seq.0.wrapping_sub(1));
        let gap = header.seq.0.wrapping_sub(last);
        if (2..1000).contains(&gap) {
            let mut bytes = Vec::new();
            Nack::new(Ssrc(1), header.ssrc, (1..gap).map(|n| SeqNo(last.wrapping_add(n)))).write(&mut bytes);
            self.rtcp_out(bytes);
        }
        self.send_back(now, packet);
    }

    fn send_back(&mut self, now: Instant, mut packet: Vec<u8>) {
        let header = RtpHeader::parse(&packet).unwrap();
        let track = self.media.tracks.iter().find(|t| t.ssrcs[0].0 == header.ssrc).unwrap();
        let slot = self.media.slots.iter().find(|s| s.kind == track.kind).unwrap();
        set_ssrc(&mut packet, slot.ssrc);
        self.history.insert((slot.ssrc, header.seq.0), packet.clone());
        self.out.push(packet.clone());
        let Some(window) = self.window.as_mut().filter(|_| track.kind == MediaKind::Video) else { return };
        let pt = self.media.codecs.iter().find(|c| c.codec == Codec::Flexfec).unwrap().pt;
        zero_mutable_extensions(&mut packet, &self.media.extensions);
        window.push(now, |out| out.extend_from_slice(&packet));
        if header.marker {
            window.protect(Decoder::Solves, 1.5, |payload| {
                let (ssrc, csrc, seq) = (slot.fec.unwrap(), Some(slot.ssrc), SeqNo(self.fec_seq));
                self.fec_seq += 1;
                let outgoing = Outgoing { pt, seq, ssrc, csrc, payload: &payload, ..Outgoing::default() };
                let mut buffer = vec![0; 1500];
                let len = outgoing.write(&self.media.extensions, &mut buffer).unwrap().len;
                buffer.truncate(len);
                self.out.push(buffer);
            });
        }
    }

    fn rtcp(&mut self, now: Instant, packets: Vec<Packet>) {
        for packet in packets {
            match packet {
                Packet::Nack(nack) if !self.deaf_to_nacks => {
                    nack.lost().for_each(|seq| self.retransmit(nack.media, seq));
                }
                Packet::Pli(_) => {
                    let mut bytes = Vec::new();
                    Pli { sender: Ssrc(1), media: self.media.tracks[1].ssrcs[0].0 }.write(&mut bytes);
                    self.rtcp_out(bytes);
                }
                Packet::SenderReport(SenderReport { ssrc, ntp, .. })
                    if self.report_at.is_none_or(|at| at <= now) =>
                {
                    self.report_at = Some(now);
                    let report =
                        packet::rtcp::ReceptionReport { ssrc, last_sr: ntp.middle(), ..Default::default() };
                    let mut bytes = Vec::new();
                    ReceiverReport { ssrc: Ssrc(1), reports: vec![report] }.write(&mut bytes);
                    self.rtcp_out(bytes);
                }
                _ => {}
            }
        }
    }

    fn retransmit(&mut self, ssrc: Ssrc, seq: SeqNo) {
        let Some(original) = self.history.get(&(ssrc, seq.0)) else { return };
        let header = RtpHeader::parse(original).unwrap();
        let slot = self.media.slots.iter().find(|s| s.ssrc == ssrc).unwrap();
        let codec = self.media.codecs.iter().find(|c| c.pt == header.pt).unwrap();
        let (Some(rtx), Some(pt)) = (slot.rtx, codec.rtx) else { return };
        let mut buffer = vec![0; 1500];
        let outgoing = Outgoing {
            marker: header.marker,
            pt,
            seq: SeqNo(self.rtx_seq),
            timestamp: header.timestamp,
            ssrc: rtx,
            osn: Some(seq),
            payload: header.payload(original),
            ..Outgoing::default()
        };
        let len = outgoing.write(&self.media.extensions, &mut buffer).unwrap().len;
        buffer.truncate(len);
        self.rtx_seq += 1;
        self.retransmitted += 1;
        self.out.push(buffer);
    }

    fn rtcp_out(&mut self, bytes: Vec<u8>) {
        self.out.push(bytes);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.transport.as_mut().unwrap().handle_timeout(now);
    }

    fn drain(
        &mut self,
        now: Instant,
        lose: fn(u16) -> bool,
        flying: &mut VecDeque<(Instant, bool, Vec<u8>)>,
    ) -> Instant {
        let transport = self.transport.as_mut().unwrap();
        for mut bytes in self.out.drain(..) {
            let len = bytes.len();
            bytes.resize(len + 32, 0);
            // RTCP packet types are 200 to 206 (RFC 5761 section 4).
            let rtcp = (200..=206).contains(&bytes[1]);
            let seq = u16::from_be_bytes([bytes[2], bytes[3]]);
            let ssrc = Ssrc(u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]));
            let video = self.media.slots.iter().any(|s| s.kind == MediaKind::Video && s.ssrc == ssrc);
            let result = if rtcp {
                transport.protect_rtcp(&mut bytes, len)
            } else {
                transport.protect_rtp(&mut bytes, len)
            };
            let Ok(len) = result else { continue };
            bytes.truncate(len);
            if rtcp || !(video && lose(seq) && self.lost_once.insert((ssrc, seq))) {
                flying.push_back((now + ONE_WAY, false, bytes));
            }
        }
        loop {
            match transport.poll_output() {
                transport::Output::Transmit(t) | transport::Output::Data(t) => {
                    flying.push_back((now + ONE_WAY, false, t.bytes))
                }
                transport::Output::Event(_) => {}
                transport::Output::Timeout(at, _) => return at,
            }
        }
    }
}

fn client_address() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

fn server_address() -> SocketAddr {
    "192.0.2.2:3478".parse().unwrap()
}

/// One for all tests, so that the same seed gives the same bytes.
fn certificate() -> Arc<Certificate> {
    static ONE: std::sync::OnceLock<Arc<Certificate>> = std::sync::OnceLock::new();
    ONE.get_or_init(|| Arc::new(Certificate::generate().unwrap())).clone()
}

#[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
fn start() -> Instant {
    Instant::now()
}
