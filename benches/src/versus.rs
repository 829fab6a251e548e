//! Ours, a peer and the limit, in one run on one machine: each round measures all of them one after the other, and the medians
//! of the rounds are reported.
//!
//! Everything happens in a network namespace of the bench's own, since Janus takes no loopback address; what is sent there
//! between processes goes the way of the loopback device.

mod picture;

use crate::load::limit::{self, To};
use crate::load::shape::Shape;
use crate::load::{Form, Measured, Peer, Run, idle, namespace, note_busy};
use crate::report::{Report, percentile};
use packet::Bitrate;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use transport::Profile;

#[derive(clap::Args)]
pub struct Options {
    /// Rounds of each comparison
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of steady state in each run
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// What to measure; without it, everything
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,
    /// Without Janus, if it is not installed
    #[arg(long)]
    no_janus: bool,
    /// Write the picture here (SVG)
    #[arg(long)]
    picture: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Part {
    /// What a packet costs at least, by segments per send
    Limit,
    /// One to 200 subscribers
    Fanout,
    /// Rooms of 20 in which all see all
    Class,
    /// The same at 80 % of a core
    Busy,
    /// 5,000 participants that do nothing
    Idle,
    /// Cost over the number of subscribers
    Curve,
}

/// Batch sizes of the limit.
const SEGMENTS: [u32; 5] = [1, 2, 4, 8, 16];
const PACKET_LEN: usize = 1200;
/// What `busy` aims at, of one core.
const BUSY_SHARE: f64 = 0.8;
/// Subscribers and kb/s of the curve.
const CURVE: [(usize, u64); 9] = [
    (10, 2500),
    (50, 2500),
    (100, 2500),
    (200, 2500),
    (400, 2500),
    (200, 300),
    (500, 300),
    (1000, 300),
    (2000, 300),
];

pub fn run(options: &Options) -> anyhow::Result<Report> {
    namespace::enter()?;
    let mut report = Report::new("versus");
    note_busy(&mut report);
    let wants = |part| options.parts.is_empty() || options.parts.contains(&part);
    let peers = if options.no_janus { vec![Peer::Ours] } else { vec![Peer::Ours, Peer::Janus] };
    let mut medians = Medians::default();
    for _ in 0..options.rounds {
        if wants(Part::Limit) {
            limits(&mut medians)?;
        }
        for &peer in &peers {
            if wants(Part::Fanout) {
                compare(Form::Fanout, peer, options, &mut medians)?;
            }
            if wants(Part::Class) {
                compare(Form::Class, peer, options, &mut medians)?;
            }
        }
    }
    medians.report(&mut report);
    if wants(Part::Busy) {
        busy(options, &mut report)?;
    }
    if wants(Part::Idle) {
        let run = Form::Idle.run(Peer::Ours, namespace::ADDRESS);
        idle(&run.measure(None)?, &run, &mut report, "idle_")?;
    }
    let mut curve = Vec::new();
    if wants(Part::Curve) {
        for (subscribers, kbps) in CURVE {
            let usual = Form::Fanout.run(Peer::Ours, namespace::ADDRESS);
            let shape = Shape { participants: subscribers + 1, ..usual.shape };
            let run = Run { shape, rate: Bitrate::kbps(kbps), seconds: options.seconds, ..usual };
            let measured = run.measure(None)?;
            measured.ensure_not_ours()?;
            let cost = measured.cpu_us_per_packet();
            report.figure(format!("curve_{subscribers}_at_{kbps}_kbps_cpu_us_per_packet"), cost, "");
            curve.push((subscribers, kbps, cost));
        }
    }
    if let Some(path) = &options.picture {
        picture::draw(path, &report, &curve)?;
        report.note(format!("The picture is in {}.", path.display()));
    }
    if options.no_janus {
        report.absent("janus_cpu_us_per_packet", "left out with --no-janus");
    }
    Ok(report)
}

/// Figures of several rounds, in the order in which they first came.
#[derive(Default)]
struct Medians {
    order: Vec<(String, &'static str)>,
    values: BTreeMap<String, Vec<f64>>,
}

impl Medians {
    fn add(&mut self, name: String, value: f64, meaning: &'static str) {
        if !self.values.contains_key(&name) {
            self.order.push((name.clone(), meaning));
        }
        self.values.entry(name).or_default().push(value);
    }

    fn median(&mut self, name: &str) -> f64 {
        self.values.get_mut(name).map_or(f64::NAN, |values| percentile(values, 0.5))
    }

    fn report(mut self, report: &mut Report) {
        for (name, meaning) in std::mem::take(&mut self.order) {
            let value = self.median(&name);
            report.figure(name, value, meaning);
        }
        for form in ["", "class_"] {
            let ratio = self.median(&format!("janus_{form}cpu_us_per_packet"))
                / self.median(&format!("{form}cpu_us_per_packet"));
            if ratio.is_finite() {
                report.figure(format!("{form}times_cheaper_than_janus"), ratio, "CPU per packet");
            }
        }
        let rooms = self.median("class_rooms_per_core") / self.median("janus_class_rooms_per_core");
        if rooms.is_finite() {
            report.figure("class_rooms_times_janus", rooms, "rooms of 20 per core");
        }
    }
}

/// What a packet of 1200 bytes costs at least: on the way to a socket, and on the transmit path alone.
fn limits(medians: &mut Medians) -> anyhow::Result<()> {
    for segments in SEGMENTS {
        let ways = [
            ("limit", To::Sockets { address: namespace::ADDRESS, count: 200 }),
            ("limit_transmit", To::Nowhere(namespace::NOWHERE)),
        ];
        for (name, to) in ways {
            let (profile, time) = (Profile::AeadAes128Gcm, Duration::from_millis(500));
            let cost = limit::measure(profile, PACKET_LEN, segments.into(), to, time)?;
            medians.add(format!("{name}_{segments}_segments_us_per_packet"), cost, "AES-GCM and send");
        }
    }
    Ok(())
}

fn compare(form: Form, peer: Peer, options: &Options, medians: &mut Medians) -> anyhow::Result<()> {
    let run = Run { seconds: options.seconds, ..form.run(peer, namespace::ADDRESS) };
    let mut measured = run.measure(None)?;
    measured.ensure_not_ours()?;
    let shape = if form == Form::Class { "class_" } else { "" };
    let prefix = format!("{}{shape}", if peer == Peer::Janus { "janus_" } else { "" });
    let cpu = measured.cpu_us_per_packet();
    let mut add = |name: &str, value: f64, meaning| medians.add(format!("{prefix}{name}"), value, meaning);
    add("cpu_us_per_packet", cpu, "whole server process, user and system");
    add("packets_per_core_s", 1e6 / cpu, "forwarded packets per second of CPU");
    if peer == Peer::Ours {
        let limit = measured.limit_us(run.shape.streams(), run.address)?;
        add("limit_us_per_packet", limit, "AES-GCM in place and GSO send, at the same segments");
        add("share_of_limit", limit / cpu, "1 is the limit");
        add("segments_per_send", measured.segments(), "datagrams per system call");
    }
    add("added_latency_p50_us", measured.latency(0.5), "publisher's send to subscriber's kernel");
    add("added_latency_p99_us", measured.latency(0.99), "");
    add("rss_kib_per_participant", measured.rss_kib_per(run.shape.peers()), "growth of the server's memory");
    add("lost_packets", measured.lost as f64, "gaps seen by subscribers");
    add("late_packets", measured.late as f64, "out of order or twice");
    add("received_packets_per_s", measured.received as f64 / measured.seconds(), "by all clients");
    if form == Form::Class {
        add("rooms_per_core", run.shape.rooms as f64 / measured.core_share(), "at this load, by CPU");
    }
    Ok(())
}

/// As many rooms as take 80 % of a core.
fn busy(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let usual = Run { seconds: options.seconds, ..Form::Class.run(Peer::Ours, namespace::ADDRESS) };
    let with = |rooms: usize| Run { shape: Shape { rooms, ..usual.shape }, ..usual };
    let first = with(4).measure(None)?;
    let rooms = ((BUSY_SHARE / first.core_share() * 4.0) as usize).max(5);
    let tried: anyhow::Result<Measured> = with(rooms).measure(None);
    let mut measured = match tried.and_then(|measured| measured.ensure_not_ours().map(|()| measured)) {
        Ok(measured) => measured,
        Err(why) => {
            report.absent("class_busy_segments_per_send", format!("{rooms} rooms: {why}"));
            return Ok(());
        }
    };
    report.figure("class_busy_rooms", rooms as f64, "rooms of 20");
    report.figure("class_busy_core_share", measured.core_share(), "of one core");
    report.figure("class_busy_cpu_us_per_packet", measured.cpu_us_per_packet(), "");
    report.figure("class_busy_segments_per_send", measured.segments(), "datagrams per system call");
    report.figure("class_busy_added_latency_p50_us", measured.latency(0.5), "");
    report.figure("class_busy_added_latency_p99_us", measured.latency(0.99), "");
    report.figure(
        "class_busy_left_out_share",
        measured.left_out_share(),
        "paused, for want of time or of a rate",
    );
    report.figure("class_busy_lost_packets", measured.lost as f64, "gaps seen by subscribers");
    report.figure("class_busy_bench_core_share", measured.own_core_share(), "the clients, of one core");
    Ok(())
}
