//! What a router says to its shell.

use crate::Relay;
use crate::allocation::{Choice, Decision};
use packet::{Bitrate, Mid, PeerId, Rid, RoomId, RtpTime};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One step of draining. Call until `Timeout`.
#[derive(Debug)]
pub enum Output<'a> {
    Transmit(Transmit<'a>),
    Event(Event),
    /// For another worker. To be handed over before anything is sent, so that nobody there waits for it.
    Relay(Relay<'a>),
    /// Nothing more to do before this instant; `None`: not before the next datagram or command.
    Timeout(Option<(Instant, TimeoutReason)>),
}

/// Datagrams for one destination: `bytes` cut into pieces of `segment_size`, only the last of which may be shorter.
#[derive(Debug)]
pub struct Transmit<'a> {
    /// The local address to send from.
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: &'a [u8],
    /// Bytes; `bytes.len()` when there is one datagram. Never zero.
    pub segment_size: usize,
}

impl Transmit<'_> {
    /// Number of datagrams.
    pub fn segments(&self) -> usize {
        self.bytes.len().div_ceil(self.segment_size)
    }
}

/// Every timer a router has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimeoutReason {
    /// A transport's own timer: DTLS flights, consent.
    Transport,
    /// Transport-wide feedback to a publisher.
    Feedback,
    /// Missing packets are asked for (again).
    Nack,
    /// A keyframe request that was held back, or one to repeat.
    Keyframe,
    /// Sender and receiver reports.
    Report,
    /// The next portion of a cached group of pictures.
    Replay,
    /// Layers that stopped arriving are looked for.
    Layers,
    /// A subscriber's link is shared out again.
    Allocate,
    /// Streams that nobody watches are switched off.
    Wants,
    /// Audio levels are compared.
    Speakers,
    /// Held packets leave.
    Egress,
    /// What a pacer held back may leave.
    Pace,
    /// A subscriber's estimate ages: feedback may be missing, a probe due.
    Bandwidth,
    /// A peer that said too much at once is listened to again; the router's own: who waits for a data message gets it.
    Data,
    /// What a publisher's subscribers want is told to its worker again, or has not been told by theirs for too long.
    Relay,
    /// A peer that never connected is given up.
    Connect,
}

impl TimeoutReason {
    /// Of reasons; `Connect` is the last.
    pub(crate) const COUNT: usize = Self::Connect as usize + 1;
}

#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// Media can flow both ways.
    Connected { peer: PeerId, stages: Stages },
    /// The first packet of a track of the peer's came.
    Publishes { peer: PeerId },
    /// The peer is reached at another address now.
    PathChanged { peer: PeerId, address: SocketAddr },
    /// The transport ended by itself; the peer is gone from the router.
    Closed { peer: PeerId, reason: CloseReason },
    /// The first packet of a newly bound source went out; frames from `rtp_timestamp` on are the new source's.
    FirstFrame { subscriber: PeerId, slot: Mid, source: (PeerId, Mid), rtp_timestamp: RtpTime },
    /// Who speaks in a room changed, loudest first. Empty: nobody.
    Speakers { room: RoomId, loudest_first: Vec<PeerId> },
    /// Which streams of a published video somebody watches: the publisher should send those alone. `rid` is `None` for the
    /// one stream of a track without simulcast. `spatial`: the largest of the sizes inside that one that somebody watches; `None`: all.
    LayersWanted { publisher: PeerId, mid: Mid, streams: Vec<(Option<Rid>, bool)>, spatial: Option<u8> },
    /// So many tenths of a published sound are lost on the way to those who hear it, to one in four of them at least: what an encoder puts
    /// into the packets themselves is worth its bits. None are when a track begins.
    SoundLost { publisher: PeerId, mid: Mid, tenths: u8 },
    /// A subscriber's shares changed, or its estimate did.
    Allocated { subscriber: PeerId, allocation: AllocationReport },
    /// The peer did not read its reliable data messages: its channels were closed.
    DataCut { peer: PeerId },
}

/// What one subscriber gets, for its quality panel.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AllocationReport {
    /// `None`: no feedback yet.
    pub estimate: Option<Bitrate>,
    /// For everything that is shown, at its best.
    pub wanted: Bitrate,
    /// Every bound slot.
    pub slots: Vec<SlotReport>,
    /// What changed since the last report, oldest first.
    pub decisions: Vec<Decision>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SlotReport {
    pub slot: Mid,
    pub choice: Choice,
    /// Of the chosen layer; zeros: unknown.
    pub rate: Bitrate,
    pub width: u16,
    pub height: u16,
}

/// How long connecting took, since the peer was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stages {
    /// The first authenticated STUN check.
    pub ice: Option<Duration>,
    /// SRTP keys are there.
    pub dtls: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CloseReason {
    /// No authenticated STUN check for 30 s.
    ConsentExpired,
    /// The peer closed DTLS.
    ClosedByPeer,
    /// The handshake failed or the certificate was not the announced one.
    Handshake,
    /// The peer has none of the SRTP protection profiles that were offered.
    NoSrtpProfile,
    /// Nothing arrived in time to connect.
    NeverConnected,
    /// The router failed and was made anew by its shell; the client has to join again.
    Internal,
}
