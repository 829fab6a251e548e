//! Gives pages back to the system that nobody uses any more: connecting and the first pictures take more than what stays of them, and
//! an allocator keeps what it once had.

use std::time::{Duration, Instant};

/// When to look for such pages: a while after somebody came or left.
#[derive(Debug, Default)]
pub struct Surplus {
    due: Option<Instant>,
}

/// A start is over by then, and what caches kept of it has gone. Looking takes a tenth of a millisecond for a class.
const AFTER: Duration = Duration::from_secs(5);
/// What is longer has pages of its own, which go back with it: what grows by copying leaves no holes that nothing else fits.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const PAGES_FROM: libc::c_int = 32 << 10;

impl Surplus {
    /// Somebody came or left.
    pub fn on_change(&mut self, now: Instant) {
        self.due.get_or_insert(now + AFTER);
    }

    pub fn give_back(&mut self, now: Instant) {
        if self.due.is_some_and(|due| now >= due) {
            self.due = None;
            trim();
        }
    }
}

/// For the whole process, before there is much in it.
pub fn keep_long_ones_apart() {
    // SAFETY: it sets a number of the allocator's, under its own lock.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, PAGES_FROM);
    }
}

fn trim() {
    // SAFETY: it takes the allocator's own locks, and touches nothing that is in use.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}
