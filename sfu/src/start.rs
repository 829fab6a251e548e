//! Starting the workers, and talking to them.

use crate::address::{candidates, machine_ips};
use crate::bind;
use crate::config::{Config, StartError};
use crate::ring;
use crate::socket::BufferSizes;
use crate::stats::Stats;
use crate::steer::{self, CREDENTIALS_ENTROPY, MAX_WORKERS};
use crate::wake::Wake;
use crate::worker::{Neighbour, Parts, Request, Worker};
use packet::{NtpTime, PeerId, RoomId};
use sfu_core::{Command, Event, PeerStats};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use transport::{Candidate, Certificate, Fingerprint, IceCredentials};

/// How long [`Sfu::stats`] waits for one worker. A turn takes a millisecond at most; later is never.
const REPLY_PATIENCE: Duration = Duration::from_secs(1);

/// Seconds between the epochs of NTP (1900) and Unix (1970).
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

/// The running media plane. Ends when dropped.
#[derive(Debug)]
pub struct Sfu {
    workers: Vec<Handle>,
    certificate: Arc<Certificate>,
    buffers: BufferSizes,
}

#[derive(Debug)]
struct Handle {
    requests: mpsc::Sender<Request>,
    wake: Arc<Wake>,
    busy: Arc<AtomicU32>,
    candidates: Vec<Candidate>,
    thread: Option<JoinHandle<()>>,
}

impl Sfu {
    /// Opens the sockets and starts the threads.
    ///
    /// `events` is called on the worker threads and must not wait: every peer of that worker would wait with it.
    pub fn start(
        config: Config,
        events: impl Fn(Event) + Send + Clone + 'static,
    ) -> Result<Self, StartError> {
        let count = match config.workers {
            0 => thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS),
            n if n > MAX_WORKERS => return Err(StartError::TooManyWorkers { workers: n, max: MAX_WORKERS }),
            n => n,
        };
        let (sockets, buffers) = bind::open(&config, count)?;
        let machine = machine_ips().unwrap_or_default();
        let certificate = match config.certificate {
            Some(certificate) => certificate,
            None => Arc::new(Certificate::generate().map_err(|e| StartError::Certificate(e.to_string()))?),
        };
        let seed = match config.seed {
            Some(seed) => seed,
            None => u64::from_le_bytes(random().map_err(StartError::Thread)?),
        };
        crate::memory::keep_long_ones_apart();
        let clock = (Instant::now(), ntp_now());
        let wakes = (0..count).map(|_| Wake::new().map(Arc::new)).collect::<io::Result<Vec<_>>>();
        let wakes = wakes.map_err(StartError::Thread)?;
        let mut rings = Rings::new(&wakes);

        let mut sfu = Self { workers: Vec::with_capacity(count), certificate, buffers };
        for (index, sockets) in sockets.into_iter().enumerate() {
            let bound: Vec<_> = sockets.iter().map(|socket| socket.bound()).collect();
            let candidates = candidates(&bound, &config.announce_ips, &machine);
            if candidates.is_empty() {
                return Err(StartError::NoCandidate);
            }
            let mut router =
                sfu_core::Config::new(clock, seed.wrapping_add(index as u64), sfu.certificate.clone());
            router.worker = index;
            router.candidates = candidates.clone();
            router.dtls.offer_gcm_only = !config.aes_cm;
            (router.last_n, router.loudest_n) = (config.last_n, config.loudest_n);
            let busy = Arc::new(AtomicU32::new(0));
            let (requests, receiver) = mpsc::channel();
            let parts = Parts {
                index,
                sockets,
                router,
                requests: receiver,
                wake: wakes[index].clone(),
                neighbours: rings.take_senders(index),
                sharing: if config.port_per_worker { 1 } else { count },
                rings: rings.take_receivers(index),
                epoch: clock.0,
                busy: busy.clone(),
                events: events.clone(),
            };
            let thread = thread::Builder::new()
                .name(format!("sfu-{index}"))
                .spawn(move || Worker::new(parts).run())
                .map_err(StartError::Thread)?;
            let wake = wakes[index].clone();
            sfu.workers.push(Handle { requests, wake, busy, candidates, thread: Some(thread) });
        }
        Ok(sfu)
    }

    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// The worker that serves a room. Rooms numbered one after the other are spread evenly.
    pub fn place(&self, room: RoomId) -> usize {
        (room.0 % self.workers.len() as u64) as usize
    }

    /// How busy each worker was over the last second, in percent of its time. Costs nothing.
    pub fn busy_percent(&self) -> Vec<u32> {
        self.workers.iter().map(|worker| worker.busy.load(Ordering::Relaxed)).collect()
    }

    /// Where clients reach a worker, best for a stranger first.
    pub fn candidates(&self, worker: usize) -> &[Candidate] {
        &self.workers[worker].candidates
    }

    pub fn certificate(&self) -> &Arc<Certificate> {
        &self.certificate
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.certificate.fingerprint()
    }

    /// What the system granted per socket, in bytes.
    pub fn buffers(&self) -> BufferSizes {
        self.buffers
    }

    /// Fresh credentials for a peer of this worker, from the system's randomness.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn credentials(&self, worker: usize) -> io::Result<IceCredentials> {
        Ok(steer::credentials(worker, &random::<CREDENTIALS_ENTROPY>()?))
    }

    /// Never waits. A command to a worker that has ended is dropped.
    pub fn send(&self, worker: usize, command: Command) {
        self.ask(worker, Request::Command(Box::new(command)));
    }

    /// Takes milliseconds at most when the workers are well; from async code call it where blocking is allowed.
    pub fn stats(&self) -> Stats {
        let replies: Vec<_> = (0..self.workers.len())
            .map(|worker| {
                let (reply, answer) = mpsc::channel();
                self.ask(worker, Request::Stats(reply));
                answer
            })
            .collect();
        let workers = replies.into_iter().map(|answer| answer.recv_timeout(REPLY_PATIENCE).ok()).collect();
        Stats { workers, buffers: self.buffers }
    }

    /// As [`Self::stats`]. `None`: no such peer there.
    pub fn peer_stats(&self, worker: usize, peer: PeerId) -> Option<PeerStats> {
        let (reply, answer) = mpsc::channel();
        self.ask(worker, Request::PeerStats(peer, reply));
        answer.recv_timeout(REPLY_PATIENCE).ok().flatten()
    }

    /// Says goodbye to every peer and waits for the threads to end.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn ask(&self, worker: usize, request: Request) {
        let worker = &self.workers[worker];
        // The receiver lives as long as its thread.
        let _ = worker.requests.send(request);
        worker.wake.wake();
    }

    fn stop(&mut self) {
        for worker in 0..self.workers.len() {
            self.ask(worker, Request::Shutdown);
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take()
                && thread.join().is_err()
            {
                tracing::error!("a media worker had failed before the shutdown");
            }
        }
    }
}

impl Drop for Sfu {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The rings between every two workers, until each worker takes its ends.
struct Rings {
    senders: Vec<Vec<Option<Neighbour>>>,
    receivers: Vec<Vec<(usize, ring::Receiver)>>,
}

impl Rings {
    fn new(wakes: &[Arc<Wake>]) -> Self {
        let mut receivers: Vec<Vec<(usize, ring::Receiver)>> = wakes.iter().map(|_| Vec::new()).collect();
        let mut ends = |from: usize| -> Vec<Option<Neighbour>> {
            let end = |to: usize| {
                (from != to).then(|| {
                    let (sender, receiver) = ring::ring(ring::CAPACITY);
                    receivers[to].push((from, receiver));
                    Neighbour { ring: sender, wake: wakes[to].clone() }
                })
            };
            (0..wakes.len()).map(end).collect()
        };
        let senders = (0..wakes.len()).map(&mut ends).collect();
        Self { senders, receivers }
    }
    fn take_senders(&mut self, worker: usize) -> Vec<Option<Neighbour>> {
        std::mem::take(&mut self.senders[worker])
    }
    fn take_receivers(&mut self, worker: usize) -> Vec<(usize, ring::Receiver)> {
        std::mem::take(&mut self.receivers[worker])
    }
}

fn ntp_now() -> NtpTime {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    NtpTime(NTP_TO_UNIX_S << 32).plus(unix)
}

/// Bytes from the system's secure source.
fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: the kernel writes at most `N` bytes; up to 256 come whole and uninterrupted (getrandom(2)).
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) };
    if got == N as isize { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}
