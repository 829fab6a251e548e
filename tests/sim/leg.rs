//! Everything between one participant and the server: two links for datagrams, two pipes for messages.

use crate::meter::{Meter, Passed};
use crate::pipe::Pipe;
use netem::{Link, LinkConfig, Random};
use std::net::SocketAddr;
use std::time::Instant;
use wire::{ClientMessage, ServerMessage};

/// A datagram and the address it comes from.
pub type Datagram = (SocketAddr, Vec<u8>);

pub struct Leg {
    pub up: Link<Datagram>,
    pub down: Link<Datagram>,
    pub to_server: Pipe<ClientMessage>,
    pub to_client: Pipe<ServerMessage>,
    /// As the server sees the participant: a router at home that forgets gives a new one.
    pub public: SocketAddr,
    pub up_meter: Meter,
    pub down_meter: Meter,
    is_cut: bool,
}

impl Leg {
    pub fn new(up: LinkConfig, down: LinkConfig, public: SocketAddr, seed: u64, now: Instant) -> Self {
        let mut seeds = Random::new(seed);
        Self {
            to_server: Pipe::new(up.delay, up.loss.share(), Random::new(seeds.next_u64())),
            to_client: Pipe::new(down.delay, down.loss.share(), Random::new(seeds.next_u64())),
            up: Link::new(up, seeds.next_u64(), now),
            down: Link::new(down, seeds.next_u64(), now),
            public,
            up_meter: Meter::default(),
            down_meter: Meter::default(),
            is_cut: false,
        }
    }

    pub fn change(&mut self, up: LinkConfig, down: LinkConfig) {
        self.to_server.change(up.delay, up.loss.share());
        self.to_client.change(down.delay, down.loss.share());
        self.up.set_config(up);
        self.down.set_config(down);
    }

    /// The cable is pulled: nothing passes any more, and neither side is told.
    pub fn cut(&mut self) {
        self.is_cut = true;
        self.to_server.cut();
        self.to_client.cut();
    }

    pub fn send_up(&mut self, now: Instant, bytes: Vec<u8>) {
        if !self.is_cut {
            let packet = Passed::of(now, &bytes);
            let fate = self.up.handle_datagram(now, wire_bytes(&bytes), (self.public, bytes));
            self.up_meter.add(Passed { waited: self.up.waits(), fate, ..packet });
        }
    }

    pub fn send_down(&mut self, now: Instant, from: SocketAddr, bytes: Vec<u8>) {
        if !self.is_cut {
            let packet = Passed::of(now, &bytes);
            let fate = self.down.handle_datagram(now, wire_bytes(&bytes), (from, bytes));
            self.down_meter.add(Passed { waited: self.down.waits(), fate, ..packet });
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let links = [self.up.poll_timeout(), self.down.poll_timeout()];
        let pipes = [self.to_server.poll_timeout(), self.to_client.poll_timeout()];
        links.into_iter().chain(pipes).flatten().min()
    }
}

/// What a datagram takes of a link's capacity. A DTLS flight contains signatures whose length varies by some bytes from
/// run to run, because their randomness is not ours to choose; counted alike, they cannot make one run differ from another.
fn wire_bytes(datagram: &[u8]) -> usize {
    match packet::demux::classify(datagram) {
        Some(packet::demux::Protocol::Dtls) => 1000,
        _ => datagram.len(),
    }
}
