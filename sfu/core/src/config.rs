//! What a router is told once.

use packet::{Bitrate, NtpTime};
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{Candidate, Certificate, DtlsConfig};

/// What a router whose processor cannot keep up leaves out, in this order. Sound goes on in every case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Shedding {
    #[default]
    Nothing,
    /// Every picture in its smallest layer.
    Enhancement,
    /// And each subscriber is sent a few pictures only: the pinned, the loudest and the largest.
    LeastWatched,
}

impl Shedding {
    /// Pictures that a subscriber keeps under [`Self::LeastWatched`]: who speaks, and whom they speak with.
    pub const PICTURES: usize = 2;

    /// As in the log and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Enhancement => "enhancement_layers",
            Self::LeastWatched => "least_watched",
        }
    }
}

/// One router's settings. `Config::new` gives the values a server runs with; change fields from there.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every session proves itself with.
    pub certificate: Arc<Certificate>,
    pub dtls: DtlsConfig,
    /// Number of this worker among those that relay to each other.
    pub worker: usize,
    /// The addresses of this worker's socket as peers see them.
    pub candidates: Vec<Candidate>,
    /// One instant on both clocks: sender reports count NTP from here, for every peer alike.
    pub clock: (Instant, NtpTime),
    /// Where timestamps, sequence numbers and transport identifiers start.
    pub seed: u64,
    /// Packets for one destination are held until the next multiple of this and leave together.
    /// `None`: they leave at the drain after the datagrams that caused them.
    pub egress_tick: Option<Duration>,
    /// Synchronisation sources one peer may send from; further ones are dropped and counted.
    pub ssrcs_per_peer_max: usize,
    /// Videos that one subscriber is sent at once, the pinned, the loudest and the largest first. `None`: all of them.
    pub last_n: Option<usize>,
    /// Voices that a room hears at once. `None`: all of them.
    pub loudest_n: Option<usize>,
    /// What a subscriber without any feedback is taken to receive, with every layer. `None`: 300 kb/s and base layers.
    pub blind_rate: Option<Bitrate>,
}

impl Config {
    pub fn new(clock: (Instant, NtpTime), seed: u64, certificate: Arc<Certificate>) -> Self {
        Self {
            certificate,
            dtls: DtlsConfig::default(),
            worker: 0,
            candidates: Vec::new(),
            clock,
            seed,
            egress_tick: None,
            ssrcs_per_peer_max: 32,
            last_n: None,
            loudest_n: None,
            blind_rate: None,
        }
    }
}
