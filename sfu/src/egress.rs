//! Sending policy of one worker: batches in, as few system calls as possible out, and every failure named.
//!
//! | the kernel says | what happens |
//! |---|---|
//! | `EIO`, `EINVAL`, `EMSGSIZE` on a GSO batch | the batch is sent again datagram by datagram, GSO is off for that destination for [`GSO_PAUSE`] |
//! | `EAGAIN` (socket buffer full: the link is slower than we are) | wait up to [`FULL_BUFFER_PATIENCE`] once per drain, then drop and count |
//! | `ENOBUFS` (device queue full) | drop and count: a retry would add to the queue, and NACK repairs what matters |
//! | anything else | drop and count by name; one bad destination never holds up another |

use crate::socket::Socket;
use crate::stats::{SendDrop, SendStats};
use crate::wake::wait_writable;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

/// Segments in one call. Kernels before 6.9 refuse more than 64 (`UDP_MAX_SEGMENTS`).
pub const MAX_SEGMENTS: usize = 64;

/// Bytes in one call: the largest UDP payload over IPv4, which is below that over IPv6.
pub const MAX_BATCH_BYTES: usize = 65_507;

/// How long GSO stays off for a destination after a batch failed. A path's MTU seldom grows back; a try costs one failed
/// call.
pub const GSO_PAUSE: Duration = Duration::from_secs(600);

/// How long one drain of the router may wait for room in the socket's buffer. A link that is full for longer has a queue
/// that nobody wants to wait in, and the other peers of the worker wait meanwhile.
pub const FULL_BUFFER_PATIENCE: Duration = Duration::from_millis(1);

/// Destinations with GSO off that are remembered; past it the list starts anew.
const MAX_PAUSED: usize = 10_000;

/// Sends for one worker over whatever socket it is given.
#[derive(Debug)]
pub struct Egress {
    max_segments: usize,
    gso_paused_until: HashMap<SocketAddr, Instant>,
    patience_left: Duration,
    stats: SendStats,
}

impl Default for Egress {
    fn default() -> Self {
        Self::with_max_segments(MAX_SEGMENTS)
    }
}

impl Egress {
    /// One segment turns GSO off altogether.
    pub fn with_max_segments(max_segments: usize) -> Self {
        Self {
            max_segments: max_segments.max(1),
            gso_paused_until: HashMap::new(),
            patience_left: FULL_BUFFER_PATIENCE,
            stats: SendStats::default(),
        }
    }

    pub fn stats(&self) -> &SendStats {
        &self.stats
    }

    /// For a destination that there is no socket for.
    pub(crate) fn count_dropped(&mut self, reason: SendDrop, datagrams: usize) {
        self.stats.count_dropped(reason, datagrams);
    }

    /// A new drain of the router begins.
    pub fn begin_drain(&mut self) {
        self.patience_left = FULL_BUFFER_PATIENCE;
    }

    /// Sends `bytes`, datagrams of `segment_size` bytes each (the last may be shorter), to one destination.
    pub fn send(
        &mut self,
        socket: &Socket,
        now: Instant,
        from: IpAddr,
        to: SocketAddr,
        bytes: &[u8],
        segment_size: usize,
    ) {
        let segment_size = if segment_size == 0 { bytes.len() } else { segment_size };
        if bytes.len() <= segment_size {
            self.send_single(socket, from, to, bytes);
            return;
        }
        let segments = self.max_segments.min(MAX_BATCH_BYTES / segment_size).max(1);
        for batch in bytes.chunks(segments * segment_size) {
            self.send_batch(socket, now, from, to, batch, segment_size);
        }
    }

    fn send_batch(
        &mut self,
        socket: &Socket,
        now: Instant,
        from: IpAddr,
        to: SocketAddr,
        batch: &[u8],
        segment_size: usize,
    ) {
        let count = batch.len().div_ceil(segment_size);
        let gso = count > 1 && socket.has_gso() && !self.is_gso_paused(to, now);
        if gso && let Ok(size) = u16::try_from(segment_size) {
            match self.call(socket, from, to, batch, Some(size)) {
                Ok(()) => return self.stats.count_sent(count, batch.len()),
                Err(e) if matches!(e.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE)) => {
                    self.stats.gso_failures += 1;
                    tracing::debug!(%to, segment_size, count, error = %e, "GSO off for this destination");
                    if self.gso_paused_until.len() >= MAX_PAUSED {
                        self.gso_paused_until.clear();
                    }
                    self.gso_paused_until.insert(to, now + GSO_PAUSE);
                }
                Err(e) => return self.stats.count_dropped(SendDrop::from_error(&e), count),
            }
        }
        for datagram in batch.chunks(segment_size) {
            self.send_single(socket, from, to, datagram);
        }
    }

    fn send_single(&mut self, socket: &Socket, from: IpAddr, to: SocketAddr, datagram: &[u8]) {
        match self.call(socket, from, to, datagram, None) {
            Ok(()) => self.stats.count_sent(1, datagram.len()),
            Err(e) => self.stats.count_dropped(SendDrop::from_error(&e), 1),
        }
    }

    fn call(
        &mut self,
        socket: &Socket,
        from: IpAddr,
        to: SocketAddr,
        bytes: &[u8],
        segment_size: Option<u16>,
    ) -> io::Result<()> {
        self.patiently(socket.as_raw_fd(), || socket.send(from, to, bytes, segment_size))
    }

    /// One attempt, repeated once if the socket's buffer was full and there is patience left in this drain.
    fn patiently(&mut self, fd: RawFd, mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        let error = match attempt() {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::WouldBlock if !self.patience_left.is_zero() => {
                self.stats.waits += 1;
                let waiting_from = Instant::now();
                wait_writable(fd, self.patience_left);
                self.patience_left = self.patience_left.saturating_sub(waiting_from.elapsed());
                attempt()
            }
            // An ICMP error about an earlier datagram, or a signal: the call has sent nothing, and the error is gone.
            io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => attempt(),
            _ => Err(error),
        }
    }

    fn is_gso_paused(&mut self, to: SocketAddr, now: Instant) -> bool {
        if self.gso_paused_until.is_empty() {
            return false;
        }
        match self.gso_paused_until.get(&to) {
            Some(&until) if now < until => true,
            Some(_) => {
                self.gso_paused_until.remove(&to);
                false
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::RECEIVE_BUFFER_LEN;

    #[test]
    fn a_large_batch_is_cut_into_calls_the_kernel_takes() {
        let (socket, mut sink) = sockets();
        let mut egress = Egress::default();
        let to = sink.bound();
        egress.send(&socket, Instant::now(), to.ip(), to, &vec![3; 100 * 1200 + 10], 1200);
        assert_eq!(drain(&mut sink), 101);
        assert_eq!(egress.stats().datagrams, 101);
        assert_eq!(egress.stats().sends, 2, "54 segments of 1200 bytes fit into one call");
    }

    #[test]
    fn a_batch_that_the_kernel_refuses_goes_out_singly_and_only_that_destination_pays() {
        let (socket, mut refused) = sockets();
        let (_, mut other) = sockets();
        // More segments than any kernel takes (UDP_MAX_SEGMENTS is 64 or 128): a genuine EINVAL.
        let mut egress = Egress::with_max_segments(200);
        let (to, now) = (refused.bound(), Instant::now());
        egress.send(&socket, now, to.ip(), to, &[1; 200 * 50], 50);
        assert_eq!(drain(&mut refused), 200, "nothing was lost");
        assert_eq!((egress.stats().gso_failures, egress.stats().sends), (1, 200));
        // A batch that would pass now goes singly, too.
        egress.send(&socket, now, to.ip(), to, &[1; 150], 50);
        assert_eq!((egress.stats().gso_failures, egress.stats().sends), (1, 203));
        egress.send(&socket, now, to.ip(), other.bound(), &[1; 150], 50);
        assert_eq!(egress.stats().sends, 204, "another destination keeps GSO");
        egress.send(&socket, now + GSO_PAUSE, to.ip(), to, &[1; 150], 50);
        assert_eq!(egress.stats().sends, 205, "and gets it back after a while");
        assert_eq!((drain(&mut refused), drain(&mut other)), (6, 3));
        assert_eq!(egress.stats().dropped_total(), 0);
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_is_counted_by_its_reason() {
        let (socket, mut sink) = sockets();
        let mut egress = Egress::default();
        let (to, now) = (sink.bound(), Instant::now());
        egress.send(&socket, now, to.ip(), to, &vec![0; 70_000], 70_000);
        assert_eq!(egress.stats().dropped(SendDrop::TooLong), 1);
        egress.send(&socket, now, to.ip(), "[::1]:9".parse().unwrap(), &[0; 10], 10);
        assert_eq!(egress.stats().dropped_total(), 2, "an IPv6 destination on an IPv4 socket");
        egress.send(&socket, now, to.ip(), to, b"still works", 11);
        assert_eq!(drain(&mut sink), 1);
    }

    #[test]
    fn a_full_socket_buffer_is_waited_for_once_in_a_drain() {
        // The reading end of a pipe never becomes writable: as a link that has stopped.
        let (never_writable, _other_end) = std::io::pipe().unwrap();
        let mut egress = Egress::default();
        let start = Instant::now();
        let mut attempts = 0;
        for _ in 0..50 {
            let result = egress.patiently(never_writable.as_raw_fd(), || {
                attempts += 1;
                Err(io::ErrorKind::WouldBlock.into())
            });
            assert!(result.is_err());
        }
        assert_eq!((attempts, egress.stats().waits), (51, 1));
        assert!(start.elapsed() >= FULL_BUFFER_PATIENCE);
        egress.begin_drain();
        let mut attempts = 0;
        let result = egress.patiently(never_writable.as_raw_fd(), || {
            attempts += 1;
            if attempts == 1 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        assert!(result.is_ok(), "the next drain has patience again");
    }

    fn sockets() -> (Socket, Socket) {
        let bind = || Socket::bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        (bind(), bind())
    }

    /// Datagrams waiting at `socket`; on loopback they have arrived when the send call returns.
    fn drain(socket: &mut Socket) -> usize {
        let mut buffer = vec![0; RECEIVE_BUFFER_LEN];
        let mut count = 0;
        while let Ok(received) = socket.receive(&mut buffer) {
            count += received.len.div_ceil(received.segment_size);
        }
        count
    }
}
