//! Waiting: a worker sleeps until a datagram, a command or its next timeout comes.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Duration;

/// Wakes one sleeping worker from any thread.
///
/// A call that finds the worker awake costs one atomic read: the worker looks at everything once more between saying
/// that it will sleep and sleeping.
#[derive(Debug)]
pub struct Wake {
    event: OwnedFd,
    sleeping: AtomicBool,
}

impl Wake {
    pub fn new() -> io::Result<Self> {
        // SAFETY: plain system call; the descriptor is owned from here on.
        let event = unsafe {
            let raw = libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
            if raw < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(raw)
        };
        Ok(Self { event, sleeping: AtomicBool::new(false) })
    }

    /// Called after something was put where the worker will find it.
    pub fn wake(&self) {
        // Pairs with the fence in `fall_asleep`: either the worker sees what was put, or this sees that it sleeps.
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) && self.sleeping.swap(false, Ordering::Relaxed) {
            let one = 1u64;
            // SAFETY: eight bytes are read from `one`. The only possible failure is a full counter, which also wakes.
            unsafe { libc::write(self.event.as_raw_fd(), (&raw const one).cast(), 8) };
        }
    }

    /// The worker is about to sleep; it must look at its queues once more after this call.
    pub fn fall_asleep(&self) {
        self.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The worker runs again; takes the wake-up call, if there was one.
    pub fn awake(&self, called: bool) {
        self.sleeping.store(false, Ordering::Relaxed);
        if called {
            let mut count = 0u64;
            // SAFETY: eight bytes are written to `count`.
            unsafe { libc::read(self.event.as_raw_fd(), (&raw mut count).cast(), 8) };
        }
    }
}

impl AsRawFd for Wake {
    fn as_raw_fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }
}

/// Descriptors to wait on, and which of them were ready.
#[derive(Debug)]
pub struct Waiter {
    descriptors: Vec<libc::pollfd>,
}

impl Waiter {
    pub fn new(descriptors: impl IntoIterator<Item = RawFd>) -> Self {
        let descriptors =
            descriptors.into_iter().map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
        Self { descriptors }
    }

    /// Sleeps until a descriptor can be read or `timeout` has passed (`None`: for ever). A signal ends it early.
    pub fn wait(&mut self, timeout: Option<Duration>) {
        let timeout = timeout.map(timespec);
        let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let count = self.descriptors.len() as libc::nfds_t;
        // SAFETY: the descriptors and the timeout outlive the call.
        let ready = unsafe { libc::ppoll(self.descriptors.as_mut_ptr(), count, timeout, std::ptr::null()) };
        if ready <= 0 {
            self.descriptors.iter_mut().for_each(|d| d.revents = 0);
        }
    }

    /// Whether the descriptor given as the `index`th has something (an error counts: reading it clears it).
    pub fn is_ready(&self, index: usize) -> bool {
        self.descriptors[index].revents != 0
    }
}

/// Waits until `fd` takes data again; false if it did not within `timeout`.
pub fn wait_writable(fd: RawFd, timeout: Duration) -> bool {
    let mut descriptor = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    let timeout = timespec(timeout);
    // SAFETY: descriptor and timeout outlive the call.
    unsafe { libc::ppoll(&raw mut descriptor, 1, &raw const timeout, std::ptr::null()) > 0 }
}

/// Timers of the calling thread fire within a microsecond of their time (the default is 50 after it).
pub fn sharpen_timers() {
    // SAFETY: plain system call on the calling thread; failure leaves the default.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1000 as libc::c_ulong, 0, 0, 0) };
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Instant;

    #[test]
    fn a_call_wakes_a_sleeper() {
        let wake = Arc::new(Wake::new().unwrap());
        let mut waiter = Waiter::new([wake.as_raw_fd()]);
        wake.fall_asleep();
        let caller = std::thread::spawn({
            let wake = wake.clone();
            move || wake.wake()
        });
        let start = Instant::now();
        waiter.wait(Some(Duration::from_secs(10)));
        assert!(waiter.is_ready(0) && start.elapsed() < Duration::from_secs(9));
        wake.awake(true);
        caller.join().unwrap();
    }

    #[test]
    fn a_call_to_a_waking_worker_leaves_nothing_behind() {
        let wake = Wake::new().unwrap();
        let mut waiter = Waiter::new([wake.as_raw_fd()]);
        wake.wake();
        waiter.wait(Some(Duration::ZERO));
        assert!(!waiter.is_ready(0));
    }

    #[test]
    fn a_timeout_shorter_than_a_millisecond_is_kept() {
        sharpen_timers();
        let mut waiter = Waiter::new([]);
        let start = Instant::now();
        waiter.wait(Some(Duration::from_micros(200)));
        assert!(start.elapsed() >= Duration::from_micros(200));
        assert!(start.elapsed() < Duration::from_millis(100));
    }
}
