//! When to ask for a key frame: once nothing else can bring the picture back, and not again before an answer could be here.

use std::time::{Duration, Instant};

/// Between two requests at least: an encoder answers no faster, and whoever forwards merges requests anyway.
const INTERVAL_MIN: Duration = Duration::from_millis(300);

/// Why a key frame is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum KeyframeReason {
    /// Packets come, and no key frame has been among them.
    NoneYet,
    /// What is missing was given up, and everything later needs it.
    Broken,
    /// Nothing could be shown for half a second or four round trips, although packets come; they are still asked for.
    Stalled,
    /// Higher layers cannot be decoded any more; the picture is shown without them.
    LayersLost,
}

impl KeyframeReason {
    pub const ALL: [Self; 4] = [Self::NoneYet, Self::Broken, Self::Stalled, Self::LayersLost];

    pub fn name(self) -> &'static str {
        match self {
            Self::NoneYet => "none_yet",
            Self::Broken => "broken",
            Self::Stalled => "stalled",
            Self::LayersLost => "layers_lost",
        }
    }
}

/// Throttles requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    wanted: Option<(KeyframeReason, Instant)>,
    last: Option<Instant>,
    asked: [u64; KeyframeReason::ALL.len()],
}

impl Requests {
    /// Wanted from `at` on; an earlier wish stays.
    pub fn want(&mut self, reason: KeyframeReason, at: Instant) {
        if self.wanted.is_none_or(|(_, earlier)| at < earlier) {
            self.wanted = Some((reason, at));
        }
    }

    /// The picture is whole again, or will be.
    pub fn settled(&mut self) {
        self.wanted = None;
    }

    pub fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    pub fn due(&self, round_trip: Duration) -> Option<Instant> {
        let (_, at) = self.wanted?;
        let pause = INTERVAL_MIN.max(round_trip + round_trip / 2);
        Some(self.last.map_or(at, |last| at.max(last + pause)))
    }

    pub fn poll(&mut self, now: Instant, round_trip: Duration) -> Option<KeyframeReason> {
        self.due(round_trip).filter(|due| *due <= now)?;
        let (reason, _) = self.wanted?;
        self.last = Some(now);
        self.asked[reason as usize] += 1;
        Some(reason)
    }

    pub fn asked(&self, reason: KeyframeReason) -> u64 {
        self.asked[reason as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn a_wish_is_repeated_until_settled_and_never_sooner_than_an_answer() {
        let (mut requests, start) = (Requests::default(), Instant::now());
        assert_eq!(requests.poll(start, MS * 100), None);
        requests.want(KeyframeReason::Broken, start + MS * 50);
        assert_eq!(requests.poll(start, MS * 100), None);
        let asked: Vec<u32> =
            (0..1000).filter(|ms| requests.poll(start + MS * *ms, MS * 100).is_some()).collect();
        assert_eq!(asked, [50, 350, 650, 950]);
        assert_eq!(requests.due(MS * 400), Some(start + MS * 1550));
        requests.settled();
        assert_eq!(requests.poll(start + MS * 9000, MS * 100), None);
        assert_eq!(requests.asked(KeyframeReason::Broken), 4);
    }
}
