//! The media plane on real sockets: clients made of `transport` alone talk to it over loopback.

use packet::media::{Codec, CodecConfig, MediaKind, PeerMedia, SendTrack, Slot};
use packet::rtp::{Outgoing, RtpHeader};
use packet::{Mid, PayloadType, PeerId, RoomId, RtpTime, SeqNo, Ssrc};
use sfu::{CloseReason, Command, Config, Event, ReceiveDrop, Sfu};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use transport::{
    Candidate, Certificate, DtlsConfig, DtlsSetup, Fingerprint, IceCredentials, IceMode, Incoming, Output,
    Remote, Transport,
};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn every_peer_connects_whichever_worker_the_kernel_chose() {
    let (sfu, events) = start(Config { workers: 2, ..loopback() });
    let certificate = Arc::new(Certificate::generate().unwrap());
    // Each client has a port of its own, so about half of the flows reach the worker that is not theirs.
    let mut clients: Vec<Client> =
        (0..24).map(|i| Client::join(&sfu, &certificate, i, PeerMedia::default())).collect();
    run(&mut clients, |clients| clients.iter().all(|client| client.connected));
    let mut connected: Vec<u64> = (0..clients.len()).map(|_| next_connected(&events)).collect();
    connected.sort_unstable();
    assert_eq!(connected, (0..24).collect::<Vec<_>>());
    // Two workers are not asked at one moment: what is in the ring between them is counted at one end only.
    let give_up = Instant::now() + PATIENCE;
    let stats = loop {
        let stats = sfu.stats();
        if stats.receive().handed_over == stats.receive().taken_over || Instant::now() > give_up {
            break stats;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(stats.receive().handed_over > 0, "that no flow of 24 was misled is a chance of 1 in 16 million");
    assert_eq!(stats.receive().handed_over, stats.receive().taken_over);
    assert_eq!(stats.receive().dropped_total() + stats.send().dropped_total(), 0);
}

#[test]
fn with_a_port_per_worker_nothing_is_handed_over() {
    let (sfu, _events) = start(Config { workers: 2, port_per_worker: true, ..loopback() });
    assert_ne!(sfu.candidates(0)[0].address.port(), sfu.candidates(1)[0].address.port());
    let certificate = Arc::new(Certificate::generate().unwrap());
    let mut clients: Vec<Client> =
        (0..8).map(|i| Client::join(&sfu, &certificate, i, PeerMedia::default())).collect();
    run(&mut clients, |clients| clients.iter().all(|client| client.connected));
    assert_eq!(sfu.stats().receive().handed_over, 0);
}

#[test]
fn media_reaches_a_subscriber_whose_flow_is_at_another_worker() {
    let (sfu, _events) = start(Config { workers: 2, ..loopback() });
    let certificate = Arc::new(Certificate::generate().unwrap());
    let publisher = Client::join(&sfu, &certificate, 0, media(true));
    let subscribers = (1..8).map(|i| Client::join_room(&sfu, &certificate, i, 0, media(false)));
    let mut clients: Vec<Client> = std::iter::once(publisher).chain(subscribers).collect();
    for subscriber in 1..8 {
        let source = Some((PeerId(0), mid("a")));
        sfu.send(0, Command::Bind { subscriber: PeerId(subscriber), slot: mid("s"), source });
    }
    run(&mut clients, |clients| clients.iter().all(|client| client.connected));
    let mut sent = 0u16;
    run(&mut clients, |clients| {
        // Audio needs no keyframe: what arrives is forwarded.
        clients[0].send_audio(sent);
        sent += 1;
        clients[1..].iter().all(|client| client.payloads.len() >= 20)
    });
    for client in &clients[1..] {
        assert!(
            client.payloads.iter().all(|payload| payload.ends_with(b"opus")),
            "payloads arrive as they were sent"
        );
    }
    assert_eq!(sfu.stats().send().dropped_total(), 0);
}

#[test]
fn a_room_on_two_workers_is_heard_on_both_and_each_packet_crosses_once() {
    for port_per_worker in [false, true] {
        let (sfu, _events) = start(Config { workers: 2, port_per_worker, ..loopback() });
        let certificate = Arc::new(Certificate::generate().unwrap());
        let publisher = Client::join_worker(&sfu, &certificate, 0, (0, 0), media(true));
        let subscribers =
            (1..8).map(|i| Client::join_worker(&sfu, &certificate, i, (0, i as usize % 2), media(false)));
        let mut clients: Vec<Client> = std::iter::once(publisher).chain(subscribers).collect();
        let relay = Command::Relay { peer: PeerId(0), room: RoomId(0), worker: 0, media: media(true) };
        sfu.send(1, relay);
        for subscriber in 1..8 {
            let source = Some((PeerId(0), mid("a")));
            let bind = Command::Bind { subscriber: PeerId(subscriber), slot: mid("s"), source };
            sfu.send(subscriber as usize % 2, bind);
        }
        run(&mut clients, |clients| clients.iter().all(|client| client.connected));
        let mut sent = 0u16;
        run(&mut clients, |clients| {
            clients[0].send_audio(sent);
            sent += 1;
            clients[1..].iter().all(|client| client.payloads.len() >= 50)
        });
        for client in &clients[1..] {
            assert!(client.payloads.iter().all(|payload| payload.ends_with(b"opus")));
        }
        let taken_over = |stats: &sfu::Stats| {
            let there = stats.workers[1].as_ref().unwrap();
            (there.router.packets_taken_over, there.router.packets_forwarded)
        };
        let stats = wait_for(|| {
            let stats = sfu.stats();
            let relayed = stats.workers[0].as_ref().unwrap().router.packets_relayed;
            (relayed == taken_over(&stats).0).then_some(stats)
        });
        let (taken_over, forwarded) = taken_over(&stats);
        assert!(taken_over >= 50 && taken_over <= u64::from(sent), "{taken_over} of {sent}");
        assert!(forwarded > 3 * taken_over, "four listeners there: {forwarded} of {taken_over}");
        assert_eq!(stats.send().dropped_total() + stats.receive().dropped_total(), 0);
    }
}

#[test]
fn ipv6_is_served_like_ipv4() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6 loopback address: nothing to test");
        return;
    }
    let (sfu, _events) = start(Config { bind_v4: None, bind_v6: Some(Ipv6Addr::LOCALHOST), ..loopback() });
    let certificate = Arc::new(Certificate::generate().unwrap());
    let mut clients = vec![Client::join(&sfu, &certificate, 0, PeerMedia::default())];
    run(&mut clients, |clients| clients[0].connected);
}

#[test]
fn whatever_a_datagram_holds_the_call_goes_on() {
    let (sfu, events) = start(Config { workers: 2, ..loopback() });
    let certificate = Arc::new(Certificate::generate().unwrap());
    let mut clients = vec![Client::join(&sfu, &certificate, 0, PeerMedia::default())];
    run(&mut clients, |clients| clients[0].connected);
    assert_eq!(next_connected(&events), 0);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = sfu.candidates(0)[0].address;
    let friend = clients[0].socket.try_clone().unwrap();
    let mut random = 1u64;
    let flood = 5000;
    for i in 0..flood {
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as u8
        };
        let len = usize::from(next()) * 4 % 600;
        let mut datagram: Vec<u8> = (0..len).map(|_| next()).collect();
        // Every kind of protocol by its first byte, and STUN that looks like a check for each worker.
        if let Some(first) = datagram.first_mut() {
            *first = [0, 1, 3, 20, 22, 63, 64, 128, 144, 191, 255][i % 11];
        }
        if i % 7 == 0 && datagram.len() >= 40 {
            datagram[..8].copy_from_slice(&[0, 1, 0, (len - 20) as u8 & 0xfc, 0x21, 0x12, 0xa4, 0x42]);
            datagram[20..32].copy_from_slice(&[
                0,
                6,
                0,
                8,
                b'0',
                b'0' + (i % 3) as u8,
                b'a',
                b'b',
                b':',
                1,
                2,
                3,
            ]);
        }
        // From nobody, and from the address of somebody who is in a call.
        let from = if i % 2 == 0 { &stranger } else { &friend };
        from.send_to(&datagram, server).unwrap();
        if i % 100 == 0 {
            clients[0].step();
        }
    }
    let stats = wait_for(|| Some(sfu.stats()).filter(|stats| stats.receive().datagrams >= flood as u64));
    assert_eq!(stats.workers.len(), 2);
    assert!(stats.workers.iter().flatten().all(|worker| worker.restarts == 0));
    assert_eq!(stats.receive().dropped(ReceiveDrop::Panicked), 0);
    let mut late = vec![Client::join(&sfu, &certificate, 1, PeerMedia::default())];
    run(&mut late, |clients| clients[0].connected);
    let closed = events.try_iter().find(|event| matches!(event, Event::Closed { .. }));
    assert_eq!(closed, None, "and the first call has not ended");
}

#[test]
fn shutting_down_ends_the_threads_and_frees_the_port() {
    let (sfu, _events) = start(Config { workers: 2, ..loopback() });
    let address = sfu.candidates(0)[0].address;
    assert!(UdpSocket::bind(address).is_err());
    let certificate = Arc::new(Certificate::generate().unwrap());
    let mut clients = vec![Client::join(&sfu, &certificate, 0, PeerMedia::default())];
    run(&mut clients, |clients| clients[0].connected);
    sfu.shutdown();
    UdpSocket::bind(address).expect("the port is free again");
    run(&mut clients, |clients| clients[0].transport.is_closed());
}

#[test]
fn after_a_failure_the_worker_says_whose_session_ended_and_serves_new_ones() {
    let (sender, events) = mpsc::channel();
    // A callback that fails stands for a forwarder that does: both happen inside a turn.
    let sfu = Sfu::start(loopback(), move |event| match event {
        Event::Connected { peer: PeerId(0), .. } => panic!("this failure is a test's"),
        event => drop(sender.send(event)),
    })
    .unwrap();
    let certificate = Arc::new(Certificate::generate().unwrap());
    let mut clients = [Client::join(&sfu, &certificate, 0, PeerMedia::default())];
    let closed = wait_for(|| {
        clients[0].step();
        events.try_iter().find(|event| matches!(event, Event::Closed { .. }))
    });
    assert_eq!(closed, Event::Closed { peer: PeerId(0), reason: CloseReason::Internal });
    let mut clients = vec![Client::join(&sfu, &certificate, 1, PeerMedia::default())];
    run(&mut clients, |clients| clients[0].connected);
    assert_eq!(next_connected(&events), 1);
    assert_eq!(sfu.stats().workers[0].as_ref().unwrap().restarts, 1);
}

/// One participant: ICE, DTLS and SRTP as in a browser, and no more.
struct Client {
    transport: Transport,
    socket: UdpSocket,
    media: PeerMedia,
    next_timeout: Instant,
    connected: bool,
    payloads: Vec<Vec<u8>>,
}

impl Client {
    fn join(sfu: &Sfu, certificate: &Arc<Certificate>, peer: u64, media: PeerMedia) -> Self {
        Self::join_room(sfu, certificate, peer, peer, media)
    }

    fn join_room(sfu: &Sfu, certificate: &Arc<Certificate>, peer: u64, room: u64, media: PeerMedia) -> Self {
        let worker = sfu.place(RoomId(room));
        Self::join_worker(sfu, certificate, peer, (room, worker), media)
    }

    fn join_worker(
        sfu: &Sfu,
        certificate: &Arc<Certificate>,
        peer: u64,
        (room, worker): (u64, usize),
        media: PeerMedia,
    ) -> Self {
        let room = RoomId(room);
        let server = sfu.credentials(worker).unwrap();
        let candidates: Vec<Candidate> = sfu.candidates(worker).to_vec();
        let own = IceCredentials {
            ufrag: format!("client{peer:04}"),
            pwd: format!("password-of-a-client-{peer:04}"),
        };
        let remote = remote(own.clone(), certificate.fingerprint(), DtlsSetup::Active, Vec::new());
        sfu.send(
            worker,
            Command::AddPeer {
                peer: PeerId(peer),
                room,
                local: server.clone(),
                remote,
                media: media.clone(),
            },
        );
        let host: SocketAddr = (candidates[0].address.ip(), 0).into();
        let socket = UdpSocket::bind(host).unwrap();
        socket.set_nonblocking(true).unwrap();
        let now = Instant::now();
        let config = transport::Config {
            ice: IceMode::Full { tie_breaker: peer + 1 },
            local: own,
            certificate: certificate.clone(),
            local_addresses: vec![socket.local_addr().unwrap()],
            dtls: DtlsConfig::default(),
        };
        let remote = remote_of_server(server, sfu.fingerprint(), candidates);
        let transport = Transport::new(config, Some(remote), now).unwrap();
        Self { transport, socket, media, next_timeout: now, connected: false, payloads: Vec::new() }
    }

    fn step(&mut self) {
        let mut buffer = [0; 2048];
        let local = self.socket.local_addr().unwrap();
        while let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
            let received = self.transport.handle_datagram(Instant::now(), local, from, &mut buffer[..len]);
            if let Ok(Incoming::Rtp { packet, .. }) = received {
                let payload = RtpHeader::parse(packet).unwrap().payload(packet).to_vec();
                self.payloads.push(payload);
            }
        }
        let now = Instant::now();
        if now >= self.next_timeout {
            self.transport.handle_timeout(now);
        }
        loop {
            match self.transport.poll_output() {
                Output::Transmit(transmit) | Output::Data(transmit) => {
                    self.socket.send_to(&transmit.bytes, transmit.to).unwrap();
                }
                Output::Event(transport::Event::Connected(_)) => self.connected = true,
                Output::Event(_) => {}
                Output::Timeout(at, _) => {
                    self.next_timeout = at;
                    return;
                }
            }
        }
    }

    fn send_audio(&mut self, number: u16) {
        let packet = Outgoing {
            pt: PayloadType(111),
            seq: SeqNo(number),
            timestamp: RtpTime(u32::from(number) * 960),
            ssrc: self.media.tracks[0].ssrcs[0].0,
            payload: b"some opus",
            ..Outgoing::default()
        };
        let mut buffer = [0; 200];
        let len = packet.write(&self.media.extensions, &mut buffer).unwrap().len;
        let len = self.transport.protect_rtp(&mut buffer, len).unwrap();
        self.socket.send_to(&buffer[..len], self.transport.remote_address().unwrap()).unwrap();
    }
}

fn remote(
    ice: IceCredentials,
    fingerprint: Fingerprint,
    setup: DtlsSetup,
    candidates: Vec<Candidate>,
) -> Remote {
    Remote { ice, fingerprint, setup, candidates }
}

fn remote_of_server(ice: IceCredentials, fingerprint: Fingerprint, candidates: Vec<Candidate>) -> Remote {
    remote(ice, fingerprint, DtlsSetup::Passive, candidates)
}

/// One audio track, or one slot for it.
fn media(publishes: bool) -> PeerMedia {
    let codecs = vec![CodecConfig {
        codec: Codec::Opus,
        pt: PayloadType(111),
        rtx: None,
        fmtp: String::new(),
        nack: false,
        pli: false,
        transport_cc: false,
    }];
    let mut media = PeerMedia { codecs, ..PeerMedia::default() };
    if publishes {
        let ssrcs = vec![(Ssrc(1000), None)];
        media.tracks.push(SendTrack { mid: mid("a"), kind: MediaKind::Audio, rids: Vec::new(), ssrcs });
    } else {
        media.slots.push(Slot {
            mid: mid("s"),
            kind: MediaKind::Audio,
            ssrc: Ssrc(2000),
            rtx: None,
            fec: None,
        });
    }
    media
}

fn mid(text: &str) -> Mid {
    Mid::new(text).unwrap()
}

fn loopback() -> Config {
    Config { bind_v4: Some(Ipv4Addr::LOCALHOST), bind_v6: None, workers: 1, ..Config::default() }
}

fn start(config: Config) -> (Sfu, mpsc::Receiver<Event>) {
    let (sender, events) = mpsc::channel();
    let sfu = Sfu::start(config, move |event| drop(sender.send(event))).unwrap();
    (sfu, events)
}

fn run(clients: &mut [Client], mut done: impl FnMut(&mut [Client]) -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !done(clients) {
        assert!(Instant::now() < give_up, "not done in time");
        clients.iter_mut().for_each(Client::step);
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn next_connected(events: &mpsc::Receiver<Event>) -> u64 {
    loop {
        if let Event::Connected { peer, .. } = events.recv_timeout(PATIENCE).unwrap() {
            return peer.0;
        }
    }
}

fn wait_for<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < give_up, "not in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}
