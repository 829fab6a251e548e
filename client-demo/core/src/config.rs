//! What a client is made from.

use crate::decoders::Decoders;
use packet::NtpTime;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use transport::{Certificate, DtlsConfig, DtlsVersion};
use wire::{Kind, Source};

/// One m-line to send on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Publish {
    pub source: Source,
    /// False: offered ahead of need, nothing is sent until [`crate::Client::set_track`] says so.
    pub active: bool,
    /// Simulcast layers of a picture, three at most; 1: a single stream.
    pub layers: u8,
}

/// Where sequence numbers, timestamps and picture ids begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Counters {
    /// From the seed.
    #[default]
    Random,
    /// Each wraps around in the first seconds: for tests.
    AboutToWrap,
}

impl Publish {
    pub fn kind(self) -> Kind {
        match self.source {
            Source::Microphone | Source::ScreenAudio => Kind::Audio,
            Source::Camera | Source::Screen => Kind::Video,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Config {
    pub room: String,
    pub name: String,
    pub publish: Vec<Publish>,
    /// Waits in the lobby, with the media path up, until [`crate::Client::enter`].
    pub lobby: bool,
    /// Data channels are offered, and begun once connected.
    pub data: bool,
    /// Pairs of m-lines offered at the start; more are offered when the server asks.
    pub slot_pairs: u32,
    pub certificate: Arc<Certificate>,
    /// Where our sockets are bound, one host candidate each.
    pub local_addresses: Vec<SocketAddr>,
    /// One moment on both clocks, for sender reports.
    pub clock: (Instant, NtpTime),
    pub dtls: DtlsConfig,
    pub counters: Counters,
    /// Hand every received frame out as an event with its bytes when it is heard or shown. Off: only counted.
    pub deliver_frames: bool,
    /// Hand every 10 ms of everybody's sound out as an event. Off: only counted.
    pub deliver_sound: bool,
    /// Of the sound that arrives; silent unless the application brings a codec.
    pub decoders: Decoders,
    /// SSRCs, ICE credentials and DTLS randoms come from it: unpredictable outside tests.
    pub seed: u64,
}

impl Config {
    /// A participant with microphone and camera and four slot pairs.
    pub fn new(
        room: &str,
        name: &str,
        certificate: Arc<Certificate>,
        local_addresses: Vec<SocketAddr>,
        clock: (Instant, NtpTime),
        seed: u64,
    ) -> Self {
        let publish = |source| Publish { source, active: true, layers: 1 };
        Self {
            room: room.to_owned(),
            name: name.to_owned(),
            publish: vec![publish(Source::Microphone), publish(Source::Camera)],
            lobby: false,
            data: false,
            slot_pairs: 4,
            certificate,
            local_addresses,
            clock,
            dtls: Self::dtls_default(),
            counters: Counters::Random,
            deliver_frames: false,
            deliver_sound: false,
            decoders: Decoders::silent(),
            seed,
        }
    }

    /// Any version, so that the server's choice of role and version stands.
    pub fn dtls_default() -> DtlsConfig {
        DtlsConfig { version: DtlsVersion::Auto, ..DtlsConfig::default() }
    }
}
