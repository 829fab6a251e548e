//! Everything between one participant and the server: two links for datagrams, two pipes for messages.

use crate::meter::{Meter, Passed};
use crate::pipe::Pipe;
use crate::stream::{Ack, HEADER_BYTES, Segment, Stream};
use netem::{Link, LinkConfig, Output, Random};
use std::net::SocketAddr;
use std::time::Instant;
use wire::{ClientMessage, ServerMessage};

/// A datagram and the address it comes from.
pub type Datagram = (SocketAddr, Vec<u8>);

/// What is on its way over a link.
#[derive(Clone, Debug)]
pub enum Crossing {
    Datagram(Datagram),
    /// Of the messages in the link's own direction.
    Segment(Segment),
    /// Of the messages in the other direction.
    Ack(Ack),
}

/// How signaling gets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signaling {
    /// A path of its own with the links' delay and loss ([`crate::pipe`]).
    #[default]
    Beside,
    /// TCP segments on the same links as media: they wait in its queue and are lost in its outages ([`crate::stream`]).
    Shared,
}

enum Messages<T> {
    Beside(Pipe<T>),
    Shared(Stream<T>),
}

pub struct Leg {
    pub up: Link<Crossing>,
    pub down: Link<Crossing>,
    to_server: Messages<ClientMessage>,
    to_client: Messages<ServerMessage>,
    /// As the server sees the participant: a router at home that forgets gives a new one.
    pub public: SocketAddr,
    pub up_meter: Meter,
    pub down_meter: Meter,
    is_cut: bool,
    /// The client's first long message, until an answer has referred to it.
    said: Option<String>,
    has_said: bool,
    /// Messages wait since then: what is said at one moment leaves together.
    told: Option<Instant>,
}

impl Leg {
    pub fn new(
        up: LinkConfig,
        down: LinkConfig,
        public: SocketAddr,
        seed: u64,
        now: Instant,
        signaling: Signaling,
    ) -> Self {
        let mut seeds = Random::new(seed);
        let round_trip = up.delay + down.delay;
        let (first, second) = (Random::new(seeds.next_u64()), Random::new(seeds.next_u64()));
        let (to_server, to_client) = match signaling {
            Signaling::Beside => (
                Messages::Beside(Pipe::new(up.delay, up.loss.share(), first)),
                Messages::Beside(Pipe::new(down.delay, down.loss.share(), second)),
            ),
            Signaling::Shared => (
                Messages::Shared(Stream::warm(round_trip).linear()),
                Messages::Shared(Stream::warm(round_trip).linear()),
            ),
        };
        Self {
            to_server,
            to_client,
            up: Link::new(up, seeds.next_u64(), now),
            down: Link::new(down, seeds.next_u64(), now),
            public,
            up_meter: Meter::default(),
            down_meter: Meter::default(),
            is_cut: false,
            said: None,
            has_said: false,
            told: None,
        }
    }

    pub fn change(&mut self, up: LinkConfig, down: LinkConfig) {
        if let Messages::Beside(pipe) = &mut self.to_server {
            pipe.change(up.delay, up.loss.share());
        }
        if let Messages::Beside(pipe) = &mut self.to_client {
            pipe.change(down.delay, down.loss.share());
        }
        self.up.set_config(up);
        self.down.set_config(down);
    }

    /// The cable is pulled: nothing passes any more, and neither side is told.
    pub fn cut(&mut self) {
        self.is_cut = true;
        if let Messages::Beside(pipe) = &mut self.to_server {
            pipe.cut();
        }
        if let Messages::Beside(pipe) = &mut self.to_client {
            pipe.cut();
        }
    }

    pub fn send_up(&mut self, now: Instant, bytes: Vec<u8>) {
        let from = self.public;
        self.cross_up(now, Crossing::Datagram((from, bytes)));
    }

    pub fn send_down(&mut self, now: Instant, from: SocketAddr, bytes: Vec<u8>) {
        self.cross_down(now, Crossing::Datagram((from, bytes)));
    }

    pub fn tell_server(&mut self, now: Instant, message: ClientMessage) {
        let text = serde_json::to_string(&message).unwrap_or_default();
        let bytes = carried_bytes(&text, None);
        if !self.has_said && wire::deflate::is_long(&text) {
            self.said = Some(text);
            self.has_said = true;
        }
        match &mut self.to_server {
            Messages::Beside(pipe) => pipe.send(now, bytes, message),
            Messages::Shared(stream) => stream.send(bytes, message),
        }
        self.told = Some(now);
    }

    pub fn tell_client(&mut self, now: Instant, message: ServerMessage) {
        let text = serde_json::to_string(&message).unwrap_or_default();
        // Only the first long answer refers to what was said.
        let said = self.said.take_if(|_| wire::deflate::is_long(&text));
        let bytes = carried_bytes(&text, said.as_deref());
        match &mut self.to_client {
            Messages::Beside(pipe) => pipe.send(now, bytes, message),
            Messages::Shared(stream) => stream.send(bytes, message),
        }
        self.told = Some(now);
    }

    /// The next datagram that has come up. Call until None; messages may have come, too.
    pub fn poll_up(&mut self, now: Instant) -> Option<Datagram> {
        self.pump(now);
        while let Output::Deliver(crossing) = self.up.poll_output(now) {
            match (crossing, &mut self.to_server, &mut self.to_client) {
                (Crossing::Datagram(datagram), ..) => return Some(datagram),
                (Crossing::Segment(segment), Messages::Shared(stream), _) => {
                    let ack = stream.segment_arrived(segment.number);
                    self.cross_down(now, Crossing::Ack(ack));
                }
                (Crossing::Ack(ack), _, Messages::Shared(stream)) => stream.ack_arrived(now, ack),
                (Crossing::Segment(_) | Crossing::Ack(_), ..) => {}
            }
            self.pump(now);
        }
        None
    }

    /// As [`Self::poll_up`], at the client.
    pub fn poll_down(&mut self, now: Instant) -> Option<Datagram> {
        self.pump(now);
        while let Output::Deliver(crossing) = self.down.poll_output(now) {
            match (crossing, &mut self.to_client, &mut self.to_server) {
                (Crossing::Datagram(datagram), ..) => return Some(datagram),
                (Crossing::Segment(segment), Messages::Shared(stream), _) => {
                    let ack = stream.segment_arrived(segment.number);
                    self.cross_up(now, Crossing::Ack(ack));
                }
                (Crossing::Ack(ack), _, Messages::Shared(stream)) => stream.ack_arrived(now, ack),
                (Crossing::Segment(_) | Crossing::Ack(_), ..) => {}
            }
            self.pump(now);
        }
        None
    }

    pub fn server_hears(&mut self, now: Instant) -> Option<ClientMessage> {
        match &mut self.to_server {
            Messages::Beside(pipe) => pipe.receive(now),
            Messages::Shared(stream) => stream.poll_message(),
        }
    }

    pub fn client_hears(&mut self, now: Instant) -> Option<ServerMessage> {
        match &mut self.to_client {
            Messages::Beside(pipe) => pipe.receive(now),
            Messages::Shared(stream) => stream.poll_message(),
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let links = [self.up.poll_timeout(), self.down.poll_timeout()];
        let messages = [self.to_server.poll_timeout(), self.to_client.poll_timeout()];
        let messages = messages.into_iter().chain([self.told]).filter(|_| !self.is_cut);
        links.into_iter().chain(messages).flatten().min()
    }

    /// Puts segments on the links for which there is room.
    fn pump(&mut self, now: Instant) {
        self.told = None;
        while let Some(segment) = self.to_server.next_segment(now) {
            self.cross_up(now, Crossing::Segment(segment));
        }
        while let Some(segment) = self.to_client.next_segment(now) {
            self.cross_down(now, Crossing::Segment(segment));
        }
    }

    fn cross_up(&mut self, now: Instant, crossing: Crossing) {
        if !self.is_cut {
            pass(&mut self.up, &mut self.up_meter, now, crossing);
        }
    }

    fn cross_down(&mut self, now: Instant, crossing: Crossing) {
        if !self.is_cut {
            pass(&mut self.down, &mut self.down_meter, now, crossing);
        }
    }
}

fn pass(link: &mut Link<Crossing>, meter: &mut Meter, now: Instant, crossing: Crossing) {
    let (bytes, packet) = match &crossing {
        Crossing::Datagram((_, datagram)) => (wire_bytes(datagram), Passed::of(now, datagram)),
        Crossing::Segment(segment) => tcp(now, segment.bytes),
        Crossing::Ack(_) => tcp(now, 0),
    };
    let fate = link.handle_datagram(now, bytes, crossing);
    meter.add(Passed { waited: link.waits(), fate, ..packet });
}

/// Of a message on a warm connection, where both ends know that the other reads compressed ones; `said`: what its reader said
/// first, which it may refer to.
pub fn carried_bytes(text: &str, said: Option<&str>) -> usize {
    let text = with_fixed_fingerprints(text);
    let deflated = match said.map(with_fixed_fingerprints) {
        Some(said) => wire::deflate::deflate_after(&text, &said),
        None => wire::deflate::deflate(&text),
    };
    deflated.map_or(text.len(), |bytes| bytes.len())
}

/// Certificates are made anew with each run, and a fingerprint compresses better or worse than another: it is counted as a fixed
/// one, so that a seed gives one call.
fn with_fixed_fingerprints(text: &str) -> String {
    const ALGORITHM: &str = "sha-256 ";
    let fixed: Vec<String> = (0..32u8).map(|i| format!("{:02X}", i.wrapping_mul(73) ^ 0x5a)).collect();
    let fixed = fixed.join(":");
    let mut counted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, fingerprint)) = rest.split_once(ALGORITHM) {
        counted.extend([before, ALGORITHM, &fixed]);
        rest = fingerprint.get(fixed.len()..).unwrap_or_default();
    }
    counted.push_str(rest);
    counted
}

/// A segment or an acknowledgement with so much payload.
pub(crate) fn tcp(now: Instant, payload: usize) -> (usize, Passed) {
    let bytes = payload + HEADER_BYTES;
    (bytes, Passed { bytes, ..Passed::of(now, &[]) })
}

impl<T> Messages<T> {
    fn next_segment(&mut self, now: Instant) -> Option<Segment> {
        match self {
            Self::Beside(_) => None,
            Self::Shared(stream) => {
                stream.handle_timeout(now);
                stream.poll_segment(now)
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Beside(pipe) => pipe.poll_timeout(),
            Self::Shared(stream) => stream.poll_timeout(),
        }
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
