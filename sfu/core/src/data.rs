//! A peer's part in the data messages of its room: what it may say, and what waits for it.

use crate::downlink::Bucket;
use packet::Bitrate;
use packet::data::Channel;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one peer may say: each message costs its bytes and a packet's headers. Beyond that its messages are not read, so
/// its own SCTP holds it up. 60 pointer positions a second use a quarter; what is larger belongs to files.
const INTAKE: (Bitrate, Duration) = (Bitrate::kbps(1_000), Duration::from_secs(1));
const MESSAGE_COST: usize = 500;

/// What all messages of a room may cost a worker, each with a packet's headers and counted for every receiver. SCTP takes up to
/// 40 nanoseconds a byte (measured as the tests are optimised), some forty times as much as media, so this is a fifth of a core;
/// twenty people use it all with two of them saying what they may. Five hundred are shown thirty pointer positions a second
/// with half of it.
const FAN_OUT: (Bitrate, Duration) = (Bitrate::kbps(40_000), Duration::from_millis(250));
/// What is given to associations between two ticks: 3 ms of a core, so that one message to a crowd does not hold up sound.
const TURN: (usize, Duration) = (64 * 1024, Duration::from_millis(5));
const PACKET_COST: usize = 100;

/// A message as its receivers get it, shared by them all.
pub(crate) type Sealed = Arc<[u8]>;

pub(crate) struct Part {
    /// What others call it.
    pub name: Box<str>,
    pub may_send: bool,
    /// Messages can be sent to it.
    pub is_open: bool,
    pub outbox: Outbox,
    /// In [`Turn::waiting`].
    pub is_queued: bool,
    intake: Bucket,
}

impl Part {
    pub fn new(name: &str, may_send: bool) -> Self {
        let (outbox, intake) = (Outbox::default(), Bucket::default());
        Self { name: name.into(), may_send, is_open: false, outbox, is_queued: false, intake }
    }

    /// When its next message may be read; at `now`: it may.
    pub fn next_intake(&mut self, now: Instant) -> Instant {
        self.intake.leak(now, INTAKE.0);
        if self.intake.is_below(INTAKE.1, INTAKE.0) {
            now
        } else {
            now + self.intake.below_in(INTAKE.1, INTAKE.0)
        }
    }

    pub fn count(&mut self, bytes: usize) {
        self.intake.add(bytes + MESSAGE_COST);
    }
}

/// What the messages of one room cost of late, and how many reliable ones crossed between workers.
#[derive(Default)]
pub(crate) struct FanOut {
    cost: Bucket,
    /// Number of the next to and from each other worker.
    given: Vec<(usize, u32)>,
    taken: Vec<(usize, u32)>,
}

impl FanOut {
    /// When the room's next message may be read; at `now`: it may.
    pub fn next(&mut self, now: Instant) -> Instant {
        self.cost.leak(now, FAN_OUT.0);
        if self.cost.is_below(FAN_OUT.1, FAN_OUT.0) {
            now
        } else {
            now + self.cost.below_in(FAN_OUT.1, FAN_OUT.0)
        }
    }

    pub fn count(&mut self, bytes: usize, receivers: usize) {
        self.cost.add((bytes + PACKET_COST) * receivers);
    }

    /// For a reliable message to another worker.
    pub fn number(&mut self, to: usize) -> u32 {
        let next = next_of(&mut self.given, to);
        let number = *next;
        *next = next.wrapping_add(1);
        number
    }

    /// False: some before it are missing. A worker in whose eyes the room is new begins with zero, and so may we.
    pub fn is_next(&mut self, from: usize, number: u32) -> bool {
        let next = next_of(&mut self.taken, from);
        let expected = std::mem::replace(next, number.wrapping_add(1));
        number == expected || number == 0 || expected == 0
    }
}

/// A handful of workers.
fn next_of(numbers: &mut Vec<(usize, u32)>, worker: usize) -> &mut u32 {
    let at = numbers.iter().position(|(known, _)| *known == worker).unwrap_or_else(|| {
        numbers.push((worker, 0));
        numbers.len() - 1
    });
    &mut numbers[at].1
}

/// How much was given to associations since the last tick, and who waits for the next.
#[derive(Default)]
pub(crate) struct Turn {
    began: Option<Instant>,
    bytes: usize,
    pub waiting: Vec<usize>,
}

impl Turn {
    /// None: now; otherwise when there will be room.
    pub fn next(&mut self, now: Instant) -> Option<Instant> {
        let ends = self.began.map(|began| began + TURN.1).filter(|&ends| now < ends);
        if ends.is_none() {
            (self.began, self.bytes) = (Some(now), 0);
        }
        ends.filter(|_| self.bytes >= TURN.0)
    }

    pub fn count(&mut self, bytes: usize) {
        self.bytes += bytes + PACKET_COST;
    }
}

/// More waits for a reader than it will be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overflow;

/// Messages that wait for one peer, until its association and its link take them.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: [VecDeque<Sealed>; 2],
    bytes: [usize; 2],
    /// The channel that was served last: neither starves the other.
    last: usize,
}

/// Of a channel, messages and bytes. What is lossy is worth nothing after half a second at 1 Mb/s; what is reliable is kept
/// through a tunnel of some seconds.
const WAITING_MAX: [(usize, usize); 2] = [(1024, 512 * 1024), (64, 64 * 1024)];

impl Outbox {
    /// What is lossy takes the place of the oldest; how many of them were left out. What is reliable is refused.
    pub fn push(&mut self, channel: Channel, message: Sealed) -> Result<usize, Overflow> {
        let (at, len) = (channel as usize, message.len());
        let (messages_max, bytes_max) = WAITING_MAX[at];
        let mut left_out = 0;
        while self.waiting[at].len() >= messages_max || self.bytes[at] + len > bytes_max {
            match self.waiting[at].pop_front().filter(|_| channel == Channel::Lossy) {
                Some(oldest) => self.bytes[at] -= oldest.len(),
                None => return Err(Overflow),
            }
            left_out += 1;
        }
        self.bytes[at] += len;
        self.waiting[at].push_back(message);
        Ok(left_out)
    }

    /// The next to be sent, of the two channels in turn.
    pub fn pop(&mut self) -> Option<(Channel, Sealed)> {
        let turns = [1 - self.last, self.last];
        let at = turns.into_iter().find(|&at| !self.waiting[at].is_empty())?;
        let message = self.waiting[at].pop_front()?;
        self.bytes[at] -= message.len();
        self.last = at;
        Some((Channel::ALL[at], message))
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty)
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn message(number: usize, len: usize) -> Sealed {
        let mut bytes = vec![0; len];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes.into()
    }

    fn numbers(outbox: &mut Outbox) -> Vec<(Channel, usize)> {
        let number = |m: Sealed| usize::from_be_bytes(m[..8].try_into().unwrap());
        std::iter::from_fn(|| outbox.pop()).map(|(channel, m)| (channel, number(m))).collect()
    }

    #[test]
    fn what_is_lossy_and_old_gives_way_and_what_is_reliable_is_refused() {
        for len in [8, 4096] {
            let mut outbox = Outbox::default();
            let mut left_out = 0;
            for number in 0..200 {
                left_out += outbox.push(Channel::Lossy, message(number, len)).unwrap();
            }
            let kept = numbers(&mut outbox);
            assert_eq!((kept.len() + left_out, kept[0].1), (200, left_out), "the newest are there");
            assert_eq!(kept.len(), WAITING_MAX[1].0.min(WAITING_MAX[1].1 / len));
            let taken =
                (0..5000).take_while(|&n| outbox.push(Channel::Reliable, message(n, len)).is_ok()).count();
            assert_eq!(taken, WAITING_MAX[0].0.min(WAITING_MAX[0].1 / len));
        }
    }

    #[test]
    fn a_crowd_sees_a_pointer_and_a_flood_to_it_is_slowed() {
        for (bytes, every_ms, receivers, wanted) in
            [(60, 33, 500, 303), (16_384, 5, 500, 2000), (16_384, 130, 19, 76)]
        {
            let mut room = FanOut::default();
            let mut read = 0;
            for step in 0..10_000 / every_ms {
                let now = start() + Duration::from_millis(step * every_ms);
                if room.next(now) <= now {
                    room.count(bytes, receivers);
                    read += 1;
                }
            }
            let bound = 10_250 * 5_000 / ((bytes + PACKET_COST) * receivers) + 1;
            assert!(read <= bound && read >= wanted.min(bound - 2), "{read} of {wanted}, at most {bound}");
        }
    }

    #[test]
    fn one_message_to_a_crowd_takes_several_ticks() {
        let mut turn = Turn::default();
        let (mut now, mut given) = (start(), 0);
        while given < 500 {
            match turn.next(now) {
                Some(at) => now = at,
                None => {
                    turn.count(16_384);
                    given += 1;
                }
            }
        }
        assert_eq!(now - start(), TURN.1 * (499 / 4));
    }

    #[test]
    fn neither_channel_starves_the_other() {
        let mut outbox = Outbox::default();
        for number in 0..3 {
            outbox.push(Channel::Reliable, message(number, 10)).unwrap();
            outbox.push(Channel::Lossy, message(number, 10)).unwrap();
        }
        use Channel::{Lossy, Reliable};
        let order = [(Lossy, 0), (Reliable, 0), (Lossy, 1), (Reliable, 1), (Lossy, 2), (Reliable, 2)];
        assert_eq!(numbers(&mut outbox), order);
        assert_eq!(outbox.bytes, [0, 0]);
    }

    #[test]
    fn a_flood_is_read_at_a_bounded_rate_and_a_pointer_at_once() {
        for (bytes, every_ms, wanted) in [(50, 16, 625), (16_000, 1, 10_000)] {
            let mut part = Part::new("p", true);
            let mut read = 0;
            for step in 0..10_000 / every_ms {
                let now = start() + Duration::from_millis(step * every_ms);
                if part.next_intake(now) <= now {
                    part.count(bytes);
                    read += 1;
                }
            }
            // A second's worth at once, then the rate.
            let bound = wanted.min(11 * 125_000 / (bytes + MESSAGE_COST) + 1);
            assert!(
                read == bound || wanted > bound && (bound - 8..=bound).contains(&read),
                "{read} of {bound}"
            );
        }
    }
}
