//! The queue that stands on the way up: how much later packets arrive than the soonest of them, over the time they all do.

use packet::ext::AbsSendTime;
use std::collections::VecDeque;

/// Microseconds throughout.
#[derive(Clone, Debug, Default)]
pub(super) struct StandingDelay {
    /// Send time unrolled: the last one as it came, and on an endless line, in its own ticks so that nothing is rounded away.
    sent: Option<(AbsSendTime, i64)>,
    /// Arrival minus sending, minimum of each `BLOCK`: where the block began, and its minimum.
    blocks: VecDeque<(i64, i64)>,
    /// The same of each `SHORT`, for what stands now.
    recent: VecDeque<(i64, i64)>,
}

/// What a path without a queue takes is looked for over 12 s in blocks of one; clocks drift by less than 1 ms meanwhile.
const BLOCK: i64 = 1_000_000;
const BLOCKS: usize = 12;
/// A queue stands when no packet came sooner for so long: longer than jitter and a keyframe's burst, shorter than
/// what a listener notices.
const SHORT: i64 = 50_000;
const SHORTS: usize = 4;

impl StandingDelay {
    /// `behind`: how late it is by some other clock, where the packet does not say when it was sent.
    /// Gives back the send time on an endless line, where it is known.
    pub fn on_packet(&mut self, at: i64, sent: Option<AbsSendTime>, behind: Option<i64>) -> Option<i64> {
        let one_way = match sent {
            Some(sent) => {
                let line = match self.sent {
                    Some((last, line)) => {
                        line + i64::from((sent.ticks().wrapping_sub(last.ticks()) << 8) as i32 >> 8)
                    }
                    None => 0,
                };
                self.sent = Some((sent, line));
                at - microseconds(line)
            }
            None => behind?,
        };
        // A sender's clock that was set, or a wrap slept through: what was measured is void.
        if self.recent.back().is_some_and(|(_, before)| before.abs_diff(one_way) > 10_000_000) {
            self.blocks.clear();
            self.recent.clear();
        }
        keep(&mut self.blocks, at, one_way, BLOCK, BLOCKS);
        keep(&mut self.recent, at, one_way, SHORT, SHORTS);
        sent.and(self.sent).map(|(_, line)| microseconds(line))
    }

    /// Zero before anything is known.
    pub fn standing(&self) -> i64 {
        let least = |of: &VecDeque<(i64, i64)>| of.iter().map(|b| b.1).min();
        let (Some(now), Some(base)) = (least(&self.recent), least(&self.blocks)) else { return 0 };
        // Few blocks are what one burst makes of itself.
        if self.recent.len() < SHORTS { 0 } else { (now - base).max(0) }
    }
}

fn microseconds(ticks: i64) -> i64 {
    ticks * 1_000_000 / (1 << 18)
}

fn keep(blocks: &mut VecDeque<(i64, i64)>, at: i64, one_way: i64, length: i64, count: usize) {
    match blocks.back_mut() {
        Some((begun, least)) if at - *begun < length => *least = one_way.min(*least),
        _ => {
            blocks.push_back((at, one_way));
            if blocks.len() > count {
                blocks.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(us: i64) -> AbsSendTime {
        AbsSendTime::from_ticks((us * (1 << 18) / 1_000_000) as u32)
    }

    #[test]
    fn a_queue_is_seen_and_jitter_is_not() {
        let mut delay = StandingDelay::default();
        let jitter = |i: i64| i * 7_919 % 50_000;
        // 60 s begin and wrap the send time's 64 s.
        for i in 0..5_000i64 {
            let sent = 60_000_000 + i * 10_000;
            delay.on_packet(sent + 30_000 + jitter(i), Some(stamp(sent)), None);
        }
        assert!(delay.standing() < 8_000, "{}", delay.standing());
        for i in 5_000..5_050i64 {
            let sent = 60_000_000 + i * 10_000;
            delay.on_packet(sent + 130_000 + jitter(i), Some(stamp(sent)), None);
        }
        assert!((90_000..110_000).contains(&delay.standing()), "{}", delay.standing());
    }

    #[test]
    fn without_send_times_lateness_by_another_clock_serves() {
        let mut delay = StandingDelay::default();
        for i in 0..100i64 {
            delay.on_packet(i * 10_000, None, Some(if i < 50 { 0 } else { 80_000 }));
        }
        assert_eq!(delay.standing(), 80_000);
        delay.on_packet(2_000_000, None, None);
        assert_eq!(delay.standing(), 80_000);
    }
}
