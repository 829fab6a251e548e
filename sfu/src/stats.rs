//! Plain numbers about what the shell did; the forwarder's own are in [`sfu_core`].

use crate::socket::BufferSizes;
use std::io;

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$variant),*];

            /// As a metric label: lower case, underscores.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    /// Why a datagram was not sent.
    SendDrop {
        /// The socket's buffer was full for longer than we wait (`EAGAIN`).
        BufferFull = "buffer_full",
        /// The device's queue was full (`ENOBUFS`).
        QueueFull = "queue_full",
        /// Larger than the path or the protocol takes (`EMSGSIZE`).
        TooLong = "too_long",
        /// No route, or the host or port is not there.
        Unreachable = "unreachable",
        /// A firewall rule of this machine (`EPERM`, `EACCES`).
        Forbidden = "forbidden",
        /// There is no socket of the destination's address family.
        NoSocket = "no_socket",
        /// Anything else.
        Other = "other",
    }
}

reasons! {
    /// Why a datagram did not reach the forwarder.
    ReceiveDrop {
        /// The kernel dropped it, because the worker was not there in time (`SO_RXQ_OVFL`).
        Overflow = "overflow",
        /// Longer than the receive buffer.
        Truncated = "truncated",
        /// The ring to the worker that it belongs to was full.
        HandOverFull = "hand_over_full",
        /// A router's words or packets for that of another worker: the ring to it was full.
        RelayFull = "relay_full",
        /// The same for a worker that there is not.
        RelayNowhere = "relay_nowhere",
        /// Handling it failed inside the forwarder, whose state was saved from it.
        Panicked = "panicked",
    }
}

impl SendDrop {
    pub fn from_error(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EAGAIN) => Self::BufferFull,
            Some(libc::ENOBUFS | libc::ENOMEM) => Self::QueueFull,
            Some(libc::EMSGSIZE) => Self::TooLong,
            Some(
                libc::ENETUNREACH
                | libc::EHOSTUNREACH
                | libc::ECONNREFUSED
                | libc::EHOSTDOWN
                | libc::ENETDOWN
                | libc::EADDRNOTAVAIL,
            ) => Self::Unreachable,
            Some(libc::EPERM | libc::EACCES) => Self::Forbidden,
            _ => Self::Other,
        }
    }
}

/// What one worker sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SendStats {
    /// System calls that sent something.
    pub sends: u64,
    pub datagrams: u64,
    pub bytes: u64,
    /// GSO batches that the kernel refused; their datagrams were sent singly.
    pub gso_failures: u64,
    /// Times that a worker waited for room in the socket's buffer.
    pub waits: u64,
    dropped: [u64; SendDrop::ALL.len()],
}

impl SendStats {
    /// Mean datagrams per system call; zero before the first.
    pub fn segments_per_send(&self) -> f64 {
        if self.sends == 0 { 0.0 } else { self.datagrams as f64 / self.sends as f64 }
    }
    pub fn dropped(&self, reason: SendDrop) -> u64 {
        self.dropped[reason as usize]
    }
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }
    pub(crate) fn count_sent(&mut self, datagrams: usize, bytes: usize) {
        self.sends += 1;
        self.datagrams += datagrams as u64;
        self.bytes += bytes as u64;
    }
    pub(crate) fn count_dropped(&mut self, reason: SendDrop, datagrams: usize) {
        self.dropped[reason as usize] += datagrams as u64;
    }
    fn add(&mut self, other: &Self) {
        self.sends += other.sends;
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.gso_failures += other.gso_failures;
        self.waits += other.waits;
        self.dropped.iter_mut().zip(other.dropped).for_each(|(a, b)| *a += b);
    }
}

/// What one worker received.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReceiveStats {
    /// System calls that received something.
    pub receives: u64,
    pub datagrams: u64,
    pub bytes: u64,
    /// Datagrams that look like RTP: media.
    pub rtp: u64,
    /// Datagrams given to the worker they belong to, and taken from others.
    pub handed_over: u64,
    pub taken_over: u64,
    /// Times that another worker's router had something for ours.
    pub relays: u64,
    dropped: [u64; ReceiveDrop::ALL.len()],
}

impl ReceiveStats {
    pub fn dropped(&self, reason: ReceiveDrop) -> u64 {
        self.dropped[reason as usize]
    }
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }
    pub(crate) fn count_dropped(&mut self, reason: ReceiveDrop, datagrams: usize) {
        self.dropped[reason as usize] += datagrams as u64;
    }
    fn add(&mut self, other: &Self) {
        self.receives += other.receives;
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.rtp += other.rtp;
        self.handed_over += other.handed_over;
        self.taken_over += other.taken_over;
        self.relays += other.relays;
        self.dropped.iter_mut().zip(other.dropped).for_each(|(a, b)| *a += b);
    }
}

/// One worker.
#[derive(Clone, Debug, Default)]
pub struct WorkerStats {
    pub receive: ReceiveStats,
    pub send: SendStats,
    pub router: sfu_core::Stats,
    /// Turns of the loop: each receives a burst, and sends what came of it.
    pub turns: u64,
    /// Share of the last moments that the worker worked, in percent.
    pub busy_percent: u32,
    /// The same over the last second: what shedding and the refusal of rooms go by.
    pub load_percent: u32,
    /// What it leaves out because it cannot keep up.
    pub shedding: sfu_core::Shedding,
    /// CPU time of the thread, in microseconds.
    pub cpu_us: u64,
    /// Times that the forwarder was started anew after it had failed.
    pub restarts: u64,
}

/// All workers, taken one after the other.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// By worker; `None` for one that did not answer in time.
    pub workers: Vec<Option<WorkerStats>>,
    /// What the system granted at the start, per socket.
    pub buffers: BufferSizes,
}

impl Stats {
    /// Sum over the workers that answered.
    pub fn receive(&self) -> ReceiveStats {
        self.sum(|sum: &mut ReceiveStats, worker| sum.add(&worker.receive))
    }
    /// Sum over the workers that answered.
    pub fn send(&self) -> SendStats {
        self.sum(|sum: &mut SendStats, worker| sum.add(&worker.send))
    }
    fn sum<T: Default>(&self, add: impl Fn(&mut T, &WorkerStats)) -> T {
        let mut sum = T::default();
        self.workers.iter().flatten().for_each(|worker| add(&mut sum, worker));
        sum
    }
}
