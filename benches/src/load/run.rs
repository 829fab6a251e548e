//! One run: a server, its clients, a window of steady state, and what was used and seen in it.

use super::adapter::{Adapter, Connection, Place};
use super::client::{Client, Common, Counts};
use super::janus::Janus;
use super::limit;
use super::ours::Ours;
use super::poll::Poll;
use super::publisher::{Content, Publisher};
use super::server::{self, Usage};
use super::shape::Shape;
use crate::report::{Report, percentile};
use anyhow::{Context, ensure};
use packet::Bitrate;
use sfu::RECEIVE_BUFFER_LEN;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{Certificate, Profile};

/// Time for all handshakes; a client that needs longer is an error of the run.
const CONNECT_PATIENCE: Duration = Duration::from_secs(120);
/// Steady state begins after the first keyframes and the handshakes' timers.
pub const WARM_UP: Duration = Duration::from_secs(2);
/// Clients that decrypt and measure the delay.
const DECRYPTING: usize = 8;
/// Share of a core from which the clients, which have one thread, were the bottleneck.
const BOTTLENECK: f64 = 0.95;

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Peer {
    Ours,
    Janus,
}

#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub peer: Peer,
    pub shape: Shape,
    pub rate: Bitrate,
    pub warm_up: Duration,
    pub seconds: u64,
    pub workers: usize,
    pub udp_ports: bool,
    pub paced: bool,
    pub checks_every: Duration,
    pub address: IpAddr,
}

pub struct Measured {
    pub before: Usage,
    pub after: Usage,
    pub elapsed: Duration,
    pub own_cpu_us: u64,
    pub profile: Profile,
    /// Mean UDP payload of what was received.
    pub packet_len: f64,
    pub received: u64,
    pub lost: u64,
    pub overflowed: u64,
    pub late: u64,
    pub latency_us: Vec<f64>,
}

/// A server with its clients, connected.
pub struct Running {
    pub server: Box<dyn Adapter>,
    pub load: Load,
    pub common: Common,
    run: Run,
}

impl Run {
    pub fn start(&self, under: Option<&str>) -> anyhow::Result<Running> {
        let certificate = Arc::new(Certificate::generate()?);
        let place = Place {
            address: self.address,
            fingerprint: certificate.fingerprint(),
            workers: self.workers,
            port_per_worker: self.udp_ports,
        };
        let server: Box<dyn Adapter> = match self.peer {
            Peer::Ours => Box::new(Ours::new(place, under)),
            Peer::Janus => Box::new(Janus::start(place)?),
        };
        let common = Common {
            certificate,
            address: self.address,
            epoch: Instant::now(),
            checks_every: self.checks_every,
        };
        let mut running = Running { server, load: Load::new(Vec::new())?, common, run: *self };
        let first = running.server.publishers(&self.shape)?;
        running.connect(first)?;
        let second = running.server.subscribers(&self.shape)?;
        running.connect(second)?;
        Ok(running)
    }

    pub fn measure(&self, under: Option<&str>) -> anyhow::Result<Measured> {
        self.start(under)?.measure()
    }

    fn content(&self, connection: &Connection) -> Content {
        Content {
            rate: self.rate,
            simulcast: self.shape.simulcast,
            audio: self.shape.audio,
            paced: self.paced,
            video_pt: connection.video,
            audio_pt: connection.audio,
        }
    }
}

impl Running {
    fn connect(&mut self, connections: Vec<Connection>) -> anyhow::Result<()> {
        if connections.is_empty() {
            return Ok(());
        }
        let receiving = connections.iter().filter(|connection| connection.streams > 0).count();
        let decrypt_every = (receiving / DECRYPTING).max(1);
        let wanted = self.load.clients.len() + connections.len();
        let mut receivers = 0;
        for connection in connections {
            receivers += usize::from(connection.streams > 0);
            let decrypts = connection.streams > 0 && receivers % decrypt_every == 0;
            self.add(connection, decrypts)?;
        }
        self.load.poll_all()?;
        eprintln!("{}: {wanted} connections are made", self.server.name());
        self.load.run(CONNECT_PATIENCE, |clients| clients.iter().all(Client::is_connected));
        let connected = self.load.clients.iter().filter(|client| client.is_connected()).count();
        ensure!(connected == wanted, "only {connected} of {wanted} connected");
        let profile = self.load.clients[0].profile().context("an SRTP profile")?;
        let seconds = self.common.epoch.elapsed().as_secs_f64();
        eprintln!("{}: connected after {seconds:.1} s, {}", self.server.name(), profile.name());
        Ok(())
    }

    pub fn add(&mut self, connection: Connection, decrypts: bool) -> anyhow::Result<()> {
        let content = self.run.content(&connection);
        let publishes = connection.publishes.then_some(connection.peer);
        let publisher = publishes.map(|peer| Publisher::new(peer, content, self.common.epoch));
        self.load.clients.push(Client::new(&self.common, connection, publisher, decrypts, Instant::now())?);
        Ok(())
    }

    /// A peer that left has come again, on another transport.
    pub fn replace(&mut self, index: usize, connection: Connection) -> anyhow::Result<()> {
        self.add(connection, false)?;
        self.load.clients.swap_remove(index);
        self.load.poll.add(&self.load.clients[index], index)?;
        self.load.due[index] = Instant::now();
        Ok(())
    }

    /// After a warm-up.
    pub fn measure(mut self) -> anyhow::Result<Measured> {
        self.load.run(self.run.warm_up, |_| false);
        self.window()
    }

    pub fn window(&mut self) -> anyhow::Result<Measured> {
        self.load.clients.iter_mut().for_each(|client| client.counts = Counts::default());
        let (before, own_before, start) = (self.server.usage()?, server::process_cpu_us(), Instant::now());
        self.load.run(Duration::from_secs(self.run.seconds), |_| false);
        let (after, own_after, elapsed) = (self.server.usage()?, server::process_cpu_us(), start.elapsed());
        let clients = &mut self.load.clients;
        let sum = |count: fn(&Counts) -> u64| clients.iter().map(|c| count(&c.counts)).sum::<u64>();
        let (received, bytes) = (sum(|counts| counts.packets), sum(|counts| counts.datagram_bytes));
        Ok(Measured {
            before,
            after,
            elapsed,
            own_cpu_us: own_after - own_before,
            profile: clients.first().and_then(Client::profile).context("an SRTP profile")?,
            packet_len: bytes as f64 / received as f64,
            received,
            lost: sum(|counts| counts.lost),
            overflowed: sum(|counts| counts.overflowed),
            late: sum(|counts| counts.late),
            latency_us: clients.iter_mut().flat_map(|c| std::mem::take(&mut c.counts.latency_us)).collect(),
        })
    }
}

impl Measured {
    pub fn per(&self, count: fn(&Usage) -> u64) -> f64 {
        (count(&self.after) - count(&self.before)) as f64
    }

    pub fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64()
    }

    /// CPU of the whole server process, user and system, over the media packets that clients received.
    pub fn cpu_us_per_packet(&self) -> f64 {
        self.per(|u| u.cpu_us) / self.received as f64
    }

    /// Of one core.
    pub fn core_share(&self) -> f64 {
        self.per(|u| u.cpu_us) / 1e6 / self.seconds()
    }

    pub fn own_core_share(&self) -> f64 {
        self.own_cpu_us as f64 / 1e6 / self.seconds()
    }

    /// Datagrams per system call; NaN for a server that does not count them.
    pub fn segments(&self) -> f64 {
        self.per(|u| u.datagrams_out) / self.per(|u| u.sends)
    }

    /// Of what the server had for somebody: whoever has too little time, or a narrow link, is sent less, and costs less.
    pub fn left_out_share(&self) -> f64 {
        let paused = |usage: &Usage| usage.dropped.get("paused").copied().unwrap_or(0);
        let left_out = (paused(&self.after) - paused(&self.before)) as f64;
        left_out / (left_out + self.received as f64)
    }

    pub fn rss_kib_per(&self, participants: usize) -> f64 {
        self.after.rss_kib.saturating_sub(self.after.rss_at_start_kib) as f64 / participants as f64
    }

    pub fn anonymous_kib_per(&self, participants: usize) -> f64 {
        self.after.anonymous_kib.saturating_sub(self.after.anonymous_at_start_kib) as f64
            / participants as f64
    }

    pub fn latency(&mut self, share: f64) -> f64 {
        percentile(&mut self.latency_us, share)
    }

    /// Figures about a server whose clients had no time are figures about the clients.
    pub fn ensure_not_ours(&self) -> anyhow::Result<()> {
        let share = self.own_core_share();
        ensure!(
            share < BOTTLENECK && self.overflowed == 0,
            "the load generator was the bottleneck ({:.0} % of a core, {} datagrams found its sockets full), so there is nothing \
             to report about the server: take fewer participants, a lower rate, or a machine with more cores",
            share * 100.0,
            self.overflowed
        );
        Ok(())
    }

    /// The limit at the batch size that was reached, measured now.
    pub fn limit_us(&self, streams: usize, address: IpAddr) -> anyhow::Result<f64> {
        let (packet_len, segments) = (self.packet_len.round() as usize, self.segments());
        let to = limit::To::Sockets { address, count: streams.min(1000) };
        limit::measure(self.profile, packet_len, segments, to, Duration::from_secs(3))
    }

    /// Everything about one run of ours.
    pub fn report(mut self, report: &mut Report, prefix: &str, run: &Run) -> anyhow::Result<()> {
        self.ensure_not_ours()?;
        ensure!(self.received > 0, "nothing was received: {:?}", self.after.dropped);
        for (reason, count) in &self.after.dropped {
            let new = count - self.before.dropped.get(reason).unwrap_or(&0);
            if new > 0 {
                eprintln!("the forwarder dropped {new}: {reason}");
            }
        }
        let (segments, cpu) = (self.segments(), self.cpu_us_per_packet());
        let left_out = self.left_out_share();
        let mut figure = |name: &str, value: f64, meaning: &str| {
            report.figure(format!("{prefix}{name}"), value, meaning);
        };
        figure("cpu_us_per_packet", cpu, "whole server process, user and system");
        figure("packets_per_core_s", 1e6 / cpu, "forwarded packets per second of CPU");
        if run.peer == Peer::Ours {
            eprintln!("measuring the limit at {segments:.2} segments per send");
            let limit = self.limit_us(run.shape.streams(), run.address)?;
            figure("limit_us_per_packet", limit, "AES-GCM in place and GSO send, measured in this run");
            figure("share_of_limit", limit / cpu, "1 is the limit");
            figure("segments_per_send", segments, "datagrams per system call");
        }
        figure("added_latency_p50_us", self.latency(0.5), "publisher's send to subscriber's kernel");
        figure("added_latency_p99_us", self.latency(0.99), "");
        let peers = run.shape.peers();
        figure("rss_kib_per_participant", self.rss_kib_per(peers), "growth of the server's memory");
        figure(
            "anonymous_kib_per_participant",
            self.anonymous_kib_per(peers),
            "of it, without the program itself",
        );
        figure("forwarded_packets_per_s", self.received as f64 / self.seconds(), "received by all clients");
        if run.peer == Peer::Ours {
            let per_receive = self.per(|u| u.datagrams_in) / self.per(|u| u.receives);
            figure("received_per_receive", per_receive, "datagrams per system call");
            let turns = self.per(|u| u.turns) / self.seconds();
            figure("turns_per_s", turns, "of all workers");
            figure("left_out_share", left_out, "paused, for want of time or of a rate");
            let handed_over = self.per(|u| u.handed_over) / self.per(|u| u.datagrams_in);
            figure("handed_over_share", handed_over, "reached the wrong worker");
            if run.shape.spread {
                let relayed = self.per(|u| u.packets_relayed) / self.per(|u| u.packets_in);
                figure("relayed_per_packet", relayed, "hand-overs of a published packet between workers");
            }
            let drops = self.per(|u| u.send_drops) + self.per(|u| u.receive_drops);
            figure("dropped_datagrams", drops, "by the server's sockets and rings");
        }
        figure("packet_bytes", self.packet_len, "mean UDP payload");
        figure("lost_packets", self.lost as f64, "gaps seen by subscribers");
        figure("late_packets", self.late as f64, "out of order or twice");
        figure("server_core_share", self.core_share(), "of one core");
        figure("bench_core_share", self.own_core_share(), "the clients, of one core");
        Ok(())
    }
}

/// All clients on one thread.
pub struct Load {
    pub clients: Vec<Client>,
    due: Vec<Instant>,
    poll: Poll,
    buffer: Vec<u8>,
}

impl Load {
    fn new(clients: Vec<Client>) -> anyhow::Result<Self> {
        let poll = Poll::new(&clients)?;
        let due = vec![Instant::now(); clients.len()];
        Ok(Self { clients, due, poll, buffer: vec![0; RECEIVE_BUFFER_LEN] })
    }

    /// After clients were added or replaced.
    pub fn poll_all(&mut self) -> anyhow::Result<()> {
        self.poll = Poll::new(&self.clients).context("too many sockets? raise the limit, `ulimit -n`")?;
        self.due = vec![Instant::now(); self.clients.len()];
        Ok(())
    }

    /// Until `done` says so, or `duration` has passed.
    pub fn run(&mut self, duration: Duration, done: impl Fn(&[Client]) -> bool) {
        let end = Instant::now() + duration;
        let mut ready = Vec::new();
        loop {
            let now = Instant::now();
            if now >= end || done(&self.clients) {
                return;
            }
            let mut next = end;
            for (client, due) in self.clients.iter_mut().zip(&mut self.due) {
                if *due <= now {
                    *due = client.act(now);
                }
                next = next.min(*due);
            }
            self.poll.wait(next.saturating_duration_since(now), &mut ready);
            for &index in &ready {
                self.clients[index].receive(&mut self.buffer);
                // What was received may have made something due.
                self.due[index] = self.clients[index].due();
            }
        }
    }
}
