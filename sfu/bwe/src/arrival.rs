//! Packets sent in one burst are one group; what is measured is how the gap between two groups changed on the way.
//!
//! ```text
//!   sent      ▮▮▮     ▮▮▮▮    ▮▮          send delta: last to last
//!   arrived      ▮ ▮ ▮   ▮ ▮ ▮ ▮  ▮ ▮     arrival delta: last to last
//! ```

use crate::moment::Moment;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Delta {
    pub sent_ms: f64,
    pub arrival_ms: f64,
    /// Arrival of the newer group, the receiver's clock.
    pub arrived_us: i64,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: Moment,
    last_sent: Moment,
    first_arrival_us: i64,
    last_arrival_us: i64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    current: Option<Group>,
    previous: Option<Group>,
}

/// Packets of one tick of a pacer leave together: shorter than its 5 ms, so that two ticks are two groups.
const SENT_TOGETHER_US: i64 = 4000;
/// What a link held back and then delivered at once (Wi-Fi aggregation) is one group too; libwebrtc's number.
const ARRIVED_TOGETHER_US: i64 = 5000;
/// Held back means: arrived in less than this part of the time it was sent in. A full link spreads packets evenly.
const SQUEEZED: i64 = 4;
/// But no group lasts longer than this.
const GROUP_MAX_US: i64 = 100_000;
/// A receiver's clock that jumps by this starts over.
const JUMP_US: i64 = 3_000_000;

impl Groups {
    /// Packets in the order of sending; one that was reordered is left out. Gives the delta when a group is complete.
    pub fn on_packet(&mut self, sent: Moment, arrival_us: i64) -> Option<Delta> {
        let Some(current) = &mut self.current else {
            self.current = Some(Group::new(sent, arrival_us));
            return None;
        };
        if sent < current.first_sent {
            return None;
        }
        if current.takes(sent, arrival_us) {
            current.last_sent = current.last_sent.max(sent);
            current.last_arrival_us = current.last_arrival_us.max(arrival_us);
            return None;
        }
        let complete = *current;
        let delta = self.previous.map(|previous| Delta {
            sent_ms: complete.last_sent.ms_since(previous.last_sent),
            arrival_ms: (complete.last_arrival_us - previous.last_arrival_us) as f64 / 1000.0,
            arrived_us: complete.last_arrival_us,
        });
        self.previous = Some(complete);
        self.current = Some(Group::new(sent, arrival_us));
        let delta = delta?;
        if (delta.arrival_ms - delta.sent_ms).abs() * 1000.0 > JUMP_US as f64 {
            self.restart();
            return None;
        }
        Some(delta)
    }

    /// What comes next is not compared with what was.
    pub fn restart(&mut self) {
        (self.current, self.previous) = (None, None);
    }
}

impl Group {
    fn new(sent: Moment, arrival_us: i64) -> Self {
        Self { first_sent: sent, last_sent: sent, first_arrival_us: arrival_us, last_arrival_us: arrival_us }
    }

    fn takes(&self, sent: Moment, arrival_us: i64) -> bool {
        if sent.us_since(self.first_sent) <= SENT_TOGETHER_US {
            return true;
        }
        let arrival_delta = arrival_us - self.last_arrival_us;
        let span = arrival_us - self.first_arrival_us;
        // Earlier by more than any group lasts is no reordering but another clock.
        let at_once = (-GROUP_MAX_US..=ARRIVED_TOGETHER_US).contains(&arrival_delta);
        at_once && span < GROUP_MAX_US && span * SQUEEZED < sent.us_since(self.first_sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Deltas (sent, arrival) in ms for packets of (sent ms, arrival ms).
    fn deltas(packets: &[(u64, i64)]) -> Vec<(f64, f64)> {
        let mut groups = Groups::default();
        let moment = |ms| Moment::default().plus(Duration::from_millis(ms));
        let all = packets.iter().filter_map(|(sent, at)| groups.on_packet(moment(*sent), at * 1000));
        all.map(|delta| (delta.sent_ms, delta.arrival_ms)).collect()
    }

    #[test]
    fn bursts_are_compared_last_to_last() {
        let packets = [(0, 20), (0, 22), (5, 25), (5, 29), (10, 36), (15, 44), (20, 54)];
        assert_eq!(deltas(&packets), [(5.0, 7.0), (5.0, 7.0), (5.0, 8.0)]);
    }

    #[test]
    fn what_was_held_back_and_came_at_once_is_one_group() {
        let packets = [(0, 20), (20, 40), (40, 90), (60, 91), (80, 92), (100, 120), (120, 140)];
        assert_eq!(deltas(&packets), [(20.0, 20.0), (60.0, 52.0), (20.0, 28.0)]);
    }

    #[test]
    fn reordered_packets_and_jumps_of_a_clock_are_left_out() {
        let packets = [(0, 20), (20, 40), (10, 45), (40, 60), (60, 80)];
        assert_eq!(deltas(&packets), [(20.0, 20.0), (20.0, 20.0)]);
        let jump =
            [(0, 20), (20, 40), (40, 90_000), (60, 90_020), (80, 90_040), (100, 90_060), (120, 90_080)];
        assert_eq!(deltas(&jump), [(20.0, 20.0), (20.0, 20.0)]);
        let back = [(0, 90_000), (20, 90_020), (40, 10), (60, 30), (80, 50), (100, 70), (120, 90)];
        assert_eq!(deltas(&back), [(20.0, 20.0), (20.0, 20.0)]);
    }
}
