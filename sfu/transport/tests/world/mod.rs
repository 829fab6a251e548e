//! A client and a server with a lossy, delaying path between them, in virtual time.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{
    Candidate, Certificate, Config, DropReason, DtlsConfig, DtlsSetup, Event, IceCredentials, IceMode,
    Incoming, Output, Remote, Transmit, Transport,
};

pub const SERVER: usize = 0;
pub const CLIENT: usize = 1;

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The only clock reading in these tests: an origin for virtual time.
pub fn origin() -> Instant {
    #[expect(clippy::disallowed_methods)]
    Instant::now()
}

pub fn credentials(name: &str) -> IceCredentials {
    IceCredentials { ufrag: name.to_owned(), pwd: format!("{name}-0123456789abcdefghij") }
}

pub fn config(side: usize, dtls: DtlsConfig) -> Config {
    let (ice, name, local) = match side {
        SERVER => (IceMode::Lite, "srvr", "10.0.0.1:3478"),
        _ => (IceMode::Full { tie_breaker: 7 }, "clnt", "10.0.0.2:5000"),
    };
    Config {
        ice,
        local: credentials(name),
        certificate: Arc::new(Certificate::generate().unwrap()),
        local_addresses: vec![address(local)],
        dtls,
    }
}

/// What `config`'s owner says about itself.
pub fn description(config: &Config, setup: DtlsSetup) -> Remote {
    Remote {
        ice: config.local.clone(),
        fingerprint: config.certificate.fingerprint(),
        setup,
        candidates: config.local_addresses.iter().map(|address| Candidate { address: *address }).collect(),
    }
}

/// SplitMix64: enough to decide which datagram is lost.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

pub type Damage = Box<dyn FnMut(&mut Vec<u8>)>;

pub struct World {
    pub now: Instant,
    pub start: Instant,
    pub ends: [Transport; 2],
    pub configs: [Config; 2],
    pub events: [Vec<(Duration, Event)>; 2],
    pub drops: [BTreeMap<&'static str, u64>; 2],
    /// Decrypted packets that arrived.
    pub media: [Vec<Vec<u8>>; 2],
    pub delay: Duration,
    pub loss: f64,
    pub cut: bool,
    pub dice: Dice,
    /// The client's address as the server sees it, when a NAT translates.
    pub nat: Option<SocketAddr>,
    /// Size and time of every datagram that was sent, by side.
    pub sent: [Vec<(Duration, usize)>; 2],
    /// Changes datagrams on their way.
    pub damage: Option<Damage>,
    in_flight: Vec<(Instant, u64, usize, Transmit)>,
    serial: u64,
    timeouts: [Instant; 2],
}

impl World {
    /// The server has the offer; the client gets the answer at once.
    pub fn new(server: DtlsConfig, client: DtlsConfig) -> Self {
        Self::with(config(SERVER, server), config(CLIENT, client), server.setup())
    }

    pub fn with(server: Config, client: Config, server_setup: DtlsSetup) -> Self {
        let now = origin();
        let offer = description(&client, DtlsSetup::ActPass);
        let answer = description(&server, server_setup);
        let mut ends = [
            Transport::new(server.clone(), Some(Remote { candidates: vec![], ..offer }), now).unwrap(),
            Transport::new(client.clone(), None, now).unwrap(),
        ];
        ends[CLIENT].set_remote(now, answer).unwrap();
        Self {
            now,
            start: now,
            ends,
            configs: [server, client],
            events: [vec![], vec![]],
            drops: [BTreeMap::new(), BTreeMap::new()],
            media: [vec![], vec![]],
            delay: Duration::from_millis(10),
            loss: 0.0,
            cut: false,
            dice: Dice(42),
            nat: None,
            sent: [vec![], vec![]],
            damage: None,
            in_flight: vec![],
            serial: 0,
            timeouts: [now, now],
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    fn drain(&mut self, side: usize) {
        loop {
            match self.ends[side].poll_output() {
                Output::Transmit(transmit) | Output::Data(transmit) => self.send(side, transmit),
                Output::Event(event) => self.events[side].push((self.now - self.start, event)),
                Output::Timeout(at, _) => {
                    self.timeouts[side] = at;
                    return;
                }
            }
        }
    }

    pub fn send(&mut self, side: usize, mut transmit: Transmit) {
        self.sent[side].push((self.now - self.start, transmit.bytes.len()));
        if let Some(nat) = self.nat {
            let inside = self.configs[CLIENT].local_addresses[0];
            if side == CLIENT {
                transmit.from = nat;
            } else if transmit.to == nat {
                transmit.to = inside;
            } else {
                return;
            }
        } else if side == SERVER && !self.configs[CLIENT].local_addresses.contains(&transmit.to) {
            return;
        }
        if self.cut || self.dice.roll() < self.loss {
            return;
        }
        if let Some(damage) = &mut self.damage {
            damage(&mut transmit.bytes);
        }
        self.serial += 1;
        self.in_flight.push((self.now + self.delay, self.serial, 1 - side, transmit));
    }

    pub fn deliver(&mut self, side: usize, transmit: Transmit) -> Result<(), DropReason> {
        let Transmit { from, to, mut bytes } = transmit;
        let outcome = match self.ends[side].handle_datagram(self.now, to, from, &mut bytes) {
            Ok(Incoming::Rtp { packet, .. } | Incoming::Rtcp(packet)) => {
                let packet = packet.to_vec();
                self.media[side].push(packet);
                Ok(())
            }
            Ok(Incoming::Handled) => Ok(()),
            Err(reason) => {
                *self.drops[side].entry(reason.name()).or_default() += 1;
                Err(reason)
            }
        };
        self.drain(side);
        outcome
    }

    /// Lets virtual time pass until `done` or for `limit`; whether it was done.
    pub fn run(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        self.drain(SERVER);
        self.drain(CLIENT);
        loop {
            if done(self) {
                return true;
            }
            let arrival = self.in_flight.iter().map(|(at, serial, ..)| (*at, *serial)).min();
            let next_timeout = self.timeouts[SERVER].min(self.timeouts[CLIENT]);
            let next = arrival.map_or(next_timeout, |(at, _)| at.min(next_timeout));
            if next > end {
                self.now = end;
                return false;
            }
            self.now = self.now.max(next);
            if let Some((at, serial)) = arrival
                && at <= next_timeout
            {
                let position = self.in_flight.iter().position(|entry| entry.1 == serial).unwrap();
                let (_, _, side, transmit) = self.in_flight.remove(position);
                let _ = self.deliver(side, transmit);
                continue;
            }
            for side in [SERVER, CLIENT] {
                if self.timeouts[side] <= self.now {
                    self.ends[side].handle_timeout(self.now);
                    self.drain(side);
                    assert!(self.timeouts[side] > self.now, "a timeout that is due again at once would spin");
                }
            }
        }
    }

    pub fn connect(&mut self) -> Duration {
        let both = |world: &Self| world.ends.iter().all(Transport::is_connected);
        assert!(self.run(Duration::from_secs(30), both), "{:?} {:?}", self.events, self.drops);
        self.elapsed()
    }

    /// Sends one RTP packet and lets it arrive.
    pub fn say(&mut self, side: usize, ssrc: u32, seq: u16) -> bool {
        let plain = rtp(ssrc, seq);
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + 16, 0);
        let len = self.ends[side].protect_rtp(&mut buffer, plain.len()).unwrap();
        buffer.truncate(len);
        let (Some(from), Some(to)) = (self.ends[side].local_address(), self.ends[side].remote_address())
        else {
            return false;
        };
        self.send(side, Transmit { from, to, bytes: buffer });
        let heard = self.media[1 - side].len();
        self.run(self.delay + Duration::from_millis(1), |world| world.media[1 - side].len() > heard);
        self.media[1 - side].last().is_some_and(|last| *last == plain)
    }

    pub fn closed(&self, side: usize) -> Option<transport::CloseReason> {
        self.events[side].iter().find_map(|(_, event)| match event {
            Event::Closed(reason) => Some(*reason),
            _ => None,
        })
    }
}

pub fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(seq.to_be_bytes());
    packet.extend([0, 0, 0, 1]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xab; 40]);
    packet
}
