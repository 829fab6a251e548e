//! Waiting for any of thousands of sockets.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

pub struct Poll(OwnedFd);

impl Poll {
    /// For reading; ready ones are told by their index.
    pub fn new(sockets: &[impl AsRawFd]) -> io::Result<Self> {
        // SAFETY: plain system calls; the descriptor is owned from here on, the event outlives its call.
        unsafe {
            let raw = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if raw < 0 {
                return Err(io::Error::last_os_error());
            }
            let poll = Self(OwnedFd::from_raw_fd(raw));
            for (index, socket) in sockets.iter().enumerate() {
                poll.add(socket, index)?;
            }
            Ok(poll)
        }
    }

    /// One more; a socket that is closed goes by itself.
    pub fn add(&self, socket: &impl AsRawFd, index: usize) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: index as u64 };
        // SAFETY: a plain system call; the event outlives it.
        let added = unsafe {
            libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event)
        };
        if added != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Fills `ready` with the indices of sockets that have something; whole milliseconds, rounded up.
    pub fn wait(&self, timeout: Duration, ready: &mut Vec<usize>) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        let timeout_ms = timeout.as_nanos().div_ceil(1_000_000).min(60_000) as libc::c_int;
        // SAFETY: the kernel writes at most as many events as there are.
        let count = unsafe {
            libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), events.len() as libc::c_int, timeout_ms)
        };
        ready.clear();
        ready.extend(events.iter().take(count.max(0) as usize).map(|event| event.u64 as usize));
    }
}
