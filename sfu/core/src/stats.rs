//! Plain numbers for metrics, the ops page and the quality panel.

use crate::allocation::{Choice, Decision, LayerId};
use packet::media::{Codec, MediaKind};
use packet::{Bitrate, Mid, PeerId, Rid, RoomId, Ssrc};
use std::net::SocketAddr;
use std::time::Duration;

/// Counters since the router was made, except `peers`, `connected`, `rooms` and `data_open`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stats {
    pub peers: usize,
    pub connected: usize,
    pub rooms: usize,
    pub datagrams_in: u64,
    pub bytes_in: u64,
    /// RTP packets that were taken in (decrypted, known).
    pub packets_in: u64,
    /// RTP packets of publishers that were sent on, per subscriber, retransmissions not counted.
    pub packets_forwarded: u64,
    pub datagrams_out: u64,
    pub bytes_out: u64,
    /// `Transmit`s; `datagrams_out / transmits` is the mean batch.
    pub transmits: u64,
    pub nacks_sent: u64,
    pub packets_recovered: u64,
    pub nacks_received: u64,
    pub retransmissions: u64,
    /// Repair packets (FEC) of publishers, and the packets that came back out of them.
    pub fec_received: u64,
    pub fec_recovered: u64,
    /// Repair packets sent to subscribers.
    pub fec_sent: u64,
    /// Packets of pictures sent once more before anybody missed them.
    pub copies_ahead: u64,
    /// Transport-wide feedback of subscribers that was read.
    pub feedbacks_received: u64,
    /// Probe clusters that were begun.
    pub probes_sent: u64,
    /// Bytes of packets that only filled probes.
    pub padding_bytes: u64,
    pub keyframes_requested: u64,
    pub keyframes_wanted: u64,
    pub feedbacks_sent: u64,
    /// Packets handed over to other workers, counted for each, and those taken over from them.
    pub packets_relayed: u64,
    pub packets_taken_over: u64,
    /// Data messages of peers, and those given to receivers.
    pub data_received: u64,
    pub data_forwarded: u64,
    /// Peers with data channels that are open.
    pub data_open: usize,
    /// Every reason, the transports' too, in a fixed order, zeros included.
    pub dropped: Vec<(&'static str, u64)>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct PeerStats {
    pub peer: PeerId,
    pub room: RoomId,
    pub connected: bool,
    /// Since the peer was added.
    pub age: Duration,
    pub address: Option<SocketAddr>,
    /// From report blocks about what we send; `None` until the first.
    pub rtt: Option<Duration>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub uplink: UplinkStats,
    pub downlink: DownlinkStats,
    pub tracks: Vec<TrackStats>,
    pub slots: Vec<SlotStats>,
    /// What its link carries; `None`: no feedback yet.
    pub estimate: Option<Bitrate>,
    /// What the allocation could use.
    pub wanted: Bitrate,
    /// Newest decisions about its slots, oldest first.
    pub decisions: Vec<Decision>,
}

/// What a peer's losses on the way up are taken for, which decides what the feedback to it says.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct UplinkStats {
    /// `chance`, `trial` (it is slowed down to find out) or `ceiling` (what is above a rate is lost).
    pub losses: &'static str,
    /// What feedback lets through during a trial or below a ceiling.
    pub limit: Option<Bitrate>,
    /// Of packets sent over the last half second.
    pub lost: f64,
    /// How much later than the soonest all packets of late came: a queue.
    pub queue: Duration,
}

/// What a peer's network carries from us to it, and what waits for it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DownlinkStats {
    /// Everything that may be sent: the congestion controller's estimate.
    pub estimate: Bitrate,
    /// What holds the estimate where it is: `start`, `no_feedback`, `delay`, `loss`, `probe`, `remb`, `outage`, `max`,
    /// `min`.
    pub source: &'static str,
    /// Share of the packets sent lately that feedback reports lost, 0.0-1.0.
    pub loss: f64,
    /// The part of it that does not follow the rate, and what the link carries if the rest does.
    pub inherent_loss: f64,
    pub loss_limit: Option<Bitrate>,
    /// What arrives, by the receiver's clock.
    pub acknowledged: Option<Bitrate>,
    /// The queue in front of the bottleneck: `normal`, `over` (it grows) or `under` (it drains).
    pub usage: &'static str,
    /// Waiting time in the network in front of the bottleneck.
    pub network_queue: Duration,
    /// Waiting time in our pacer of a packet that comes now.
    pub pacer_queue: Duration,
    /// Retransmissions and FEC over the last second, and the most that may be spent on retransmissions.
    pub repair: Bitrate,
    pub repair_max: Bitrate,
    pub probes: u64,
    pub padding_bytes: u64,
    /// Times that the estimate fell because the queue grew, and because loss followed the rate.
    pub overuses: u64,
    pub loss_decreases: u64,
}

/// What a peer publishes on one m-line.
#[derive(Clone, PartialEq, Debug)]
pub struct TrackStats {
    pub mid: Mid,
    pub kind: MediaKind,
    pub codec: Option<Codec>,
    pub subscribers: usize,
    pub layers: Vec<LayerStats>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct LayerStats {
    pub rid: Option<Rid>,
    pub ssrc: Option<Ssrc>,
    /// Something arrived during the last second.
    pub active: bool,
    /// Over the last second, headers included.
    pub bitrate: Bitrate,
    pub packets: u64,
    pub bytes: u64,
    /// As in receiver reports: expected minus received, retransmissions not counted.
    pub lost: i64,
    /// During the last report interval, 0.0-1.0.
    pub fraction_lost: f32,
    pub jitter: Duration,
    pub nacked: u64,
    pub recovered: u64,
    pub keyframes: u64,
    pub keyframe_requests: u64,
    /// The publisher was last told to send it.
    pub wanted: bool,
    /// Packets whose descriptors could not be true.
    pub contradictions: u64,
}

/// What a peer receives on one m-line.
#[derive(Clone, PartialEq, Debug)]
pub struct SlotStats {
    pub mid: Mid,
    pub kind: MediaKind,
    pub source: Option<(PeerId, Mid)>,
    /// Index into the track's layers.
    pub layer: Option<usize>,
    /// The same with spatial and temporal layer.
    pub sent: Option<LayerId>,
    pub choice: Choice,
    pub bitrate: Bitrate,
    pub packets: u64,
    pub bytes: u64,
    /// As the peer last reported, 0.0-1.0.
    pub fraction_lost: f32,
    /// As the peer last reported.
    pub lost: i64,
    pub jitter: Duration,
    /// Packets asked for again, and packets sent again.
    pub nacked: u64,
    pub retransmitted: u64,
    /// Repair packets sent, and those that the budget of repairs had no room for.
    pub fec_packets: u64,
    pub fec_unaffordable: u64,
    pub keyframe_requests: u64,
}
