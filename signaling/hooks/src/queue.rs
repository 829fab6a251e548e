//! What one target has not taken yet of one room.

use std::collections::VecDeque;
use std::time::Instant;

use crate::Event;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Waits for its turn.
    Idle,
    Reading,
    Sending,
    /// The last attempt failed.
    Waiting(Instant),
}

#[derive(Debug)]
pub(crate) struct Queue {
    /// The last event that was taken.
    pub after: u64,
    /// The newest event of the room.
    pub head: u64,
    /// What follows `after`, as far as it is in memory.
    pub ready: VecDeque<Event>,
    pub state: State,
    /// In a row.
    pub failures: u32,
    /// To begin again after this event, once what is under way is done.
    pub rewind: Option<u64>,
}

impl Queue {
    pub fn new(after: u64) -> Self {
        Self { after, head: after, ready: VecDeque::new(), state: State::Idle, failures: 0, rewind: None }
    }

    /// The newest event up to which memory knows the room.
    pub fn known_to(&self) -> u64 {
        self.ready.back().map_or(self.after, |event| event.seq)
    }

    /// A new event of the room; kept in memory where nothing is missing before it.
    pub fn push(&mut self, event: &Event, ready_max: usize) {
        let is_next = self.known_to() == self.head;
        if is_next && self.ready.len() < ready_max && !matches!(self.state, State::Waiting(_)) {
            self.ready.push_back(event.clone());
        }
        self.head = event.seq;
    }

    pub fn is_done(&self) -> bool {
        self.after >= self.head
    }

    /// Begins again; the newest stays what it is.
    pub fn apply_rewind(&mut self) {
        if let Some(after) = self.rewind.take() {
            self.after = after;
            self.ready.clear();
            self.failures = 0;
        }
    }
}
