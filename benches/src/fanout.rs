//! One publisher to many subscribers, and rooms of two, over real sockets and real SRTP: one shape of the [`load`](crate::load)
//! generator with the comparisons that the forwarder is tuned by.
//!
//! The server is a process of its own, an `sfu::Sfu` as in production; the clients live in this one. Figures are about the
//! server process as a whole: its CPU time over the packets it forwarded in a window of steady state.

use crate::load::shape::Shape;
use crate::load::{Form, Peer, Run, note_busy};
use crate::report::Report;
use packet::Bitrate;
use std::net::{IpAddr, Ipv4Addr};

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
    /// Frames leave the publisher in portions of 5 ms instead of at once as libwebrtc's pacer sends them
    #[arg(long)]
    paced: bool,
    /// A command to run the server under, such as `valgrind --tool=callgrind`
    #[arg(long)]
    under: Option<String>,
    /// Only the run described by the options, without the comparisons
    #[arg(long)]
    only: bool,
}

pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("fanout");
    note_busy(&mut report);
    let fanout = Run {
        shape: options.shape,
        rate: Bitrate::kbps(options.kbps),
        seconds: options.seconds,
        workers: options.workers,
        udp_ports: options.udp_ports,
        paced: options.paced,
        ..Form::Fanout.run(Peer::Ours, IpAddr::V4(Ipv4Addr::LOCALHOST))
    };
    let mut runs = vec![("", "as the options say", fanout)];
    if !options.only {
        let portions = Run { paced: true, ..fanout };
        // In calls of two everything that is sent has come in before, so the ring between workers counts most.
        let calls = Run { shape: Form::Calls.shape(), workers: 2, udp_ports: false, ..fanout };
        runs.extend([
            ("portions_", "the same, every frame sent in portions of 5 ms instead of at once", portions),
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
        run.measure(options.under.as_deref())?.report(&mut report, prefix, &run)?;
    }
    Ok(report)
}
