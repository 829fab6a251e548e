//! Figures about the whole engine, each from one command: `cargo run --release -p benches -- NAME [--json]`.
//!
//! A bench prints a table for people, or with `--json` one object for programs, on standard output, and its progress on
//! standard error. A figure that could not be measured is absent, and the table says why.

mod adapt;
mod bwe;
mod connect;
mod fanout;
mod handshake;
mod jitter;
mod load;
mod signaling;
mod versus;

use clap::{Parser, Subcommand};
use measure::{chromium, report};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "benches", about = "Measures the engine: a table for people, --json for programs")]
struct Command {
    /// Print one JSON object instead of the table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// A forwarder that adapts: the scenario table in virtual time, and Chromium behind bad networks
    Adapt(adapt::Options),
    /// Congestion control alone, beside str0m's and rtc-interceptor's, in virtual time
    Bwe(bwe::Options),
    /// 30 joins into a room that talks, by native clients and a page: milliseconds per stage, p50 and p95
    Connect(connect::Options),
    /// One publisher to many subscribers over real sockets and real SRTP: CPU per forwarded packet, against the limit
    Fanout(fanout::Options),
    /// How fast a browser connects, by DTLS role and version and by network: keys, first media, page
    Handshake(handshake::Options),
    /// Speech through encoder, bad networks and the jitter buffer: concealed share, delay, wire rate, speech scores
    Jitter(jitter::Options),
    /// Joins, messages, idle connections, and phones whose network is cut again and again
    Signaling(signaling::Options),
    /// The server process that `signaling` measures
    #[command(hide = true)]
    SignalingServer,
    /// Thousands of participants against ours or another server: fan-out, classes, calls, churn, idlers
    Load(load::Options),
    /// Ours, Janus and the limit, interleaved in one run: medians, the curve, memory, idle CPU, a picture (needs root)
    Versus(versus::Options),
    /// The server process that `load` measures
    #[command(hide = true)]
    LoadServer(load::ServerOptions),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let result = match command.bench {
        Bench::Adapt(options) => adapt::run(&options),
        Bench::Bwe(options) => bwe::run(&options),
        Bench::Connect(options) => connect::run(&options),
        Bench::Fanout(options) => fanout::run(&options),
        Bench::Handshake(options) => handshake::run(&options),
        Bench::Jitter(options) => jitter::run(&options),
        Bench::Signaling(options) => signaling::run(&options),
        Bench::SignalingServer => return signaling::serve().map_or_else(failed, |()| ExitCode::SUCCESS),
        Bench::Load(options) => load::run(&options),
        Bench::Versus(options) => versus::run(&options),
        Bench::LoadServer(options) => {
            return load::serve(&options).map_or_else(failed, |()| ExitCode::SUCCESS);
        }
    };
    match result {
        Ok(report) if command.json => println!("{}", report.json()),
        Ok(report) => print!("{}", report.table()),
        Err(error) => return failed(error),
    }
    ExitCode::SUCCESS
}

fn failed(error: anyhow::Error) -> ExitCode {
    eprintln!("{error:#}");
    ExitCode::FAILURE
}
