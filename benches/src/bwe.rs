//! Congestion control alone, ours beside two others, in one table: the scenarios of crate `bwe` in virtual time with the same
//! links, pictures and feedback.
//!
//! `rtc-interceptor`'s `Gcc` says a rate to the same paced sender. `str0m` is driven over its own API, two whole peers with
//! their own pacer, probes and feedback; it draws random numbers of its own, so its figures differ a little from run to run.
//! Recorded lines also say what could be had of them ([`limit`]).

mod gcc;
mod limit;
mod str0m;
#[path = "../../sfu/bwe/tests/world/mod.rs"]
mod world;

use crate::report::Report;
use limit::Got;
use std::path::PathBuf;
use std::time::Instant;
use world::control::Ours;
use world::media::{Media, Source};
use world::scenes::{self, Bar, Figure, Scene};
use world::{Flow, measure};

#[derive(clap::Args)]
pub struct Options {
    /// A folder with `capacity/`; otherwise SAMPAN_TRACES, or shared/traces beside the project
    #[arg(long)]
    traces: Option<PathBuf>,
    /// Only scenarios whose name contains this
    #[arg(long, default_value = "")]
    scenario: String,
    /// Seeds per scenario
    #[arg(long, default_value_t = 5)]
    seeds: u64,
}

/// Prefix of the figures' names, and how one flow is made.
type Peer = (&'static str, fn(Instant, u64, &Source) -> Result<Box<dyn Flow>, String>);

const PEERS: [Peer; 3] = [
    ("", |now, seed, source| Ok(Box::new(Media::new(now, seed, source.clone(), Ours::new(now))))),
    ("gcc_", |now, seed, source| Ok(Box::new(Media::new(now, seed, source.clone(), gcc::Theirs::new())))),
    ("str0m_", |now, seed, source| Ok(Box::new(str0m::Str0m::new(now, seed, source.clone())?))),
];

pub fn run(options: &Options) -> anyhow::Result<Report> {
    anyhow::ensure!(options.seeds > 0, "at least one seed is needed");
    let mut report = Report::new("bwe");
    let mut all = scenes::all();
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/traces"));
    let folder = options.traces.clone().or_else(|| std::env::var_os("SAMPAN_TRACES").map(PathBuf::from));
    let folder = folder.unwrap_or_else(beside).join("capacity");
    match scenes::read_folder(&folder) {
        Ok(recorded) => all.extend(recorded),
        Err(why) => {
            eprintln!("bwe: NO RECORDED NETWORKS: {why}");
            report.absent("trace_used", format!("{why}; give --traces"));
        }
    }
    all.retain(|scene| scene.name.contains(&options.scenario));
    anyhow::ensure!(!all.is_empty(), "no scenario has such a name");
    let mut behind = Vec::new();
    for (i, scene) in all.iter().enumerate() {
        eprintln!("bwe: {} of {}: {}", i + 1, all.len(), scene.name);
        row(options, scene, &mut report, &mut behind)?;
    }
    for note in behind {
        report.note(note);
    }
    Ok(report)
}

/// One scenario with every peer; notes where a peer is better than we are.
fn row(
    options: &Options,
    scene: &Scene,
    report: &mut Report,
    behind: &mut Vec<String>,
) -> anyhow::Result<()> {
    report.heading(format!("{}: {}; mean of {} seeds", scene.name, scene.about, options.seeds));
    let mut columns = Vec::new();
    for (_, make) in PEERS {
        let mut runs: Vec<Vec<Figure>> = Vec::new();
        for seed in 1..=options.seeds {
            let mut failed = None;
            let figures = measure(scene, seed, &mut |now, seed, source| match make(now, seed, source) {
                Ok(flow) => flow,
                Err(why) => {
                    failed = Some(why);
                    Box::new(world::tcp::Tcp::new(now))
                }
            });
            if let Some(why) = failed {
                anyhow::bail!("{}: {why}", scene.name);
            }
            runs.push(figures);
        }
        columns.push(runs);
    }
    if scene.name.starts_with("trace_") {
        limits(options, scene, report);
    }
    for i in 0..columns[0][0].len() {
        let Figure { name, bar, .. } = columns[0][0][i];
        let mean = |runs: &Vec<Vec<Figure>>| runs.iter().map(|f| f[i].value).sum::<f64>() / runs.len() as f64;
        let ours = mean(&columns[0]);
        for ((prefix, _), runs) in PEERS.iter().zip(&columns) {
            let value = mean(runs);
            let asked = match bar {
                Bar::AtLeast(bar) => format!("asked: at least {bar}"),
                Bar::AtMost(bar) => format!("asked: at most {bar}"),
            };
            let full = format!("{prefix}{}_{name}", scene.name);
            if value.is_finite() {
                report.figure(full, value, if prefix.is_empty() { asked } else { String::new() });
            } else {
                report.absent(full, "never reached in at least one run");
            }
            let better = match bar {
                Bar::AtLeast(bar) => value > ours + 0.05 * bar,
                Bar::AtMost(bar) => value < ours - 0.05 * bar,
            };
            if better {
                let met = |value| if bar.met_by(value) { "met" } else { "missed" };
                let by = prefix.trim_end_matches('_');
                behind.push(format!(
                    "{} {name}: {by} {value:.3} ({} by it), ours {ours:.3} (bar {} by us)",
                    scene.name,
                    met(value),
                    met(ours)
                ));
            }
        }
    }
    Ok(())
}

/// What senders that know the line would use of it.
fn limits(options: &Options, scene: &Scene, report: &mut Report) {
    for (knows, got) in [("past", limit::past as fn(&[f64], usize) -> Got), ("future", limit::future)] {
        let each = (1..=options.seeds).map(|seed| {
            let path = (scene.path)(seed, scene);
            got(&scenes::carried(&path.forward, seed, scene.seconds as f64), 5000)
        });
        let (used, queue) =
            each.fold((0.0, 0.0), |(used, queue), got| (used + got.used, queue + got.queue_p95_ms));
        let (seeds, scene) = (options.seeds as f64, &scene.name);
        report.figure(format!("limit_{knows}_{scene}_used"), used / seeds, "what could be had at all");
        report.figure(format!("limit_{knows}_{scene}_queue_p95_ms"), queue / seeds, "");
    }
}
