//! Every timer of a router in one table: what is armed, and which is next.

use crate::TimeoutReason;
use packet::RoomId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owner {
    Peer(usize),
    Room(RoomId),
    Router,
}

pub(crate) type Timer = (Owner, TimeoutReason);

#[derive(Debug, Default)]
pub(crate) struct Timers {
    armed: BTreeMap<Timer, Instant>,
    order: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub fn set(&mut self, timer: Timer, at: Instant) {
        match self.armed.insert(timer, at) {
            Some(before) if before == at => return,
            Some(before) => {
                self.order.remove(&(before, timer));
            }
            None => {}
        }
        self.order.insert((at, timer));
    }

    /// Leaves an earlier time in place.
    pub fn set_no_later(&mut self, timer: Timer, at: Instant) {
        if self.armed.get(&timer).is_none_or(|&before| at < before) {
            self.set(timer, at);
        }
    }

    pub fn stop(&mut self, timer: Timer) {
        if let Some(before) = self.armed.remove(&timer) {
            self.order.remove(&(before, timer));
        }
    }

    pub fn stop_all_of(&mut self, owner: Owner) {
        use TimeoutReason::*;
        for reason in [
            Transport, Feedback, Nack, Keyframe, Report, Replay, Layers, Allocate, Wants, Speakers, Egress,
            Pace, Bandwidth, Connect,
        ] {
            self.stop((owner, reason));
        }
    }

    pub fn next(&self) -> Option<(Instant, TimeoutReason)> {
        self.order.first().map(|&(at, (_, reason))| (at, reason))
    }

    /// Takes one timer that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let &(at, timer) = self.order.first().filter(|(at, _)| *at <= now)?;
        self.order.remove(&(at, timer));
        self.armed.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;
    use std::time::Duration;

    #[test]
    fn timers_fire_once_in_order() {
        let t = start();
        let ms = |n| t + Duration::from_millis(n);
        let mut timers = Timers::default();
        let nack = (Owner::Peer(1), TimeoutReason::Nack);
        let report = (Owner::Peer(1), TimeoutReason::Report);
        timers.set(nack, ms(30));
        timers.set(report, ms(20));
        timers.set_no_later(nack, ms(40));
        timers.set_no_later(nack, ms(10));
        assert_eq!(timers.next(), Some((ms(10), TimeoutReason::Nack)));
        assert_eq!(timers.pop_due(ms(9)), None);
        assert_eq!(timers.pop_due(ms(50)), Some(nack));
        assert_eq!(timers.pop_due(ms(50)), Some(report));
        assert_eq!(timers.pop_due(ms(50)), None);
        timers.set(report, ms(60));
        timers.stop_all_of(Owner::Peer(1));
        assert_eq!(timers.next(), None);
    }
}
