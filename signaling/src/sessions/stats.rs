//! What is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use wire::ErrorCode;

/// Plain numbers; all but the first seven only grow.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub connections: usize,
    pub rooms: usize,
    pub participants: usize,
    /// Participants whose connection is lost, and who are waited for.
    pub away: usize,
    /// That a moderator has to let in.
    pub waiting: usize,
    /// People in the lobby for whom a transport is ready.
    pub held: usize,
    /// That ring or go on.
    pub calls: usize,
    /// That would ring.
    pub devices: usize,
    pub joins: u64,
    pub leaves: u64,
    /// Came back on a new connection.
    pub resumes: u64,
    /// Left because they did not come back in time.
    pub given_up: u64,
    pub messages: u64,
    /// Messages of rooms that were stored, repeated ones counted again.
    pub posts: u64,
    /// Batches of messages that could not be stored.
    pub not_stored: u64,
    /// Answers and cuts by code.
    pub errors: BTreeMap<ErrorCode, u64>,
    /// Tokens that were refused, by what was wrong with them.
    pub denied: BTreeMap<access::Denied, u64>,
    pub invitations: u64,
    pub missed_calls: u64,
    /// Media sessions that ended by themselves, by reason.
    pub media_closed: BTreeMap<&'static str, u64>,
    /// Connect stages as clients report them, by stage.
    pub client_stages: BTreeMap<&'static str, Histogram>,
    /// Connect stages as the media plane saw them: from the answer to ICE and to DTLS done.
    pub server_stages: BTreeMap<&'static str, Histogram>,
}

/// Durations in buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// One count per bound, and one for what is above all of them. Not cumulative.
    counts: [u64; Self::BOUNDS_MS.len() + 1],
    sum_ms: f64,
}

impl Histogram {
    /// Upper bounds in milliseconds. The goal is 600 ms from click to picture, so that is one of them.
    pub const BOUNDS_MS: [u32; 12] = [5, 10, 25, 50, 100, 150, 250, 400, 600, 1000, 2500, 10_000];

    /// Ignores what no clock can have measured: such numbers come from clients.
    pub fn record_ms(&mut self, ms: f64) {
        if !(0.0..=600_000.0).contains(&ms) {
            return;
        }
        let bucket = Self::BOUNDS_MS.iter().position(|&bound| ms <= f64::from(bound));
        self.counts[bucket.unwrap_or(Self::BOUNDS_MS.len())] += 1;
        self.sum_ms += ms;
    }

    pub fn record(&mut self, duration: Duration) {
        self.record_ms(duration.as_secs_f64() * 1000.0);
    }

    /// Upper bound in milliseconds (None: no bound) and how many were at most that.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<u32>, u64)> + '_ {
        let bounds = Self::BOUNDS_MS.into_iter().map(Some).chain([None]);
        bounds.zip(&self.counts).scan(0, |total, (bound, count)| {
            *total += count;
            Some((bound, *total))
        })
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn sum_ms(&self) -> f64 {
        self.sum_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_nonsense_is_ignored() {
        let mut histogram = Histogram::default();
        for ms in [5.0, 5.1, 599.0, 20_000.0, f64::NAN, f64::INFINITY, -1.0, 1e9] {
            histogram.record_ms(ms);
        }
        assert_eq!(histogram.count(), 4);
        assert_eq!(histogram.sum_ms(), 5.0 + 5.1 + 599.0 + 20_000.0);
        let at = |bound| histogram.cumulative().find(|(b, _)| *b == bound).unwrap().1;
        assert_eq!((at(Some(5)), at(Some(10)), at(Some(600)), at(Some(10_000)), at(None)), (1, 2, 3, 3, 4));
    }
}
