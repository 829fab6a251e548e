//! How often a worker takes a turn: at once when little happens, less often the busier it is.
//!
//! ```text
//!  busy share     0 ────────── 30 % ─────────────────── 80 % ──►
//!  tick        500 us          500 us  ...grows to...   5 ms       RTP came lately
//!               2 ms                                                only checks and reports
//! ```
//! A turn costs a wake-up and, for each destination, a system call. So two turns begin no closer together than the tick:
//! what arrives between them is taken in together and leaves in larger batches. A datagram after a silence longer than the
//! tick is served at once.

use std::time::{Duration, Instant};

/// Between turns of a worker that has time. Half of it is added to a packet on average in a busy room, none in a quiet one.
const TICK_MIN: Duration = Duration::from_micros(500);
/// Between turns of a worker that has no time: what a listener's jitter buffer does not notice.
const TICK_MAX: Duration = Duration::from_millis(5);
/// While no media flows: nobody waits for the answer to a report, and a handshake has a few round trips.
const TICK_IDLE: Duration = Duration::from_millis(2);
/// Shares of its time that a worker works, in percent, between which the tick grows.
const BUSY: (u32, u32) = (30, 80);
/// The busy share is measured over windows of this length: ten of the longest ticks.
const WINDOW: Duration = Duration::from_millis(50);
/// Datagrams of a turn from which it is dear to take only the first packet of a frame in it...
const FAN_OUT: usize = 32;
/// ...so that long is waited for the rest: a sender on the same machine or network writes a frame in less.
const GATHER: Duration = Duration::from_micros(60);
/// A shorter sleep costs more than it brings.
const SLEEP_MIN: Duration = Duration::from_micros(30);

#[derive(Debug)]
pub struct Tempo {
    tick: Duration,
    turn_began: Instant,
    window_began: Instant,
    busy: Duration,
    /// RTP was received in this window, and in the one before.
    media: (bool, bool),
    /// Of the last whole window, in percent.
    busy_percent: u32,
    fan_out: usize,
}

impl Tempo {
    pub fn new(now: Instant) -> Self {
        Self {
            tick: TICK_MIN,
            turn_began: now,
            window_began: now,
            busy: Duration::ZERO,
            media: (false, true),
            busy_percent: 0,
            fan_out: 0,
        }
    }

    pub fn begin_turn(&mut self, now: Instant) {
        self.turn_began = now;
    }

    /// `media`: RTP was received; `sent`: datagrams that left.
    pub fn end_turn(&mut self, now: Instant, media: bool, sent: usize) {
        self.busy += now.saturating_duration_since(self.turn_began);
        self.media.0 |= media;
        if media {
            self.fan_out = (3 * self.fan_out + sent).div_ceil(4);
        }
        let window = now.saturating_duration_since(self.window_began);
        if window >= WINDOW {
            self.busy_percent = (self.busy.as_nanos() * 100 / window.as_nanos()).min(100) as u32;
            let idle = !self.media.0 && !self.media.1;
            self.tick = if idle { TICK_IDLE } else { tick(self.busy_percent) };
            self.media = (false, self.media.0);
            (self.window_began, self.busy) = (now, Duration::ZERO);
        }
    }

    /// How long to sleep before anything is looked at again.
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        let next = self.turn_began + self.tick;
        Some(next.saturating_duration_since(now)).filter(|pause| *pause >= SLEEP_MIN)
    }

    /// How long to sleep after a datagram has come out of silence, before it is looked at.
    pub fn gather(&self) -> Option<Duration> {
        (self.fan_out >= FAN_OUT).then_some(GATHER)
    }

    /// Share of its time that the worker worked, in percent.
    pub fn busy_percent(&self) -> u32 {
        self.busy_percent
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

    #[test]
    fn without_media_turns_are_rare_and_with_it_they_are_frequent_again() {
        let mut now = Instant::now();
        let mut tempo = Tempo::new(now);
        second(&mut tempo, &mut now, Duration::from_micros(20), false);
        let (turns, _) = second(&mut tempo, &mut now, Duration::from_micros(20), false);
        assert!((490..=510).contains(&turns), "{turns}");
        second(&mut tempo, &mut now, Duration::from_micros(20), true);
        assert_eq!(tempo.tick, TICK_MIN);
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
