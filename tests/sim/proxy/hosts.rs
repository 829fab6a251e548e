//! The links of one host, and what crosses them.

use crate::leg::tcp;
use crate::meter::{Meter, Passed};
use crate::stream::{Ack, Segment};
use netem::{Direction, Link, LinkConfig, Output, Random};
use std::net::SocketAddr;
use std::time::Instant;

/// What is on its way over a link.
#[derive(Clone, Debug)]
pub(super) enum Crossing {
    /// From or to this client.
    Datagram { client: SocketAddr, bytes: Vec<u8> },
    /// Of the connection's stream in the link's own direction.
    Segment { connection: u64, segment: Segment },
    /// Of the stream in the other direction.
    Ack { connection: u64, ack: Ack },
}

pub(super) struct Host {
    pub up: Link<Crossing>,
    pub down: Link<Crossing>,
}

impl Host {
    pub fn new((up, down): &(LinkConfig, LinkConfig), seeds: &mut Random, now: Instant) -> Self {
        Self {
            up: Link::new(up.clone(), seeds.next_u64(), now),
            down: Link::new(down.clone(), seeds.next_u64(), now),
        }
    }

    /// Puts it on the link and writes it down.
    pub fn pass(&mut self, direction: Direction, now: Instant, crossing: Crossing, meter: &mut Meter) {
        let link = self.link(direction);
        let (bytes, packet) = match &crossing {
            Crossing::Datagram { bytes, .. } => (bytes.len(), Passed::of(now, bytes)),
            Crossing::Segment { segment, .. } => tcp(now, segment.bytes),
            Crossing::Ack { .. } => tcp(now, 0),
        };
        let fate = link.handle_datagram(now, bytes, crossing);
        meter.add(Passed { waited: link.waits(), fate, ..packet });
    }

    /// What comes out now. Call until None.
    pub fn poll(&mut self, direction: Direction, now: Instant) -> Option<Crossing> {
        match self.link(direction).poll_output(now) {
            Output::Deliver(crossing) => Some(crossing),
            Output::Timeout(_) => None,
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.up.poll_timeout(), self.down.poll_timeout()].into_iter().flatten().min()
    }

    fn link(&mut self, direction: Direction) -> &mut Link<Crossing> {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}
