//! The measured process: an [`sfu::Sfu`] with every peer of the shape, ruled by lines on standard input.
//!
//! It prints one line of JSON when it is ready for connections ([`Hello`]), one for every line `stats` ([`Usage`]) and one
//! for every line `join N` ([`PeerAccess`]); `leave N` has no answer. The end of its input ends it.

use super::adapter::Place;
use super::shape::{self, Shape};
use anyhow::{Context, bail, ensure};
use packet::media::MediaKind;
use serde::{Deserialize, Serialize};
use sfu::{Command, Config, Sfu};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use transport::{DtlsSetup, Fingerprint, IceCredentials, Remote};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    shape: Shape,
    #[arg(long)]
    address: IpAddr,
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
    /// The same without the pages of the program, which are read from its file as they are used: for five participants as many as for
    /// five thousand.
    pub anonymous_kib: u64,
    pub anonymous_at_start_kib: u64,
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
    /// From worker to worker.
    pub packets_relayed: u64,
    pub turns: u64,
    /// The forwarder's reasons for dropping, those that occurred.
    pub dropped: BTreeMap<String, u64>,
}

pub fn serve(options: &Options) -> anyhow::Result<()> {
    let shape = options.shape;
    let (v4, v6) = match options.address {
        IpAddr::V4(v4) => (Some(v4), None),
        IpAddr::V6(v6) => (None, Some(v6)),
    };
    let config = Config {
        workers: options.workers,
        port_per_worker: options.port_per_worker,
        bind_v4: v4,
        bind_v6: v6,
        ..Config::default()
    };
    let sfu = Sfu::start(config, |_| ())?;
    let at_start = (rss_kib(std::process::id()), anonymous_kib(std::process::id()));
    let fingerprint = Fingerprint(serde_json::from_str(&options.client_fingerprint)?);
    let peers = (0..shape.peers()).map(|peer| add(&sfu, &shape, peer, fingerprint));
    let peers = peers.collect::<anyhow::Result<Vec<_>>>()?;
    for subscriber in 0..shape.peers() {
        bind(&sfu, &shape, subscriber, |_| true);
    }
    print_line(&Hello { fingerprint: sfu.fingerprint().0, peers })?;
    for line in stdin().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let command = words.next().unwrap_or_default();
        let peer = words.next().map(str::parse).transpose()?;
        match (command, peer) {
            ("stats", None) => print_line(&usage(&sfu, at_start))?,
            ("leave", Some(peer)) => {
                for worker in workers(&sfu, &shape, peer) {
                    sfu.send(worker, Command::RemovePeer { peer: shape::id(peer) });
                }
            }
            ("join", Some(peer)) => {
                let access = add(&sfu, &shape, peer, fingerprint)?;
                bind(&sfu, &shape, peer, |_| true);
                let first = peer - peer % shape.participants;
                for other in (first..first + shape.participants).filter(|other| *other != peer) {
                    bind(&sfu, &shape, other, |source| source == peer);
                }
                print_line(&access)?;
            }
            _ => bail!("the commands are stats, leave N and join N"),
        }
    }
    Ok(())
}

fn add(sfu: &Sfu, shape: &Shape, peer: usize, fingerprint: Fingerprint) -> anyhow::Result<PeerAccess> {
    let mut workers = workers(sfu, shape, peer);
    let worker = workers.next().context("there is a worker")?;
    let local = sfu.credentials(worker)?;
    let address = sfu.candidates(worker)[0].address;
    let access = PeerAccess { address, ufrag: local.ufrag.clone(), pwd: local.pwd.clone() };
    let remote = Remote {
        ice: shape::client_credentials(peer),
        fingerprint,
        setup: DtlsSetup::Active,
        candidates: Vec::new(),
    };
    let (room, media) = (shape.room(peer), shape.media(peer));
    for other in workers {
        let (peer, media) = (shape::id(peer), media.clone());
        sfu.send(other, Command::Relay { peer, room, worker, media });
    }
    sfu.send(worker, Command::AddPeer { peer: shape::id(peer), room, local, remote, media });
    Ok(access)
}

/// That of a peer, and then those that it is relayed to.
fn workers(sfu: &Sfu, shape: &Shape, peer: usize) -> impl Iterator<Item = usize> + use<> {
    let all = sfu.workers();
    let (own, others) = match shape.spread {
        true => (peer % all, if shape.publishes(peer) { all - 1 } else { 0 }),
        false => (sfu.place(shape.room(peer)), 0),
    };
    (0..=others).map(move |n| (own + n) % all)
}

/// Binds those of a peer's slots whose source is wanted.
fn bind(sfu: &Sfu, shape: &Shape, subscriber: usize, wanted: impl Fn(usize) -> bool) {
    for (slot, kind, source) in shape.slots(subscriber).filter(|(_, _, source)| wanted(*source)) {
        let track = if kind == MediaKind::Video { shape::video_mid() } else { shape::audio_mid() };
        let command = Command::Bind {
            subscriber: shape::id(subscriber),
            slot,
            source: Some((shape::id(source), track)),
        };
        let own = workers(sfu, shape, subscriber).next();
        own.into_iter().for_each(|worker| sfu.send(worker, command.clone()));
    }
}

fn usage(sfu: &Sfu, (rss_at_start_kib, anonymous_at_start_kib): (u64, u64)) -> Usage {
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
        rss_kib: rss_kib(std::process::id()),
        rss_at_start_kib,
        anonymous_kib: anonymous_kib(std::process::id()),
        anonymous_at_start_kib,
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
        packets_relayed: router(|r| r.packets_relayed),
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

/// User and system time of another process, in microseconds; the kernel counts it in hundredths of a second.
pub fn cpu_us(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the server process ended")?;
    // The name may hold spaces; behind it come state and twelve numbers, then user and system time.
    let (_, numbers) = stat.rsplit_once(')').context("/proc has another form")?;
    let ticks = numbers.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok());
    Ok(ticks.sum::<u64>() * 10_000)
}

/// Resident memory of a process, in KiB.
pub fn rss_kib(pid: u32) -> u64 {
    status_kib(pid, "VmRSS:")
}

/// Of that, what no file stands behind.
pub fn anonymous_kib(pid: u32) -> u64 {
    status_kib(pid, "RssAnon:")
}

fn status_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The server process, seen from the bench. Killed when dropped.
pub struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(shape: &Shape, place: &Place, under: Option<&str>) -> anyhow::Result<(Self, Hello)> {
        let binary = std::env::current_exe()?;
        let mut words = under.unwrap_or_default().split_whitespace();
        let mut command = match words.next() {
            Some(tool) => {
                let mut command = std::process::Command::new(tool);
                command.args(words).arg(binary);
                command
            }
            None => std::process::Command::new(binary),
        };
        command.arg("load-server").args(shape.arguments());
        command.args(["--address", &place.address.to_string()]);
        command.args(["--workers", &place.workers.to_string()]);
        command.args(["--client-fingerprint", &serde_json::to_string(&place.fingerprint.0)?]);
        if place.port_per_worker {
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
        self.say("stats")?;
        self.read_line()
    }

    pub fn leave(&mut self, peer: usize) -> anyhow::Result<()> {
        self.say(&format!("leave {peer}"))
    }

    pub fn join(&mut self, peer: usize) -> anyhow::Result<PeerAccess> {
        self.say(&format!("join {peer}"))?;
        self.read_line()
    }

    fn say(&mut self, line: &str) -> anyhow::Result<()> {
        Ok(writeln!(self.input.as_mut().context("the server's input")?, "{line}")?)
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
