//! Our own forwarder, in a process of its own: an `sfu::Sfu` as in production, told about its peers without signaling.

use super::adapter::{Adapter, Connection, Place};
use super::server::{Hello, PeerAccess, Server, Usage};
use super::shape::{self, Shape};
use anyhow::Context;
use transport::{Candidate, DtlsSetup, Fingerprint, Remote};

pub struct Ours {
    place: Place,
    /// A command to run the server under.
    under: Option<String>,
    running: Option<(Server, Hello)>,
}

impl Ours {
    pub fn new(place: Place, under: Option<&str>) -> Self {
        Self { place, under: under.map(str::to_owned), running: None }
    }

    fn server(&mut self) -> anyhow::Result<&mut Server> {
        Ok(&mut self.running.as_mut().context("the server was not started")?.0)
    }
}

impl Adapter for Ours {
    fn name(&self) -> &'static str {
        "ours"
    }

    fn publishers(&mut self, shape: &Shape) -> anyhow::Result<Vec<Connection>> {
        let (server, hello) = Server::start(shape, &self.place, self.under.as_deref())?;
        let fingerprint = Fingerprint(hello.fingerprint);
        let peers = hello.peers.iter().enumerate();
        let connections = peers.map(|(peer, access)| connection(shape, peer, access, fingerprint)).collect();
        self.running = Some((server, hello));
        Ok(connections)
    }

    fn subscribers(&mut self, _: &Shape) -> anyhow::Result<Vec<Connection>> {
        Ok(Vec::new())
    }

    fn usage(&mut self) -> anyhow::Result<Usage> {
        self.server()?.usage()
    }

    fn leave(&mut self, peer: usize) -> anyhow::Result<()> {
        self.server()?.leave(peer)
    }

    fn join(&mut self, shape: &Shape, peer: usize) -> anyhow::Result<Connection> {
        let access = self.server()?.join(peer)?;
        let fingerprint = self.running.as_ref().map(|(_, hello)| Fingerprint(hello.fingerprint));
        Ok(connection(shape, peer, &access, fingerprint.context("the server was not started")?))
    }
}

fn connection(shape: &Shape, peer: usize, access: &PeerAccess, fingerprint: Fingerprint) -> Connection {
    Connection {
        peer,
        publishes: shape.publishes(peer),
        streams: shape.streams_of(peer),
        local: shape::client_credentials(peer),
        remote: Remote {
            ice: access.credentials(),
            fingerprint,
            setup: DtlsSetup::Passive,
            candidates: vec![Candidate { address: access.address }],
        },
        extensions: shape::extensions(),
        video: shape::VIDEO,
        audio: shape::AUDIO,
    }
}
