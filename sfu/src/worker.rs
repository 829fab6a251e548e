//! One worker thread: its sockets, its router, its clock.
//!
//! ```text
//!            commands (channel)   rings (other workers)   sockets (GRO)
//!                   \                   |                   /
//!  turn:             `----------->   Router   <------------'      each part bounded, so that none starves another
//!                                       |
//!                        handle_timeout if due, then drain:
//!                        Transmit -> Egress (GSO)     Event -> callback
//!                                       |
//!                        nothing left to do: sleep until the router's next timeout or a call
//! ```
//!
//! Everything that arrived in one turn is handled before anything is sent, and turns are taken less often the busier a
//! worker is ([`Tempo`]): so the busier it is, the larger are its batches and the fewer calls a datagram costs.

use crate::egress::Egress;
use crate::memory::Surplus;
use crate::ring::{self, Head, Record};
use crate::socket::{RECEIVE_BUFFER_LEN, Received, Socket};
use crate::stats::{ReceiveDrop, ReceiveStats, SendDrop, WorkerStats};
use crate::steer::{Steer, claim_record, is_check};
use crate::tempo::Tempo;
use crate::wake::{Waiter, Wake, sharpen_timers};
use packet::PeerId;
use packet::demux::{Protocol, classify};
use sfu_core::{CloseReason, Command, Event, Output, PeerStats, Router, Shedding};
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Receive calls per socket and turn: up to a few thousand datagrams with GRO. Many calls make large batches to send;
/// too many would let a flood delay what is due: 64 calls take less than a tenth of a millisecond.
const RECEIVES_PER_TURN: usize = 64;
/// Records per ring and turn, for the same reason.
const RECORDS_PER_TURN: usize = 64;
const REQUESTS_PER_TURN: usize = 256;
/// A wait that was over within this found something there.
const AT_ONCE: Duration = Duration::from_micros(15);
/// Between two log lines about a receive buffer that overflows.
const OVERFLOW_TELL: Duration = Duration::from_secs(60);

/// What other threads ask of a worker.
pub enum Request {
    Command(Box<Command>),
    Stats(mpsc::Sender<WorkerStats>),
    PeerStats(PeerId, mpsc::Sender<Option<PeerStats>>),
    Shutdown,
}

/// The way to another worker.
pub struct Neighbour {
    pub ring: ring::Sender,
    pub wake: Arc<Wake>,
}

/// What a worker is made from.
pub struct Parts<F> {
    pub index: usize,
    pub sockets: Vec<Socket>,
    pub router: sfu_core::Config,
    pub requests: mpsc::Receiver<Request>,
    pub wake: Arc<Wake>,
    /// By worker index; `None` at our own.
    pub neighbours: Vec<Option<Neighbour>>,
    /// Workers that share a port with this one, itself included.
    pub sharing: usize,
    /// With the index of the worker at the other end.
    pub rings: Vec<(usize, ring::Receiver)>,
    /// The workers' common start: what `received` in a ring counts from.
    pub epoch: Instant,
    /// Where the worker says how busy it is, in percent.
    pub busy: Arc<AtomicU32>,
    pub events: F,
}

pub struct Worker<F> {
    media: Media<F>,
    sockets: Vec<Socket>,
    requests: mpsc::Receiver<Request>,
    wake: Arc<Wake>,
    rings: Vec<(usize, ring::Receiver)>,
    waiter: Waiter,
    tempo: Tempo,
    shedding: Shedding,
    busy: Arc<AtomicU32>,
    /// By socket: the last wait found something there, and it has not been read to its end since.
    readable: Vec<bool>,
    buffer: Vec<u8>,
    turns: u64,
    shutdown: bool,
}

/// The part of a worker that datagrams go through: apart from the sockets they come from and the buffer they lie in.
struct Media<F> {
    router: Router,
    /// To make a router anew after a failure, and tell whose sessions ended with it.
    router_config: sfu_core::Config,
    peers: BTreeSet<PeerId>,
    restarts: u64,
    steer: Steer,
    neighbours: Vec<Option<Neighbour>>,
    neighbours_to_wake: Vec<bool>,
    egress: Egress,
    received: ReceiveStats,
    /// Somebody waits for what came in this turn.
    hurried: bool,
    next_timeout: Option<Instant>,
    overflow_told: Option<Instant>,
    surplus: Surplus,
    index: usize,
    epoch: Instant,
    events: F,
}

impl<F: Fn(Event)> Worker<F> {
    pub fn new(parts: Parts<F>) -> Self {
        let descriptors = parts.sockets.iter().map(AsRawFd::as_raw_fd);
        let waiter = Waiter::new([parts.wake.as_raw_fd()].into_iter().chain(descriptors));
        let media = Media {
            router: Router::new(parts.router.clone()),
            router_config: parts.router,
            peers: BTreeSet::new(),
            restarts: 0,
            steer: Steer::new(parts.index, parts.sharing),
            neighbours_to_wake: vec![false; parts.neighbours.len()],
            neighbours: parts.neighbours,
            egress: Egress::default(),
            received: ReceiveStats::default(),
            hurried: false,
            next_timeout: None,
            overflow_told: None,
            surplus: Surplus::default(),
            index: parts.index,
            epoch: parts.epoch,
            events: parts.events,
        };
        Self {
            media,
            readable: vec![true; parts.sockets.len()],
            sockets: parts.sockets,
            requests: parts.requests,
            wake: parts.wake,
            rings: parts.rings,
            waiter,
            tempo: Tempo::new(Instant::now()),
            shedding: Shedding::Nothing,
            busy: parts.busy,
            buffer: vec![0; RECEIVE_BUFFER_LEN],
            turns: 0,
            shutdown: false,
        }
    }

    /// Runs until told to shut down.
    pub fn run(mut self) {
        sharpen_timers();
        while !self.shutdown {
            // What a datagram can break is caught closer to it; this keeps the other workers' calls, and the process.
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn()));
            let more_waits = turn.unwrap_or_else(|_| {
                self.media.restart();
                self.media.router.set_shedding(Instant::now(), self.shedding);
                true
            });
            if !self.shutdown {
                self.wait(more_waits);
            }
        }
        self.media.say_goodbye(&self.sockets);
    }

    /// Takes in what waits, acts, sends. True if more may be waiting.
    fn turn(&mut self) -> bool {
        self.turns += 1;
        self.tempo.begin_turn(Instant::now());
        let sent = self.media.egress.stats().datagrams;
        let more_requests = self.take_requests() == REQUESTS_PER_TURN;
        let more = [more_requests, self.take_rings(), self.take_datagrams()];
        self.media.advance(&self.sockets);
        self.media.wake_neighbours();
        let sent = self.media.egress.stats().datagrams - sent;
        let now = Instant::now();
        self.tempo.end_turn(now, std::mem::take(&mut self.media.hurried), sent as usize);
        self.busy.store(self.tempo.load_percent(), Ordering::Relaxed);
        if let Some(shedding) = self.tempo.shedding(now) {
            self.shed(now, shedding);
        }
        self.media.surplus.give_back(now);
        more.contains(&true)
    }

    fn shed(&mut self, now: Instant, shedding: Shedding) {
        let (worker, busy) = (self.media.index, self.tempo.load_percent());
        if shedding == Shedding::Nothing {
            tracing::info!(worker, busy, "the worker has time again and sheds nothing");
        } else {
            let sheds = shedding.name();
            tracing::warn!(
                worker,
                busy,
                sheds,
                "the worker's core is too busy: video is reduced, sound goes on; give the server more cores or fewer rooms"
            );
        }
        self.shedding = shedding;
        self.media.router.set_shedding(now, shedding);
    }

    /// How many were taken.
    fn take_requests(&mut self) -> usize {
        for taken in 0..REQUESTS_PER_TURN {
            match self.requests.try_recv() {
                Ok(Request::Command(command)) => self.media.handle_command(*command),
                Ok(Request::Stats(reply)) => drop(reply.send(self.stats())),
                Ok(Request::PeerStats(peer, reply)) => {
                    drop(reply.send(self.media.router.peer_stats(peer)));
                }
                Err(mpsc::TryRecvError::Empty) => return taken,
                Ok(Request::Shutdown) | Err(mpsc::TryRecvError::Disconnected) => {
                    self.shutdown = true;
                    return taken;
                }
            }
        }
        REQUESTS_PER_TURN
    }

    fn take_rings(&mut self) -> bool {
        let mut more = false;
        for (from_worker, ring) in &mut self.rings {
            let mut left = RECORDS_PER_TURN;
            while left > 0
                && let Some((record, len)) = ring.pop(&mut self.buffer)
            {
                let bytes = &mut self.buffer[..len];
                match record {
                    Record::Datagrams(head) => self.media.take_over(*from_worker, &head, bytes),
                    Record::Relay => self.media.take_relay(*from_worker, bytes),
                }
                left -= 1;
            }
            more |= left == 0;
        }
        more
    }

    fn take_datagrams(&mut self) -> bool {
        let mut more = false;
        for (socket, readable) in self.sockets.iter_mut().zip(&mut self.readable) {
            if !*readable {
                continue;
            }
            let mut left = RECEIVES_PER_TURN;
            while left > 0 {
                match socket.receive(&mut self.buffer) {
                    Ok(received) => {
                        self.media.handle_received(&received, &mut self.buffer[..received.len]);
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                        *readable = false;
                        break;
                    }
                    // An ICMP error about something sent earlier, or a signal: neither is about what waits to be read.
                    Err(e) => tracing::trace!(error = %e, "receive"),
                }
                left -= 1;
            }
            more |= left == 0;
        }
        more
    }

    /// Sleeps until something comes or is due, and the next turn may begin; learns which sockets have something. Does not sleep
    /// if `more_waits`.
    fn wait(&mut self, more_waits: bool) {
        if more_waits {
            return self.look(Some(Duration::ZERO));
        }
        // A worker that pauses counts as awake: whoever puts something into its queues saves the call.
        let first = Some(Instant::now()).filter(|_| self.tempo.pauses_first());
        if let Some(pause) = first.and_then(|now| self.tempo.pause(now)) {
            thread::sleep(pause);
            let looked = Instant::now();
            let timeout = self.fall_asleep();
            self.look(timeout);
            return self.tempo.waited(looked.elapsed() < AT_ONCE);
        }
        let timeout = self.fall_asleep();
        self.look(timeout);
        let pause = self.tempo.pause(Instant::now());
        self.tempo.waited(pause.is_some());
        let gather = self.tempo.gather().filter(|_| self.readable.contains(&true));
        if let Some(pause) = pause.or(gather) {
            thread::sleep(pause);
        }
    }

    /// Waits for as long as `timeout` at most.
    fn look(&mut self, timeout: Option<Duration>) {
        self.waiter.wait(timeout);
        self.wake.awake(self.waiter.is_ready(0));
        for (index, readable) in self.readable.iter_mut().enumerate() {
            *readable |= self.waiter.is_ready(1 + index);
        }
    }

    /// How long to sleep; `None`: until called.
    fn fall_asleep(&mut self) -> Option<Duration> {
        self.wake.fall_asleep();
        // Whoever puts something and finds us awake does not call. So look once more, now that we are said to sleep; what
        // is taken in is acted upon in the next turn.
        let ring_waits = self.rings.iter().any(|(_, ring)| !ring.is_empty());
        let request_waits = self.take_requests() > 0;
        if ring_waits || request_waits || self.shutdown {
            return Some(Duration::ZERO);
        }
        let due = self.media.next_timeout.map(|at| at.saturating_duration_since(Instant::now()));
        [due, self.tempo.look_again()].into_iter().flatten().min()
    }

    fn stats(&self) -> WorkerStats {
        WorkerStats {
            receive: self.media.received.clone(),
            send: self.media.egress.stats().clone(),
            router: self.media.router.stats(),
            turns: self.turns,
            busy_percent: self.tempo.busy_percent(),
            load_percent: self.tempo.load_percent(),
            shedding: self.shedding,
            cpu_us: thread_cpu().as_micros() as u64,
            restarts: self.media.restarts,
        }
    }
}

impl<F: Fn(Event)> Media<F> {
    /// What a socket yielded: to our router or to the worker it belongs to, neighbours in the buffer together.
    fn handle_received(&mut self, received: &Received, bytes: &mut [u8]) {
        let now = Instant::now();
        let count = bytes.len().div_ceil(received.segment_size).max(1);
        self.received.receives += 1;
        self.received.datagrams += count as u64;
        self.received.bytes += bytes.len() as u64;
        self.received.count_dropped(ReceiveDrop::Overflow, received.overflowed as usize);
        if received.overflowed > 0 && self.overflow_told.is_none_or(|told| now >= told + OVERFLOW_TELL) {
            self.overflow_told = Some(now);
            tracing::warn!(
                worker = self.index,
                datagrams = received.overflowed,
                "the UDP receive buffer was too small for a burst, and datagrams are lost: \
                 raise net.core.rmem_max, or give the server more cores if it is busy"
            );
        }
        if received.truncated {
            self.received.count_dropped(ReceiveDrop::Truncated, 1);
            return;
        }
        let Received { from, local, segment_size, .. } = *received;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (owner, len) = self.run_of_one_owner(from, rest, segment_size);
            let (run, after) = rest.split_at_mut(len);
            rest = after;
            if owner == self.index {
                self.handle_own(now, local, from, run, segment_size);
            } else {
                self.hand_over(owner, now, local, from, run, segment_size);
            }
        }
    }

    /// The owner of the first datagram in `bytes`, and how many bytes from there on are the same one's.
    fn run_of_one_owner(&self, from: SocketAddr, bytes: &[u8], segment_size: usize) -> (usize, usize) {
        let mut owner = None;
        let mut len = 0;
        for datagram in bytes.chunks(segment_size) {
            let this = self.steer.owner(from, datagram);
            if *owner.get_or_insert(this) != this {
                break;
            }
            len += datagram.len();
        }
        (owner.unwrap_or(self.index), len)
    }

    fn handle_own(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &mut [u8],
        segment_size: usize,
    ) {
        for datagram in bytes.chunks_mut(segment_size) {
            let check = self.steer.has_claims() && is_check(datagram);
            self.handle_datagram(now, local, from, datagram);
            if check && self.router.owner(from).is_some() {
                self.steer.reclaim(from);
            }
        }
    }

    fn hand_over(
        &mut self,
        owner: usize,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &[u8],
        segment_size: usize,
    ) {
        let count = bytes.len().div_ceil(segment_size);
        let head = Head { from, local, received: now.saturating_duration_since(self.epoch), segment_size };
        if self.put(owner, &head, bytes) {
            self.received.handed_over += count as u64;
        } else {
            self.received.count_dropped(ReceiveDrop::HandOverFull, count);
        }
    }

    /// A record from another worker: datagrams for one of our peers, or a claim to an address.
    fn take_over(&mut self, from_worker: usize, head: &Head, bytes: &mut [u8]) {
        let now = self.epoch + head.received;
        if head.segment_size == 0 {
            self.steer.claim(head.from, from_worker, Instant::now());
            return;
        }
        let mut checked = false;
        for datagram in bytes.chunks_mut(head.segment_size) {
            self.received.taken_over += 1;
            checked |= is_check(datagram);
            self.handle_datagram(now, head.local, head.from, datagram);
        }
        // Before anything is sent in answer, so the other worker knows when the next datagram arrives there. A claim that
        // finds the ring full is repeated by the next check.
        if checked && self.router.owner(head.from).is_some() {
            self.put(from_worker, &claim_record(head.from, head.local), &[]);
        }
    }

    /// What the router of another worker says.
    fn take_relay(&mut self, from_worker: usize, bytes: &[u8]) {
        let (now, router) = (Instant::now(), &mut self.router);
        self.received.relays += 1;
        self.hurried = true;
        if catch_unwind(AssertUnwindSafe(|| router.handle_relay(now, from_worker, bytes))).is_err() {
            self.received.count_dropped(ReceiveDrop::Panicked, 1);
            tracing::error!(from_worker, "what another worker relayed made the forwarder fail");
        }
    }

    fn put(&mut self, worker: usize, head: &Head, bytes: &[u8]) -> bool {
        let Some(Some(neighbour)) = self.neighbours.get_mut(worker) else { return false };
        self.neighbours_to_wake[worker] = true;
        neighbour.ring.push(head, bytes).is_ok()
    }

    /// Once per turn: a call is a system call when the neighbour sleeps.
    fn wake_neighbours(&mut self) {
        for (neighbour, wanted) in self.neighbours.iter().zip(&mut self.neighbours_to_wake) {
            if let Some(neighbour) = neighbour
                && std::mem::take(wanted)
            {
                neighbour.wake.wake();
            }
        }
    }

    /// A fault in the router costs the peer it came from, and nobody else.
    fn handle_datagram(&mut self, now: Instant, local: SocketAddr, from: SocketAddr, datagram: &mut [u8]) {
        let protocol = classify(datagram);
        self.received.rtp += u64::from(protocol == Some(Protocol::Rtp));
        self.hurried |= matches!(protocol, Some(Protocol::Rtp | Protocol::Dtls));
        let router = &mut self.router;
        if catch_unwind(AssertUnwindSafe(|| router.handle_datagram(now, local, from, datagram))).is_ok() {
            return;
        }
        self.received.count_dropped(ReceiveDrop::Panicked, 1);
        tracing::error!(%from, "a datagram made the forwarder fail; its sender is disconnected");
        if let Some(peer) = self.router.owner(from) {
            self.handle_command(Command::RemovePeer { peer });
            (self.events)(Event::Closed { peer, reason: CloseReason::Internal });
        }
    }

    fn handle_command(&mut self, command: Command) {
        let now = Instant::now();
        self.hurried = true;
        match &command {
            Command::AddPeer { peer, .. } => drop(self.peers.insert(*peer)),
            Command::RemovePeer { peer } => {
                self.peers.remove(peer);
                self.surplus.on_change(now);
            }
            _ => {}
        }
        self.router.handle_command(now, command);
    }

    /// Lets the router act on the time, and sends what it has.
    fn advance(&mut self, sockets: &[Socket]) {
        let now = Instant::now();
        if self.next_timeout.is_some_and(|at| at <= now) {
            self.router.handle_timeout(now);
        }
        self.drain(sockets, now);
    }

    fn drain(&mut self, sockets: &[Socket], now: Instant) {
        self.egress.begin_drain();
        loop {
            self.router.advance(Instant::now());
            match self.router.poll_output() {
                Output::Transmit(transmit) => {
                    match sockets.iter().find(|socket| socket.bound().is_ipv4() == transmit.to.is_ipv4()) {
                        Some(socket) => {
                            let from = transmit.from.ip();
                            self.egress.send(
                                socket,
                                now,
                                from,
                                transmit.to,
                                transmit.bytes,
                                transmit.segment_size,
                            );
                        }
                        None => self.egress.count_dropped(SendDrop::NoSocket, transmit.segments()),
                    }
                }
                Output::Relay(relay) => {
                    let Some(Some(neighbour)) = self.neighbours.get_mut(relay.to) else {
                        self.received.count_dropped(ReceiveDrop::RelayNowhere, relay.records());
                        continue;
                    };
                    match neighbour.ring.push_relay(relay.bytes, relay.is_media) {
                        // At once: what is sent here takes a while, and nobody there should wait for it.
                        Ok(()) => neighbour.wake.wake(),
                        Err(ring::Full) => {
                            self.received.count_dropped(ReceiveDrop::RelayFull, relay.records());
                        }
                    }
                }
                Output::Event(event) => {
                    if let Event::Closed { peer, .. } = &event {
                        self.peers.remove(peer);
                    }
                    if matches!(event, Event::Connected { .. } | Event::Closed { .. }) {
                        self.surplus.on_change(now);
                    }
                    (self.events)(event);
                }
                Output::Timeout(timeout) => {
                    self.next_timeout = timeout.map(|(at, _)| at);
                    return;
                }
            }
        }
    }

    /// After a failure that no single peer can be held responsible for: every session of this worker ends, and new ones
    /// are served.
    fn restart(&mut self) {
        self.restarts += 1;
        tracing::error!(
            worker = self.index,
            peers = self.peers.len(),
            "the forwarder failed and is made anew"
        );
        self.router = Router::new(self.router_config.clone());
        self.next_timeout = None;
        for peer in std::mem::take(&mut self.peers) {
            (self.events)(Event::Closed { peer, reason: CloseReason::Internal });
        }
    }

    /// Ends every session in a way that its client notices at once.
    fn say_goodbye(&mut self, sockets: &[Socket]) {
        for peer in std::mem::take(&mut self.peers) {
            self.router.handle_command(Instant::now(), Command::RemovePeer { peer });
        }
        self.drain(sockets, Instant::now());
    }
}

/// CPU time that the calling thread has used.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
