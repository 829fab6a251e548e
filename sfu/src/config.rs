//! What the media plane is started with, and why it may refuse.

use crate::socket::BufferSizes;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use transport::Certificate;

/// How the media plane runs. `Config::default()` is right for one machine with a public address.
#[derive(Clone, Debug)]
pub struct Config {
    /// UDP port of all media; 0 lets the system choose one. With `port_per_worker` the first of them.
    pub udp_port: u16,
    /// One port per worker (`udp_port`, `udp_port + 1`, ...) instead of one for all: no datagram ever reaches the wrong
    /// worker, for the price of more ports in the firewall.
    pub port_per_worker: bool,
    /// Worker threads; 0 is one per core.
    pub workers: usize,
    /// IPv4 address to bind; `None` turns IPv4 off.
    pub bind_v4: Option<Ipv4Addr>,
    /// IPv6 address to bind; `None` turns IPv6 off. A machine without IPv6 does without the unspecified one.
    pub bind_v6: Option<Ipv6Addr>,
    /// Addresses to tell clients instead of the machine's own: the public ones of a NAT that forwards the port.
    pub announce_ips: Vec<IpAddr>,
    /// The DTLS certificate of every session; `None` makes a new one.
    pub certificate: Option<Arc<Certificate>>,
    /// Offer clients AES-CM with HMAC-SHA1 beside AES-GCM. Browsers choose it wherever it is offered, at 4.7 times the cost
    /// a packet, so only for clients that have no AES-GCM.
    pub aes_cm: bool,
    /// Videos that one participant is sent at once; `None`: all that it has slots for.
    pub last_n: Option<usize>,
    /// Voices that a room hears at once; `None`: all of them.
    pub loudest_n: Option<usize>,
    /// Wanted socket buffers. Smaller ones are granted by some systems: then the start goes on with a warning.
    pub buffers: BufferSizes,
    /// Seed of everything random in the forwarder that is no secret (SSRCs, sequence numbers); `None` takes one from the
    /// system.
    pub seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            udp_port: 0,
            port_per_worker: false,
            workers: 0,
            bind_v4: Some(Ipv4Addr::UNSPECIFIED),
            bind_v6: Some(Ipv6Addr::UNSPECIFIED),
            announce_ips: Vec::new(),
            certificate: None,
            aes_cm: false,
            last_n: None,
            loudest_n: None,
            buffers: DEFAULT_BUFFERS,
            seed: None,
        }
    }
}

/// 4 MiB each: about 1,700 full-size datagrams with the kernel's overhead, 30 ms at 500 Mbit/s. A worker that is away
/// for longer than that has lost more than packets.
pub const DEFAULT_BUFFERS: BufferSizes = BufferSizes { receive: 4 << 20, send: 4 << 20 };

/// Why the media plane did not start; every sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "UDP port {port} is taken on {ip}: stop the program that uses it (`ss -ulpn 'sport = :{port}'` names it) \
         or choose another port with --udp-port"
    )]
    PortTaken { ip: IpAddr, port: u16 },
    #[error(
        "UDP port {port} needs more rights than this process has: choose a port from 1024 up with --udp-port"
    )]
    PortForbidden { port: u16 },
    #[error("{ip} is not an address of this machine: choose one that `ip address` lists")]
    NoSuchAddress { ip: IpAddr },
    #[error("there is neither an IPv4 nor an IPv6 address to bind: turn one of them on")]
    NoAddressFamily,
    #[error("this machine has no address that a client could be told: set one with --announce-ip")]
    NoCandidate,
    #[error(
        "{workers} workers need {workers} UDP ports from {port} up, which ends past 65535: choose a lower --udp-port"
    )]
    PortsEndPast65535 { port: u16, workers: usize },
    #[error(
        "{workers} workers are more than {max}, the most that can be told apart: choose fewer with --workers"
    )]
    TooManyWorkers { workers: usize, max: usize },
    #[error("cannot make a DTLS certificate: {0}")]
    Certificate(String),
    #[error("cannot open a UDP socket on {address}: {source}")]
    Socket { address: SocketAddr, source: io::Error },
    #[error("cannot start a worker thread (raise the limits on threads and open files, `ulimit -u -n`): {0}")]
    Thread(io::Error),
}
