//! How far one reader is.

use std::collections::VecDeque;

/// Chosen by the caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReaderId(pub u64);

#[derive(Debug)]
pub(crate) struct Reader {
    pub room: String,
    /// The last entry it was sent.
    pub sent: u64,
    /// Of every delivery that is not acknowledged: its last entry, how many entries, how many bytes.
    unacknowledged: VecDeque<(u64, usize, usize)>,
}

impl Reader {
    pub fn new(room: String, after: u64) -> Self {
        Self { room, sent: after, unacknowledged: VecDeque::new() }
    }

    pub fn delivered(&mut self, last: u64, entries: usize, bytes: usize) {
        self.sent = last;
        self.unacknowledged.push_back((last, entries, bytes));
    }

    pub fn acknowledged(&mut self, seq: u64) {
        while self.unacknowledged.front().is_some_and(|(last, ..)| *last <= seq) {
            self.unacknowledged.pop_front();
        }
    }

    /// Entries and bytes under way.
    pub fn under_way(&self) -> (usize, usize) {
        self.unacknowledged.iter().fold((0, 0), |(e, b), (_, entries, bytes)| (e + entries, b + bytes))
    }
}
