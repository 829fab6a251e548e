//! The four verbs.

use crate::drop_reason::DropCounters;
use crate::{Command, Config, Output, PeerStats, Stats};
use packet::PeerId;
use std::net::SocketAddr;
use std::time::Instant;

/// One worker's forwarder.
pub struct Router {
    config: Config,
    dropped: DropCounters,
}

impl Router {
    pub fn new(config: Config) -> Self {
        Self { config, dropped: DropCounters::default() }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes one datagram that arrived at `local` from `from`; changed in place while it is decrypted. Never fails:
    /// what is not wanted is counted.
    pub fn handle_datagram(
        &mut self,
        _now: Instant,
        _local: SocketAddr,
        _from: SocketAddr,
        _datagram: &mut [u8],
    ) {
        self.dropped.count(crate::DropReason::UnknownAddress);
    }

    pub fn handle_command(&mut self, _now: Instant, _command: Command) {}

    pub fn handle_timeout(&mut self, _now: Instant) {}

    pub fn poll_output(&mut self) -> Output<'_> {
        Output::Timeout(None)
    }

    pub fn stats(&self) -> Stats {
        Stats { dropped: self.dropped.iter().map(|(r, n)| (r.name(), n)).collect(), ..Stats::default() }
    }

    /// The peer whose authenticated checks came from this address: the shell of several workers asks, to steer datagrams.
    pub fn owner(&self, _from: SocketAddr) -> Option<PeerId> {
        None
    }

    pub fn peer_stats(&self, _peer: PeerId) -> Option<PeerStats> {
        None
    }
}
