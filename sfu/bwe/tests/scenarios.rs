//! The scenario table in virtual time, over three seeds; a failure names the figure, its bar and the seed.
//!
//! `SCENE=steps SEEDS=1 BWE_EXPLAIN=1 cargo test -p bwe --test scenarios -- --nocapture look` shows what happens in one, every
//! 100 ms. Recorded capacities are read from `$SAMPAN_TRACES/capacity`, else from `../shared/traces/capacity` beside the
//! project.

mod world;

use std::path::{Path, PathBuf};
use std::time::Instant;
use world::control::Ours;
use world::media::{Media, Source};
use world::scenes::{self, Figure, Scene};
use world::{Flow, measure};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

fn ours(now: Instant, seed: u64, source: &Source) -> Box<dyn Flow> {
    Box::new(Media::new(now, seed, source.clone(), Ours::new(now)))
}

fn runs(scene: &Scene, seeds: std::ops::RangeInclusive<u64>) -> Vec<(u64, Figure)> {
    let runs = seeds.flat_map(|seed| measure(scene, seed, &mut ours).into_iter().map(move |f| (seed, f)));
    let runs: Vec<_> = runs.collect();
    for (seed, Figure { name, value, bar }) in &runs {
        let mark = if bar.met_by(*value) { "" } else { "  <-- FAILS" };
        println!("{:32} seed {seed} {name:20} {value:10.3} {bar:?}{mark}", scene.name);
    }
    runs
}

/// Every scene whose name begins so meets its bars with every seed.
fn holds(name: &str) {
    let scenes: Vec<Scene> = scenes::all().into_iter().filter(|s| s.name.starts_with(name)).collect();
    assert!(!scenes.is_empty(), "no scene is called {name}");
    for scene in scenes {
        let missed: Vec<_> =
            runs(&scene, SEEDS).into_iter().filter(|(_, f)| !f.bar.met_by(f.value)).collect();
        assert!(missed.is_empty(), "{} ({}) misses its bars: {missed:?}", scene.name, scene.about);
    }
}

#[test]
fn a_drop_of_capacity_is_followed_within_a_second_and_its_return_within_ten() {
    holds("steps");
}
#[test]
fn a_call_on_1mbps_has_its_layer_within_three_seconds() {
    holds("start_1mbps");
}
#[test]
fn two_flows_share_a_bottleneck() {
    holds("two_flows");
}
#[test]
fn neither_we_nor_a_download_starve() {
    holds("against_tcp");
}
#[test]
fn a_narrow_link_keeps_a_short_queue() {
    holds("queue_300k");
}
#[test]
fn what_a_policer_or_a_shallow_queue_drops_is_not_sent() {
    holds("policer");
    holds("shallow");
}
#[test]
fn random_loss_keeps_the_highest_layer() {
    holds("loss_");
    holds("bursts_30");
}
#[test]
fn an_outage_is_survived_with_the_layer_from_before() {
    holds("outage");
    holds("stall");
}
#[test]
fn jitter_is_no_congestion() {
    holds("jitter");
}
#[test]
fn a_made_up_cellular_link_is_used_and_its_queue_stays_short() {
    holds("cellular");
}

/// On average over the recorded links; a single one may carry nothing for seconds, which no sender can know before.
#[test]
fn recorded_links_are_used_and_their_queues_stay_short() {
    let Some(scenes) = recorded() else { return };
    let all: Vec<Figure> = scenes.iter().flat_map(|scene| runs(scene, SEEDS)).map(|(_, f)| f).collect();
    for figure in ["used", "queue_p95_ms"] {
        let of_it: Vec<&Figure> = all.iter().filter(|f| f.name == figure).collect();
        let mean = of_it.iter().map(|f| f.value).sum::<f64>() / of_it.len() as f64;
        println!("mean {figure} {mean:.3} {:?}", of_it[0].bar);
        assert!(of_it[0].bar.met_by(mean), "mean {figure} is {mean}, asked for {:?}", of_it[0].bar);
    }
}

#[test]
fn made_up_lines_that_vary_are_used_and_their_queues_stay_short() {
    holds("varying_");
}

#[test]
fn every_scene_belongs_to_a_test() {
    let source = include_str!("scenarios.rs");
    for scene in scenes::all() {
        let held = source
            .split("holds(\"")
            .skip(1)
            .any(|rest| scene.name.starts_with(rest.split('"').next().unwrap()));
        assert!(held, "{} is never asserted", scene.name);
    }
}

/// For people: the scenes whose name contains `$SCENE`, with `$SEEDS` seeds.
#[test]
fn look() {
    let Ok(wanted) = std::env::var("SCENE") else { return };
    let seeds = std::env::var("SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let scenes = scenes::all().into_iter().chain(recorded().into_iter().flatten());
    for scene in scenes.filter(|s| s.name.contains(&wanted)) {
        runs(&scene, 1..=seeds);
    }
}

/// `None`, said loudly, without traces.
fn recorded() -> Option<Vec<Scene>> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces"));
    let folder = std::env::var_os("SAMPAN_TRACES").map_or_else(beside, PathBuf::from).join("capacity");
    match scenes::read_folder(Path::new(&folder)) {
        Ok(scenes) => Some(scenes),
        Err(why) => {
            eprintln!(
                "NOT TESTED: recorded capacities: {why}; set SAMPAN_TRACES to a folder that has `capacity/`"
            );
            None
        }
    }
}
