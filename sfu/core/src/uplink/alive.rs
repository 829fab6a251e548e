//! Which layers of a track are being sent at the moment.
//!
//! A sender short of CPU or bandwidth stops its highest layer without a word. The clock alone notices late, since a sender
//! that stalls as a whole must not count. But layers of one picture share the moments of capture: a layer is gone when
//! another one went on to newer frames without it.
//!
//! ```text
//!  low    1   2   3   4   5           frames by time of capture; each layer's RTP timestamps have an offset of their own
//!  high   1   2   3   .   .  <- here  (Chromium draws it at random), so they are compared through the layers' clocks
//! ```

use super::Layer;
use packet::RtpTime;
use std::time::{Duration, Instant};

/// Layers of one track, by index.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct LayerSet(u8);

impl LayerSet {
    pub fn insert(&mut self, layer: u8) {
        self.0 |= 1 << layer;
    }
    pub fn contains(self, layer: u8) -> bool {
        layer < 8 && self.0 >> layer & 1 == 1
    }
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Those below `count`.
    pub fn first(count: u8) -> Self {
        Self(u8::MAX.checked_shr(8u32.saturating_sub(count.into())).unwrap_or(0))
    }
    /// Layer `n` is bit `n`.
    pub fn bits(self) -> u8 {
        self.0
    }
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

/// The newest frames of one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    /// Timestamp, and when its first packet came; oldest first.
    recent: arrayvec::ArrayVec<(RtpTime, Instant), { Self::KEPT }>,
    /// When the newest frame's newest packet came.
    last_packet: Option<Instant>,
}

/// Frames that other layers must be ahead, while nearly nothing is lost. One frame that a rate controller drops is no end.
const MISSED: usize = 2;
/// The same on a path that loses packets: a small frame is one packet, and two of them are lost together soon.
const MISSED_LOSSY: usize = 4;
/// Share of packets lost in the last report interval from which a path counts as one that loses packets.
const LOSSY: f32 = 0.02;
/// A layer without which another one went on for so long has stopped, whatever their timestamps say of each other.
const SILENCE_MAX: Duration = Duration::from_millis(700);

impl Frames {
    const KEPT: usize = 8;

    /// A packet with payload. True: a new frame begins.
    pub fn on_packet(&mut self, now: Instant, timestamp: RtpTime) -> bool {
        let ahead = self.recent.last().map_or(1, |(newest, _)| timestamp.since(*newest));
        if ahead < 0 {
            return false;
        }
        self.last_packet = Some(now);
        if ahead > 0 {
            if self.recent.is_full() {
                self.recent.remove(0);
            }
            self.recent.push((timestamp, now));
        }
        ahead > 0
    }

    /// The shortest of the last three distances between frames, in ticks: a layer may have fewer frames a second than
    /// another, and one that was dropped is no new rate.
    fn interval(&self) -> Option<i32> {
        self.recent.windows(2).rev().take(3).map(|pair| pair[1].0.since(pair[0].0)).min()
    }
}

/// Every layer that arrives. Empty: none does.
pub(super) fn alive(layers: &[Layer]) -> LayerSet {
    let mut alive = LayerSet::default();
    for (i, layer) in layers.iter().enumerate() {
        let Some(last) = layer.frames.last_packet else { continue };
        if !layers.iter().any(|other| went_on_without(layer, other, last)) {
            alive.insert(i as u8);
        }
    }
    alive
}

/// Did `other` go on to newer frames since `layer`'s last packet at `last`?
fn went_on_without(layer: &Layer, other: &Layer, last: Instant) -> bool {
    let Some(&(newest, _)) = layer.frames.recent.last() else { return false };
    let since = || other.frames.recent.iter().filter(|(_, at)| *at > last);
    let Some(((_, first), (farthest, end))) = since().next().zip(since().next_back()) else { return false };
    let enough = since().count() >= MISSED_LOSSY;
    let interval = layer.frames.interval();
    let usual = interval.map_or(Duration::ZERO, |ticks| ticks_to_time(ticks, layer.rate));
    if enough && end.saturating_duration_since(*first) > SILENCE_MAX.max(2 * usual) {
        return true;
    }
    let Some(interval) = interval.map(i64::from) else { return false };
    let ahead = |timestamp| layer.clock.ticks_ahead(newest, &other.clock, timestamp).unwrap_or(0);
    let lossy = layer.reception.fraction_lost().max(other.reception.fraction_lost()) > LOSSY;
    let missed = if lossy { MISSED_LOSSY } else { MISSED };
    // By half an interval: clocks of two layers agree only so far before their sender reports.
    let newer = since().filter(|(timestamp, _)| ahead(*timestamp) > interval / 2).count();
    newer >= missed && ahead(*farthest) > interval * 7 / 4
}

fn ticks_to_time(ticks: i32, rate: u32) -> Duration {
    Duration::from_secs(1) * ticks.max(0) as u32 / rate.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    #[test]
    fn a_set_knows_its_layers() {
        let mut set = LayerSet::default();
        assert!(set.is_empty());
        set.insert(0);
        set.insert(2);
        assert!(set.contains(0) && !set.contains(1) && set.contains(2) && !set.contains(9));
    }

    #[test]
    fn packets_of_one_frame_and_late_ones_are_no_new_frame() {
        let at = |ms| start() + Duration::from_millis(ms);
        let mut frames = Frames::default();
        let first = RtpTime(u32::MAX - 100);
        assert!(frames.on_packet(at(0), first));
        assert!(!frames.on_packet(at(1), first));
        assert!(frames.on_packet(at(40), first.plus(3600)));
        assert!(!frames.on_packet(at(41), first), "late");
        assert_eq!(frames.last_packet, Some(at(40)));
        for n in 2..40 {
            frames.on_packet(at(40 * n), first.plus(3600 * n as u32));
        }
        assert_eq!(frames.recent.len(), Frames::KEPT);
        assert_eq!(frames.interval(), Some(3600));
    }
}
