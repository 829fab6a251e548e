//! One clock for everybody: nanoseconds since 1900, the router's own; and what a publisher's reports say about it.
//!
//! ```text
//!  RTP time of a layer --(its sender report)--> publisher's NTP --(offset of the publisher)--> the router's clock
//! ```
//! Lip-sync of one publisher is exact because all its layers share one offset; slots that are rebound stay on one
//! line of RTP against the router's clock, so receivers need not learn a new one.

use packet::{NtpTime, RtpTime};
use std::time::{Duration, Instant};

/// Nanoseconds since 1900 on the router's clock (or, before translation, on a publisher's).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Nanos(pub i64);

impl Nanos {
    pub fn from_ntp(ntp: NtpTime) -> Self {
        let seconds = (ntp.0 >> 32) as i64;
        let fraction = ((ntp.0 & 0xffff_ffff) * 1_000_000_000) >> 32;
        Self(seconds * 1_000_000_000 + fraction as i64)
    }
    pub fn ntp(self) -> NtpTime {
        let seconds = self.0.div_euclid(1_000_000_000) as u64;
        let fraction = ((self.0.rem_euclid(1_000_000_000) as u128) << 32) / 1_000_000_000;
        NtpTime(seconds << 32 | fraction as u64)
    }
}

/// The router's clock: an `Instant` and the NTP time it stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouterClock {
    at: Instant,
    ntp: Nanos,
}

impl RouterClock {
    pub fn new((at, ntp): (Instant, NtpTime)) -> Self {
        Self { at, ntp: Nanos::from_ntp(ntp) }
    }
    pub fn nanos(&self, now: Instant) -> Nanos {
        Nanos(self.ntp.0 + now.saturating_duration_since(self.at).as_nanos() as i64)
    }
    /// Since the routers' common start.
    pub fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.at)
    }
    pub fn start(&self) -> Instant {
        self.at
    }
}

fn ticks_to_nanos(ticks: i32, rate: u32) -> i64 {
    i64::from(ticks) * 1_000_000_000 / i64::from(rate)
}

fn nanos_to_ticks(nanos: i64, rate: u32) -> u32 {
    (i128::from(nanos) * i128::from(rate) / 1_000_000_000) as u32
}

/// How far a publisher's clock is behind the router's: the smallest of the recent sender reports' arrival minus send
/// time, which has the least queueing in it, less the way here.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublisherClock {
    samples: [Option<i64>; Self::SAMPLES],
    next: usize,
    /// Nanoseconds.
    way: i64,
}

impl PublisherClock {
    /// Some ten seconds of an audio and a video stream: long enough to see an idle path, short enough to follow drift.
    const SAMPLES: usize = 16;

    /// `round_trip`: without queues; None while it is not known.
    pub fn on_sender_report(&mut self, sent: Nanos, arrived: Nanos, round_trip: Option<Duration>) {
        if let Some(round_trip) = round_trip {
            self.way = (round_trip.as_nanos() / 2) as i64;
        }
        let sample = arrived.0.wrapping_sub(sent.0);
        // A publisher whose clock was set starts over.
        if self.soonest().is_some_and(|soonest| soonest.abs_diff(sample) > 5_000_000_000) {
            self.samples = Default::default();
        }
        self.samples[self.next] = Some(sample);
        self.next = (self.next + 1) % Self::SAMPLES;
    }

    /// Another worker reads its reports.
    pub fn follow(&mut self, offset: i64) {
        self.samples = Default::default();
        self.samples[0] = Some(offset);
    }

    /// Nanoseconds to add to the publisher's clock to get the router's.
    pub fn offset(&self) -> Option<i64> {
        self.soonest().map(|soonest| soonest - self.way)
    }

    fn soonest(&self) -> Option<i64> {
        self.samples.iter().flatten().min().copied()
    }
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    at: Nanos,
    rtp: RtpTime,
}

impl Anchor {
    fn time_of(self, rtp: RtpTime, rate: u32) -> Nanos {
        Nanos(self.at.0 + ticks_to_nanos(rtp.since(self.rtp), rate))
    }
}

/// When the samples of one layer were captured. From its sender reports; until there is one, from arrivals.
#[derive(Clone, Debug)]
pub(crate) struct LayerClock {
    rate: u32,
    /// On the publisher's clock.
    report: Option<Anchor>,
    /// The packet that came soonest after its RTP time would have it, now and in the window being filled.
    soonest: Option<Anchor>,
    filling: Option<(Nanos, Anchor)>,
}

impl LayerClock {
    /// Nanoseconds; drift between two crystals is below 1 ms in this time.
    const WINDOW: i64 = 10_000_000_000;
    /// A timestamp further than this from where it should be starts over.
    const JUMP: u64 = 10_000_000_000;

    pub fn new(rate: u32) -> Self {
        Self { rate, report: None, soonest: None, filling: None }
    }

    pub fn on_packet(&mut self, arrived: Nanos, rtp: RtpTime) {
        let here = Anchor { at: arrived, rtp };
        let Some(soonest) = self.soonest else {
            (self.soonest, self.filling) = (Some(here), Some((arrived, here)));
            return;
        };
        let expected = soonest.time_of(rtp, self.rate);
        if expected.0.abs_diff(arrived.0) > Self::JUMP {
            (self.soonest, self.filling) = (Some(here), Some((arrived, here)));
            return;
        }
        if arrived < expected {
            self.soonest = Some(here);
        }
        match &mut self.filling {
            Some((since, best)) => {
                if arrived < best.time_of(rtp, self.rate) {
                    *best = here;
                }
                if arrived.0 - since.0 > Self::WINDOW {
                    self.soonest = Some(*best);
                    self.filling = Some((arrived, here));
                }
            }
            None => self.filling = Some((arrived, here)),
        }
    }

    pub fn on_sender_report(&mut self, sent: Nanos, rtp: RtpTime) {
        self.report = Some(Anchor { at: sent, rtp });
    }

    /// Nanoseconds that a packet is later than the soonest of its stream would have been.
    pub fn behind(&self, arrived: Nanos, rtp: RtpTime) -> Option<i64> {
        Some(arrived.0 - self.soonest?.time_of(rtp, self.rate).0)
    }

    pub fn has_report(&self) -> bool {
        self.report.is_some()
    }

    /// The newest: a moment on the publisher's clock, and the timestamp then.
    pub fn report(&self) -> Option<(Nanos, RtpTime)> {
        self.report.map(|anchor| (anchor.at, anchor.rtp))
    }

    fn anchor(&self, publisher: &PublisherClock) -> Option<Anchor> {
        match (self.report, publisher.offset()) {
            (Some(report), Some(offset)) => Some(Anchor { at: Nanos(report.at.0 + offset), rtp: report.rtp }),
            _ => self.soonest,
        }
    }

    /// When the sample with this timestamp was captured, on the router's clock.
    pub fn captured(&self, rtp: RtpTime, publisher: &PublisherClock) -> Option<Nanos> {
        self.anchor(publisher).map(|a| a.time_of(rtp, self.rate))
    }

    /// Ticks from `here` on this layer to `there` on another layer of the same track. Through reports of both, or else
    /// through arrivals of both: the two disagree by what the encoder takes.
    pub fn ticks_ahead(&self, here: RtpTime, other: &Self, there: RtpTime) -> Option<i64> {
        let (a, b) = match (self.report, other.report) {
            (Some(a), Some(b)) => (a, b),
            _ => (self.soonest?, other.soonest?),
        };
        let apart = b.time_of(there, self.rate).0 - a.time_of(here, self.rate).0;
        Some((i128::from(apart) * i128::from(self.rate) / 1_000_000_000) as i64)
    }

    /// The layer's timestamp of a sample captured at `at`.
    pub fn rtp_at(&self, at: Nanos, publisher: &PublisherClock) -> Option<RtpTime> {
        self.anchor(publisher).map(|a| a.rtp.plus(nanos_to_ticks(at.0 - a.at.0, self.rate)))
    }
}

/// A slot's own line of RTP time against the router's clock. It outlives the sources bound to the slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotLine {
    rate: u32,
    anchor: Anchor,
}

impl SlotLine {
    pub fn new(rate: u32, at: Nanos, rtp: RtpTime) -> Self {
        Self { rate, anchor: Anchor { at, rtp } }
    }
    pub fn rtp_at(&self, at: Nanos) -> RtpTime {
        self.anchor.rtp.plus(nanos_to_ticks(at.0 - self.anchor.at.0, self.rate))
    }
}

/// A duration in ticks of a clock of `rate` Hz.
pub(crate) fn ticks(d: Duration, rate: u32) -> u32 {
    nanos_to_ticks(d.as_nanos() as i64, rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn ntp_and_nanoseconds_agree() {
        for ns in [0, 1, S / 2, 3_900_000_000 * S + 123_456_789] {
            assert!((Nanos::from_ntp(Nanos(ns).ntp()).0 - ns).abs() <= 1, "{ns}");
        }
    }

    #[test]
    fn capture_time_comes_from_arrivals_until_there_is_a_report() {
        let publisher = &mut PublisherClock::default();
        let mut layer = LayerClock::new(90_000);
        assert_eq!(layer.captured(RtpTime(0), publisher), None);
        // The second packet is late by 40 ms, the third is on time: the first and third rule.
        for (at_ms, rtp) in [(1000, 0u32), (1073, 2970), (1066, 5940)] {
            layer.on_packet(Nanos(at_ms * 1_000_000), RtpTime(rtp.wrapping_sub(10)));
        }
        let captured = layer.captured(RtpTime(2970u32.wrapping_sub(10)), publisher).unwrap();
        assert_eq!(captured.0 / 1_000_000, 1033);
        // The report says it was captured at 5 s of the publisher's clock; both clocks differ by 900 ms.
        publisher.on_sender_report(Nanos(5 * S), Nanos(5 * S + S * 9 / 10), None);
        layer.on_sender_report(Nanos(5 * S), RtpTime(90_000));
        assert_eq!(layer.captured(RtpTime(180_000), publisher), Some(Nanos(6 * S + S * 9 / 10)));
        assert_eq!(layer.rtp_at(Nanos(6 * S + S * 9 / 10), publisher), Some(RtpTime(180_000)));
        // A later report with more queueing changes nothing, one with less does.
        publisher.on_sender_report(Nanos(6 * S), Nanos(7 * S), None);
        assert_eq!(publisher.offset(), Some(S * 9 / 10));
        publisher.on_sender_report(Nanos(7 * S), Nanos(7 * S + S / 2), None);
        assert_eq!(publisher.offset(), Some(S / 2));
        // Of the half second 100 ms are the way, once a round trip is known.
        publisher.on_sender_report(Nanos(8 * S), Nanos(9 * S), Some(Duration::from_millis(200)));
        publisher.on_sender_report(Nanos(9 * S), Nanos(10 * S), None);
        assert_eq!(publisher.offset(), Some(S * 4 / 10));
    }

    #[test]
    fn a_line_runs_through_the_timestamp_wrap() {
        let line = SlotLine::new(48_000, Nanos(S), RtpTime(u32::MAX));
        assert_eq!(line.rtp_at(Nanos(2 * S)), RtpTime(47_999));
        assert_eq!(line.rtp_at(Nanos(0)), RtpTime(u32::MAX - 48_000));
    }
}
