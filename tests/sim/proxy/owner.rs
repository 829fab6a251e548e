//! The thread that owns the links.

use super::hosts::{Crossing, Host};
use super::tcp::{Connection, Tell};
use super::{Meters, read};
use netem::{Direction, LinkConfig, Random};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Hosts, sockets and connections kept at once; what further ones send is dropped.
const HOSTS_MAX: usize = 256;
const CLIENTS_MAX: usize = 256;
const CONNECTIONS_MAX: usize = 256;
/// A server on the same machine answers at once or never.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

pub(super) enum Event {
    FromClient {
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    FromServer {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Expected {
        client: SocketAddr,
        server: SocketAddr,
        reply: Sender<Option<u16>>,
    },
    TcpOpened {
        client: TcpStream,
        server: SocketAddr,
    },
    /// Read at the end from which this direction begins.
    TcpRead {
        connection: u64,
        direction: Direction,
        bytes: Vec<u8>,
    },
    /// For all hosts, those there and those to come.
    Change(Box<(LinkConfig, LinkConfig)>),
    Stop,
}

pub(super) struct Owner {
    meters: Arc<Mutex<Meters>>,
    socket: Arc<UdpSocket>,
    server: SocketAddr,
    links: (LinkConfig, LinkConfig),
    seeds: Random,
    events: Sender<Event>,
    hosts: BTreeMap<IpAddr, Host>,
    /// Its own socket towards the server, which tells clients apart by address.
    clients: BTreeMap<SocketAddr, Arc<UdpSocket>>,
    connections: BTreeMap<u64, Connection>,
    connections_made: u64,
    /// Everybody is one host.
    pub one_leg: bool,
}

impl Owner {
    pub fn new(
        socket: Arc<UdpSocket>,
        server: SocketAddr,
        links: (LinkConfig, LinkConfig),
        seed: u64,
        meters: Arc<Mutex<Meters>>,
        events: Sender<Event>,
    ) -> Self {
        Self {
            meters,
            socket,
            server,
            links,
            seeds: Random::new(seed),
            events,
            hosts: BTreeMap::new(),
            clients: BTreeMap::new(),
            connections: BTreeMap::new(),
            connections_made: 0,
            one_leg: false,
        }
    }

    pub fn run(mut self, inbox: &Receiver<Event>) {
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
            let now = Instant::now();
            match event {
                Some(Event::Stop) => return,
                Some(event) => self.handle(now, event),
                None => {}
            }
            self.deliver(now);
            self.serve_tcp(now);
        }
    }

    fn handle(&mut self, now: Instant, event: Event) {
        match event {
            Event::Change(links) => {
                for host in self.hosts.values_mut() {
                    host.up.set_config(links.0.clone());
                    host.down.set_config(links.1.clone());
                }
                self.links = *links;
            }
            Event::FromClient { from, bytes } => {
                if self.client(from).is_some() {
                    let crossing = Crossing::Datagram { client: from, bytes };
                    self.pass(from.ip(), Direction::Up, now, crossing);
                }
            }
            Event::FromServer { to, bytes } => {
                let crossing = Crossing::Datagram { client: to, bytes };
                self.pass(to.ip(), Direction::Down, now, crossing);
            }
            Event::Expected { client, server, reply } => {
                self.server = server;
                let port = self.client(client).and_then(|socket| Some(socket.local_addr().ok()?.port()));
                let _ = reply.send(port);
            }
            Event::TcpOpened { client, server } => {
                // The socket of one too many closes here, as at a server that is full.
                if self.connections.len() < CONNECTIONS_MAX {
                    let number = self.connections_made;
                    self.connections_made += 1;
                    let tell = self.teller(number, Direction::Up);
                    if let Ok(connection) = Connection::open(client, server, move |bytes| (tell.0)(bytes)) {
                        self.connections.insert(number, connection);
                    }
                }
            }
            Event::TcpRead { connection, direction, bytes } => {
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.read(direction, bytes);
                }
            }
            Event::Stop => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let hosts = self.hosts.values().filter_map(Host::poll_timeout);
        let streams = self.connections.values().flat_map(|c| [c.up.poll_timeout(), c.down.poll_timeout()]);
        hosts.chain(streams.flatten()).min()
    }

    fn pass(&mut self, host: IpAddr, direction: Direction, now: Instant, crossing: Crossing) {
        let host = if self.one_leg { Ipv4Addr::UNSPECIFIED.into() } else { host };
        if !self.hosts.contains_key(&host) {
            if self.hosts.len() >= HOSTS_MAX {
                return;
            }
            self.hosts.insert(host, Host::new(&self.links, &mut self.seeds, now));
        }
        let Some(host) = self.hosts.get_mut(&host) else { return };
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = match direction {
            Direction::Up => &mut meters.up,
            Direction::Down => &mut meters.down,
        };
        host.pass(direction, now, crossing, meter);
    }

    fn deliver(&mut self, now: Instant) {
        let hosts: Vec<IpAddr> = self.hosts.keys().copied().collect();
        for address in hosts {
            for direction in [Direction::Up, Direction::Down] {
                while let Some(crossing) = self.hosts.get_mut(&address).and_then(|h| h.poll(direction, now)) {
                    self.arrived(address, direction, now, crossing);
                }
            }
        }
    }

    fn arrived(&mut self, host: IpAddr, direction: Direction, now: Instant, crossing: Crossing) {
        let other = match direction {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        };
        match crossing {
            // A datagram that a socket refuses is lost, as on any network.
            Crossing::Datagram { client, bytes } => match direction {
                Direction::Up => {
                    if let Some(socket) = self.clients.get(&client) {
                        let _ = socket.send_to(&bytes, self.server);
                    }
                }
                Direction::Down => drop(self.socket.send_to(&bytes, client)),
            },
            Crossing::Segment { connection, segment } => {
                if let Some(c) = self.connections.get_mut(&connection) {
                    let ack = c.stream(direction).segment_arrived(segment.number);
                    self.pass(host, other, now, Crossing::Ack { connection, ack });
                }
            }
            Crossing::Ack { connection, ack } => {
                if let Some(c) = self.connections.get_mut(&connection) {
                    c.stream(other).ack_arrived(now, ack);
                }
            }
        }
    }

    fn serve_tcp(&mut self, now: Instant) {
        let numbers: Vec<u64> = self.connections.keys().copied().collect();
        for number in numbers {
            let tell = self.teller(number, Direction::Down);
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            let connect = |server| TcpStream::connect_timeout(&server, CONNECT_WITHIN).ok();
            if !connection.deliver(connect, tell) {
                self.connections.remove(&number);
                continue;
            }
            let host = connection.host;
            let mut leaving = Vec::new();
            for direction in [Direction::Up, Direction::Down] {
                let stream = connection.stream(direction);
                stream.handle_timeout(now);
                while let Some(segment) = stream.poll_segment(now) {
                    leaving.push((direction, segment));
                }
            }
            for (direction, segment) in leaving {
                self.pass(host, direction, now, Crossing::Segment { connection: number, segment });
            }
        }
    }

    fn teller(&self, connection: u64, direction: Direction) -> Tell {
        let events = Mutex::new(self.events.clone());
        Tell(Arc::new(move |bytes| {
            let events = events.lock().unwrap_or_else(PoisonError::into_inner);
            events.send(Event::TcpRead { connection, direction, bytes }).is_ok()
        }))
    }

    /// None if there are too many, or no socket for one more.
    fn client(&mut self, from: SocketAddr) -> Option<&UdpSocket> {
        if !self.clients.contains_key(&from) {
            if self.clients.len() >= CLIENTS_MAX {
                return None;
            }
            let any: IpAddr =
                if self.server.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16, 0, 0, 0, 0, 0, 0, 0].into() };
            let socket = Arc::new(UdpSocket::bind((any, 0)).ok()?);
            let (reader, server, to_owner) = (socket.clone(), self.server, self.events.clone());
            thread::spawn(move || {
                read(&reader, |source, bytes| {
                    source != server || to_owner.send(Event::FromServer { to: from, bytes }).is_ok()
                });
            });
            self.clients.insert(from, socket);
        }
        self.clients.get(&from).map(Arc::as_ref)
    }
}
