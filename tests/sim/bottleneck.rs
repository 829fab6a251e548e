//! A link that several share on their way down, in front of their own legs; and TCP flows that compete on it.

use crate::meter::{Meter, Passed};
use crate::tcp::{Flow, SEGMENT_BYTES};
use netem::{Link, LinkConfig, Output};
use std::net::SocketAddr;
use std::time::Instant;

#[derive(Clone, Debug)]
enum Payload {
    Datagram { person: usize, from: SocketAddr, bytes: Vec<u8> },
    Segment { flow: usize, number: u64 },
}

pub struct Bottleneck {
    link: Link<Payload>,
    pub meter: Meter,
    pub flows: Vec<Flow>,
}

impl Bottleneck {
    pub fn new(config: LinkConfig, seed: u64, now: Instant) -> Self {
        Self { link: Link::new(config, seed, now), meter: Meter::default(), flows: Vec::new() }
    }

    pub fn send(&mut self, now: Instant, person: usize, from: SocketAddr, bytes: Vec<u8>) {
        let packet = Passed::of(now, &bytes);
        let fate = self.link.handle_datagram(now, packet.bytes, Payload::Datagram { person, from, bytes });
        self.meter.add(Passed { waited: self.link.waits(), fate, ..packet });
    }

    /// Of the TCP flows and of the link.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.flows.iter().map(Flow::poll_timeout).chain([self.link.poll_timeout()]).flatten().min()
    }

    /// TCP goes on; what has come through for people.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<(usize, SocketAddr, Vec<u8>)> {
        let mut through = Vec::new();
        while let Output::Deliver(payload) = self.link.poll_output(now) {
            match payload {
                Payload::Datagram { person, from, bytes } => through.push((person, from, bytes)),
                Payload::Segment { flow, number } => self.flows[flow].arrived(now, number),
            }
        }
        for (number, flow) in self.flows.iter_mut().enumerate() {
            flow.handle_timeout(now);
            while let Some(segment) = flow.poll_segment(now) {
                let payload = Payload::Segment { flow: number, number: segment };
                let fate = self.link.handle_datagram(now, SEGMENT_BYTES, payload);
                let waited = self.link.waits();
                self.meter.add(Passed { at: now, bytes: SEGMENT_BYTES, waited, fate, payload_type: None });
            }
        }
        through
    }
}
