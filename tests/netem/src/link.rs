//! One direction of a path.

use crate::capacity::{Bitrate, Capacity, QueueLimit, Sender};
use crate::loss::{Loss, Losses};
use crate::random::Random;
use crate::trace::PacketTrace;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one direction does to packets. The default is a perfect link.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkConfig {
    pub capacity: Capacity,
    pub queue: QueueLimit,
    pub loss: Loss,
    /// Applied beside `loss` and `jitter`: what one recorded packet after the other went through.
    pub trace: Option<Arc<PacketTrace>>,
    /// Probability that a packet arrives twice.
    pub duplicate: f64,
    /// One-way, of every packet.
    pub delay: Duration,
    pub jitter: Jitter,
    /// Jitter and traces then only delay: nothing overtakes what was sent before it (`reorder` still does what it says).
    pub keeps_order: bool,
    pub reorder: Option<Reorder>,
    pub outages: Vec<Outage>,
    /// Bytes that every packet has on the wire besides those handed in: IPv4 and UDP headers, 28.
    pub overhead_bytes: usize,
    /// Traces (packets and capacity) begin at a place that the seed chooses instead of their first line.
    pub shifted_by_seed: bool,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            capacity: Capacity::Unlimited,
            queue: QueueLimit::default(),
            loss: Loss::None,
            trace: None,
            duplicate: 0.0,
            delay: Duration::ZERO,
            jitter: Jitter::None,
            keeps_order: false,
            reorder: None,
            outages: Vec::new(),
            overhead_bytes: 28,
            shifted_by_seed: false,
        }
    }
}

/// Delay on top of the constant one, drawn anew for each packet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Jitter {
    #[default]
    None,
    /// Evenly spread between zero and this.
    Uniform(Duration),
    /// Exponential with this mean; at most ten times the mean.
    Exponential(Duration),
}

impl Jitter {
    fn draw(self, random: &mut Random) -> Duration {
        let share = random.share();
        match self {
            Self::None => Duration::ZERO,
            Self::Uniform(longest) => longest.mul_f64(share),
            Self::Exponential(mean) => mean.mul_f64((-(1.0 - share).ln()).min(10.0)),
        }
    }
}

/// Some packets are held back so that later ones overtake them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reorder {
    /// Probability that a packet is held back.
    pub share: f64,
    pub held_back: Duration,
}

/// Everything sent in `[begins, begins + lasts)` after the link's start is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    pub begins: Duration,
    pub lasts: Duration,
}

/// What became of a packet, known at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    DeliveredTwice,
    Lost,
    LostInOutage,
    /// The queue was full.
    Dropped,
}

/// Packets, as counted when they were handed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub offered: u64,
    pub lost: u64,
    pub lost_in_outage: u64,
    /// At the tail of a full queue.
    pub dropped: u64,
    /// Extra copies.
    pub duplicated: u64,
    /// Came out at the far end, copies included.
    pub delivered: u64,
    pub delivered_bytes: u64,
    /// Longest time from being handed in to having left the queue.
    pub queue_max: Duration,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Output<P> {
    Deliver(P),
    /// Nothing comes before this moment; None: nothing is on its way.
    Timeout(Option<Instant>),
}

#[derive(Clone, Debug)]
pub struct Link<P> {
    config: LinkConfig,
    start: Instant,
    now: Duration,
    losses: Losses,
    jitter: Random,
    duplicates: Random,
    reorders: Random,
    trace_next: usize,
    capacity_shift: Duration,
    sender: Sender,
    /// Departure and size on the wire of what waits or is being sent.
    queue: VecDeque<(Duration, usize)>,
    queue_bytes: usize,
    last_arrival: Duration,
    /// By arrival, then by the order of being handed in.
    in_flight: BTreeMap<(Duration, u64), (usize, P)>,
    handed_in: u64,
    waits: Duration,
    stats: Stats,
}

impl<P: Clone> Link<P> {
    pub fn new(config: LinkConfig, seed: u64, start: Instant) -> Self {
        let purpose = |number| Random::for_purpose(seed, number);
        let mut shifts = purpose(5);
        let (mut trace_next, mut capacity_shift) = (0, Duration::ZERO);
        if config.shifted_by_seed {
            let packets = config.trace.as_ref().map_or(0, |trace| trace.packets().len());
            trace_next = shifts.below(packets as u64) as usize;
            let period = match &config.capacity {
                Capacity::Segments(segments) => segments.period(),
                Capacity::Opportunities(opportunities) => opportunities.period(),
                Capacity::Unlimited | Capacity::Constant(_) | Capacity::Policed { .. } => Duration::ZERO,
            };
            capacity_shift = Duration::from_millis(shifts.below(period.as_millis() as u64));
        }
        Self {
            losses: Losses::new(&config.loss, purpose(1)),
            jitter: purpose(2),
            duplicates: purpose(3),
            reorders: purpose(4),
            trace_next,
            capacity_shift,
            sender: Sender::default(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            last_arrival: Duration::ZERO,
            in_flight: BTreeMap::new(),
            handed_in: 0,
            waits: Duration::ZERO,
            stats: Stats::default(),
            now: Duration::ZERO,
            start,
            config,
        }
    }

    /// Hands in a packet of `bytes` (without IP and UDP headers). Time must not go back; an earlier `now` counts as the latest.
    pub fn handle_datagram(&mut self, now: Instant, bytes: usize, payload: P) -> Fate {
        self.now = self.now.max(now.saturating_duration_since(self.start));
        let now = self.now;
        self.stats.offered += 1;
        let drawn = self.draw();
        if self.config.outages.iter().any(|o| now >= o.begins && now < o.begins + o.lasts) {
            self.stats.lost_in_outage += 1;
            return Fate::LostInOutage;
        }
        let Some(departure) = self.enqueue(now, bytes + self.config.overhead_bytes) else {
            self.stats.dropped += 1;
            return Fate::Dropped;
        };
        self.waits = departure - now;
        self.stats.queue_max = self.stats.queue_max.max(self.waits);
        // Lost behind the queue: on radio a packet that nobody receives has used its share of the capacity all the same.
        if drawn.lost {
            self.stats.lost += 1;
            return Fate::Lost;
        }
        let mut arrival = departure + self.config.delay + drawn.delay;
        if self.config.keeps_order {
            arrival = arrival.max(self.last_arrival);
            self.last_arrival = arrival;
        }
        if let Some(copy_delay) = drawn.copy_delay {
            self.stats.duplicated += 1;
            self.put_in_flight(arrival + drawn.held_back + copy_delay, bytes, payload.clone());
        }
        self.put_in_flight(arrival + drawn.held_back, bytes, payload);
        if drawn.copy_delay.is_some() { Fate::DeliveredTwice } else { Fate::Delivered }
    }

    /// Drain until `Timeout`.
    pub fn poll_output(&mut self, now: Instant) -> Output<P> {
        self.now = self.now.max(now.saturating_duration_since(self.start));
        let Some(first) = self.in_flight.first_entry() else { return Output::Timeout(None) };
        let (arrival, _) = *first.key();
        if arrival > self.now {
            return Output::Timeout(Some(self.start + arrival));
        }
        let (bytes, payload) = first.remove();
        self.stats.delivered += 1;
        self.stats.delivered_bytes += bytes as u64;
        Output::Deliver(payload)
    }

    /// When the next packet arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.in_flight.first_key_value().map(|((arrival, _), _)| self.start + *arrival)
    }

    /// The network changes under a call: what is on its way arrives as decided, what waits leaves as decided.
    pub fn set_config(&mut self, config: LinkConfig) {
        if config.capacity != self.config.capacity {
            self.sender.leave_opportunity();
        }
        self.config = config;
    }

    /// Bytes on the wire that could leave in `[from, to)`, none of them faster than `most` over any whole second.
    pub fn could_pass(&self, from: Instant, to: Instant, most: Bitrate) -> u64 {
        let within = |at: Instant| at.saturating_duration_since(self.start) + self.capacity_shift;
        self.config.capacity.could_pass(within(from), within(to), most)
    }

    /// From being handed in to having left the queue, of the last packet that got into it.
    pub fn waits(&self) -> Duration {
        self.waits
    }

    pub fn config(&self) -> &LinkConfig {
        &self.config
    }

    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Every draw happens for every packet, used or not, so that the fate of one never moves the fate of another.
    fn draw(&mut self) -> Drawn {
        let recorded = self.config.trace.as_ref().map(|trace| {
            let packets = trace.packets();
            let packet = packets[self.trace_next % packets.len()];
            self.trace_next = (self.trace_next + 1) % packets.len();
            packet
        });
        let lost = self.losses.next(&self.config.loss);
        let jitter = self.config.jitter.draw(&mut self.jitter);
        let copied = self.duplicates.chance(self.config.duplicate);
        let copy_delay = self.config.jitter.draw(&mut self.duplicates);
        let share = self.reorders.share();
        let held_back = self.config.reorder.filter(|reorder| share < reorder.share);
        Drawn {
            lost: lost || recorded.is_some_and(|packet| packet.lost),
            delay: jitter + recorded.map_or(Duration::ZERO, |packet| packet.delay),
            copy_delay: copied.then_some(copy_delay),
            held_back: held_back.map_or(Duration::ZERO, |reorder| reorder.held_back),
        }
    }

    /// When the packet has left, or None if the queue is full.
    fn enqueue(&mut self, now: Duration, bytes: usize) -> Option<Duration> {
        while let Some(&(departure, size)) = self.queue.front()
            && departure <= now
        {
            self.queue.pop_front();
            self.queue_bytes -= size;
        }
        if self.config.queue.bytes.is_some_and(|most| self.queue_bytes + bytes > most) {
            return None;
        }
        let shifted = now + self.capacity_shift;
        let sent = self.sender.send(shifted, bytes, &self.config.capacity, self.config.queue.wait);
        let (departure, sender) = sent?;
        self.sender = sender;
        let departure = departure - self.capacity_shift;
        self.queue.push_back((departure, bytes));
        self.queue_bytes += bytes;
        Some(departure)
    }

    fn put_in_flight(&mut self, arrival: Duration, bytes: usize, payload: P) {
        self.in_flight.insert((arrival, self.handed_in), (bytes, payload));
        self.handed_in += 1;
    }
}

struct Drawn {
    lost: bool,
    delay: Duration,
    copy_delay: Option<Duration>,
    held_back: Duration,
}
