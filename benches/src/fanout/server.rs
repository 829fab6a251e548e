//! The measured process: an [`sfu::Sfu`] with every peer of the shape, ruled by lines on standard input.
//!
//! It prints one line of JSON when it is ready for connections ([`Hello`]) and one for every line `stats` ([`Usage`]);
//! the end of its input ends it.

use super::shape::{self, Shape};
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sfu::{Command, Config, Sfu};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use transport::{DtlsSetup, Fingerprint, IceCredentials, Remote};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    shape: Shape,
    #[arg(long)]
    workers: usize,
    #[arg(long)]
    port_per_worker: bool,
    /// SHA-256 of the clients' certificate, as JSON
    #[arg(long)]
    client_fingerprint: String,
}

/// How clients reach the server.
#[derive(Serialize, Deserialize)]
pub struct Hello {
    pub fingerprint: [u8; 32],
    pub peers: Vec<PeerAccess>,
}

#[derive(Serialize, Deserialize)]
pub struct PeerAccess {
    pub address: SocketAddr,
    pub ufrag: String,
    pub pwd: String,
}

/// What the process has used and done since it started.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Usage {
    /// User and system time of all threads.
    pub cpu_us: u64,
    pub rss_kib: u64,
    /// Before the first peer was added.
    pub rss_at_start_kib: u64,
    pub connected: u64,
    pub datagrams_in: u64,
    pub receives: u64,
    pub receive_drops: u64,
    pub handed_over: u64,
    pub datagrams_out: u64,
    pub bytes_out: u64,
    pub sends: u64,
    pub send_drops: u64,
    pub packets_in: u64,
    pub packets_forwarded: u64,
    pub turns: u64,
    /// The forwarder's reasons for dropping, those that occurred.
    pub dropped: BTreeMap<String, u64>,
}

pub fn serve(options: &Options) -> anyhow::Result<()> {
    let shape = options.shape;
    let config = Config {
        workers: options.workers,
        port_per_worker: options.port_per_worker,
        bind_v4: Some(Ipv4Addr::LOCALHOST),
        bind_v6: None,
        ..Config::default()
    };
    let sfu = Sfu::start(config, |_| ())?;
    let rss_at_start_kib = rss_kib();
    let fingerprint = Fingerprint(serde_json::from_str(&options.client_fingerprint)?);
    let mut peers = Vec::new();
    for peer in 0..shape.peers() {
        let worker = sfu.place(shape.room(peer));
        let local = sfu.credentials(worker)?;
        let address = sfu.candidates(worker)[0].address;
        peers.push(PeerAccess { address, ufrag: local.ufrag.clone(), pwd: local.pwd.clone() });
        let remote = Remote {
            ice: shape::client_credentials(peer),
            fingerprint,
            setup: DtlsSetup::Active,
            candidates: Vec::new(),
        };
        let (room, media) = (shape.room(peer), shape.media(peer));
        sfu.send(worker, Command::AddPeer { peer: shape::id(peer), room, local, remote, media });
    }
    for subscriber in 0..shape.peers() {
        for (slot, source) in shape.sources(subscriber).enumerate() {
            let command = Command::Bind {
                subscriber: shape::id(subscriber),
                slot: shape::slot_mid(slot),
                source: Some((shape::id(source), shape::track_mid())),
            };
            sfu.send(sfu.place(shape.room(subscriber)), command);
        }
    }
    print_line(&Hello { fingerprint: sfu.fingerprint().0, peers })?;
    for line in stdin().lines() {
        ensure!(line? == "stats", "the only command is stats");
        print_line(&usage(&sfu, rss_at_start_kib))?;
    }
    Ok(())
}

fn usage(sfu: &Sfu, rss_at_start_kib: u64) -> Usage {
    let stats = sfu.stats();
    let (receive, send) = (stats.receive(), stats.send());
    let router = |number: fn(&sfu_core::Stats) -> u64| -> u64 {
        stats.workers.iter().flatten().map(|worker| number(&worker.router)).sum()
    };
    let mut dropped = BTreeMap::new();
    for (reason, count) in stats.workers.iter().flatten().flat_map(|worker| &worker.router.dropped) {
        if *count > 0 {
            *dropped.entry((*reason).to_owned()).or_default() += count;
        }
    }
    Usage {
        cpu_us: process_cpu_us(),
        rss_kib: rss_kib(),
        rss_at_start_kib,
        connected: router(|r| r.connected as u64),
        datagrams_in: receive.datagrams,
        receives: receive.receives,
        receive_drops: receive.dropped_total(),
        handed_over: receive.handed_over,
        datagrams_out: send.datagrams,
        bytes_out: send.bytes,
        sends: send.sends,
        send_drops: send.dropped_total(),
        packets_in: router(|r| r.packets_in),
        packets_forwarded: router(|r| r.packets_forwarded),
        dropped,
        turns: stats.workers.iter().flatten().map(|worker| worker.turns).sum(),
    }
}

fn print_line(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{}", serde_json::to_string(value)?)?;
    out.flush()?;
    Ok(())
}

/// User and system time of the calling process, in microseconds.
pub fn process_cpu_us() -> u64 {
    // SAFETY: the kernel fills the struct, for which all-zero is a valid value.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let us = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    us(usage.ru_utime) + us(usage.ru_stime)
}

fn rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The server process, seen from the bench. Killed when dropped.
pub struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(
        shape: &Shape,
        workers: usize,
        port_per_worker: bool,
        clients: Fingerprint,
    ) -> anyhow::Result<(Self, Hello)> {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.arg("fanout-server").args(shape.arguments());
        command.args(["--workers", &workers.to_string()]);
        command.args(["--client-fingerprint", &serde_json::to_string(&clients.0)?]);
        if port_per_worker {
            command.arg("--port-per-worker");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("the server's output")?);
        let mut server = Self { child, input, output };
        let hello = server.read_line().context("the server process did not start")?;
        Ok((server, hello))
    }

    pub fn usage(&mut self) -> anyhow::Result<Usage> {
        writeln!(self.input.as_mut().context("the server's input")?, "stats")?;
        self.read_line()
    }

    fn read_line<T: for<'a> Deserialize<'a>>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "the server process ended");
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input ends it; a process that hangs does not outlive the bench.
        self.input = None;
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl PeerAccess {
    pub fn credentials(&self) -> IceCredentials {
        IceCredentials { ufrag: self.ufrag.clone(), pwd: self.pwd.clone() }
    }
}
