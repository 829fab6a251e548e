//! The four verbs, and what a router keeps.

mod allocate;
mod bandwidth;
mod control;
mod data;
mod forward;
mod heard;
mod ingress;
mod relay;
mod reports;
mod rtcp;
mod statistics;
mod timeouts;

use crate::clock::{Nanos, RouterClock};
use crate::downlink::{Batch, Downlink, Forwarded, SourceRef};
use crate::drop_reason::DropCounters;
use crate::random::Random;
use crate::relay::Outboxes;
use crate::speakers::Speakers;
use crate::timers::{Owner, Timers};
use crate::uplink::{Subscriber, Uplink};
use crate::{
    Command, Config, DropReason, Event, Output, PeerStats, Shedding, Stats, TimeoutReason, Transmit,
};
use packet::{PeerId, RoomId};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use transport::Transport;

/// One worker's forwarder. Peers live in four vectors under one index, so that one peer's uplink can be read while
/// another's downlink is written.
pub struct Router {
    config: Config,
    clock: RouterClock,
    now: Instant,
    random: Random,
    /// Last number given to a layer's numbering; see `SourceRef::epoch`.
    epochs: u32,
    /// Large, so boxed: a vector that grows has as much room again for nobody.
    links: Vec<Option<Box<Link>>>,
    /// Publishers whose link is another worker's; nobody is both.
    relayed: Vec<Option<Box<relay::Relayed>>>,
    uplinks: Vec<Uplink>,
    downlinks: Vec<Downlink>,
    free: Vec<usize>,
    by_id: BTreeMap<PeerId, usize>,
    by_ufrag: BTreeMap<String, usize>,
    /// The only hash on the media path; looked up, never walked.
    by_address: HashMap<SocketAddr, usize>,
    rooms: BTreeMap<RoomId, Room>,
    agenda: Agenda,
    shedding: Shedding,
    data_turn: crate::data::Turn,
    /// Packets of publishers that their subscribers have not got yet.
    forwarding: forward::Forwarding,
    /// For other workers.
    outboxes: Outboxes,
    scratch: Vec<u8>,
    /// The datagram that the last `poll_output` lent out.
    lent: Option<transport::Transmit>,
    buffer: Vec<u8>,
    plan: Vec<(usize, usize)>,
}

/// A peer's identity and its secure path.
struct Link {
    id: PeerId,
    room: RoomId,
    transport: Transport,
    ufrags: Vec<String>,
    /// Source addresses that passed an authenticated check, newest last.
    addresses: Vec<SocketAddr>,
    added: Instant,
    /// In `Agenda::sending`.
    sending: bool,
    /// A packet of a track has come.
    publishes: bool,
    next_receiver_report: Instant,
    /// Of whoever agreed on data channels.
    data: Option<Box<crate::data::Part>>,
    bytes_in: u64,
    bytes_out: u64,
}

#[derive(Default)]
struct Room {
    peers: Vec<usize>,
    speakers: Speakers,
    /// Times that who speaks was decided since other workers were told last.
    untold: u8,
    data: crate::data::FanOut,
}

impl Room {
    /// A second has passed, and other workers may have missed what they were told.
    fn is_to_be_told(&mut self) -> bool {
        self.untold = (self.untold + 1) % 10;
        self.untold == 0
    }
}

/// What is to be done next and what has been counted: everything a step may add to while peers are borrowed.
#[derive(Default)]
struct Agenda {
    timers: Timers,
    events: VecDeque<Event>,
    /// Of the transports: STUN and DTLS.
    datagrams: VecDeque<transport::Transmit>,
    /// Peers with waiting packets.
    sending: VecDeque<usize>,
    /// With an egress tick: it is now.
    tick_due: bool,
    stats: Stats,
    dropped: DropCounters,
    /// Slots that were told to send another stream.
    switched: Vec<Subscriber>,
    transport_dropped: [u64; transport::DropReason::ALL.len()],
}

impl Agenda {
    /// `index` has packets to send.
    fn send(&mut self, index: usize, link: &mut Link) {
        if !std::mem::replace(&mut link.sending, true) {
            self.sending.push_back(index);
        }
    }

    /// Notes what one step of a slot did.
    fn forwarded(
        &mut self,
        now: Instant,
        done: Result<Forwarded, DropReason>,
        to: Subscriber,
        link: &mut Link,
        slot: &crate::downlink::Slot,
    ) {
        let done = match done {
            Ok(done) => done,
            Err(reason) => return self.dropped.count(reason),
        };
        if done.packets > 0 {
            self.stats.packets_forwarded += u64::from(done.packets);
            self.send(to.peer, link);
        }
        if done.catching_up {
            self.timers
                .set_no_later((Owner::Peer(to.peer), TimeoutReason::Replay), now + timeouts::REPLAY_STEP);
        }
        if let (Some(rtp_timestamp), Some(bound)) = (done.first_frame, slot.bound) {
            let source = (bound.peer, bound.mid);
            self.events.push_back(Event::FirstFrame {
                subscriber: link.id,
                slot: slot.mid,
                source,
                rtp_timestamp,
            });
            self.timers.set_no_later((Owner::Peer(to.peer), TimeoutReason::Report), now);
        }
    }
}

impl Router {
    pub fn new(config: Config) -> Self {
        Self {
            clock: RouterClock::new(config.clock),
            now: config.clock.0,
            random: Random::new(config.seed),
            epochs: 0,
            links: Vec::new(),
            relayed: Vec::new(),
            uplinks: Vec::new(),
            downlinks: Vec::new(),
            free: Vec::new(),
            by_id: BTreeMap::new(),
            by_ufrag: BTreeMap::new(),
            by_address: HashMap::new(),
            rooms: BTreeMap::new(),
            agenda: Agenda::default(),
            shedding: Shedding::Nothing,
            data_turn: Default::default(),
            forwarding: Default::default(),
            outboxes: Outboxes::default(),
            scratch: Vec::new(),
            lent: None,
            buffer: Vec::new(),
            plan: Vec::new(),
            config,
        }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes one datagram that arrived at `local` from `from`; changed in place while it is decrypted. Never fails:
    /// what is not wanted is counted.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        datagram: &mut [u8],
    ) {
        self.advance(now);
        self.on_datagram(local, from, datagram);
    }

    /// Takes what the router of worker `from` has handed over, as [`Output::Relay`] there.
    pub fn handle_relay(&mut self, now: Instant, from: usize, bytes: &[u8]) {
        self.advance(now);
        self.on_relay(from, bytes);
    }

    pub fn handle_command(&mut self, now: Instant, command: Command) {
        self.advance(now);
        self.forward_arrived();
        match command {
            Command::AddPeer { peer, room, local, remote, media } => {
                self.add_peer(peer, room, local, remote, &media);
            }
            Command::UpdatePeer { peer, media, restart } => self.update_peer(peer, &media, restart),
            Command::MovePeer { peer, room } => self.move_peer(peer, room),
            Command::RemovePeer { peer } => self.remove_peer(peer),
            Command::Bind { subscriber, slot, source } => self.bind(subscriber, slot, source),
            Command::Prefer { subscriber, slots } => self.prefer(subscriber, &slots),
            Command::Relay { peer, room, worker, media } => self.relay(peer, room, worker, &media),
            Command::Data { peer, name, may_send } => self.set_data(peer, &name, may_send),
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.forward_arrived();
        while let Some((owner, reason)) = self.agenda.timers.pop_due(self.now) {
            self.on_timer(owner, reason);
        }
    }

    /// The processor cannot keep up, or can again: the shell says so, which alone knows.
    pub fn set_shedding(&mut self, now: Instant, shedding: Shedding) {
        if self.shedding == shedding {
            return;
        }
        self.advance(now);
        self.forward_arrived();
        self.shedding = shedding;
        for index in 0..self.links.len() {
            self.allocate(index);
        }
    }

    /// Call until it says `Timeout`. Everything that goes to one destination since the last call leaves together.
    pub fn poll_output(&mut self) -> Output<'_> {
        self.divide_arrived();
        loop {
            if let Some(batch) = self.outboxes.pop() {
                return Output::Relay(self.outboxes.read(batch));
            }
            if let Some(event) = self.agenda.events.pop_front() {
                return Output::Event(event);
            }
            if let Some(datagram) = self.agenda.datagrams.pop_front() {
                self.count_out(1, datagram.bytes.len());
                let lent = self.lent.insert(datagram);
                let (from, to, bytes) = (lent.from, lent.to, &lent.bytes[..]);
                return Output::Transmit(Transmit { from, to, bytes, segment_size: bytes.len() });
            }
            if let Some((from, to, batch)) = self.next_sending() {
                self.count_out(batch.datagrams as u64, batch.len);
                let bytes = &self.buffer[..batch.len];
                return Output::Transmit(Transmit { from, to, bytes, segment_size: batch.segment_size });
            }
            if !self.forward_next() {
                break;
            }
        }
        self.agenda.tick_due = false;
        if !self.agenda.sending.is_empty() {
            self.arm_egress();
        }
        Output::Timeout(self.agenda.timers.next())
    }

    /// The next batch of the peers that have packets waiting.
    fn next_sending(&mut self) -> Option<(SocketAddr, SocketAddr, Batch)> {
        if self.config.egress_tick.is_some() && !self.agenda.tick_due {
            return None;
        }
        while let Some(&index) = self.agenda.sending.front() {
            self.forward_to(index);
            // Most queues are empty after one batch.
            if self.downlinks[index].queue.has_work()
                && let Some(batch) = self.next_batch(index)
            {
                return Some(batch);
            }
            if self.feed(index) || self.pad(index) {
                continue;
            }
            self.agenda.sending.pop_front();
            if let Some(link) = &mut self.links[index] {
                link.sending = false;
            }
            self.arm_pacer(index);
        }
        None
    }

    pub fn stats(&self) -> Stats {
        self.collect_stats()
    }

    pub fn peer_stats(&self, peer: PeerId) -> Option<PeerStats> {
        self.collect_peer_stats(peer)
    }

    /// The peer whose authenticated checks came from this address: the shell of several workers asks, to steer datagrams.
    pub fn owner(&self, from: SocketAddr) -> Option<PeerId> {
        self.by_address.get(&from).and_then(|&index| Some(self.links[index].as_ref()?.id))
    }

    /// Between two `poll_output`: in a long drain (a keyframe for hundreds) the last packet leaves milliseconds after the first, which
    /// feedback would show as a queue of the network's. Time never goes back inside, whatever the shell's batches do.
    pub fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    fn nanos(&self) -> Nanos {
        self.clock.nanos(self.now)
    }

    fn count_out(&mut self, datagrams: u64, bytes: usize) {
        let stats = &mut self.agenda.stats;
        stats.transmits += 1;
        stats.datagrams_out += datagrams;
        stats.bytes_out += bytes as u64;
    }

    fn arm_egress(&mut self) {
        let Some(tick) = self.config.egress_tick.filter(|t| !t.is_zero()) else { return };
        let at = self.next_tick(self.now + Duration::from_nanos(1), tick);
        self.agenda.timers.set_no_later((Owner::Router, TimeoutReason::Egress), at);
    }

    /// What the pacer holds leaves with what other pacers hold: one wake of the worker serves all.
    fn arm_pacer(&mut self, index: usize) {
        if self.downlinks[index].queue.pacer.take_probe_sent() {
            self.update_rate(index);
        }
        // Armed by what is sent: from then on feedback is due.
        if let Some(at) = self.downlinks[index].bandwidth.poll_timeout(self.now) {
            self.agenda.timers.set_no_later((Owner::Peer(index), TimeoutReason::Bandwidth), at);
        }
        let timer = (Owner::Peer(index), TimeoutReason::Pace);
        if let Some(at) = self.downlinks[index].queue.pacer.next_release(self.now) {
            self.agenda.timers.set(timer, self.next_tick(at, crate::downlink::TICK));
        }
    }

    /// The first multiple of `tick` that is not before `at`.
    fn next_tick(&self, at: Instant, tick: Duration) -> Instant {
        let since = at.saturating_duration_since(self.config.clock.0);
        // 64 bits of nanoseconds are centuries, and divide in one instruction.
        let into = Duration::from_nanos(since.as_nanos() as u64 % tick.as_nanos() as u64);
        if into.is_zero() { at } else { at + (tick - into) }
    }

    fn next_batch(&mut self, index: usize) -> Option<(SocketAddr, SocketAddr, Batch)> {
        let link = self.links[index].as_mut()?;
        let Downlink { session, slots, queue, bandwidth, departures, .. } = &mut self.downlinks[index];
        let (Some(from), Some(to), true) =
            (link.transport.local_address(), link.transport.remote_address(), session.connected)
        else {
            queue.clear();
            return None;
        };
        if queue.pacer.has_work() {
            let (pace, rate) = (bandwidth.pace(self.now), bandwidth.rate(self.now));
            queue.pacer.set_rate(self.now, Some(pace), Some(rate));
        }
        let uplinks = &self.uplinks;
        let sources = |source: SourceRef, source_seq: u64| {
            let uplink = uplinks.get(source.peer as usize)?;
            let track = uplink.tracks.get(usize::from(source.track))?;
            let layer = track.layers.get(usize::from(source.layer)).filter(|l| l.epoch == source.epoch)?;
            let (stored, packet) = layer.cache.get(source_seq)?;
            Some((stored, packet, uplink.clock.offset()))
        };
        let dropped = &mut self.agenda.dropped;
        let stats = &mut self.agenda.stats;
        let remembers = bandwidth.lost() > crate::downlink::WORTH_FROM || bandwidth.is_young(self.now);
        let batch = queue.next_batch(
            self.now,
            session,
            slots,
            &mut link.transport,
            sources,
            &mut self.buffer,
            &mut self.plan,
            |departed| {
                match departed.class {
                    crate::downlink::Class::Padding => stats.padding_bytes += departed.len as u64,
                    crate::downlink::Class::Ahead if departed.media.is_some() => stats.copies_ahead += 1,
                    crate::downlink::Class::Ahead => stats.fec_sent += 1,
                    _ => {}
                }
                if remembers {
                    departures.on_departed(self.now, &departed);
                }
                bandwidth.on_departed(self.now, departed);
            },
            |reason| dropped.count(reason),
        )?;
        link.bytes_out += batch.len as u64;
        Some((from, to, batch))
    }
}
