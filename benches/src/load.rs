//! The load generator: thousands of participants in one thread, against any server that an [`adapter`] knows.
//!
//! Every participant is real where it costs the server something: full ICE, DTLS, SRTP of our own `transport`, media in the
//! form that browsers send, transport-wide feedback and reports. Sequence numbers of all received packets are checked; a
//! sample of the clients decrypts everything and measures the delay, on the one clock of this machine.
//!
//! ```text
//!  Shape ─► Adapter: joins ─► Connection ─► Client ─ ─ ─ media, feedback ─ ─ ─► server process
//!                                              └── counts, delays ─► Measured ◄── Usage: CPU, memory ──┘
//! ```

pub mod adapter;
mod churn;
mod client;
mod janus;
pub mod limit;
pub mod namespace;
mod ours;
mod poll;
mod publisher;
pub mod run;
mod server;
pub mod shape;

use run::WARM_UP;
pub use run::{Measured, Peer, Run};
pub use server::{Options as ServerOptions, serve};

use crate::report::Report;
use packet::Bitrate;
use shape::Shape;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

#[derive(clap::Args)]
pub struct Options {
    /// Who sends to whom
    #[arg(value_enum)]
    form: Form,
    /// The server under load
    #[arg(long, value_enum, default_value = "ours")]
    server: Peer,
    /// Rooms [1, calls: 25]
    #[arg(long)]
    rooms: Option<usize>,
    /// Participants in each room [fanout: 201, class: 20, calls: 2, churn: 20, idle: 5000]
    #[arg(long)]
    participants: Option<usize>,
    /// Video of each publisher [fanout: 2500, others: 600]
    #[arg(long)]
    kbps: Option<u64>,
    /// Each picture in three simulcast layers (ours only)
    #[arg(long)]
    simulcast: bool,
    /// Each room on all workers, instead of on one (ours only)
    #[arg(long)]
    spread: bool,
    /// Seconds from the last connection to the steady state [idle: 6, others: 2]
    #[arg(long)]
    warm_up: Option<u64>,
    /// Seconds of steady state that are measured
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Worker threads of the server; a room is on one of them without --spread (ours only)
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// One UDP port per worker (ours only)
    #[arg(long)]
    udp_ports: bool,
    /// Frames leave the publisher in portions of 5 ms instead of at once
    #[arg(long)]
    paced: bool,
    /// Seconds between two checks of a participant; Chromium lets 2.5 pass on a path that is well
    #[arg(long, default_value_t = 1.0)]
    checks_every: f64,
    /// Leaves and joins per second, for `churn`
    #[arg(long, default_value_t = 10.0)]
    per_second: f64,
    /// A command to run our server under, such as `valgrind --tool=callgrind`
    #[arg(long)]
    under: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Form {
    /// One publishes video, all others receive it
    Fanout,
    /// Rooms in which everybody sees and hears everybody
    Class,
    /// Rooms of two
    Calls,
    /// A class in which people leave and join
    Churn,
    /// Nobody publishes: checks and reports only
    Idle,
}

impl Form {
    pub fn shape(self) -> Shape {
        let (rooms, participants, publishers) = match self {
            Self::Fanout => (1, 201, 1),
            Self::Class | Self::Churn => (1, 20, 20),
            Self::Calls => (25, 2, 2),
            Self::Idle => (1, 5000, 0),
        };
        let audio = matches!(self, Self::Class | Self::Calls | Self::Churn);
        Shape { rooms, participants, publishers, audio, simulcast: false, spread: false }
    }

    pub fn rate(self) -> Bitrate {
        Bitrate::kbps(if self == Self::Fanout { 2500 } else { 600 })
    }

    /// With the usual settings, on loopback.
    pub fn run(self, peer: Peer, address: IpAddr) -> Run {
        let (shape, rate) = (self.shape(), self.rate());
        // A path is tried out in the first seconds, and that is over once.
        let warm_up = if self == Self::Idle { 3 * WARM_UP } else { WARM_UP };
        let checks_every = Duration::from_secs(1);
        let (seconds, workers, udp_ports, paced) = (6, 1, false, false);
        Run { peer, shape, rate, warm_up, seconds, workers, udp_ports, paced, checks_every, address }
    }
}

pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if options.server == Peer::Janus {
        namespace::enter()?;
        address = namespace::ADDRESS;
    }
    let usual = options.form.run(options.server, address);
    let participants = options.participants.unwrap_or(usual.shape.participants);
    let everybody = usual.shape.publishers == usual.shape.participants;
    let run = Run {
        shape: Shape {
            rooms: options.rooms.unwrap_or(usual.shape.rooms),
            participants,
            publishers: if everybody { participants } else { usual.shape.publishers.min(participants) },
            simulcast: options.simulcast,
            spread: options.spread,
            ..usual.shape
        },
        rate: options.kbps.map_or(usual.rate, Bitrate::kbps),
        warm_up: options.warm_up.map_or(usual.warm_up, Duration::from_secs),
        seconds: options.seconds,
        workers: options.workers,
        udp_ports: options.udp_ports,
        paced: options.paced,
        checks_every: Duration::from_secs_f64(options.checks_every.clamp(0.1, 20.0)),
        ..usual
    };
    let mut report = Report::new("load");
    note_busy(&mut report);
    let under = options.under.as_deref();
    match options.form {
        Form::Churn => churn::run(run.start(under)?, &run, options.per_second, &mut report)?,
        Form::Idle => idle(&run.measure(under)?, &run, &mut report, "")?,
        _ => run.measure(under)?.report(&mut report, "", &run)?,
    }
    Ok(report)
}

/// Figures about participants that neither send nor receive.
pub fn idle(measured: &Measured, run: &Run, report: &mut Report, prefix: &str) -> anyhow::Result<()> {
    measured.ensure_not_ours()?;
    let peers = run.shape.peers();
    let mut figure = |name: &str, value: f64, meaning: &str| {
        report.figure(format!("{prefix}{name}"), value, meaning);
    };
    figure("participants", peers as f64, "connected");
    figure("core_share_pct", measured.core_share() * 100.0, "of one core, the whole server process");
    figure("rss_kib_per_participant", measured.rss_kib_per(peers), "growth of the server's memory");
    figure(
        "anonymous_kib_per_participant",
        measured.anonymous_kib_per(peers),
        "of it, without the program itself",
    );
    figure("datagrams_in_per_s", measured.per(|u| u.datagrams_in) / measured.seconds(), "checks and reports");
    figure("bench_core_share", measured.own_core_share(), "the clients, of one core");
    Ok(())
}

/// Says so if others keep the machine busy.
pub fn note_busy(report: &mut Report) {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Option<f64> = text.split_whitespace().next().and_then(|load| load.parse().ok());
    if let Some(load) = load.filter(|load| *load > 1.0) {
        report.note(format!(
            "The machine was busy when the bench began ({load:.1} threads wanted to run): others' work lengthens delays and \
             empties caches. Measure on a quiet machine."
        ));
    }
}
