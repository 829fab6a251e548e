//! One direction of a TCP connection whose segments and acknowledgements cross links: what signaling goes through when it
//! shares a bad network with media.
//!
//! ```text
//! send(message) -> segments -> poll_segment -> link -> segment_arrived -> poll_message
//!                    ^                                       |
//!                    +---- ack_arrived <- link back <- Ack --+
//! ```
//!
//! A model of the sender that Linux has: ten segments at first (RFC 6928), slow start, a loss is known a quarter of a round
//! trip after something sent later was acknowledged (RFC 8985), the last segments are probed after two round trips (TLP), and
//! a timeout doubles (RFC 6298). Selective acknowledgements name one segment. No ECN, no pacing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Payload: Ethernet's 1500 bytes less IP, TCP with timestamps and a TLS record.
pub const SEGMENT_BYTES: usize = 1400;
/// Of a segment and of an acknowledgement, less the 28 bytes that a link adds: IP and TCP with timestamps.
pub const HEADER_BYTES: usize = 24;
const INITIAL_WINDOW: f64 = 10.0;
/// CUBIC's (RFC 9438).
const BETA: f64 = 0.7;
/// Linux waits no less than this besides the round trip.
const VARIATION_MIN: Duration = Duration::from_millis(200);
/// Before a round trip is known (RFC 6298 section 2).
const TIMEOUT_INITIAL: Duration = Duration::from_secs(1);
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// Where both is asked for, as our server and the native client do; Linux 6.15 or newer.
const TIMEOUT_MAX_SHORT: Duration = Duration::from_secs(1);
/// With linear timeouts, so many do not double while fewer segments than that are out.
const LINEAR_TIMEOUTS: u32 = 6;
const THIN: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub number: u64,
    /// Payload.
    pub bytes: usize,
}

/// Everything below `cumulative` has come, and `latest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    pub cumulative: u64,
    pub latest: u64,
}

/// Messages of type `T`, whole and in order. Both ends are in here; only numbers cross the links.
#[derive(Debug)]
pub struct Stream<T> {
    /// Not acknowledged yet, by number; the last segment of a message carries it, and those that fit in behind it.
    segments: BTreeMap<u64, Pending>,
    messages: BTreeMap<u64, Vec<T>>,
    next: u64,
    never_sent: u64,
    lost: BTreeSet<u64>,
    window: f64,
    slow_start_until: f64,
    /// Losses among segments below this one are the same event.
    recovered_at: u64,
    round_trip: Option<(Duration, Duration)>,
    backoff: u32,
    /// `TCP_THIN_LINEAR_TIMEOUTS` and `TCP_RTO_MAX_MS`, and how many timeouts there were since something was acknowledged.
    linear: bool,
    timeouts: u32,
    /// When the timeout or the probe is due.
    timer: Option<(Instant, Timer)>,
    probe_used: bool,
    /// Of the newest segment that was acknowledged: when it was sent, its number, and the round trip that it took.
    newest: Option<(Instant, u64, Duration)>,
    /// At the far end.
    cumulative: u64,
    above: BTreeSet<u64>,
    came: VecDeque<T>,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    bytes: usize,
    sent: Option<Instant>,
    again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// Something sent later was acknowledged, but it may only have been overtaken.
    Reordering,
    Probe,
    Timeout,
}

impl<T> Default for Stream<T> {
    fn default() -> Self {
        Self {
            segments: BTreeMap::new(),
            messages: BTreeMap::new(),
            next: 0,
            never_sent: 0,
            lost: BTreeSet::new(),
            window: INITIAL_WINDOW,
            slow_start_until: f64::INFINITY,
            recovered_at: 0,
            round_trip: None,
            backoff: 0,
            linear: false,
            timeouts: 0,
            timer: None,
            probe_used: false,
            newest: None,
            cumulative: 0,
            above: BTreeSet::new(),
            came: VecDeque::new(),
        }
    }
}

impl<T> Stream<T> {
    /// With the round trip that a connection knows which was open before.
    pub fn warm(round_trip: Duration) -> Self {
        Self { round_trip: Some((round_trip, round_trip / 8)), ..Self::default() }
    }

    /// Timeouts of a thin stream that do not double, and of none that double for long.
    pub fn linear(self) -> Self {
        Self { linear: true, ..self }
    }

    /// Hands in a message; an empty one takes a segment, too. It begins in the last segment where that was not sent and has room.
    pub fn send(&mut self, bytes: usize, message: T) {
        let last = self.next.wrapping_sub(1);
        if self.never_sent <= last
            && let Some(segment) = self.segments.get_mut(&last)
            && segment.bytes + bytes <= SEGMENT_BYTES
            && bytes > 0
        {
            segment.bytes += bytes;
            self.messages.entry(last).or_default().push(message);
            return;
        }
        let count = bytes.div_ceil(SEGMENT_BYTES).max(1);
        for part in 0..count {
            let bytes = (bytes - part * SEGMENT_BYTES).min(SEGMENT_BYTES);
            self.segments.insert(self.next + part as u64, Pending { bytes, sent: None, again: false });
        }
        self.next += count as u64;
        self.messages.entry(self.next - 1).or_default().push(message);
    }

    /// Bytes that are not acknowledged.
    pub fn unacknowledged_bytes(&self) -> usize {
        self.segments.values().map(|segment| segment.bytes).sum()
    }

    /// The next segment to put on the link now. Call until None.
    pub fn poll_segment(&mut self, now: Instant) -> Option<Segment> {
        if self.flying() as f64 >= self.window.max(1.0) {
            return None;
        }
        let number = match self.lost.pop_first() {
            Some(lost) => lost,
            None if self.never_sent < self.next => {
                self.never_sent += 1;
                self.never_sent - 1
            }
            None => return None,
        };
        self.put(now, number)
    }

    /// A segment came out of the link; the acknowledgement goes back over the other one.
    pub fn segment_arrived(&mut self, number: u64) -> Ack {
        if number >= self.cumulative {
            self.above.insert(number);
        }
        while self.above.remove(&self.cumulative) {
            self.came.extend(self.messages.remove(&self.cumulative).into_iter().flatten());
            self.cumulative += 1;
        }
        Ack { cumulative: self.cumulative, latest: number }
    }

    /// What came at the far end. Call until None.
    pub fn poll_message(&mut self) -> Option<T> {
        self.came.pop_front()
    }

    pub fn ack_arrived(&mut self, now: Instant, ack: Ack) {
        let kept = self.segments.split_off(&ack.cumulative);
        let mut acknowledged: Vec<(u64, Pending)> =
            std::mem::replace(&mut self.segments, kept).into_iter().collect();
        acknowledged.extend(self.segments.remove(&ack.latest).map(|segment| (ack.latest, segment)));
        self.lost.retain(|lost| *lost >= ack.cumulative && *lost != ack.latest);
        if acknowledged.is_empty() {
            return;
        }
        for (number, segment) in acknowledged {
            let Some(sent) = segment.sent else { continue };
            let took = now.saturating_duration_since(sent);
            if !segment.again {
                self.measured(took);
                self.window += if self.window < self.slow_start_until { 1.0 } else { 1.0 / self.window };
            }
            if self.newest.is_none_or(|(newest, last, _)| (newest, last) < (sent, number)) {
                self.newest = Some((sent, number, took));
            }
        }
        (self.backoff, self.timeouts, self.probe_used) = (0, 0, false);
        let reordering = self.find_losses(now);
        self.set_timer(now);
        if let Some(at) = reordering {
            self.timer = Some((at, Timer::Reordering));
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timer.map(|(at, _)| at)
    }

    /// Poll segments afterwards.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some((_, timer)) = self.timer.filter(|(at, _)| *at <= now) else { return };
        self.timer = None;
        if self.segments.values().all(|segment| segment.sent.is_none()) {
            return;
        }
        match timer {
            Timer::Reordering => {
                let again = self.find_losses(now);
                self.set_timer(now);
                self.timer = again.map(|at| (at, Timer::Reordering)).or(self.timer);
                return;
            }
            Timer::Probe => {
                self.probe_used = true;
                // Whatever was sent last, again: its acknowledgement tells what is missing before it.
                let sent = self.segments.iter().filter(|(_, segment)| segment.sent.is_some());
                self.lost.extend(sent.map(|(number, _)| *number).next_back());
                self.window = self.window.max(self.flying() as f64 + 1.0);
            }
            Timer::Timeout => {
                self.timeouts += 1;
                let sent = self.segments.iter().filter(|(_, segment)| segment.sent.is_some());
                let thin = self.linear && sent.clone().count() < THIN;
                self.backoff = if thin && self.timeouts <= LINEAR_TIMEOUTS { 0 } else { self.backoff + 1 };
                self.lost.extend(sent.map(|(number, _)| *number));
                self.recovered_at = self.never_sent;
                self.slow_start_until = (self.window * BETA).max(2.0);
                self.window = 1.0;
            }
        }
        self.timer = Some((now + self.timeout(), Timer::Timeout));
    }

    fn put(&mut self, now: Instant, number: u64) -> Option<Segment> {
        let segment = self.segments.get_mut(&number)?;
        segment.again = segment.sent.replace(now).is_some();
        let bytes = segment.bytes;
        if self.timer.is_none() {
            self.set_timer(now);
        }
        Some(Segment { number, bytes })
    }

    /// Sent, and neither acknowledged nor known lost.
    fn flying(&self) -> usize {
        let sent = self.segments.values().filter(|segment| segment.sent.is_some()).count();
        sent.saturating_sub(self.lost.len())
    }

    fn measured(&mut self, sample: Duration) {
        self.round_trip = Some(match self.round_trip {
            None => (sample, sample / 2),
            Some((smoothed, variation)) => {
                (smoothed * 7 / 8 + sample / 8, variation * 3 / 4 + smoothed.abs_diff(sample) / 4)
            }
        });
    }

    /// Marks what is lost; when to look again at what may only have been overtaken.
    fn find_losses(&mut self, now: Instant) -> Option<Instant> {
        let (newest, last, took) = self.newest?;
        let patience = took + self.round_trip.map_or(Duration::ZERO, |(smoothed, _)| smoothed / 4);
        let before = |(number, segment): (&u64, &Pending)| {
            let sent = segment.sent.filter(|sent| (*sent, *number) < (newest, last))?;
            (!self.lost.contains(number)).then_some((*number, sent + patience))
        };
        let overtaken: Vec<(u64, Instant)> = self.segments.iter().filter_map(before).collect();
        let mut again = None;
        for (number, due) in overtaken {
            if due > now {
                again = Some(again.map_or(due, |again: Instant| again.min(due)));
                continue;
            }
            self.lost.insert(number);
            if number >= self.recovered_at {
                self.recovered_at = self.never_sent;
                self.window = (self.window * BETA).max(2.0);
                self.slow_start_until = self.window;
            }
        }
        again
    }

    fn set_timer(&mut self, now: Instant) {
        let flying = self.segments.values().filter(|segment| segment.sent.is_some()).count();
        self.timer = match self.round_trip {
            _ if flying == 0 => None,
            Some((smoothed, _)) if !self.probe_used && self.lost.is_empty() => {
                let alone = if flying == 1 { VARIATION_MIN } else { Duration::ZERO };
                Some((now + (smoothed * 2 + alone).min(self.timeout()), Timer::Probe))
            }
            _ => Some((now + self.timeout(), Timer::Timeout)),
        };
    }

    fn timeout(&self) -> Duration {
        let base = self
            .round_trip
            .map_or(TIMEOUT_INITIAL, |(smoothed, variation)| smoothed + (variation * 4).max(VARIATION_MIN));
        let most = if self.linear { TIMEOUT_MAX_SHORT } else { TIMEOUT_MAX };
        (base * 2u32.saturating_pow(self.backoff)).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netem::{Bitrate, Capacity, Link, LinkConfig, Loss, Output};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Sends messages of these sizes at once; milliseconds at which each came.
    fn arrivals(link: &LinkConfig, seed: u64, sizes: &[usize]) -> Vec<u128> {
        arrivals_over(link, seed, sizes, Stream::warm(2 * link.delay))
    }

    fn arrivals_over(link: &LinkConfig, seed: u64, sizes: &[usize], mut stream: Stream<usize>) -> Vec<u128> {
        let start = Instant::now();
        let mut there: Link<Segment> = Link::new(link.clone(), seed, start);
        let mut back: Link<Ack> = Link::new(link.clone(), seed ^ 1, start);
        for (number, bytes) in sizes.iter().enumerate() {
            stream.send(*bytes, number);
        }
        let (mut now, mut came) = (start, Vec::new());
        while came.len() < sizes.len() {
            while let Some(segment) = stream.poll_segment(now) {
                there.handle_datagram(now, segment.bytes + HEADER_BYTES, segment);
            }
            let next = [there.poll_timeout(), back.poll_timeout(), stream.poll_timeout()];
            now = next.into_iter().flatten().min().expect("something is to come").max(now);
            while let Output::Deliver(segment) = there.poll_output(now) {
                back.handle_datagram(now, HEADER_BYTES, stream.segment_arrived(segment.number));
            }
            while let Output::Deliver(ack) = back.poll_output(now) {
                stream.ack_arrived(now, ack);
            }
            stream.handle_timeout(now);
            while let Some(number) = stream.poll_message() {
                assert_eq!(number, came.len(), "in order");
                came.push((now - start).as_millis());
            }
            assert!(now < start + Duration::from_secs(600), "it hangs: {stream:?}");
        }
        came
    }

    fn link(loss: f64) -> LinkConfig {
        LinkConfig { delay: ms(50), loss: Loss::Random(loss), ..LinkConfig::default() }
    }

    #[test]
    fn a_clean_link_only_delays_until_the_window_is_full() {
        assert_eq!(arrivals(&link(0.0), 1, &[9000, 10]), [50, 50]);
        assert_eq!(arrivals(&link(0.0), 1, &[20 * SEGMENT_BYTES]), [150], "ten, then twenty");
    }

    #[test]
    fn a_narrow_link_takes_its_time() {
        let narrow = LinkConfig { capacity: Capacity::Constant(Bitrate::kbps(300)), ..link(0.0) };
        let took = arrivals(&narrow, 1, &[7000])[0];
        assert!((240..=260).contains(&took), "7000 bytes and headers at 300 kb/s, and 50 ms: {took}");
    }

    #[test]
    fn one_loss_costs_a_lone_segment_a_probe_and_a_long_message_round_trips() {
        let mean = |bytes| (0..400).map(|seed| arrivals(&link(0.1), seed, &[bytes])[0]).sum::<u128>() / 400;
        // Alone: 50, and 400 ms more for one in ten (and 19 in 100 acknowledgements do not matter).
        assert!((75..120).contains(&mean(1000)), "{}", mean(1000));
        assert!((110..220).contains(&mean(9000)), "{}", mean(9000));
    }

    #[test]
    fn everything_arrives_whole_and_in_order_whatever_is_lost() {
        for seed in 0..20 {
            let lossy = LinkConfig { jitter: netem::Jitter::Uniform(ms(30)), ..link(0.3) };
            arrivals(&lossy, seed, &[3000, 0, 10, 20_000, 1]);
        }
    }

    #[test]
    fn linear_timeouts_shorten_the_tail_of_a_thin_stream() {
        let tail = |linear: bool| {
            let mut came: Vec<u128> = (0..200)
                .map(|seed| {
                    let stream = Stream::warm(ms(100));
                    arrivals_over(&link(0.5), seed, &[1000], if linear { stream.linear() } else { stream })[0]
                })
                .collect();
            came.sort();
            came[190]
        };
        let (doubling, linear) = (tail(false), tail(true));
        assert!(linear * 3 < doubling * 2, "p95 {linear} ms, {doubling} with timeouts that double");
    }

    #[test]
    fn an_outage_is_survived_by_timeouts_that_double() {
        let outage = netem::Outage { begins: Duration::ZERO, lasts: ms(2000) };
        let took = arrivals(&LinkConfig { outages: vec![outage], ..link(0.0) }, 1, &[100])[0];
        assert!((2050..4200).contains(&took), "{took}");
    }
}
