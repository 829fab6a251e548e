//! When packets that never arrived were sent: a sender has a beat. Frames leave as bursts, sound at its own pace, and what is
//! missing between two packets was sent at one of those moments. Said to have arrived half a frame off, a few of them look like
//! a queue that builds up or drains.

use arrayvec::ArrayVec;

/// What a packet that arrived was. Microseconds of the sender's clock throughout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    Audio,
    /// Whether the frame goes on after it.
    Video {
        open: bool,
    },
    /// A retransmission or padding: sent at any time.
    Other,
}

#[derive(Clone, Copy, Debug, Default)]
struct Beat {
    last: Option<i64>,
    interval: f64,
}

impl Beat {
    fn on(&mut self, at: i64) {
        if let Some(last) = self.last.replace(at) {
            let since = (at - last) as f64;
            // The shortest are those with nothing missing between; a pause is none.
            if (4_000.0..200_000.0).contains(&since) {
                let known = if self.interval == 0.0 { since } else { self.interval };
                let pull = if since < 0.75 * known {
                    0.3
                } else if since < 1.5 * known {
                    0.1
                } else {
                    0.01
                };
                self.interval = known + pull * (since - known);
            }
        }
    }

    /// Its moments between two others.
    fn between(&self, from: i64, to: i64) -> impl Iterator<Item = i64> + use<> {
        let (last, interval) = (self.last.unwrap_or(to), self.interval.max(4_000.0));
        let first = ((from - last).max(0) as f64 / interval) as i64 + 1;
        let known = self.last.is_some() && self.interval > 0.0;
        (first..).map(move |n| last + (n as f64 * interval) as i64).take_while(move |at| known && *at < to)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    video: Beat,
    audio: Beat,
    open: bool,
    /// Packets of a frame, smoothed; and of this one so far.
    per_frame: f64,
    in_frame: f64,
}

/// Moments that are looked at between two packets; more is an outage.
const MOMENTS: usize = 24;

impl Schedule {
    pub fn on_packet(&mut self, sent: i64, part: Part, missing: u64) {
        match part {
            Part::Other => {}
            Part::Audio => self.audio.on(sent),
            Part::Video { open } => {
                // A new frame, also where the end of the last one is missing.
                let far = self
                    .video
                    .last
                    .is_none_or(|last| (sent - last) as f64 > 0.6 * self.video.interval.max(10_000.0));
                if !self.open && missing == 0 || far {
                    self.video.on(sent);
                    if !self.open && self.in_frame > 0.0 {
                        self.per_frame += (self.in_frame - self.per_frame) * 0.1;
                    }
                    self.in_frame = 0.0;
                }
                self.in_frame += 1.0 + missing as f64;
                self.open = open;
            }
        }
    }

    /// When `count` packets missing between two were sent, in order. Call before the second is taken in.
    pub fn sent(&self, from: i64, to: i64, count: u64) -> impl Iterator<Item = i64> + use<> {
        let mut moments: ArrayVec<(i64, f64), MOMENTS> = ArrayVec::new();
        let per_frame = self.per_frame.max(1.0);
        if self.open {
            moments.push((from, per_frame / 2.0));
        }
        let frames = self.video.between(from, to).map(|at| (at, per_frame));
        let sounds = self.audio.between(from, to).map(|at| (at, 1.0));
        moments.extend(frames.take(MOMENTS / 2 - 1));
        moments.extend(sounds.take(MOMENTS / 2));
        moments.sort_by_key(|m| m.0);
        let all: f64 = moments.iter().map(|m| m.1).sum();
        (0..count).map(move |n| {
            let share = (n as f64 + 0.5) / count as f64;
            let mut left = share * all;
            for &(at, weight) in &moments {
                left -= weight;
                if left <= 0.0 {
                    return at;
                }
            }
            from + ((to - from) as f64 * share) as i64
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of three packets every 40 ms, sound every 20 ms a little later.
    fn schedule() -> Schedule {
        let mut schedule = Schedule::default();
        for n in 0..100i64 {
            let frame = n * 40_000;
            for packet in 0..3 {
                schedule.on_packet(frame + packet * 100, Part::Video { open: packet < 2 }, 0);
            }
            schedule.on_packet(frame + 7_000, Part::Audio, 0);
            schedule.on_packet(frame + 27_000, Part::Audio, 0);
        }
        schedule
    }

    #[test]
    fn what_is_missing_was_sent_when_the_sender_sends() {
        let schedule = schedule();
        let next = 100 * 40_000;
        let near = |found: Vec<i64>, expected: &[i64]| {
            assert_eq!(found.len(), expected.len());
            let far = found.iter().zip(expected).any(|(a, b)| a.abs_diff(next + b) > 1_500);
            assert!(!far, "{found:?} {expected:?}");
        };
        // After the last sound: one frame is missing, its sound was received.
        near(schedule.sent(next - 13_000, next + 7_000, 3).collect(), &[0, 0, 0]);
        // The frame and the sound after it.
        near(schedule.sent(next - 13_000, next + 27_000, 4).collect(), &[0, 0, 0, 7_000]);
    }

    #[test]
    fn the_rest_of_a_frame_was_sent_with_it() {
        let mut schedule = schedule();
        let next = 100 * 40_000;
        schedule.on_packet(next, Part::Video { open: true }, 0);
        assert_eq!(schedule.sent(next, next + 7_000, 2).collect::<Vec<_>>(), [next, next]);
        // Nothing is known: evenly.
        let unknown = Schedule::default();
        assert_eq!(unknown.sent(0, 40_000, 2).collect::<Vec<_>>(), [10_000, 30_000]);
    }
}
