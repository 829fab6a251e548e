//! Every timer of a router in one table: what is armed, and which is next.
//!
//! ```text
//!  set ─► alarm of (owner, reason) ──only if earlier than its entry──► heap of entries, earliest first ─► pop_due
//!                                     later: the entry moves when it comes up ◄──┘
//! ```
//! A timer has one entry that counts, however often it is set: most are moved later again and again (consent with
//! every check, the ageing of an estimate with every feedback), which costs two words and no search.

use crate::TimeoutReason;
use packet::RoomId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Instant;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owner {
    Peer(usize),
    Room(RoomId),
    Router,
}

pub(crate) type Timer = (Owner, TimeoutReason);

/// One timer.
#[derive(Clone, Copy, Debug, Default)]
struct Alarm {
    /// When it is to fire; `None`: it is not armed.
    at: Option<Instant>,
    /// Time of its entry in the heap, never later than `at`. Entries of other times are left-overs.
    entry: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    peers: Vec<[Alarm; TimeoutReason::COUNT]>,
    /// Of rooms and of the router: few.
    others: BTreeMap<Timer, Alarm>,
    entries: BinaryHeap<Reverse<(Instant, Timer)>>,
}

impl Timers {
    pub fn set(&mut self, timer: Timer, at: Instant) {
        let alarm = self.alarm(timer);
        alarm.at = Some(at);
        if alarm.entry.is_none_or(|entry| at < entry) {
            alarm.entry = Some(at);
            self.entries.push(Reverse((at, timer)));
        }
    }

    /// Leaves an earlier time in place.
    pub fn set_no_later(&mut self, timer: Timer, at: Instant) {
        if self.alarm(timer).at.is_none_or(|before| at < before) {
            self.set(timer, at);
        }
    }

    pub fn stop(&mut self, timer: Timer) {
        self.alarm(timer).at = None;
    }

    /// The owner is gone.
    pub fn stop_all_of(&mut self, owner: Owner) {
        if let Owner::Peer(index) = owner {
            self.peers.get_mut(index).into_iter().flatten().for_each(|alarm| alarm.at = None);
        } else {
            // What is left in the heap finds nothing.
            self.others.retain(|(of, _), _| *of != owner);
        }
    }

    pub fn next(&mut self) -> Option<(Instant, TimeoutReason)> {
        while let Some(&Reverse((at, timer))) = self.entries.peek() {
            if self.is_armed(timer, at) {
                return Some((at, timer.1));
            }
            self.pass_over(timer, at);
        }
        None
    }

    /// Takes one timer that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        while let Some(&Reverse((at, timer))) = self.entries.peek().filter(|Reverse((at, _))| *at <= now) {
            if self.is_armed(timer, at) {
                self.entries.pop();
                *self.alarm(timer) = Alarm::default();
                return Some(timer);
            }
            self.pass_over(timer, at);
        }
        None
    }

    fn is_armed(&self, timer: Timer, at: Instant) -> bool {
        let alarm = match timer.0 {
            Owner::Peer(index) => self.peers.get(index).map(|alarms| &alarms[timer.1 as usize]),
            _ => self.others.get(&timer),
        };
        alarm.is_some_and(|alarm| alarm.at == Some(at) && alarm.entry == Some(at))
    }

    /// The first entry is not when its timer fires: that one was moved or stopped, or has an earlier entry.
    fn pass_over(&mut self, timer: Timer, at: Instant) {
        self.entries.pop();
        let known = matches!(timer.0, Owner::Peer(_)) || self.others.contains_key(&timer);
        if !known || self.alarm(timer).entry != Some(at) {
            return;
        }
        let alarm = self.alarm(timer);
        alarm.entry = alarm.at;
        if let Some(later) = alarm.at {
            self.entries.push(Reverse((later, timer)));
        }
    }

    fn alarm(&mut self, timer: Timer) -> &mut Alarm {
        match timer.0 {
            Owner::Peer(index) => {
                if self.peers.len() <= index {
                    self.peers.resize(index + 1, Default::default());
                }
                &mut self.peers[index][timer.1 as usize]
            }
            _ => self.others.entry(timer).or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::tests::start;
    use std::time::Duration;

    fn ms(n: u64) -> Instant {
        start() + Duration::from_millis(n)
    }

    #[test]
    fn timers_fire_once_in_order() {
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

    #[test]
    fn a_timer_that_is_moved_later_again_and_again_has_one_entry() {
        let mut timers = Timers::default();
        let consent = (Owner::Peer(3), TimeoutReason::Transport);
        for at in 0..10_000 {
            timers.set(consent, ms(30_000 + at));
        }
        assert_eq!(timers.entries.len(), 1);
        assert_eq!(timers.next(), Some((ms(39_999), TimeoutReason::Transport)));
        assert_eq!(timers.pop_due(ms(39_998)), None);
        assert_eq!(timers.pop_due(ms(39_999)), Some(consent));
        assert_eq!(timers.entries.len(), 0);
    }

    #[test]
    fn whatever_is_set_and_stopped_what_is_armed_fires_at_its_time() {
        let mut random = Random::new(5);
        let reasons = [TimeoutReason::Nack, TimeoutReason::Pace, TimeoutReason::Speakers];
        let owners = [Owner::Peer(0), Owner::Peer(2), Owner::Room(RoomId(1)), Owner::Router];
        let (mut timers, mut model) = (Timers::default(), BTreeMap::new());
        for step in 0..20_000 {
            let mut pick = |n: usize| random.next() as usize % n;
            let timer = (owners[pick(4)], reasons[pick(3)]);
            let at = ms(step + 1 + pick(50) as u64);
            match pick(6) {
                0 => {
                    timers.stop(timer);
                    model.remove(&timer);
                }
                1 => {
                    timers.stop_all_of(timer.0);
                    model.retain(|(owner, _): &Timer, _| *owner != timer.0);
                }
                2 | 3 => {
                    timers.set(timer, at);
                    model.insert(timer, at);
                }
                _ => {
                    timers.set_no_later(timer, at);
                    let known = model.entry(timer).or_insert(at);
                    *known = at.min(*known);
                }
            }
            let first = model.iter().map(|(&timer, &at)| (at, timer)).min();
            assert_eq!(timers.next(), first.map(|(at, timer)| (at, timer.1)));
            let due = first.filter(|(at, _)| *at <= ms(step)).map(|(_, timer)| timer);
            assert_eq!(timers.pop_due(ms(step)), due);
            due.map(|timer| model.remove(&timer));
        }
        assert!(timers.entries.len() < 200, "left-overs go: {}", timers.entries.len());
    }
}
