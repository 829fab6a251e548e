//! The impairment link on real sockets, in front of a server: for browsers and anything else that cannot live in virtual
//! time. UDP always, TCP through the same links where it is asked for.
//!
//! ```text
//! client ---> listening socket --- up link ---> a socket of its own per client ---> server
//!        <---                  <-- down link --                                <---
//! ```
//!
//! Each host (by address) gets links of its own, seeded by the order of appearance; all its sockets share them. A thread
//! reads each socket; one thread owns the links. Nothing here is exact below a millisecond: the kernel wakes threads when
//! it likes.

mod hosts;
mod owner;
mod tcp;

use crate::meter::Meter;
use netem::{LinkConfig, Preset};
use owner::{Event, Owner};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

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

impl Proxy {
    /// Listens at `listen` (port 0: any) and forwards to `server` through links of these kinds.
    pub fn start(
        listen: SocketAddr,
        server: SocketAddr,
        links: (LinkConfig, LinkConfig),
        seed: u64,
    ) -> io::Result<Self> {
        Self::start_with(listen, server, links, seed, false)
    }

    /// Whatever passes, from whichever address, shares one pair of links.
    pub fn start_one_leg(
        listen: SocketAddr,
        server: SocketAddr,
        links: (LinkConfig, LinkConfig),
        seed: u64,
    ) -> io::Result<Self> {
        Self::start_with(listen, server, links, seed, true)
    }

    fn start_with(
        listen: SocketAddr,
        server: SocketAddr,
        links: (LinkConfig, LinkConfig),
        seed: u64,
        one_leg: bool,
    ) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind(listen)?);
        let address = socket.local_addr()?;
        let (events, inbox) = channel();
        let meters = Arc::new(Mutex::new(Meters::default()));
        let mut owner = Owner::new(socket.clone(), server, links, seed, meters.clone(), events.clone());
        owner.one_leg = one_leg;
        let to_owner = events.clone();
        thread::spawn(move || {
            read(&socket, |from, bytes| to_owner.send(Event::FromClient { from, bytes }).is_ok());
        });
        let owner = thread::spawn(move || owner.run(&inbox));
        Ok(Self { address, events, meters, owner: Some(owner) })
    }

    /// Also listens for TCP, and forwards to `server` through the same links: segments and acknowledgements share them with
    /// datagrams, and the opening takes a round trip. The address it listens at.
    pub fn listen_tcp(&self, listen: SocketAddr, server: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(listen)?;
        let address = listener.local_addr()?;
        let to_owner = self.events.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                // A connection that broke before it was taken is the client's to repeat.
                let Ok(client) = client else { continue };
                if to_owner.send(Event::TcpOpened { client, server }).is_err() {
                    return;
                }
            }
        });
        Ok(address)
    }

    /// From now on `server` is another one, and `client` may be sent to before it has sent anything: the port of the socket
    /// that the server knows it by. None if there are too many.
    pub fn expect(&self, client: SocketAddr, server: SocketAddr) -> Option<u16> {
        let (reply, answer) = channel();
        self.events.send(Event::Expected { client, server, reply }).ok()?;
        answer.recv_timeout(Duration::from_secs(5)).ok()?
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

/// Until `tell` says that nobody listens.
fn read(socket: &UdpSocket, tell: impl Fn(SocketAddr, Vec<u8>) -> bool) {
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        // An error is a port that is closed at the far end (ICMP), reported here once; the next datagram may get through.
        if let Ok((length, from)) = socket.recv_from(&mut buffer)
            && !tell(from, buffer[..length].to_vec())
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netem::Loss;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Instant;

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

    #[test]
    fn who_is_expected_can_be_sent_to_first() {
        let (server, client) = (socket(), socket());
        let clean = LinkConfig::default();
        let links = (clean.clone(), clean);
        let proxy = Proxy::start_one_leg(loopback(), loopback(), links, 1).unwrap();
        let port =
            proxy.expect(client.local_addr().unwrap(), server.local_addr().unwrap()).expect("room for one");
        server.send_to(b"hello", ("127.0.0.1", port)).unwrap();
        let mut buffer = [0; 100];
        let (length, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from), (&b"hello"[..], proxy.address()));
    }

    #[test]
    fn tcp_crosses_the_same_links_whole_and_in_order() {
        let server = TcpListener::bind(loopback()).unwrap();
        let target = server.local_addr().unwrap();
        let link =
            LinkConfig { delay: Duration::from_millis(15), loss: Loss::Random(0.1), ..LinkConfig::default() };
        let proxy = Proxy::start(loopback(), target, (link.clone(), link), 1).unwrap();
        let address = proxy.listen_tcp(loopback(), target).unwrap();
        let answering = thread::spawn(move || {
            let (mut peer, _) = server.accept().unwrap();
            let mut heard = Vec::new();
            peer.read_to_end(&mut heard).unwrap();
            peer.write_all(&heard).unwrap();
            heard.len()
        });
        let sent: Vec<u8> = (0..100_000u32).map(|n| (n * 7 % 251) as u8).collect();
        let began = Instant::now();
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(&sent).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).unwrap();
        assert_eq!(answering.join().unwrap(), sent.len());
        assert!(back == sent, "every byte once and in order");
        assert!(began.elapsed() >= Duration::from_millis(90), "opening and both ways take three round trips");
    }
}
