//! A native client and a server without a network between them: what one sends the other has at once, in virtual time.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use transport::{
    Candidate, Certificate, Config, DtlsConfig, DtlsSetup, DtlsVersion, IceCredentials, IceMode, Output,
    Remote, Transport,
};

pub const SERVER: usize = 0;
pub const CLIENT: usize = 1;

/// Outputs that one datagram or timeout may cause: a whole flight and some events.
const OUTPUTS_MAX: usize = 100;

pub struct Pair {
    pub now: Instant,
    pub ends: [Transport; 2],
    pub configs: [Config; 2],
    /// Datagrams not yet delivered, with the end they are for.
    pub in_flight: Vec<(usize, Vec<u8>)>,
}

/// A password of one end, for whoever forges its connectivity checks.
pub fn password(side: usize) -> &'static str {
    if side == SERVER { "0123456789abcdefghijkl" } else { "mnopqrstuvwxyz01234567" }
}

pub fn address(side: usize) -> SocketAddr {
    let text = if side == SERVER { "10.0.0.1:3478" } else { "10.0.0.2:5000" };
    text.parse().expect("an address")
}

fn config(side: usize, dtls: DtlsConfig) -> Config {
    static CERTIFICATE: OnceLock<Arc<Certificate>> = OnceLock::new();
    let certificate = CERTIFICATE.get_or_init(|| Arc::new(Certificate::generate().expect("a certificate")));
    let (ice, ufrag) = match side {
        SERVER => (IceMode::Lite, "srvr"),
        _ => (IceMode::Full { tie_breaker: 7 }, "clnt"),
    };
    Config {
        ice,
        local: IceCredentials { ufrag: ufrag.into(), pwd: password(side).into() },
        certificate: certificate.clone(),
        local_addresses: vec![address(side)],
        dtls,
    }
}

fn description(config: &Config, setup: DtlsSetup) -> Remote {
    Remote {
        ice: config.local.clone(),
        fingerprint: config.certificate.fingerprint(),
        setup,
        candidates: config.local_addresses.iter().map(|address| Candidate { address: *address }).collect(),
    }
}

/// Virtual time starts once per process.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

impl Pair {
    pub fn new(version: DtlsVersion, server_is_dtls_client: bool) -> Self {
        let now = origin();
        let dtls = DtlsConfig { version, ..DtlsConfig::default() };
        let configs = [
            config(SERVER, DtlsConfig { active_if_free: server_is_dtls_client, ..dtls }),
            config(CLIENT, DtlsConfig { active_if_free: false, ..dtls }),
        ];
        let setup = if server_is_dtls_client { DtlsSetup::Active } else { DtlsSetup::Passive };
        let offer = Remote { candidates: vec![], ..description(&configs[CLIENT], DtlsSetup::ActPass) };
        let server = Transport::new(configs[SERVER].clone(), Some(offer), now).expect("a server");
        let mut client = Transport::new(configs[CLIENT].clone(), None, now).expect("a client");
        client.set_remote(now, description(&configs[SERVER], setup)).expect("the answer fits");
        Self { now, ends: [server, client], configs, in_flight: vec![] }
    }

    /// Takes what an end has to say; a timeout that is due is handled.
    pub fn drain(&mut self, side: usize) {
        for _ in 0..OUTPUTS_MAX {
            match self.ends[side].poll_output() {
                Output::Transmit(transmit) | Output::Data(transmit) => {
                    self.in_flight.push((1 - side, transmit.bytes))
                }
                Output::Event(_) => {}
                Output::Timeout(at, _) if at > self.now => return,
                Output::Timeout(..) => self.ends[side].handle_timeout(self.now),
            }
        }
        panic!("more outputs than one input can cause");
    }

    /// Hands one datagram to an end as if the other had sent it.
    pub fn deliver(&mut self, side: usize, bytes: &mut [u8]) {
        let _ = self.ends[side].handle_datagram(self.now, address(side), address(1 - side), bytes);
        self.drain(side);
    }

    /// Ten rounds of delivering what `passes`, 10 ms apart; what does not pass is lost, and kept in `seen` like the rest.
    pub fn run(&mut self, seen: &mut Vec<(usize, Vec<u8>)>, passes: impl Fn(&[u8]) -> bool) {
        for _ in 0..10 {
            self.drain(SERVER);
            self.drain(CLIENT);
            for (side, mut bytes) in std::mem::take(&mut self.in_flight) {
                seen.push((side, bytes.clone()));
                if passes(&bytes) {
                    self.deliver(side, &mut bytes);
                }
            }
            self.now += Duration::from_millis(10);
        }
    }
}
