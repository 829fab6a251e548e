//! One viewer behind one line: its capacity changes, is small, stays, or only jitters.

use super::call::{Call, line, ms_since, secs, wide};
use super::{Context, Outcome, Row};
use crate::meter::Meter;
use crate::picture::Picture;
use netem::{Bitrate, Jitter, LinkConfig};
use std::time::{Duration, Instant};

pub const STEPS: Row = Row {
    name: "capacity_steps",
    about: "2.5 Mb/s, 500 kb/s, 2.5 Mb/s: down within 1 s, then at most 200 ms of queue, back to 90 % within 10 s",
    run: steps,
    long: false,
    needs_traces: false,
};

fn steps(context: &Context) -> Outcome {
    let mut call = Call::new(context.seed, 1);
    let one_way = call.between(10.0, 40.0);
    let (wide_line, narrow) = (line(Bitrate::kbps(2500), one_way), line(Bitrate::kbps(500), one_way));
    let viewer = call.viewer("viewer", (wide(one_way), wide_line.clone()));
    call.run(20.0);
    let down = call.now();
    call.world.change_network(viewer, wide(one_way), narrow);
    call.run(20.0);
    let up = call.now();
    call.world.change_network(viewer, wide(one_way), wide_line);
    call.run(20.0);
    let end = call.now();

    let meter = call.down(viewer);
    let before = meter.passed_kbps(down - secs(5.0), down);
    let mut outcome = Outcome::default();
    outcome.at_least("before_kbps", before, 1200.0);
    outcome.at_most("down_ms", below_from(meter, down, up, 500.0) * 1000.0, 1000.0);
    outcome.at_most("queue_ms", meter.waited_ms(down + secs(1.0), up, 1.0), 200.0);
    outcome.told("queue_peak_ms", meter.waited_ms(down, up, 1.0));
    outcome.at_least("narrow_utilisation", meter.passed_kbps(down + secs(5.0), up) / 500.0, 0.65);
    outcome.at_most("back_s", above_from(meter, up, end, 0.9 * before), 10.0);
    outcome.at_most("frozen_pct", 100.0 * call.picture(viewer, down - secs(10.0), end).frozen, 3.0);
    outcome.at_least("sound_pct", 100.0 * call.sound(viewer, down - secs(10.0), end - secs(1.0)), 97.0);
    outcome
}

/// Seconds after `from` until no half second carries more than this any more.
fn below_from(meter: &Meter, from: Instant, to: Instant, kbps: f64) -> f64 {
    const STEP: Duration = Duration::from_millis(20);
    let mut last = 0.0;
    let mut at = from;
    while at + secs(0.5) < from + secs(5.0).min(to - from) {
        if meter.offered_kbps(at, at + secs(0.5)) > kbps * 1.05 {
            last = (at + STEP - from).as_secs_f64();
        }
        at += STEP;
    }
    last
}

/// Seconds after `from` until the end of the first two seconds that carry as much; infinite if none do.
fn above_from(meter: &Meter, from: Instant, to: Instant, kbps: f64) -> f64 {
    let mut at = from;
    while at + secs(2.0) < to {
        if meter.passed_kbps(at, at + secs(2.0)) >= kbps {
            return (at + secs(2.0) - from).as_secs_f64();
        }
        at += secs(0.1);
    }
    f64::INFINITY
}

pub const START: Row = Row {
    name: "start_1mbps",
    about: "a newcomer behind 1 Mb/s: the highest layer that fits within 3 s, without filling the queue",
    run: start,
    long: false,
    needs_traces: false,
};

fn start(context: &Context) -> Outcome {
    let mut call = Call::new(context.seed, 1);
    let one_way = call.between(10.0, 40.0);
    let clicked = call.now();
    let viewer = call.viewer("viewer", (wide(one_way), line(Bitrate::kbps(1000), one_way)));
    call.run(15.0);
    let end = call.now();
    let connected = call.world.connected_at(viewer).unwrap_or(clicked);
    let ledger = &call.world.ledger;
    let flow = call.flow(viewer);
    let mut outcome = Outcome::default();
    outcome.at_most("first_frame_ms", ms_since(clicked, ledger.first(flow, clicked)), 600.0);
    let fits = Picture::first_of_layer(ledger, flow, 1, connected);
    outcome.at_most("layer_m_ms", ms_since(connected, fits), 3000.0);
    let meter = call.down(viewer);
    outcome.at_most("queue_p95_ms", meter.waited_ms(connected, end, 0.95), 200.0);
    outcome.told("queue_peak_ms", meter.waited_ms(connected, end, 1.0));
    let picture = call.picture(viewer, connected + secs(3.0), end);
    outcome.at_least("at_least_layer_m_pct", 100.0 * (picture.layers[1] + picture.layers[2]), 95.0);
    outcome.at_most("frozen_pct", 100.0 * picture.frozen, 2.0);
    outcome
}

pub const STEADY: Row = Row {
    name: "steady_line",
    about: "a line of constant capacity: at most one switch in 10 s, a small queue, most of it used",
    run: steady,
    long: false,
    needs_traces: false,
};

fn steady(context: &Context) -> Outcome {
    let mut call = Call::new(context.seed, 1);
    let (one_way, kbps) = (call.between(10.0, 60.0), call.between(250.0, 1900.0));
    let viewer = call.viewer("viewer", (wide(one_way), line(Bitrate(kbps as u64 * 1000), one_way)));
    call.run(50.0);
    let (from, end) = (call.now() - secs(40.0), call.now());
    let picture = call.picture(viewer, from, end);
    let meter = call.down(viewer);
    let mut outcome = Outcome::default();
    outcome.told("capacity_kbps", kbps);
    outcome.at_most("switches", (picture.ups + picture.downs) as f64, 4.0);
    outcome.at_most("frozen_pct", 100.0 * picture.frozen, 1.0);
    outcome.at_most("queue_p95_ms", meter.waited_ms(from, end, 0.95), 120.0);
    // What could be used: the top layer and the sound.
    let useful = kbps.min(1400.0);
    outcome.told("utilisation", meter.passed_kbps(from, end) / useful);
    outcome.told("fps", picture.fps);
    for (name, share) in ["l", "m", "h"].into_iter().zip(picture.layers) {
        outcome.told(format!("layer_{name}_pct"), 100.0 * share);
    }
    outcome.at_least("sound_pct", 100.0 * call.sound(viewer, from, end - secs(1.0)), 99.0);
    outcome
}

pub const JITTER: Row = Row {
    name: "jitter_50ms",
    about: "50 ms of jitter without congestion, in order and out of order: no switch down",
    run: jitter,
    long: false,
    needs_traces: false,
};

fn jitter(context: &Context) -> Outcome {
    let mut outcome = Outcome::default();
    for (name, keeps_order) in [("in_order", true), ("reordered", false)] {
        let mut call = Call::new(context.seed, 1);
        let one_way = call.between(10.0, 40.0);
        let jitter = Jitter::Uniform(Duration::from_millis(50));
        let shaky = LinkConfig { jitter, keeps_order, ..wide(one_way) };
        let viewer = call.viewer("viewer", (shaky.clone(), shaky));
        call.run(40.0);
        let (from, end) = (call.now() - secs(32.0), call.now());
        let picture = call.picture(viewer, from, end);
        outcome.at_most(format!("{name}_downs"), picture.downs as f64, 0.0);
        outcome.at_least(format!("{name}_top_layer_pct"), 100.0 * picture.layers[2], 99.0);
        outcome.at_most(format!("{name}_frozen_pct"), 100.0 * picture.frozen, 1.0);
    }
    outcome
}
