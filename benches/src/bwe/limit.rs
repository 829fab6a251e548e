//! What could be had of a recorded line at all: senders that know what it carries, which no real one does.
//!
//! ```text
//!   known ──────────────────┤ feedback's delay │ now
//!   rate: mean of a window ─┘                  └─ send until as much waits as the rate takes away in the aim
//! ```
//! *Past*: everything that the line carried is known, also what nobody asked of it, up to one feedback's delay ago. It sends whatever it
//! thinks fits, without frames, packets, noise or probes; window and aim are the best for each recording and seed, chosen afterwards. *Future*:
//! each bit is sent when the line takes it.

/// What a sender got.
#[derive(Clone, Copy, Debug)]
pub struct Got {
    /// Of what the line carried.
    pub used: f64,
    pub queue_p95_ms: f64,
}

/// There and back 50 ms, and half of what lies between two messages.
const FEEDBACK_MS: usize = 75;
const WINDOWS_MS: [usize; 7] = [20, 50, 100, 200, 400, 800, 1600];
const AIMS_MS: [usize; 12] = [2, 5, 10, 20, 30, 45, 60, 80, 110, 150, 220, 320];
/// What a call bears.
const QUEUE_MS: f64 = 200.0;

/// `carried`: bits in each millisecond; from `from` on it counts. The most that is used with a p95 of the queue of 200 ms; if no window and no aim
/// have one, what has the shortest.
pub fn past(carried: &[f64], from: usize) -> Got {
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(carried.iter().scan(0.0, |sum, bits| {
            *sum += bits;
            Some(*sum)
        }))
        .collect();
    let mut best = Got { used: 0.0, queue_p95_ms: f64::INFINITY };
    for window in WINDOWS_MS {
        for aim in AIMS_MS {
            let got = run(carried, from, |now, sent, taken| {
                let known = now.saturating_sub(FEEDBACK_MS);
                let begin = known.saturating_sub(window);
                let rate = (sums[known] - sums[begin]) / (known - begin).max(1) as f64;
                // All that is not known to have left.
                let unknown = sent - taken[known];
                (rate * (aim + FEEDBACK_MS) as f64 - unknown).max(0.0)
            });
            let rank = |got: Got| (got.queue_p95_ms.max(QUEUE_MS), -got.used);
            if rank(got) < rank(best) {
                best = got;
            }
        }
    }
    best
}

pub fn future(carried: &[f64], from: usize) -> Got {
    run(carried, from, |now, _, _| carried[now])
}

/// `send`: bits at this millisecond, by what was sent and what the line had taken before each millisecond, in all.
fn run(carried: &[f64], from: usize, send: impl Fn(usize, f64, &[f64]) -> f64) -> Got {
    let mut sent = vec![0.0];
    let mut taken = vec![0.0];
    for (now, bits) in carried.iter().enumerate() {
        let all = sent[now] + send(now, sent[now], &taken);
        sent.push(all);
        taken.push((taken[now] + bits).min(all));
    }
    // How long what is sent in each millisecond waits, by how much of it there is.
    let mut waits = Vec::new();
    for now in from..carried.len() {
        let bits = sent[now + 1] - sent[now];
        let left = taken.partition_point(|taken| *taken < sent[now + 1]);
        if bits > 0.0 {
            waits.push((left.saturating_sub(now + 1), bits));
        }
    }
    waits.sort_unstable_by_key(|(wait, _)| *wait);
    let all: f64 = waits.iter().map(|(_, bits)| bits).sum();
    let mut below = 0.0;
    let p95 = waits.iter().find(|(_, bits)| {
        below += bits;
        below >= 0.95 * all
    });
    Got {
        used: (taken[carried.len()] - taken[from]) / carried[from..].iter().sum::<f64>(),
        queue_p95_ms: p95.map_or(0.0, |(wait, _)| *wait as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_line_is_used_by_both_and_one_that_jumps_only_by_who_knows_when() {
        let steady = vec![1000.0; 20_000];
        assert!(past(&steady, 5000).used > 0.99 && future(&steady, 5000).used > 0.99);
        // Full and nothing by turns, each shorter than the news of it takes.
        let turns: Vec<f64> = (0..20_000).map(|ms| if ms / 60 % 2 == 0 { 1000.0 } else { 0.0 }).collect();
        let (past, future) = (past(&turns, 5000), future(&turns, 5000));
        assert!(future.used > 0.99 && future.queue_p95_ms == 0.0, "{future:?}");
        assert!(past.queue_p95_ms > 20.0 && past.queue_p95_ms <= 200.0, "{past:?}");
    }
}
