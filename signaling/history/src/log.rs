//! The log of one room in memory.

use std::collections::{BTreeMap, VecDeque};

use crate::{Entry, Limits};

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub id: String,
    entries: VecDeque<Entry>,
    bytes: usize,
    keys: BTreeMap<String, u64>,
    /// The number of the newest entry there ever was.
    pub head: u64,
    newest_ms: u64,
}

impl Log {
    pub fn new(id: String, head: u64, entries: Vec<Entry>) -> Self {
        let mut log = Self { id, head, ..Self::default() };
        for entry in entries {
            log.push(entry);
        }
        log
    }

    pub fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.head = self.head.max(entry.seq);
        self.newest_ms = self.newest_ms.max(entry.at_ms);
        self.keys.insert(entry.post.key.clone(), entry.seq);
        self.entries.push_back(entry);
    }

    /// Drops what is too much or too old; the number below which nothing is left.
    pub fn trim(&mut self, limits: &Limits, now_ms: u64) -> u64 {
        let oldest_ms = now_ms.saturating_sub(u64::try_from(limits.age.as_millis()).unwrap_or(u64::MAX));
        while let Some(first) = self.entries.front() {
            let is_too_much = self.entries.len() > limits.entries || self.bytes > limits.bytes;
            if !is_too_much && first.at_ms >= oldest_ms {
                break;
            }
            self.bytes -= first.bytes();
            self.keys.remove(&first.post.key);
            self.entries.pop_front();
        }
        self.first()
    }

    /// The number of the oldest entry that is kept, or of the next one.
    pub fn first(&self) -> u64 {
        self.entries.front().map_or(self.head + 1, |entry| entry.seq)
    }

    /// Time does not go back, whatever the clock does.
    pub fn time(&self, now_ms: u64) -> u64 {
        now_ms.max(self.newest_ms)
    }

    pub fn seq_of(&self, key: &str) -> Option<u64> {
        self.keys.get(key).copied()
    }

    /// The entry before the newest `count`.
    pub fn before_newest(&self, count: usize) -> u64 {
        let skipped = self.entries.len().saturating_sub(count);
        self.entries.get(skipped).map_or(self.head, |entry| entry.seq - 1)
    }

    pub fn after(&self, seq: u64) -> impl Iterator<Item = &Entry> {
        let start = self.entries.partition_point(|entry| entry.seq <= seq);
        self.entries.range(start..)
    }
}
