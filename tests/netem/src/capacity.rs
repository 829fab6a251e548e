//! How fast a link sends, and how much may wait in front of it.

use std::sync::Arc;
use std::time::Duration;

/// Bits per second on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bitrate(pub u64);

impl Bitrate {
    pub const fn kbps(kilobits_per_s: u64) -> Self {
        Self(kilobits_per_s * 1000)
    }

    /// Nanoseconds that `bits` take. The rate must not be zero.
    fn nanos_for(self, bits: u128) -> u128 {
        (bits * 1_000_000_000).div_ceil(u128::from(self.0))
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Capacity {
    #[default]
    Unlimited,
    Constant(Bitrate),
    /// A token bucket without a queue: what conforms passes at once, everything else is dropped (RFC 2697 with one colour).
    Policed {
        rate: Bitrate,
        burst_bytes: usize,
    },
    /// Rates that change over time, repeated for ever.
    Segments(Arc<Segments>),
    /// Chances to send 1500 bytes, repeated for ever (mahimahi).
    Opportunities(Arc<Opportunities>),
}

/// What may wait in front of the link before a packet is dropped at the tail. `None`: any amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueLimit {
    /// Bytes on the wire that wait or are being sent.
    pub bytes: Option<usize>,
    /// Longest time until the first bit of a packet is sent.
    pub wait: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub lasts: Duration,
    /// Zero: an outage during which packets wait.
    pub rate: Bitrate,
}

/// Lasts at least a tenth of a second, and carries 10 kb/s at least, on average.
#[derive(Clone, Debug, PartialEq)]
pub struct Segments {
    segments: Vec<Segment>,
    period: Duration,
}

impl Segments {
    /// Less than this on average is no link, and one packet would take rounds and rounds of it.
    pub const LEAST_MEAN: Bitrate = Bitrate::kbps(10);
    pub const SHORTEST: Duration = Duration::from_millis(100);

    /// None if it is too short or hardly anything could ever be sent.
    pub fn new(segments: Vec<Segment>) -> Option<Self> {
        let period: Duration = segments.iter().map(|s| s.lasts).sum();
        // As `send` counts: parts of a bit are lost at the end of each segment.
        let bits: u128 =
            segments.iter().map(|s| u128::from(s.rate.0) * s.lasts.as_nanos() / 1_000_000_000).sum();
        let least = u128::from(Self::LEAST_MEAN.0) * period.as_nanos() / 1_000_000_000;
        (period >= Self::SHORTEST && bits >= least).then_some(Self { segments, period })
    }

    pub fn period(&self) -> Duration {
        self.period
    }

    pub fn as_slice(&self) -> &[Segment] {
        &self.segments
    }

    /// First and last moment of sending `bytes` when the link is free from `from` on.
    fn send(&self, from: Duration, bytes: usize) -> (Duration, Duration) {
        let mut within = Duration::from_nanos((from.as_nanos() % self.period.as_nanos()) as u64);
        let mut cursor = from;
        let mut bits = bytes as u128 * 8;
        let mut first = None;
        loop {
            for segment in &self.segments {
                if within >= segment.lasts {
                    within -= segment.lasts;
                    continue;
                }
                let left = segment.lasts - within;
                within = Duration::ZERO;
                if segment.rate.0 > 0 {
                    first.get_or_insert(cursor);
                    let needed = segment.rate.nanos_for(bits);
                    if needed <= left.as_nanos() {
                        return (first.unwrap_or(cursor), cursor + Duration::from_nanos(needed as u64));
                    }
                    let sent = u128::from(segment.rate.0) * left.as_nanos() / 1_000_000_000;
                    bits = bits.saturating_sub(sent);
                }
                cursor += left;
            }
        }
    }
}

/// Never empty; times never go back; the period is at least a millisecond.
#[derive(Clone, Debug, PartialEq)]
pub struct Opportunities {
    times_ms: Vec<u32>,
    period_ms: u32,
}

/// A mahimahi opportunity sends one packet of an Ethernet's size.
pub(crate) const OPPORTUNITY_BYTES: usize = 1500;

impl Opportunities {
    /// `times_ms` in order; the last one is also the length of the trace. None if empty, out of order or of no length.
    pub fn new(times_ms: Vec<u32>) -> Option<Self> {
        let period_ms = *times_ms.last()?;
        let ordered = times_ms.is_sorted();
        (ordered && period_ms > 0).then_some(Self { times_ms, period_ms })
    }

    pub fn period(&self) -> Duration {
        Duration::from_millis(self.period_ms.into())
    }

    fn at(&self, index: u64) -> Duration {
        let round = index / self.times_ms.len() as u64;
        let within = self.times_ms[(index % self.times_ms.len() as u64) as usize];
        Duration::from_millis(round * u64::from(self.period_ms) + u64::from(within))
    }

    /// Index of the first opportunity at or after `when`.
    fn first_from(&self, when: Duration) -> u64 {
        let whole_ms = when.as_nanos().div_ceil(1_000_000) as u64;
        // The end of one round is time zero of the next, so look one round back.
        let round = (whole_ms / u64::from(self.period_ms)).saturating_sub(1);
        let mut index = round * self.times_ms.len() as u64;
        let wanted = |round: u64| whole_ms.saturating_sub(round * u64::from(self.period_ms));
        for round in round..round + 3 {
            let earlier = self.times_ms.partition_point(|t| u64::from(*t) < wanted(round));
            if earlier < self.times_ms.len() {
                return index + earlier as u64;
            }
            index += self.times_ms.len() as u64;
        }
        index
    }
}

impl Capacity {
    /// Bytes that could leave in `[from, to)`, none of them faster than `most` over any whole second.
    pub(crate) fn could_pass(&self, from: Duration, to: Duration, most: Bitrate) -> u64 {
        let second = Duration::from_secs(1);
        let (mut at, mut bytes) = (from, 0);
        while at < to {
            let end = (at + second).min(to);
            let at_most = u128::from(most.0) * (end - at).as_nanos() / 8_000_000_000;
            bytes += self.bytes(at, end).min(at_most);
            at = end;
        }
        bytes as u64
    }

    fn bytes(&self, from: Duration, to: Duration) -> u128 {
        let at = |rate: Bitrate, time: Duration| u128::from(rate.0) * time.as_nanos() / 8_000_000_000;
        match self {
            Self::Unlimited => u128::MAX,
            Self::Constant(rate) | Self::Policed { rate, .. } => at(*rate, to - from),
            Self::Opportunities(opportunities) => {
                let count = opportunities.first_from(to) - opportunities.first_from(from);
                u128::from(count) * OPPORTUNITY_BYTES as u128
            }
            Self::Segments(segments) => {
                let nanos = from.as_nanos() % segments.period.as_nanos();
                let (mut skip, mut left) = (Duration::from_nanos(nanos as u64), to - from);
                let mut bytes = 0;
                for segment in segments.segments.iter().cycle() {
                    let lasts = segment.lasts.saturating_sub(skip);
                    skip = skip.saturating_sub(segment.lasts);
                    bytes += at(segment.rate, lasts.min(left));
                    left = left.saturating_sub(lasts);
                    if left.is_zero() {
                        break;
                    }
                }
                bytes
            }
        }
    }
}

/// The sending end of a link: one packet at a time, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sender {
    free_from: Duration,
    /// The opportunity in use and the bytes that still fit into it.
    opportunity: Option<(u64, usize)>,
    /// What a policer had left at this moment, in bits times a second's nanoseconds; None: nothing was sent yet.
    tokens: Option<(Duration, u128)>,
}

impl Sender {
    /// The capacity is another one from now on.
    pub(crate) fn leave_opportunity(&mut self) {
        self.opportunity = None;
    }

    /// When the last bit leaves, and the sender after that; None if the packet would have to wait longer than `longest_wait`.
    pub(crate) fn send(
        &self,
        now: Duration,
        bytes: usize,
        capacity: &Capacity,
        longest_wait: Option<Duration>,
    ) -> Option<(Duration, Self)> {
        let from = self.free_from.max(now);
        if let Capacity::Policed { rate, burst_bytes } = *capacity {
            return self.police(now, bytes, rate, burst_bytes).map(|after| (now, after));
        }
        let (first, last, opportunity) = match capacity {
            Capacity::Unlimited | Capacity::Policed { .. } => (now, now, None),
            Capacity::Constant(Bitrate(0)) => return None,
            Capacity::Constant(rate) => {
                let nanos = rate.nanos_for(bytes as u128 * 8) as u64;
                (from, from + Duration::from_nanos(nanos), None)
            }
            Capacity::Segments(segments) => {
                let (first, last) = segments.send(from, bytes);
                (first, last, None)
            }
            Capacity::Opportunities(opportunities) => {
                let (first, last, used) = self.use_opportunities(opportunities, now, bytes);
                (first, last, Some(used))
            }
        };
        if longest_wait.is_some_and(|longest| first.saturating_sub(now) > longest) {
            return None;
        }
        Some((last, Self { free_from: last, opportunity, tokens: None }))
    }

    /// None: the packet does not conform.
    fn police(&self, now: Duration, bytes: usize, rate: Bitrate, burst_bytes: usize) -> Option<Self> {
        const SECOND: u128 = 1_000_000_000;
        let full = burst_bytes as u128 * 8 * SECOND;
        let tokens = self.tokens.map_or(full, |(at, left)| {
            (left + now.saturating_sub(at).as_nanos() * u128::from(rate.0)).min(full)
        });
        let left = tokens.checked_sub(bytes as u128 * 8 * SECOND)?;
        Some(Self { free_from: now, opportunity: None, tokens: Some((now, left)) })
    }

    fn use_opportunities(
        &self,
        opportunities: &Opportunities,
        now: Duration,
        bytes: usize,
    ) -> (Duration, Duration, (u64, usize)) {
        // What was left of an opportunity is lost once its moment has passed.
        let (mut index, mut left) = match self.opportunity {
            Some((index, left)) if opportunities.at(index) >= now => (index, left),
            _ => (opportunities.first_from(now), OPPORTUNITY_BYTES),
        };
        if left == 0 {
            (index, left) = (index + 1, OPPORTUNITY_BYTES);
        }
        let first = opportunities.at(index);
        let mut bytes = bytes;
        while bytes > left {
            bytes -= left;
            (index, left) = (index + 1, OPPORTUNITY_BYTES);
        }
        (first, opportunities.at(index), (index, left - bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Milliseconds at which packets of `(sent_ms, bytes)` have left.
    fn departures(capacity: &Capacity, packets: &[(u64, usize)]) -> Vec<u128> {
        let mut sender = Sender::default();
        let leave = packets.iter().map(|&(at, bytes)| {
            let (left, after) = sender.send(ms(at), bytes, capacity, None).expect("no limit");
            sender = after;
            left.as_millis()
        });
        leave.collect()
    }

    fn segments(list: &[(u64, u64)]) -> Capacity {
        let list = list.iter().map(|&(lasts, kbps)| Segment { lasts: ms(lasts), rate: Bitrate::kbps(kbps) });
        Capacity::Segments(Arc::new(Segments::new(list.collect()).expect("sends")))
    }

    fn opportunities(times: &[u32]) -> Capacity {
        Capacity::Opportunities(Arc::new(Opportunities::new(times.to_vec()).expect("valid")))
    }

    #[test]
    fn packets_leave_one_after_the_other() {
        let constant = Capacity::Constant(Bitrate::kbps(800)); // 100 bytes a millisecond
        assert_eq!(departures(&constant, &[(0, 1000), (0, 1000), (50, 1000), (55, 100)]), [10, 20, 60, 61]);
        assert_eq!(departures(&Capacity::Unlimited, &[(0, 1000), (3, 9000)]), [0, 3]);
    }

    #[test]
    fn a_packet_crosses_segments_and_waits_through_an_outage() {
        let capacity = segments(&[(10, 800), (30, 0), (10, 80), (50, 0)]);
        let table = [
            ("inside one segment", vec![(0, 500)], vec![5]),
            ("over the outage", vec![(0, 1100)], vec![50]),
            ("starts in the outage", vec![(20, 100)], vec![50]),
            ("into the next round", vec![(45, 1050)], vec![110]),
            ("one after the other", vec![(0, 1000), (0, 50), (0, 50)], vec![10, 45, 50]),
        ];
        for (name, packets, wanted) in table {
            assert_eq!(departures(&capacity, &packets), wanted, "{name}");
        }
    }

    #[test]
    fn opportunities_carry_1500_bytes_and_are_lost_when_unused() {
        let capacity = opportunities(&[5, 5, 20]);
        let table = [
            ("first one", vec![(0, 1500)], vec![5]),
            ("two fit into one", vec![(0, 700), (0, 800), (0, 1)], vec![5, 5, 5]),
            ("two at the same moment", vec![(0, 1500), (0, 1500), (0, 1500)], vec![5, 5, 20]),
            ("the rest of one is lost", vec![(0, 100), (6, 100)], vec![5, 20]),
            ("a packet of two", vec![(0, 1600), (0, 1500)], vec![5, 20]),
            ("loops", vec![(21, 10), (25, 1500), (25, 1500), (46, 100)], vec![25, 25, 40, 60]),
        ];
        for (name, packets, wanted) in table {
            assert_eq!(departures(&capacity, &packets), wanted, "{name}");
        }
    }

    #[test]
    fn opportunities_of_time_zero_come_with_the_end_of_the_round() {
        let capacity = opportunities(&[0, 10]);
        let packets = [(0, 1500), (0, 1500), (0, 1500), (0, 1500)];
        assert_eq!(departures(&capacity, &packets), [0, 10, 10, 20]);
        assert_eq!(departures(&capacity, &[(10, 1500), (10, 1500), (10, 1500)]), [10, 10, 20]);
    }

    #[test]
    fn a_packet_that_would_wait_too_long_changes_nothing() {
        let capacity = Capacity::Constant(Bitrate::kbps(80));
        let (_, busy) = Sender::default().send(ms(0), 100, &capacity, None).expect("free");
        assert!(busy.send(ms(0), 100, &capacity, Some(ms(9))).is_none());
        assert!(busy.send(ms(0), 100, &capacity, Some(ms(10))).is_some());
        assert!(busy.send(ms(0), 1, &Capacity::Constant(Bitrate(0)), None).is_none());
    }

    #[test]
    fn a_policer_passes_its_rate_and_one_burst_and_never_delays() {
        let capacity = Capacity::Policed { rate: Bitrate::kbps(800), burst_bytes: 3000 };
        let mut sender = Sender::default();
        let passes = |sender: &mut Sender, at| match sender.send(ms(at), 1000, &capacity, None) {
            Some((left, after)) => {
                assert_eq!(left, ms(at), "nothing waits");
                *sender = after;
                true
            }
            None => false,
        };
        let burst: Vec<bool> = (0..5).map(|_| passes(&mut sender, 0)).collect();
        assert_eq!(burst, [true, true, true, false, false]);
        assert!(!passes(&mut sender, 9) && passes(&mut sender, 10), "1000 bytes take 10 ms");
        let twice_the_rate = (4..1004).filter(|step| passes(&mut sender, step * 5)).count();
        assert!((500..=503).contains(&twice_the_rate), "{twice_the_rate} of 1000 packets");
    }

    #[test]
    fn what_could_pass_is_counted_up_to_what_could_be_used() {
        let kbps = Bitrate::kbps;
        let second = Duration::from_secs(1);
        let table = [
            ("constant", Capacity::Constant(kbps(800)), kbps(10_000), 100_000),
            ("limited", Capacity::Constant(kbps(800)), kbps(400), 50_000),
            ("unlimited", Capacity::Unlimited, kbps(400), 50_000),
            ("an outage", segments(&[(25, 800), (75, 0)]), kbps(10_000), 25_000),
            ("opportunities", opportunities(&[5, 10]), kbps(10_000), 199 * 1500),
        ];
        for (name, capacity, most, wanted) in table {
            assert_eq!(capacity.could_pass(ms(0), second, most), wanted, "{name}");
        }
    }

    #[test]
    fn what_could_never_send_is_refused() {
        assert!(Segments::new(vec![]).is_none());
        assert!(Segments::new(vec![Segment { lasts: ms(5), rate: Bitrate(0) }]).is_none());
        assert!(Segments::new(vec![Segment { lasts: ms(0), rate: Bitrate(9) }]).is_none());
        assert!(
            Segments::new(vec![Segment { lasts: ms(50), rate: Bitrate::kbps(90) }]).is_none(),
            "too short"
        );
        assert!(Segments::new(vec![Segment { lasts: ms(500), rate: Bitrate(9_000) }]).is_none(), "too slow");
        let nothing = Segment { lasts: Duration::from_micros(1), rate: Bitrate(1) };
        assert!(Segments::new(vec![nothing; 200_000]).is_none(), "never a whole bit");
        assert!(Opportunities::new(vec![]).is_none());
        assert!(Opportunities::new(vec![0, 0]).is_none());
        assert!(Opportunities::new(vec![3, 2]).is_none());
    }
}
