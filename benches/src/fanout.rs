//! One publisher to many subscribers, and rooms of two, over real sockets and real SRTP.
//!
//! The server is a process of its own, an `sfu::Sfu` as in production; the clients live in this one. Figures are about the
//! server process as a whole: its CPU time over the packets it forwarded in a window of steady state.

mod client;
mod limit;
mod poll;
mod publisher;
mod server;
mod shape;

use crate::report::{Report, percentile};
use anyhow::{Context, ensure};
use client::{Client, Common};
use packet::Bitrate;
use poll::Poll;
use publisher::Publisher;
pub use server::{Options as ServerOptions, serve};
use server::{Server, Usage};
use sfu::RECEIVE_BUFFER_LEN;
use shape::Shape;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{Certificate, Fingerprint, Profile};

/// Time for all handshakes; a client that needs longer is an error of the run.
const CONNECT_PATIENCE: Duration = Duration::from_secs(60);
/// Steady state begins after the first keyframes and the handshakes' timers.
const WARM_UP: Duration = Duration::from_secs(2);
/// Clients that decrypt and measure the delay.
const DECRYPTING: usize = 8;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    shape: Shape,
    /// Video of each publisher
    #[arg(long, default_value_t = 2500)]
    kbps: u64,
    /// Seconds of steady state that are measured
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Worker threads of the server
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// One UDP port per worker
    #[arg(long)]
    udp_ports: bool,
    /// Frames leave the publisher at once instead of in portions of 5 ms as a browser's pacer sends them
    #[arg(long)]
    unpaced: bool,
    /// Only the run described by the options, without the comparison of one port with a port per worker
    #[arg(long)]
    only: bool,
}

pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("fanout");
    let fanout = Run {
        shape: options.shape,
        rate: Bitrate::kbps(options.kbps),
        seconds: options.seconds,
        workers: options.workers,
        udp_ports: options.udp_ports,
        paced: !options.unpaced,
    };
    if let Some(load) = busy() {
        report.note(format!(
            "The machine was busy when the bench began ({load:.1} threads wanted to run): others' work lengthens delays and \
             empties caches. Measure on a quiet machine."
        ));
    }
    let mut runs = vec![("", "as the options say", fanout)];
    if !options.only {
        let bursts = Run { paced: false, ..fanout };
        // In calls of two everything that is sent has come in before, so the ring between workers counts most.
        let calls = Shape { rooms: 25, participants: 2, publishers: 2 };
        let calls = Run { shape: calls, workers: 2, udp_ports: false, ..fanout };
        runs.extend([
            ("bursts_", "the same, every frame sent at once instead of in portions of 5 ms", bursts),
            ("calls_one_port_", "25 rooms of two, two workers on one port", calls),
            (
                "calls_udp_ports_",
                "25 rooms of two, two workers with a port each",
                Run { udp_ports: true, ..calls },
            ),
        ]);
    }
    for (prefix, heading, run) in runs {
        report.heading(format!("{heading}:"));
        run.measure()?.report(&mut report, prefix, &run)?;
    }
    Ok(report)
}

/// The machine's load average of the last minute, if others keep it busy.
fn busy() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let load: f64 = text.split_whitespace().next()?.parse().ok()?;
    (load > 1.0).then_some(load)
}

#[derive(Clone, Copy)]
struct Run {
    shape: Shape,
    rate: Bitrate,
    seconds: u64,
    workers: usize,
    udp_ports: bool,
    paced: bool,
}

struct Measured {
    before: Usage,
    after: Usage,
    elapsed: Duration,
    own_cpu_us: u64,
    profile: Profile,
    packet_len: f64,
    received: u64,
    lost: u64,
    overflowed: u64,
    late: u64,
    latency_us: Vec<f64>,
}

impl Run {
    fn measure(&self) -> anyhow::Result<Measured> {
        let certificate = Arc::new(Certificate::generate()?);
        let (mut server, hello) =
            Server::start(&self.shape, self.workers, self.udp_ports, certificate.fingerprint())?;
        let epoch = Instant::now();
        let common = Common { shape: self.shape, certificate, server: Fingerprint(hello.fingerprint), epoch };
        let subscribers = (0..self.shape.peers()).filter(|&peer| self.shape.sources(peer).next().is_some());
        let decrypt_every = (subscribers.count() / DECRYPTING).max(1);
        let mut clients = Vec::new();
        for (peer, access) in hello.peers.iter().enumerate() {
            let publisher =
                self.shape.publishes(peer).then(|| Publisher::new(peer, self.rate, self.paced, epoch));
            let decrypts = peer % decrypt_every == decrypt_every - 1;
            clients.push(Client::new(&common, peer, access, publisher, decrypts, Instant::now())?);
        }
        let mut load = Load::new(clients)?;
        eprintln!("fanout: {} peers connect", load.clients.len());
        load.run(&common, CONNECT_PATIENCE, |clients| clients.iter().all(Client::is_connected));
        let connected = load.clients.iter().filter(|client| client.is_connected()).count();
        ensure!(
            connected == self.shape.peers(),
            "only {connected} of {} clients connected",
            self.shape.peers()
        );
        let profile = load.clients[0].profile().context("an SRTP profile")?;
        eprintln!("fanout: connected after {:.1} s, {}", epoch.elapsed().as_secs_f64(), profile.name());
        load.run(&common, WARM_UP, |_| false);

        load.clients.iter_mut().for_each(|client| client.counts = client::Counts::default());
        let (before, own_before, start) = (server.usage()?, server::process_cpu_us(), Instant::now());
        load.run(&common, Duration::from_secs(self.seconds), |_| false);
        let (after, own_after, elapsed) = (server.usage()?, server::process_cpu_us(), start.elapsed());

        let sum =
            |count: fn(&client::Counts) -> u64| load.clients.iter().map(|c| count(&c.counts)).sum::<u64>();
        let received = sum(|counts| counts.packets);
        let packet_len =
            (after.bytes_out - before.bytes_out) as f64 / (after.datagrams_out - before.datagrams_out) as f64;
        Ok(Measured {
            before,
            after,
            elapsed,
            own_cpu_us: own_after - own_before,
            profile,
            packet_len,
            received,
            lost: sum(|counts| counts.lost),
            overflowed: sum(|counts| counts.overflowed),
            late: sum(|counts| counts.late),
            latency_us: load
                .clients
                .iter_mut()
                .flat_map(|c| std::mem::take(&mut c.counts.latency_us))
                .collect(),
        })
    }
}

impl Measured {
    fn report(mut self, report: &mut Report, prefix: &str, run: &Run) -> anyhow::Result<()> {
        let seconds = self.elapsed.as_secs_f64();
        let per = |count: fn(&Usage) -> u64| (count(&self.after) - count(&self.before)) as f64;
        let (forwarded, datagrams, sends) =
            (per(|u| u.packets_forwarded), per(|u| u.datagrams_out), per(|u| u.sends));
        ensure!(forwarded > 0.0, "the server forwarded nothing");
        let cpu_us_per_packet = per(|u| u.cpu_us) / forwarded;
        let segments = datagrams / sends;
        for (reason, count) in &self.after.dropped {
            let new = count - self.before.dropped.get(reason).unwrap_or(&0);
            if new > 0 {
                eprintln!("fanout: the forwarder dropped {new}: {reason}");
            }
        }
        eprintln!("fanout: measuring the limit at {segments:.2} segments per send");
        let limit = limit::measure(
            self.profile,
            self.packet_len.round() as usize,
            segments,
            run.shape.streams().min(1000),
            Duration::from_secs(3),
        )?;
        let mut figure = |name: &str, value: f64, meaning: &str| {
            report.figure(format!("{prefix}{name}"), value, meaning);
        };
        figure("cpu_us_per_packet", cpu_us_per_packet, "whole server process, user and system");
        figure("packets_per_core_s", 1e6 / cpu_us_per_packet, "forwarded packets per second of CPU");
        figure("limit_us_per_packet", limit, "AES-GCM in place and GSO send, measured in this run");
        figure("share_of_limit", limit / cpu_us_per_packet, "1 is the limit");
        figure("segments_per_send", segments, "datagrams per system call");
        figure(
            "added_latency_p50_us",
            percentile(&mut self.latency_us, 0.5),
            "publisher's send to subscriber's kernel",
        );
        figure("added_latency_p99_us", percentile(&mut self.latency_us, 0.99), "");
        let grown = self.after.rss_kib.saturating_sub(self.after.rss_at_start_kib) as f64;
        figure("rss_kib_per_participant", grown / run.shape.peers() as f64, "growth of the server's memory");
        figure("forwarded_packets_per_s", forwarded / seconds, "");
        figure(
            "received_per_receive",
            per(|u| u.datagrams_in) / per(|u| u.receives),
            "datagrams per system call",
        );
        figure(
            "handed_over_share",
            per(|u| u.handed_over) / per(|u| u.datagrams_in),
            "reached the wrong worker",
        );
        figure("packet_bytes", self.packet_len, "mean UDP payload");
        figure("lost_packets", self.lost as f64, "gaps seen by subscribers");
        figure("late_packets", self.late as f64, "out of order or twice");
        let drops = per(|u| u.send_drops) + per(|u| u.receive_drops);
        figure("dropped_datagrams", drops, "by the server's sockets and rings");
        figure("server_core_share", per(|u| u.cpu_us) / 1e6 / seconds, "of one core");
        figure("bench_core_share", self.own_cpu_us as f64 / 1e6 / seconds, "the clients, of one core");
        if self.overflowed > 0 {
            report.note(format!("{prefix}: the clients were too slow for {} datagrams.", self.overflowed));
        }
        if self.own_cpu_us as f64 / 1e6 / seconds > 0.95 {
            report.note(format!("{prefix}: the clients were the bottleneck; delays are theirs."));
        }
        if (self.received as f64) < forwarded * 0.99 {
            let share = self.received as f64 / forwarded;
            report.note(format!("{prefix}: subscribers counted only {:.1} % of the packets.", share * 100.0));
        }
        Ok(())
    }
}

/// All clients on one thread.
struct Load {
    clients: Vec<Client>,
    due: Vec<Instant>,
    poll: Poll,
    buffer: Vec<u8>,
}

impl Load {
    fn new(clients: Vec<Client>) -> anyhow::Result<Self> {
        let poll = Poll::new(&clients).context("too many sockets? raise the limit, `ulimit -n`")?;
        let due = vec![Instant::now(); clients.len()];
        Ok(Self { clients, due, poll, buffer: vec![0; RECEIVE_BUFFER_LEN] })
    }

    /// Until `done` says so, or `duration` has passed.
    fn run(&mut self, common: &Common, duration: Duration, done: impl Fn(&[Client]) -> bool) {
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
                self.clients[index].receive(common, &mut self.buffer);
                // What was received may have made something due.
                self.due[index] = self.clients[index].due();
            }
        }
    }
}
