//! The impairment link on real sockets: a UDP proxy in front of a server, for browsers and anything else that cannot live
//! in virtual time.
//!
//! ```text
//! client ---> listening socket --- up link ---> a socket of its own per client ---> server
//!        <---                  <-- down link --                                <---
//! ```
//!
//! Each client (by source address) gets links of its own, seeded by the order of appearance. A thread reads each socket;
//! one thread owns the links. Nothing here is exact below a millisecond: the kernel wakes threads when it likes.

use crate::meter::{Meter, Passed};
use netem::{Link, LinkConfig, Output, Preset, Random};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Clients kept at once; datagrams of further ones are dropped.
const CLIENTS_MAX: usize = 256;
const DATAGRAM_MAX: usize = 65_535;

/// A running proxy. It stops when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    events: Sender<Event>,
    meters: Arc<Mutex<Meters>>,
    owner: Option<thread::JoinHandle<()>>,
}

/// What went into the links of all clients together.
#[derive(Clone, Debug, Default)]
pub struct Meters {
    pub up: Meter,
    pub down: Meter,
}

enum Event {
    FromClient {
        at: Instant,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    FromServer {
        at: Instant,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// For all clients, those there and those to come.
    Change(Box<(LinkConfig, LinkConfig)>),
    Stop,
}

impl Proxy {
    /// Listens at `listen` (port 0: any) and forwards to `server` through links of these kinds.
    pub fn start(
        listen: SocketAddr,
        server: SocketAddr,
        (up, down): (LinkConfig, LinkConfig),
        seed: u64,
    ) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind(listen)?);
        let address = socket.local_addr()?;
        let (events, inbox) = channel();
        let meters = Arc::new(Mutex::new(Meters::default()));
        let clients = Clients {
            meters: meters.clone(),
            socket: socket.clone(),
            server,
            up,
            down,
            seeds: Random::new(seed),
            map: BTreeMap::new(),
        };
        let to_owner = events.clone();
        thread::spawn(move || {
            read(&socket, |at, from, bytes| to_owner.send(Event::FromClient { at, from, bytes }).is_ok());
        });
        let to_owner = events.clone();
        let owner = thread::spawn(move || clients.run(&inbox, &to_owner));
        Ok(Self { address, events, meters, owner: Some(owner) })
    }

    /// Both directions of a preset's impaired leg.
    pub fn links(preset: &Preset, seed: u64) -> (LinkConfig, LinkConfig) {
        (preset.link(seed), preset.link(seed ^ 1))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has passed since the start, or since the last call.
    pub fn take_meters(&self) -> Meters {
        std::mem::take(&mut self.meters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn change(&self, up: LinkConfig, down: LinkConfig) {
        // Refused only by an owner that has stopped; then there is nothing to change.
        let _ = self.events.send(Event::Change(Box::new((up, down))));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Stop);
        // The readers end when they find nobody to tell: at the next datagram, or with the process.
        if let Some(owner) = self.owner.take() {
            let _ = owner.join();
        }
    }
}

struct Clients {
    meters: Arc<Mutex<Meters>>,
    socket: Arc<UdpSocket>,
    server: SocketAddr,
    up: LinkConfig,
    down: LinkConfig,
    seeds: Random,
    map: BTreeMap<SocketAddr, Client>,
}

struct Client {
    up: Link<Vec<u8>>,
    down: Link<Vec<u8>>,
    /// Its own socket towards the server, which tells clients apart by address.
    socket: Arc<UdpSocket>,
}

impl Clients {
    fn run(mut self, inbox: &Receiver<Event>, to_owner: &Sender<Event>) {
        loop {
            let event = match self.poll_timeout() {
                Some(at) => match inbox.recv_timeout(at.saturating_duration_since(Instant::now())) {
                    Ok(event) => Some(event),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                None => match inbox.recv() {
                    Ok(event) => Some(event),
                    Err(_) => return,
                },
            };
            match event {
                Some(Event::Stop) => return,
                Some(Event::Change(links)) => {
                    let (up, down) = *links;
                    for client in self.map.values_mut() {
                        client.up.set_config(up.clone());
                        client.down.set_config(down.clone());
                    }
                    (self.up, self.down) = (up, down);
                }
                Some(Event::FromClient { at, from, bytes }) => {
                    if let Some(client) = self.client(from, at, to_owner) {
                        let passed = pass(&mut client.up, at, bytes);
                        self.meters.lock().unwrap_or_else(PoisonError::into_inner).up.add(passed);
                    }
                }
                Some(Event::FromServer { at, to, bytes }) => {
                    if let Some(client) = self.map.get_mut(&to) {
                        let passed = pass(&mut client.down, at, bytes);
                        self.meters.lock().unwrap_or_else(PoisonError::into_inner).down.add(passed);
                    }
                }
                None => {}
            }
            self.deliver(Instant::now());
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let links =
            self.map.values().flat_map(|client| [client.up.poll_timeout(), client.down.poll_timeout()]);
        links.flatten().min()
    }

    fn deliver(&mut self, now: Instant) {
        for (address, client) in &mut self.map {
            // A datagram that a socket refuses is lost, as on any network.
            while let Output::Deliver(bytes) = client.up.poll_output(now) {
                let _ = client.socket.send_to(&bytes, self.server);
            }
            while let Output::Deliver(bytes) = client.down.poll_output(now) {
                let _ = self.socket.send_to(&bytes, address);
            }
        }
    }

    /// None if there are too many, or no socket for one more.
    fn client(&mut self, from: SocketAddr, now: Instant, to_owner: &Sender<Event>) -> Option<&mut Client> {
        if !self.map.contains_key(&from) {
            if self.map.len() >= CLIENTS_MAX {
                return None;
            }
            let any: IpAddr =
                if self.server.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16, 0, 0, 0, 0, 0, 0, 0].into() };
            let socket = Arc::new(UdpSocket::bind((any, 0)).ok()?);
            let (reader, server, to_owner) = (socket.clone(), self.server, to_owner.clone());
            thread::spawn(move || {
                read(&reader, |at, source, bytes| {
                    source != server || to_owner.send(Event::FromServer { at, to: from, bytes }).is_ok()
                });
            });
            let client = Client {
                up: Link::new(self.up.clone(), self.seeds.next_u64(), now),
                down: Link::new(self.down.clone(), self.seeds.next_u64(), now),
                socket,
            };
            self.map.insert(from, client);
        }
        self.map.get_mut(&from)
    }
}

fn pass(link: &mut Link<Vec<u8>>, at: Instant, bytes: Vec<u8>) -> Passed {
    let packet = Passed::of(at, &bytes);
    let fate = link.handle_datagram(at, bytes.len(), bytes);
    Passed { waited: link.waits(), fate, ..packet }
}

/// Until `tell` says that nobody listens.
fn read(socket: &UdpSocket, tell: impl Fn(Instant, SocketAddr, Vec<u8>) -> bool) {
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        // An error is a port that is closed at the far end (ICMP), reported here once; the next datagram may get through.
        if let Ok((length, from)) = socket.recv_from(&mut buffer)
            && !tell(Instant::now(), from, buffer[..length].to_vec())
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netem::Loss;
    use std::time::Duration;

    fn loopback() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    fn socket() -> UdpSocket {
        let socket = UdpSocket::bind(loopback()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket
    }

    #[test]
    fn datagrams_pass_both_ways_delayed_and_clients_are_kept_apart() {
        let server = socket();
        let delay = Duration::from_millis(30);
        let link = LinkConfig { delay, ..LinkConfig::default() };
        let links = (link.clone(), link);
        let proxy = Proxy::start(loopback(), server.local_addr().unwrap(), links, 1).unwrap();
        let clients = [socket(), socket()];
        let began = Instant::now();
        let mut buffer = [0; 100];
        for (number, client) in clients.iter().enumerate() {
            client.send_to(&[number as u8], proxy.address()).unwrap();
        }
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            seen.push(from);
            server.send_to(&[buffer[..length].to_vec(), vec![7]].concat(), from).unwrap();
        }
        assert_ne!(seen[0], seen[1], "the server tells them apart");
        for (number, client) in clients.iter().enumerate() {
            let (length, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], from), (&[number as u8, 7][..], proxy.address()));
        }
        let meters = proxy.take_meters();
        let count = |meter: &Meter| meter.between(began, Instant::now()).count();
        assert_eq!((count(&meters.up), count(&meters.down)), (2, 2));
        assert!(began.elapsed() >= 2 * delay, "both ways take {delay:?}");
    }

    #[test]
    fn a_changed_link_loses_what_comes_after() {
        let server = socket();
        let clean = LinkConfig::default();
        let proxy = Proxy::start(loopback(), server.local_addr().unwrap(), (clean.clone(), clean.clone()), 1)
            .unwrap();
        let client = socket();
        let mut buffer = [0; 100];
        client.send_to(b"first", proxy.address()).unwrap();
        assert_eq!(server.recv_from(&mut buffer).unwrap().0, 5);
        proxy.change(LinkConfig { loss: Loss::Random(1.0), ..clean.clone() }, clean.clone());
        client.send_to(b"lost", proxy.address()).unwrap();
        // Order inside the proxy is that of its one inbox, so what is sent after this change passes.
        server.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(server.recv_from(&mut buffer).is_err());
        proxy.change(clean.clone(), clean);
        client.send_to(b"again", proxy.address()).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let length = server.recv_from(&mut buffer).unwrap().0;
        assert_eq!(&buffer[..length], b"again");
    }
}
