//! Packets that wait for their moment, by media time.

use packet::RtpTime;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a frame came to be heard, best first. One counter each in [`Rungs`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rung {
    /// The packet itself, the first time.
    Primary,
    /// The packet itself, sent again.
    Rtx,
    /// A redundant block of a later packet (RFC 2198).
    Red,
    /// In-band FEC of the following packet.
    Fec,
    /// Deep redundancy of a later packet.
    Deep,
    /// The room's noise where nobody spoke: the sender said so, or a later packet's deep redundancy, which leaves pauses out.
    Pause,
    /// Made up by the decoder, louder than nothing.
    Conceal,
    /// Faded out; only the room's noise is left.
    Comfort,
}

impl Rung {
    pub const ALL: [Self; 8] = [
        Self::Primary,
        Self::Rtx,
        Self::Red,
        Self::Fec,
        Self::Deep,
        Self::Pause,
        Self::Conceal,
        Self::Comfort,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Rtx => "rtx",
            Self::Red => "red",
            Self::Fec => "fec",
            Self::Deep => "dred",
            Self::Pause => "pause",
            Self::Conceal => "plc",
            Self::Comfort => "comfort",
        }
    }
}

/// Samples per channel heard from each rung.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rungs([u64; Rung::ALL.len()]);

impl Rungs {
    pub fn add(&mut self, rung: Rung, samples: usize) {
        self.0[rung as usize] += samples as u64;
    }
    pub fn samples(&self, rung: Rung) -> u64 {
        self.0[rung as usize]
    }
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
    /// What was heard since these were read.
    pub fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|rung| self.0[rung].saturating_sub(earlier.0[rung])))
    }
    pub fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }
}

/// One frame that can be decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub payload: Vec<u8>,
    pub rung: Rung,
    /// Unwrapped sequence number of the packet that it was the primary of; redundant blocks have none.
    pub seq: Option<i64>,
    /// Per channel.
    pub samples: usize,
}

/// Why a packet was not stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Refused {
    /// Its time has been played.
    TooLate,
    /// There already.
    Duplicate,
    /// Further ahead of playout than any network delays: not of this stream's timeline.
    TooFarAhead,
}

/// Bounded by time: nothing further ahead than [`AHEAD_MAX`] is kept, so at most 2000 frames of 2.5 ms.
#[derive(Clone, Debug, Default)]
pub struct Store {
    frames: BTreeMap<i64, Frame>,
}

/// 5 s at 48 kHz. Moves when a network's queue is longer than that.
pub const AHEAD_MAX: i64 = 5 * 48_000;

impl Store {
    /// `at` and `next` in unwrapped ticks; `next` is the tick that will be played next.
    pub fn insert(&mut self, at: i64, next: i64, frame: Frame) -> Result<(), Refused> {
        if at < next {
            return Err(Refused::TooLate);
        }
        if at - next > AHEAD_MAX {
            return Err(Refused::TooFarAhead);
        }
        match self.frames.get(&at) {
            Some(_) => Err(Refused::Duplicate),
            None => {
                self.frames.insert(at, frame);
                Ok(())
            }
        }
    }
    pub fn take(&mut self, at: i64) -> Option<Frame> {
        self.frames.remove(&at)
    }
    /// The first frame at or after `at`.
    pub fn first(&self) -> Option<(i64, &Frame)> {
        self.frames.first_key_value().map(|(&at, frame)| (at, frame))
    }
    /// When the newest frame begins.
    pub fn last(&self) -> Option<i64> {
        self.frames.last_key_value().map(|(&at, _)| at)
    }
    /// Frames in order of time, up to `end`.
    pub fn until(&self, end: i64) -> impl Iterator<Item = (i64, &Frame)> {
        self.frames.range(..=end).map(|(&at, frame)| (at, frame))
    }
    /// Without a hole from the first frame on, for at least this long.
    pub fn whole_for(&self, lasts: Duration) -> bool {
        let Some((first, _)) = self.first() else { return false };
        let mut end = first;
        for (at, frame) in self.until(i64::MAX) {
            if at > end {
                return false;
            }
            end = at + frame.samples as i64;
        }
        end - first >= lasts.as_millis() as i64 * 48
    }
    /// Forgets what lies before `next`.
    pub fn forget_before(&mut self, next: i64) {
        while self.frames.first_key_value().is_some_and(|(&at, _)| at < next) {
            self.frames.pop_first();
        }
    }
    pub fn clear(&mut self) {
        self.frames.clear();
    }
    pub fn len(&self) -> usize {
        self.frames.len()
    }
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

/// Unwraps RTP time to ticks that never wrap, around the newest seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrap {
    newest: Option<(RtpTime, i64)>,
}

impl Unwrap {
    pub fn ticks(&mut self, timestamp: RtpTime) -> i64 {
        let (reference, at) = *self.newest.get_or_insert((timestamp, 0));
        let ticks = at + i64::from(timestamp.since(reference));
        if ticks > at {
            self.newest = Some((timestamp, ticks));
        }
        ticks
    }
    /// The timeline jumped to `ticks`: what comes next is near it.
    pub fn move_to(&mut self, ticks: i64) {
        if let Some((timestamp, at)) = self.newest {
            self.newest = Some((timestamp.plus((ticks - at) as u32), ticks));
        }
    }
}
