//! Which streams of a track somebody watches, and what its publisher was told about it. Of a track that is one stream with several sizes
//! inside it (SVC) likewise which sizes: `Track::sizes`.
//!
//! A stream that is wanted is asked for at once; one that nobody wants is kept for a while, since people look back.

use super::LayerSet;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants {
    told: LayerSet,
    /// When each was last asked for; the rest has never been off.
    asked: [Option<Instant>; 8],
    /// How often each was asked for without having come since.
    in_vain: [u8; 8],
    /// Since when less is needed than was told.
    less_since: Option<Instant>,
}

/// Longer than a glance away, a scroll or a reload of a watcher's page.
const KEEP: Duration = Duration::from_secs(3);
/// A publisher that could not send what it was asked for is asked again after this, then after twice as long, then after four times:
/// each time its viewers wait for what does not come.
const AGAIN: Duration = Duration::from_secs(5);
const TWICE_MAX: u8 = 2;

impl Wants {
    /// A publisher begins with all of its `streams`, and with all sizes of a single one.
    pub fn new(streams: usize) -> Self {
        let told = LayerSet::first(if streams == 1 { 8 } else { streams.min(8) as u8 });
        Self { told, asked: [None; 8], in_vain: [0; 8], less_since: None }
    }

    /// The publisher was last told to send it.
    pub fn told(&self, stream: u8) -> bool {
        self.told.contains(stream)
    }

    /// It was asked for again no longer than `within` ago.
    pub fn is_returning(&self, now: Instant, stream: u8, within: Duration) -> bool {
        let asked = self.asked.get(usize::from(stream)).copied().flatten();
        asked.is_some_and(|at| now.saturating_duration_since(at) < within)
    }

    /// What was asked for is there.
    pub fn arrived(&mut self, stream: u8) {
        if let Some(in_vain) = self.in_vain.get_mut(usize::from(stream)) {
            *in_vain = 0;
        }
    }

    /// It may well come if it is asked for now.
    pub fn may_ask(&self, now: Instant, stream: u8) -> bool {
        let stream = usize::from(stream);
        let (Some(Some(asked)), Some(in_vain)) = (self.asked.get(stream), self.in_vain.get(stream)) else {
            return true;
        };
        let Some(doublings) = in_vain.checked_sub(1) else { return true };
        now.saturating_duration_since(*asked) >= AGAIN * (1 << doublings.min(TWICE_MAX))
    }

    /// `needed`: what somebody watches or soon will. True: the publisher is to be told `told` anew.
    pub fn update(&mut self, now: Instant, needed: LayerSet) -> bool {
        let before = self.told;
        self.follow(now, before.union(needed));
        let changed = self.told != before;
        if needed == self.told {
            self.less_since = None;
            return changed;
        }
        let since = *self.less_since.get_or_insert(now);
        if now.saturating_duration_since(since) < KEEP {
            return changed;
        }
        self.less_since = None;
        self.told = needed;
        true
    }

    /// The publisher is another worker's, which has told it to send these.
    pub fn follow(&mut self, now: Instant, told: LayerSet) {
        if self.told == told {
            return;
        }
        for stream in (0..8).filter(|&stream| told.contains(stream) && !self.told.contains(stream)) {
            self.asked[usize::from(stream)] = Some(now);
            self.in_vain[usize::from(stream)] = self.in_vain[usize::from(stream)].saturating_add(1);
        }
        self.told = told;
    }

    /// What the publisher was last told to send.
    pub fn all_told(&self) -> LayerSet {
        self.told
    }

    /// When `update` is due again, if what is needed stays as it is.
    pub fn next(&self) -> Option<Instant> {
        self.less_since.map(|since| since + KEEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn set(streams: &[u8]) -> LayerSet {
        let mut set = LayerSet::default();
        streams.iter().for_each(|&stream| set.insert(stream));
        set
    }

    #[test]
    fn what_does_not_come_is_asked_for_less_and_less_often() {
        let mut wants = Wants::new(3);
        let mut now = start();
        // Nobody can have it, so nobody needs it; told it is off.
        let off = |wants: &mut Wants, now: &mut Instant| {
            wants.update(*now, set(&[0]));
            *now += KEEP;
            assert!(wants.update(*now, set(&[0])));
        };
        off(&mut wants, &mut now);
        for pause in [5, 10, 20, 20] {
            assert!(wants.may_ask(now, 2));
            let asked = now;
            assert!(wants.update(now, set(&[0, 2])));
            off(&mut wants, &mut now);
            now = asked + Duration::from_secs(pause);
            assert!(!wants.may_ask(now - Duration::from_millis(1), 2), "{pause}");
        }
        // Once it came it is asked for at once again.
        assert!(wants.update(now, set(&[0, 2])));
        wants.arrived(2);
        off(&mut wants, &mut now);
        assert!(wants.may_ask(now, 2));
    }

    #[test]
    fn off_after_a_while_and_on_at_once() {
        let at = |ms| start() + Duration::from_millis(ms);
        let mut wants = Wants::new(3);
        assert!(!wants.update(at(0), set(&[0, 1, 2])));
        assert!(!wants.update(at(100), set(&[0])), "a glance away");
        assert_eq!(wants.next(), Some(at(3100)));
        assert!(!wants.update(at(3099), set(&[0])));
        assert!(wants.update(at(3100), set(&[0])));
        assert!(wants.told(0) && !wants.told(1) && !wants.told(2));
        assert!(wants.update(at(4000), set(&[0, 2])));
        assert!(wants.told(2) && wants.is_returning(at(5000), 2, Duration::from_millis(1500)));
        assert!(!wants.is_returning(at(5500), 2, Duration::from_millis(1500)));
        assert!(!wants.is_returning(at(4000), 0, Duration::from_millis(1500)), "was never off");
        assert_eq!(wants.next(), None);
        assert!(!wants.update(at(6000), set(&[])), "nobody at all: after a while, too");
        assert!(!wants.update(at(8000), set(&[2])));
        assert!(!wants.update(at(8500), set(&[0, 2])), "somebody looks again");
        assert!(!wants.update(at(20_000), set(&[])));
        assert!(wants.update(at(23_000), set(&[])));
        assert!(!wants.told(0) && !wants.told(2));
    }
}
