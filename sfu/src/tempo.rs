//! How often a worker takes a turn: at once when little happens, less often the busier it is.
//!
//! ```text
//!  busy share     0 ────────── 30 % ─────────────────── 80 % ──►
//!  tick        500 us          500 us  ...grows to...   5 ms       RTP came lately
//!              10 ms                                                only checks and reports
//! ```
//! A turn costs a wake-up and, for each destination, a system call. So two turns begin no closer together than the tick:
//! what arrives between them is taken in together and leaves in larger batches. A datagram after a silence longer than the
//! tick is served at once.
//!
//! Sleeping is dear itself (a few microseconds, ten times that on a virtual machine), so one sleep a turn is aimed at: where
//! datagrams are dense the worker first sleeps out the tick and then finds them waiting; where they are sparse it sleeps until one
//! comes. What happened the last time says which it is.

use sfu_core::Shedding;
use std::time::{Duration, Instant};

/// Between turns of a worker that has time. Half of it is added to a packet on average in a busy room, none in a quiet one.
const TICK_MIN: Duration = Duration::from_micros(500);
/// Between turns of a worker that has no time: what a listener's jitter buffer does not notice.
const TICK_MAX: Duration = Duration::from_millis(5);
/// While all that comes are checks and reports: nobody waits for the answer, and each turn is a sleep less.
const TICK_IDLE: Duration = Duration::from_millis(10);
/// Shares of its time that a worker works, in percent, between which the tick grows.
const BUSY: (u32, u32) = (30, 80);
/// The busy share is measured over windows of this length: ten of the longest ticks.
const WINDOW: Duration = Duration::from_millis(50);
/// Datagrams of a turn from which it is dear to take only the first packet of a frame in it...
const FAN_OUT: usize = 32;
/// ...so that long is waited for the rest: a sender on the same machine or network writes a frame in less.
const GATHER: Duration = Duration::from_micros(60);
/// The busy share that decides what is shed, and whether new rooms come here, is smoothed over this: a keyframe for
/// everybody, or a burst of joins, is no overload.
const LOAD_TIME: Duration = Duration::from_secs(1);
/// Load, in percent, from which packets will soon wait for the worker, and below which it has time for more.
const OVERLOAD: u32 = 92;
const RELIEF: u32 = 60;
/// A burst of joins is over by then; and what was left out comes back only when that lasts.
const SHED_AFTER: Duration = Duration::from_millis(1500);
const GIVE_BACK_AFTER: Duration = Duration::from_secs(10);
/// A shorter sleep costs more than it brings.
const SLEEP_MIN: Duration = Duration::from_micros(30);

#[derive(Debug)]
pub struct Tempo {
    tick: Duration,
    turn_began: Instant,
    window_began: Instant,
    busy: Duration,
    /// Somebody waited for what came in this window, and in the one before.
    hurried: (bool, bool),
    /// Of the last whole window, in percent.
    busy_percent: u32,
    /// Smoothed, in percent.
    load: f32,
    fan_out: usize,
    /// The last wait was ended within the tick.
    dense: bool,
    shedding: Shedding,
    /// Since when nothing else is wanted, or when it changed.
    shedding_from: Instant,
}

impl Tempo {
    pub fn new(now: Instant) -> Self {
        Self {
            tick: TICK_MIN,
            turn_began: now,
            window_began: now,
            busy: Duration::ZERO,
            hurried: (false, true),
            busy_percent: 0,
            load: 0.0,
            fan_out: 0,
            dense: false,
            shedding: Shedding::Nothing,
            shedding_from: now,
        }
    }

    pub fn begin_turn(&mut self, now: Instant) {
        self.turn_began = now;
    }

    /// `hurried`: somebody waits for what came, which was media, a handshake or a command; `sent`: datagrams that left.
    pub fn end_turn(&mut self, now: Instant, hurried: bool, sent: usize) {
        self.busy += now.saturating_duration_since(self.turn_began);
        self.hurried.0 |= hurried;
        if hurried {
            self.fan_out = (3 * self.fan_out + sent).div_ceil(4);
            if self.tick == TICK_IDLE {
                self.tick = TICK_MIN;
            }
        }
        let window = now.saturating_duration_since(self.window_began);
        if window >= WINDOW {
            self.busy_percent = (self.busy.as_nanos() * 100 / window.as_nanos()).min(100) as u32;
            let weight = (window.as_secs_f32() / LOAD_TIME.as_secs_f32()).min(1.0);
            self.load += (self.busy_percent as f32 - self.load) * weight;
            let idle = !self.hurried.0 && !self.hurried.1;
            self.tick = if idle { TICK_IDLE } else { tick(self.busy_percent) };
            self.hurried = (false, self.hurried.0);
            (self.window_began, self.busy) = (now, Duration::ZERO);
        }
    }

    /// How long to sleep before anything is looked at again.
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        let next = self.turn_began + self.tick;
        Some(next.saturating_duration_since(now)).filter(|pause| *pause >= SLEEP_MIN)
    }

    /// Whether to pause before it is known that something has come.
    pub fn pauses_first(&self) -> bool {
        self.dense
    }

    /// `within_tick`: what ended the wait came before another turn may begin.
    pub fn waited(&mut self, within_tick: bool) {
        self.dense = within_tick;
    }

    /// How long to sleep after a datagram has come out of silence, before it is looked at.
    pub fn gather(&self) -> Option<Duration> {
        (self.fan_out >= FAN_OUT).then_some(GATHER)
    }

    /// Share of its time that the worker worked, in percent.
    pub fn busy_percent(&self) -> u32 {
        self.busy_percent
    }

    /// The busy share over the last second, in percent.
    pub fn load_percent(&self) -> u32 {
        self.load as u32
    }

    /// When to take a turn although nothing happens; `None`: not at all. What was said about a busy worker would otherwise stay
    /// true after everybody has left it.
    pub fn look_again(&self) -> Option<Duration> {
        (self.load_percent() >= RELIEF || self.shedding != Shedding::Nothing).then_some(LOAD_TIME)
    }

    /// What has to be left out so that there is time for the rest; `Some` when that changes.
    pub fn shedding(&mut self, now: Instant) -> Option<Shedding> {
        let wanted = match self.load_percent() {
            OVERLOAD.. => self.shedding.more(),
            ..RELIEF => self.shedding.less(),
            _ => self.shedding,
        };
        if wanted == self.shedding {
            self.shedding_from = now;
            return None;
        }
        let patience = if wanted > self.shedding { SHED_AFTER } else { GIVE_BACK_AFTER };
        (now.saturating_duration_since(self.shedding_from) >= patience).then(|| {
            (self.shedding, self.shedding_from) = (wanted, now);
            wanted
        })
    }
}

/// Steps between what is shed.
trait Steps {
    fn more(self) -> Self;
    fn less(self) -> Self;
}

impl Steps for Shedding {
    fn more(self) -> Self {
        if self == Self::Nothing { Self::Enhancement } else { Self::LeastWatched }
    }
    fn less(self) -> Self {
        if self == Self::LeastWatched { Self::Enhancement } else { Self::Nothing }
    }
}

fn tick(busy_percent: u32) -> Duration {
    let (from, to) = BUSY;
    let above = busy_percent.saturating_sub(from).min(to - from);
    TICK_MIN + (TICK_MAX - TICK_MIN) * above / (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of turns of `work` each, as often as the tempo allows; the turns, and the longest pause.
    fn second(tempo: &mut Tempo, now: &mut Instant, work: Duration, media: bool) -> (u32, Duration) {
        let (end, mut turns, mut longest) = (*now + Duration::from_secs(1), 0, Duration::ZERO);
        while *now < end {
            tempo.begin_turn(*now);
            *now += work;
            tempo.end_turn(*now, media, 1);
            let pause = tempo.pause(*now).unwrap_or_default();
            (*now, turns, longest) = (*now + pause, turns + 1, longest.max(pause));
        }
        (turns, longest)
    }

    #[test]
    fn a_worker_with_time_takes_two_thousand_turns_a_second_at_most() {
        let mut now = Instant::now();
        let mut tempo = Tempo::new(now);
        let (turns, _) = second(&mut tempo, &mut now, Duration::from_micros(20), true);
        assert!((1900..=2001).contains(&turns), "{turns}");
        assert!(tempo.busy_percent() < 10);
    }

    #[test]
    fn the_busier_the_longer_until_five_milliseconds() {
        let mut now = Instant::now();
        let mut tempo = Tempo::new(now);
        // More work than there is time for: turns follow each other, and none is delayed.
        let (_, pause) = second(&mut tempo, &mut now, Duration::from_millis(6), true);
        assert!(pause <= TICK_MAX && tempo.busy_percent() > 90, "{pause:?}");
        assert_eq!(tempo.tick, TICK_MAX);
        // Half: between the two.
        assert!((TICK_MIN * 3..TICK_MIN * 5).contains(&tick(50)), "{:?}", tick(50));
        assert_eq!((tick(0), tick(30), tick(80), tick(100)), (TICK_MIN, TICK_MIN, TICK_MAX, TICK_MAX));
    }

    #[test]
    fn after_a_silence_nobody_waits() {
        let now = Instant::now();
        let mut tempo = Tempo::new(now);
        tempo.begin_turn(now);
        tempo.end_turn(now + Duration::from_micros(40), true, 1);
        assert!(tempo.pause(now + Duration::from_micros(40)).is_some());
        assert_eq!(tempo.pause(now + Duration::from_millis(10)), None);
        assert_eq!(tempo.gather(), None);
    }

    /// As a worker waits, whose turns take 20 us and whose datagrams come so often: sleeps in a thousand turns.
    fn sleeps(tempo: &mut Tempo, now: &mut Instant, every: Duration) -> u32 {
        let (mut next, mut sleeps) = (*now, 0);
        for _ in 0..1000 {
            tempo.begin_turn(*now);
            *now += Duration::from_micros(20);
            tempo.end_turn(*now, true, 1);
            while next <= *now {
                next += every;
            }
            let first = tempo.pause(*now).filter(|_| tempo.pauses_first());
            *now += first.unwrap_or_default();
            let waits = next > *now;
            *now = next.max(*now);
            let then = tempo.pause(*now).filter(|_| first.is_none());
            *now += then.unwrap_or_default();
            tempo.waited(if first.is_some() { !waits } else { then.is_some() });
            sleeps += [first.is_some(), waits, then.is_some()].map(u32::from).iter().sum::<u32>();
        }
        sleeps
    }

    #[test]
    fn dense_datagrams_are_slept_out_and_sparse_ones_waited_for() {
        let mut now = Instant::now();
        let mut tempo = Tempo::new(now);
        for every_us in [100, 5_000, 100] {
            let sleeps = sleeps(&mut tempo, &mut now, Duration::from_micros(every_us));
            assert!(sleeps < 1_010, "{sleeps} in 1000 turns where datagrams come every {every_us} us");
        }
    }

    #[test]
    fn without_media_turns_are_rare_and_with_it_they_are_frequent_again() {
        let mut now = Instant::now();
        let mut tempo = Tempo::new(now);
        second(&mut tempo, &mut now, Duration::from_micros(20), false);
        let (turns, _) = second(&mut tempo, &mut now, Duration::from_micros(20), false);
        assert!((95..=105).contains(&turns), "{turns}");
        // Whoever joins waits for one turn, not for a window.
        tempo.begin_turn(now);
        tempo.end_turn(now, true, 1);
        assert_eq!(tempo.tick, TICK_MIN);
        second(&mut tempo, &mut now, Duration::from_micros(20), true);
        assert_eq!(tempo.tick, TICK_MIN);
    }

    #[test]
    fn who_cannot_keep_up_sheds_step_by_step_and_gives_back_later() {
        let mut now = Instant::now();
        let mut tempo = Tempo::new(now);
        let mut seen = Vec::new();
        for (work, seconds) in [(Duration::from_millis(6), 8), (Duration::from_micros(20), 25)] {
            let end = now + Duration::from_secs(seconds);
            while now < end {
                tempo.begin_turn(now);
                now += work;
                tempo.end_turn(now, true, 1);
                now += tempo.pause(now).unwrap_or_default();
                seen.extend(tempo.shedding(now));
            }
        }
        use Shedding::{Enhancement, LeastWatched, Nothing};
        assert_eq!(seen, [Enhancement, LeastWatched, Enhancement, Nothing]);
    }

    #[test]
    fn what_is_said_about_a_busy_worker_does_not_outlast_its_work() {
        let mut now = Instant::now();
        let mut tempo = Tempo::new(now);
        assert_eq!(tempo.look_again(), None);
        for _ in 0..4 {
            second(&mut tempo, &mut now, Duration::from_millis(6), true);
        }
        assert!(tempo.load_percent() > 90);
        // Everybody leaves, and nothing but this wakes it.
        now += tempo.look_again().expect("a turn although nothing happens");
        tempo.begin_turn(now);
        tempo.end_turn(now, false, 0);
        assert!(tempo.load_percent() < 10 && tempo.look_again().is_none(), "{}", tempo.load_percent());
    }

    #[test]
    fn a_frame_for_many_is_waited_for() {
        let now = Instant::now();
        let mut tempo = Tempo::new(now);
        (0..8).for_each(|_| tempo.end_turn(now, true, 1800));
        assert_eq!(tempo.gather(), Some(GATHER));
        (0..30).for_each(|_| tempo.end_turn(now, true, 2));
        assert_eq!(tempo.gather(), None);
    }
}
