//! How much may be under way, and how long is waited.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Limits {
    /// Events that wait for a store which does not work; more are lost, and counted.
    pub unstored: usize,
    /// Rooms of one target that are sent or read at the same time.
    pub under_way: usize,
    /// Events of one room that are read at once.
    pub page: usize,
    /// After the first failure; twice as long after each further one, up to the longest. Between half and all of it is waited.
    pub retry_first: Duration,
    pub retry_longest: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unstored: 10_000,
            under_way: 8,
            page: 32,
            retry_first: Duration::from_secs(1),
            retry_longest: Duration::from_secs(300),
        }
    }
}
