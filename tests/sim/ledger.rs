//! What everybody sent, and what everybody saw and heard of whom.

use crate::media::Stamp;
use packet::media::MediaKind;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// One direction between two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    pub receiver: u16,
    pub sender: u16,
    pub kind: MediaKind,
}

/// A frame that could be shown or played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub number: u32,
    pub layer: u8,
    pub at: Instant,
}

#[derive(Debug, Default)]
pub struct Ledger {
    /// Moment of sending, by number of the frame.
    sent: BTreeMap<(u16, MediaKind), BTreeMap<u32, Instant>>,
    /// In order of arrival.
    received: BTreeMap<Flow, Vec<Arrival>>,
    /// Frames that came in a slot of somebody else, or damaged.
    pub wrong: u64,
}

impl Ledger {
    pub fn sent(&mut self, now: Instant, stamp: Stamp) {
        self.sent.entry((stamp.sender, stamp.kind)).or_default().entry(stamp.number).or_insert(now);
    }

    pub fn received(&mut self, now: Instant, receiver: u16, stamp: Stamp) {
        let flow = Flow { receiver, sender: stamp.sender, kind: stamp.kind };
        let arrival = Arrival { number: stamp.number, layer: stamp.layer, at: now };
        self.received.entry(flow).or_default().push(arrival);
    }

    /// Everything that arrived, in order.
    pub fn arrivals(&self, flow: Flow) -> &[Arrival] {
        self.received.get(&flow).map_or(&[], Vec::as_slice)
    }

    /// When a frame was sent.
    pub fn sent_at(&self, flow: Flow, number: u32) -> Option<Instant> {
        self.sent.get(&(flow.sender, flow.kind))?.get(&number).copied()
    }

    /// The first arrival at or after `since`.
    pub fn first(&self, flow: Flow, since: Instant) -> Option<Instant> {
        self.arrivals(flow).iter().map(|arrival| arrival.at).find(|at| *at >= since)
    }

    /// The last arrival.
    pub fn last(&self, flow: Flow) -> Option<Instant> {
        self.arrivals(flow).last().map(|arrival| arrival.at)
    }

    /// Of the frames sent in `[from, to)`, the share that arrived within `deadline` of being sent. None if none was sent.
    pub fn share(&self, flow: Flow, from: Instant, to: Instant, deadline: Duration) -> Option<f64> {
        let sent = self.sent.get(&(flow.sender, flow.kind))?;
        let wanted: BTreeMap<u32, Instant> = sent
            .iter()
            .map(|(number, at)| (*number, *at))
            .filter(|(_, at)| (from..to).contains(at))
            .collect();
        let mut in_time: Vec<u32> = self
            .arrivals(flow)
            .iter()
            .filter_map(|Arrival { number, at, .. }| {
                let sent = wanted.get(number)?;
                (*at <= *sent + deadline).then_some(*number)
            })
            .collect();
        in_time.sort();
        in_time.dedup();
        (!wanted.is_empty()).then(|| in_time.len() as f64 / wanted.len() as f64)
    }

    /// The longest time without an arrival in `[from, to)`, its edges counted as arrivals.
    pub fn longest_gap(&self, flow: Flow, from: Instant, to: Instant) -> Duration {
        let arrivals = self.arrivals(flow).iter().map(|arrival| arrival.at);
        let mut last = from;
        let mut longest = Duration::ZERO;
        for at in arrivals.filter(|at| (from..to).contains(at)).chain([to]) {
            longest = longest.max(at.saturating_duration_since(last));
            last = at;
        }
        longest
    }

    /// How late the latest of those was that arrived in `[from, to)`.
    pub fn latest(&self, flow: Flow, from: Instant, to: Instant) -> Option<Duration> {
        let sent = self.sent.get(&(flow.sender, flow.kind))?;
        let arrivals = self.arrivals(flow).iter().filter(|arrival| (from..to).contains(&arrival.at));
        arrivals.filter_map(|arrival| Some(arrival.at - *sent.get(&arrival.number)?)).max()
    }

    /// Frames that arrived more than once.
    pub fn repeated(&self, flow: Flow) -> usize {
        let mut numbers: Vec<u32> = self.arrivals(flow).iter().map(|arrival| arrival.number).collect();
        let all = numbers.len();
        numbers.sort();
        numbers.dedup();
        all - numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: Flow = Flow { receiver: 1, sender: 0, kind: MediaKind::Audio };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Ten frames, 20 ms apart; these arrive so much later.
    fn ledger(start: Instant, arrive: &[(u32, u64)]) -> Ledger {
        let mut ledger = Ledger::default();
        for number in 0..10 {
            ledger.sent(
                start + 20 * ms(number),
                Stamp { sender: 0, kind: MediaKind::Audio, number: number as u32, layer: 0 },
            );
        }
        for &(number, late) in arrive {
            let stamp = Stamp { sender: 0, kind: MediaKind::Audio, number, layer: 0 };
            ledger.received(start + ms(20 * u64::from(number) + late), 1, stamp);
        }
        ledger
    }

    #[test]
    fn shares_count_frames_once_and_only_in_time() {
        let start = Instant::now();
        let ledger = ledger(start, &[(0, 50), (1, 50), (1, 55), (2, 500), (3, 400)]);
        assert_eq!(ledger.share(FLOW, start, start + ms(200), ms(400)), Some(0.3));
        assert_eq!(ledger.share(FLOW, start, start + ms(40), ms(400)), Some(1.0));
        assert_eq!(ledger.share(FLOW, start + ms(500), start + ms(900), ms(400)), None);
        assert_eq!(ledger.repeated(FLOW), 1);
    }

    #[test]
    fn lateness_counts_from_sending() {
        let start = Instant::now();
        let ledger = ledger(start, &[(0, 50), (1, 500), (2, 70)]);
        assert_eq!(ledger.latest(FLOW, start, start + ms(200)), Some(ms(70)));
        assert_eq!(ledger.latest(FLOW, start, start + ms(900)), Some(ms(500)));
        assert_eq!(ledger.latest(FLOW, start + ms(600), start + ms(900)), None);
    }

    #[test]
    fn gaps_include_the_edges() {
        let start = Instant::now();
        let ledger = ledger(start, &[(0, 100), (1, 100), (5, 100)]);
        assert_eq!(ledger.longest_gap(FLOW, start, start + ms(210)), ms(100));
        assert_eq!(ledger.longest_gap(FLOW, start + ms(100), start + ms(210)), ms(80));
        assert_eq!(ledger.longest_gap(FLOW, start + ms(300), start + ms(900)), ms(600));
        assert_eq!(ledger.first(FLOW, start + ms(101)), Some(start + ms(120)));
    }
}
