//! A line on standard error that says how far a run is; lines of its own where nobody watches.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub struct Progress {
    total: usize,
    state: Mutex<State>,
    is_terminal: bool,
}

struct State {
    done: usize,
    begun: Instant,
    said: Instant,
}

const WIDTH: usize = 30;
/// Where the line cannot be written over, a new one comes so seldom.
const SAY_EVERY: Duration = Duration::from_secs(10);

impl Progress {
    pub fn new(total: usize) -> Self {
        let now = Instant::now();
        let state = Mutex::new(State { done: 0, begun: now, said: now });
        Self { total, state, is_terminal: std::io::stderr().is_terminal() }
    }

    /// One more is done: this one.
    pub fn done(&self, what: &str) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.done += 1;
        let (done, passed) = (state.done.min(self.total), state.begun.elapsed());
        let left = passed.mul_f64((self.total - done) as f64 / done.max(1) as f64);
        let full = WIDTH * done / self.total.max(1);
        let line = format!(
            "[{}{}] {done}/{} {what}, {} s, {} s to go",
            "#".repeat(full),
            ".".repeat(WIDTH - full),
            self.total,
            passed.as_secs(),
            left.as_secs()
        );
        if self.is_terminal {
            eprint!("\r\x1b[K{line}");
            if done == self.total {
                eprintln!();
            }
            let _ = std::io::stderr().flush();
        } else if done == self.total || state.said.elapsed() >= SAY_EVERY {
            state.said = Instant::now();
            eprintln!("{line}");
        }
    }
}
