//! How much is kept, and how much may be under way.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Limits {
    /// Entries kept of one room, by count, size and age; the store forgets what the log forgets.
    pub entries: usize,
    pub bytes: usize,
    pub age: Duration,
    /// Of one message.
    pub body_bytes: usize,
    pub topic_bytes: usize,
    pub key_bytes: usize,
    /// Messages of one room that wait for the store; more are refused.
    pub queued: usize,
    /// What one reader may be sent before it has to acknowledge something.
    pub window_entries: usize,
    pub window_bytes: usize,
    /// Of one delivery.
    pub batch_entries: usize,
    pub batch_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 2_000,
            bytes: 2 << 20,
            age: Duration::from_secs(7 * 24 * 60 * 60),
            body_bytes: 8 * 1024,
            topic_bytes: 32,
            key_bytes: 64,
            queued: 500,
            window_entries: 512,
            window_bytes: 384 << 10,
            batch_entries: 64,
            batch_bytes: 64 << 10,
        }
    }
}
