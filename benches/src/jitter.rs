//! Speech through an encoder, a bad network and the jitter buffer, scored as a listener would.

mod bound;
mod call;
mod cost;
mod network;
mod peers;
mod picture;
mod table;

use crate::report::Report;
use anyhow::{Context, Result, bail};
use call::{Heard, Setup};
use clap::Args;
use measure::speech::write_wav;
use measure::{score, speech};
use network::Network;
use score::{Scores, Task};
use speech::Speech;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use table::Row;

#[derive(Args)]
pub struct Options {
    /// Calls per network, each with its own losses
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// Only these, comma separated: S0, S7a, loss_lossgen_0_3, ...
    #[arg(long, value_delimiter = ',')]
    scenario: Vec<String>,
    /// Folder with recorded networks: loss/, arrival/, capacity/
    #[arg(long, default_value = "../shared/traces")]
    traces: PathBuf,
    /// Also networks that the presets are not, on which nothing was tuned
    #[arg(long)]
    held_out: bool,
    /// Seconds of speech per call
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=3600))]
    seconds: u64,
    /// Also replay two calls a row in real time through crate neteq and GStreamer
    #[arg(long)]
    peers: bool,
    /// Leave the speech scores out
    #[arg(long)]
    no_scores: bool,
    /// Where recordings and pictures go
    #[arg(long, default_value = "target/jitter")]
    out: PathBuf,
}

/// Calls a row that peers and the bound get: they do not adapt, so two say enough.
const PEER_SEEDS: u64 = 2;

pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("jitter");
    let networks = networks(options, &mut report)?;
    let speech = speech::load(options.seconds as usize)?;
    std::fs::create_dir_all(&options.out).with_context(|| options.out.display().to_string())?;
    let reference = options.out.join("reference.wav");
    write_wav(&reference, speech::NARROW as u32, &speech.at_16_khz)?;
    let started = Instant::now();
    let mut rows = Vec::new();
    for (n, network) in networks.iter().enumerate() {
        eprintln!("jitter: {} ({}/{}), {} s", network.id, n + 1, networks.len(), started.elapsed().as_secs());
        rows.push(row(network, &speech, options)?);
    }
    if options.peers {
        play_peers(&mut rows, &speech, options, &mut report)?;
    }
    let scores = scored(&rows, &reference, options, &mut report)?;
    for (n, row) in rows.iter().enumerate() {
        table::print(&mut report, row, scores.as_ref().map(|scores| &scores[n][..]));
    }
    let arrivals = |id: &str| {
        let network = network::presets().into_iter().find(|n| n.id == id).context("a preset")?;
        peers::arrivals(&speech, &setup(&network, 1))
    };
    cost::measure(&mut report, &arrivals("S0")?, &arrivals("S8")?)?;
    let Options { seconds, seeds, out, .. } = options;
    report.note(format!("Speech: {}; {seconds} s a call, {seeds} calls a row.", speech.corpus));
    report.note(table::EXPLANATION);
    report.note(format!("Recordings, and a picture of buffer and rungs per row: {}", out.display()));
    Ok(report)
}

fn networks(options: &Options, report: &mut Report) -> Result<Vec<Network>> {
    let mut networks = network::presets();
    // Named, they need no flag.
    if options.held_out || !options.scenario.is_empty() {
        networks.extend(network::held_out());
    }
    match network::recorded(&options.traces) {
        Ok(recorded) => networks.extend(recorded),
        Err(error) => {
            eprintln!("jitter: NO RECORDED NETWORKS: {error:#}; --traces says where they are");
            report.absent("traces", format!("{error:#}"));
        }
    }
    if options.scenario.is_empty() {
        return Ok(networks);
    }
    let all: Vec<String> = networks.iter().map(|network| network.id.clone()).collect();
    for wanted in &options.scenario {
        if !all.iter().any(|id| id.eq_ignore_ascii_case(wanted)) {
            bail!("no scenario {wanted}; there are {}", all.join(", "));
        }
    }
    networks.retain(|network| options.scenario.iter().any(|wanted| network.id.eq_ignore_ascii_case(wanted)));
    Ok(networks)
}

fn setup(network: &Network, seed: u64) -> Setup {
    let (forward, back) = (network.link(seed), network.link(seed + 1000));
    Setup { forward, back, round_trip: network.round_trip, seed }
}

fn row<'a>(network: &'a Network, speech: &Speech, options: &Options) -> Result<Row<'a>> {
    let calls: Vec<Result<Heard>> = std::thread::scope(|scope| {
        let call = |seed| scope.spawn(move || call::play(speech, &setup(network, seed)));
        let calls: Vec<_> = (1..=options.seeds).map(call).collect();
        calls.into_iter().map(|c| c.join().unwrap_or_else(|_| bail!("a call panicked"))).collect()
    });
    let mut row = Row::new(network, calls.into_iter().collect::<Result<_>>()?);
    let mut record = |kind: &'static str, seed: u64, samples: &[f32]| {
        let path = options.out.join(format!("{}{kind}_{seed}.wav", network.id));
        write_wav(&path, 48_000, samples)?;
        row.recordings.push((kind, path));
        anyhow::Ok(())
    };
    for (seed, heard) in (1..).zip(&row.calls) {
        record(table::OURS, seed, &heard.samples)?;
    }
    for seed in 1..=options.seeds.min(PEER_SEEDS) {
        let advice = &row.calls[seed as usize - 1].advice;
        let bound = bound::play(speech, &setup(network, seed), advice, table::median_delay(&row.calls))?;
        record(table::BOUND, seed, &bound)?;
    }
    let title = format!("{}: {} (seed 1)", network.id, network.about);
    picture::draw(&options.out.join(format!("{}.svg", network.id)), &title, &row.calls[0])?;
    Ok(row)
}

fn play_peers(rows: &mut [Row<'_>], speech: &Speech, options: &Options, report: &mut Report) -> Result<()> {
    let lasts = Duration::from_secs(options.seconds);
    eprintln!("jitter: peers play in real time, {} s", options.seconds);
    let seeds = 1..=options.seeds.min(PEER_SEEDS);
    let mut calls = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        for seed in seeds.clone() {
            let recording = |kind: &str| options.out.join(format!("{}{kind}_{seed}.wav", row.network.id));
            let arrivals = peers::arrivals(speech, &setup(row.network, seed))?;
            calls.push((n, arrivals, recording(table::NETEQ), recording(table::GSTREAMER)));
        }
    }
    std::thread::scope(|scope| {
        let replays: Vec<_> = calls
            .iter()
            .map(|(_, arrivals, ..)| scope.spawn(|| peers::play_neteq(arrivals, lasts)))
            .collect();
        let gstreamer: Vec<_> =
            calls.iter().map(|(_, arrivals, _, path)| (arrivals.clone(), path.clone())).collect();
        match peers::play_gstreamer(&gstreamer, lasts, &options.out) {
            Ok(()) => calls
                .iter()
                .for_each(|(n, .., path)| rows[*n].recordings.push((table::GSTREAMER, path.clone()))),
            Err(error) => report.absent("gstreamer", format!("{error:#}")),
        }
        for (replay, (n, _, path, _)) in replays.into_iter().zip(&calls) {
            match replay.join() {
                Ok(Ok(samples)) => {
                    write_wav(path, 48_000, &samples)?;
                    rows[*n].recordings.push((table::NETEQ, path.clone()));
                }
                Ok(Err(error)) => {
                    report.absent(format!("{}_neteq", rows[*n].network.id), format!("{error:#}"))
                }
                Err(_) => report.absent(format!("{}_neteq", rows[*n].network.id), "crate neteq panicked"),
            }
        }
        Ok(())
    })
}

/// Scores of every recording of every row, or nothing if there is no scorer.
fn scored(
    rows: &[Row<'_>],
    reference: &Path,
    options: &Options,
    report: &mut Report,
) -> Result<Option<Vec<Vec<Result<Scores>>>>> {
    if options.no_scores {
        return Ok(None);
    }
    let python = match score::interpreter() {
        Ok(python) => python,
        Err(why) => {
            eprintln!("jitter: NO SPEECH SCORES: {why:#}");
            report.absent("plcmos, pesq, estoi", format!("{why:#}"));
            return Ok(None);
        }
    };
    let task = |heard: &Path| Task { reference: reference.to_owned(), heard: heard.to_owned() };
    let recordings = rows.iter().flat_map(|row| row.recordings.iter().map(|(_, path)| path));
    let mut tasks: Vec<Task> = recordings.map(|path| task(path)).collect();
    tasks.push(task(reference));
    let progress = |done| eprint!("\rjitter: {done} of {} recordings scored ", tasks.len());
    let mut scores = score::all(&python, &tasks, progress)?;
    eprintln!();
    if let Some(Ok(scores)) = scores.pop() {
        report.heading("The speech itself, before any encoder: no row can do better");
        report.figure("speech_plcmos", scores.plcmos, "");
    }
    let mut scores = scores.into_iter();
    Ok(Some(rows.iter().map(|row| scores.by_ref().take(row.recordings.len()).collect()).collect()))
}
