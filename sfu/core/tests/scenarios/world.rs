//! A router (or two of them, which relay to each other), its peers and the links between them, a millisecond at a time.

use super::peer::{Peer, mid};
use packet::data::{Addressed, Channel};
use packet::{NtpTime, PeerId, RoomId};
use sfu_core::{Command, Config, Event, Output, Router};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use transport::{Candidate, Certificate, DtlsSetup, IceCredentials, Remote};

pub const EPOCH: NtpTime = NtpTime(3_950_000_000 << 32);
pub const ROOM: RoomId = RoomId(1);

thread_local! {
    /// True while the router works: `memory.rs` counts what it allocates.
    pub static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// What it has taken in all, in the time of the machine: `benches/router.rs` asks.
    pub static SPENT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

#[allow(clippy::disallowed_methods, reason = "the cost of virtual time")]
fn inside<T>(work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    INSIDE.set(true);
    let done = work();
    INSIDE.set(false);
    SPENT.set(SPENT.get() + begun.elapsed());
    done
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Loses a datagram if this says so: (to the router?, its number on this link).
pub type Loss = Box<dyn FnMut(bool, u64) -> bool>;

/// Destination peer (none: the router), source address, bytes.
type Flying = (Option<u64>, SocketAddr, Vec<u8>);

struct Link {
    delay: Duration,
    loss: Loss,
    sent: [u64; 2],
    /// Towards the peer: bits per second and the longest queue; and when the last byte in it will have left.
    bottleneck: Option<(u64, Duration)>,
    free_at: Instant,
}

pub struct World {
    pub start: Instant,
    pub now: Instant,
    pub router: Router,
    /// That of another worker, if there is one.
    pub far: Option<Router>,
    /// Peers that are there.
    pub there: Vec<u64>,
    /// When, from which worker, and what is handed over.
    relays: VecDeque<(Instant, usize, Vec<u8>)>,
    /// By the count of hand-overs with packets: there is no room for it.
    pub no_room: Box<dyn Fn(u64) -> bool>,
    /// The other worker is gone, and nobody knows.
    pub cut: bool,
    /// Hand-overs with packets, and packets in them.
    pub handed_over: (u64, u64),
    pub peers: BTreeMap<u64, Peer>,
    pub events: Vec<(Instant, Event)>,
    links: BTreeMap<u64, Link>,
    /// By time of arrival and order of sending.
    flying: BTreeMap<(Instant, u64), Flying>,
    order: u64,
    server: SocketAddr,
    certificate: Arc<Certificate>,
    wakes: [Option<Instant>; 2],
    /// Datagrams per transmit, all of them.
    pub batches: Vec<usize>,
}

#[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
fn origin() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// Two workers; peers are on the first unless they join `there`.
    pub fn spread(change: impl Fn(&mut Config)) -> Self {
        let mut world = Self::with(&change);
        let mut config = world.router.config().clone();
        (config.seed, config.worker) = (2, 1);
        world.far = Some(inside(|| Router::new(config)));
        world
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let start = origin() + ms(1000);
        let certificate = Arc::new(Certificate::generate().unwrap());
        let server: SocketAddr = "10.9.9.9:3478".parse().unwrap();
        let mut config = Config::new((start, EPOCH), 1, certificate.clone());
        config.candidates = vec![Candidate { address: server }];
        change(&mut config);
        Self {
            start,
            now: start,
            router: inside(|| Router::new(config)),
            far: None,
            there: Vec::new(),
            relays: VecDeque::new(),
            no_room: Box::new(|_| false),
            cut: false,
            handed_over: (0, 0),
            peers: BTreeMap::new(),
            events: Vec::new(),
            links: BTreeMap::new(),
            flying: BTreeMap::new(),
            order: 0,
            server,
            certificate,
            wakes: [None; 2],
            batches: Vec::new(),
        }
    }

    /// A peer joins: publishes audio and video, has `slots` pairs of slots, 10 ms away.
    pub fn join(&mut self, number: u64, rids: &[&str], slots: usize) {
        self.join_with(number, rids, slots, |_| {});
    }

    /// The same on the other worker.
    pub fn join_there(&mut self, number: u64, rids: &[&str], slots: usize) {
        self.join_there_with(number, rids, slots, |_| {});
    }

    pub fn join_there_with(
        &mut self,
        number: u64,
        rids: &[&str],
        slots: usize,
        change: impl FnOnce(&mut Peer),
    ) {
        self.there.push(number);
        self.join_with(number, rids, slots, change);
    }

    fn worker_of(&self, number: u64) -> usize {
        usize::from(self.there.contains(&number))
    }

    /// That of a worker.
    pub fn router_of(&mut self, worker: usize) -> &mut Router {
        match &mut self.far {
            Some(far) if worker == 1 => far,
            _ => &mut self.router,
        }
    }

    fn tell(&mut self, worker: usize, command: Command) {
        let now = self.now;
        let router = self.router_of(worker);
        inside(|| router.handle_command(now, command));
    }

    /// The same, after `change` has changed what it negotiates.
    pub fn join_with(&mut self, number: u64, rids: &[&str], slots: usize, change: impl FnOnce(&mut Peer)) {
        let mut peer = Peer::new(number, self.start, rids, slots);
        change(&mut peer);
        let local =
            IceCredentials { ufrag: format!("00{number}"), pwd: format!("router-{number}-0123456789abcdef") };
        let command = Command::AddPeer {
            peer: peer.id,
            room: ROOM,
            local: local.clone(),
            remote: peer.remote(),
            media: peer.media.clone(),
        };
        let worker = self.worker_of(number);
        self.tell(worker, command);
        if self.far.is_some() {
            let media = peer.media.clone();
            self.tell(1 - worker, Command::Relay { peer: peer.id, room: ROOM, worker, media });
        }
        let remote = Remote {
            ice: local,
            fingerprint: self.certificate.fingerprint(),
            setup: DtlsSetup::Passive,
            candidates: vec![Candidate { address: self.server }],
        };
        peer.transport.set_remote(self.now, remote).unwrap();
        if let Some(port) = peer.media.sctp_port {
            let command = Command::Data { peer: peer.id, name: format!("p{number}"), may_send: true };
            self.tell(worker, command);
            if peer.begins_data {
                peer.transport.open_data(self.now, port);
            }
        }
        self.links.insert(
            number,
            Link {
                delay: ms(10),
                loss: Box::new(|_, _| false),
                sent: [0; 2],
                bottleneck: None,
                free_at: self.start,
            },
        );
        self.peers.insert(number, peer);
        self.pump();
    }

    pub fn link(&mut self, number: u64, delay: Duration, loss: Loss) {
        let link = self.links.get_mut(&number).unwrap();
        (link.delay, link.loss) = (delay, loss);
    }

    /// The way to a peer carries this much; what would wait longer is lost.
    pub fn narrow(&mut self, number: u64, kbps: u64, queue: Duration) {
        self.links.get_mut(&number).unwrap().bottleneck = Some((kbps * 1000, queue));
    }

    pub fn peer(&mut self, number: u64) -> &mut Peer {
        self.peers.get_mut(&number).unwrap()
    }

    /// Both tracks of `from` into pair `pair` of `to`.
    pub fn bind(&mut self, to: u64, pair: usize, from: Option<u64>) {
        for (kind, track) in [("a", "0"), ("v", "1")] {
            self.bind_one(to, &format!("{kind}{pair}"), from.map(|f| (f, track)));
        }
    }

    pub fn bind_one(&mut self, to: u64, slot: &str, from: Option<(u64, &str)>) {
        let source = from.map(|(peer, track)| (PeerId(peer), mid(track)));
        let command = Command::Bind { subscriber: PeerId(to), slot: mid(slot), source };
        self.command(command);
    }

    /// To the worker it is for, or to both.
    pub fn command(&mut self, command: Command) {
        let whose = match &command {
            Command::Bind { subscriber, .. } | Command::Prefer { subscriber, .. } => Some(*subscriber),
            Command::AddPeer { peer, .. } | Command::UpdatePeer { peer, .. } | Command::Data { peer, .. } => {
                Some(*peer)
            }
            _ => None,
        };
        let worker = whose.map(|peer| self.worker_of(peer.0));
        if self.far.is_some() && worker != Some(0) {
            self.tell(1, command.clone());
        }
        if worker != Some(1) {
            self.tell(0, command);
        }
        self.pump();
    }

    /// Everybody in everybody's slots, in order of number.
    pub fn bind_all(&mut self) {
        let all: Vec<u64> = self.peers.keys().copied().collect();
        for &to in &all {
            let others: Vec<u64> = all.iter().copied().filter(|n| *n != to).collect();
            for (pair, from) in others.into_iter().enumerate() {
                self.bind(to, pair, Some(from));
            }
        }
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += ms(1);
            self.step();
        }
    }

    pub fn until_connected(&mut self) {
        for _ in 0..2000 {
            if self.peers.values().all(|p| p.connected.is_some()) {
                return self.run(ms(30));
            }
            self.run(ms(1));
        }
        panic!("not connected: {:?}", self.router.stats());
    }

    /// A datagram from an address, at once.
    pub fn inject(&mut self, from: SocketAddr, mut datagram: Vec<u8>) {
        inside(|| self.router.handle_datagram(self.now, self.server, from, &mut datagram));
        self.pump();
    }

    pub fn dropped(&self, name: &str) -> u64 {
        dropped(&self.router, name)
    }

    /// On the other worker.
    pub fn dropped_there(&self, name: &str) -> u64 {
        dropped(self.far.as_ref().unwrap(), name)
    }

    pub fn peer_stats(&self, number: u64) -> Option<sfu_core::PeerStats> {
        let router = self.far.as_ref().filter(|_| self.worker_of(number) == 1).unwrap_or(&self.router);
        router.peer_stats(PeerId(number))
    }

    /// A data message to those named, or to all; false: it cannot be sent now.
    pub fn say(&mut self, number: u64, channel: Channel, to: &[&str], payload: &[u8]) -> bool {
        let to: Vec<&[u8]> = to.iter().map(|id| id.as_bytes()).collect();
        let message = Addressed::write(&to, payload).unwrap();
        let now = self.now;
        let sent = self.peer(number).transport.send_message(now, channel, &message);
        self.pump();
        sent
    }

    /// Whose data channels are open at both ends, as the peers see it.
    pub fn until_data_opened(&mut self) {
        for _ in 0..5000 {
            if self.peers.values().all(|p| p.media.sctp_port.is_none() || p.transport.is_data_open()) {
                return self.run(ms(100));
            }
            self.run(ms(1));
        }
        panic!("no data channels: {:?}", self.router.stats());
    }

    /// Sends what `make` makes for a peer.
    pub fn send(&mut self, number: u64, make: impl FnOnce(&mut Peer) -> Vec<Vec<u8>>) {
        for datagram in make(self.peers.get_mut(&number).unwrap()) {
            self.fly(number, true, datagram);
        }
    }

    fn fly(&mut self, number: u64, up: bool, bytes: Vec<u8>) {
        let Some(link) = self.links.get_mut(&number) else { return };
        let count = &mut link.sent[usize::from(up)];
        *count += 1;
        if (link.loss)(up, *count) {
            return;
        }
        let mut leaves = self.now;
        if let Some((rate, queue)) = link.bottleneck.filter(|_| !up) {
            leaves = link.free_at.max(self.now);
            if leaves - self.now > queue {
                return;
            }
            leaves += Duration::from_micros(bytes.len() as u64 * 8_000_000 / rate);
            link.free_at = leaves;
        }
        self.order += 1;
        let to = (!up).then_some(number);
        let from = if up { self.peers[&number].address } else { self.server };
        self.flying.insert((leaves + link.delay, self.order), (to, from, bytes));
    }

    fn step(&mut self) {
        while let Some((&key, _)) = self.flying.first_key_value().filter(|((at, _), _)| *at <= self.now) {
            let (to, from, mut bytes) = self.flying.remove(&key).unwrap();
            match to {
                None => {
                    let whose = self.peers.values().find(|peer| peer.address == from).map(|peer| peer.id.0);
                    let worker = whose.map_or(0, |number| self.worker_of(number));
                    let (now, server, router) = (self.now, self.server, self.router_of(worker));
                    inside(|| router.handle_datagram(now, server, from, &mut bytes));
                }
                Some(number) => {
                    let Some(peer) = self.peers.get_mut(&number) else { continue };
                    let answers = peer.receive(self.now, peer.address, from, bytes);
                    self.send(number, |_| answers);
                }
            }
        }
        while self.relays.front().is_some_and(|(at, ..)| *at <= self.now) {
            let (_, from, bytes) = self.relays.pop_front().unwrap();
            let (now, router) = (self.now, self.router_of(1 - from));
            inside(|| router.handle_relay(now, from, &bytes));
        }
        for worker in 0..2 {
            if self.wakes[worker].is_some_and(|at| at <= self.now) {
                let (now, router) = (self.now, self.router_of(worker));
                inside(|| router.handle_timeout(now));
            }
        }
        let numbers: Vec<u64> = self.peers.keys().copied().collect();
        for &number in &numbers {
            let peer = self.peers.get_mut(&number).unwrap();
            if peer.wake.is_some_and(|at| at <= self.now) {
                peer.transport.handle_timeout(self.now);
            }
            let mut out = Vec::new();
            peer.send(self.now, &mut out);
            self.send(number, |_| out);
        }
        self.pump();
    }

    /// Drains everybody.
    fn pump(&mut self) {
        let mut out = Vec::new();
        for worker in 0..if self.far.is_some() { 2 } else { 1 } {
            self.drain(worker, &mut out);
        }
        for (to, bytes) in out {
            let number = self.peers.values().find(|p| p.address == to).map(|p| p.id.0);
            if let Some(number) = number {
                self.fly(number, false, bytes);
            }
        }
        let numbers: Vec<u64> = self.peers.keys().copied().collect();
        for number in numbers {
            let mut out = Vec::new();
            let peer = self.peers.get_mut(&number).unwrap();
            loop {
                match peer.transport.poll_output() {
                    transport::Output::Transmit(datagram) | transport::Output::Data(datagram) => {
                        out.push(datagram.bytes);
                    }
                    transport::Output::Event(transport::Event::Connected(_)) => {
                        peer.connected = Some(self.now)
                    }
                    transport::Output::Event(_) => {}
                    transport::Output::Timeout(at, _) => {
                        peer.wake = Some(at);
                        break;
                    }
                }
            }
            while !peer.deaf
                && let Some(message) = peer.transport.next_message()
            {
                peer.data.push((self.now, message));
            }
            self.send(number, |_| out);
        }
    }

    fn drain(&mut self, worker: usize, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        loop {
            let router = match &mut self.far {
                Some(far) if worker == 1 => far,
                _ => &mut self.router,
            };
            match inside(|| router.poll_output()) {
                Output::Transmit(transmit) => {
                    assert!(transmit.segment_size > 0 && transmit.bytes.len() <= 65_000);
                    self.batches.push(transmit.segments());
                    for segment in transmit.bytes.chunks(transmit.segment_size) {
                        out.push((transmit.to, segment.to_vec()));
                    }
                }
                Output::Event(event) => self.events.push((self.now, event)),
                Output::Relay(relay) => {
                    assert_eq!(relay.to, 1 - worker);
                    if relay.is_media {
                        self.handed_over.0 += 1;
                        self.handed_over.1 += relay.records() as u64;
                        if (self.no_room)(self.handed_over.0) {
                            continue;
                        }
                    }
                    if self.cut {
                        continue;
                    }
                    self.relays.push_back((self.now + ms(1), worker, relay.bytes.to_vec()));
                }
                Output::Timeout(at) => {
                    self.wakes[worker] = at.map(|(at, _)| at);
                    return;
                }
            }
        }
    }
}

fn dropped(router: &Router, name: &str) -> u64 {
    let dropped = router.stats().dropped;
    dropped.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("no reason {name}")).1
}
