//! What the load generator needs to know of a server, and nothing else: how its clients join.
//!
//! # Adding a server
//!
//! Implement [`Adapter`] in a file of its own and name it in [`super::Peer`]. An adapter
//!
//! 1. starts the server (or finds it) on [`Place::address`] in its constructor, and ends it when dropped;
//! 2. answers [`Adapter::publishers`] and then, once those are connected, [`Adapter::subscribers`] with a [`Connection`] for
//!    each transport that clients open. A server with one transport a participant returns all of them from the
//!    first; one with a transport for each direction (Janus) uses both. Signaling is done inside these calls and may block;
//! 3. reports the server's processes in [`Adapter::usage`].
//!
//! What clients do over a connection is the same for every server: full ICE, DTLS as the client with AES-GCM alone, VP8 and
//! Opus with the numbers of [`super::shape`], feedback and reports. Whatever the server negotiates differently (payload types,
//! header extensions, sources) goes into the `Connection`. Sources of received streams need not be known.

use super::server::Usage;
use super::shape::Shape;
use packet::PayloadType;
use packet::ext::ExtensionMap;
use std::net::IpAddr;
use transport::{Fingerprint, IceCredentials, Remote};

/// Where servers are to be reached, and who comes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub address: IpAddr,
    /// Of every client.
    pub fingerprint: Fingerprint,
    /// Worker threads, for servers that have such a setting.
    pub workers: usize,
    pub port_per_worker: bool,
}

/// One transport of a client.
pub struct Connection {
    pub peer: usize,
    /// The peer's media is sent on it.
    pub publishes: bool,
    /// Media streams that will come.
    pub streams: usize,
    pub local: IceCredentials,
    pub remote: Remote,
    /// Numbers of the header extensions, both ways.
    pub extensions: ExtensionMap,
    pub video: PayloadType,
    pub audio: PayloadType,
}

/// A server under load.
pub trait Adapter {
    /// As in figures: `janus_cpu_us_per_packet`.
    fn name(&self) -> &'static str;

    /// Everybody who publishes joins.
    fn publishers(&mut self, shape: &Shape) -> anyhow::Result<Vec<Connection>>;

    /// Everybody who only receives joins; publishers are connected.
    fn subscribers(&mut self, shape: &Shape) -> anyhow::Result<Vec<Connection>>;

    /// What the server's processes have used and done until now. Counters that it does not have stay zero.
    fn usage(&mut self) -> anyhow::Result<Usage>;

    /// One peer leaves. Servers that are not measured under churn need not know how.
    fn leave(&mut self, _peer: usize) -> anyhow::Result<()> {
        anyhow::bail!("{} is not driven through joins and leaves", self.name())
    }

    /// A peer that left comes back.
    fn join(&mut self, _shape: &Shape, _peer: usize) -> anyhow::Result<Connection> {
        anyhow::bail!("{} is not driven through joins and leaves", self.name())
    }
}
