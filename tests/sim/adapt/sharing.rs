//! Two who share one bottleneck.

use super::call::{Call, line, secs, wide};
use super::{Context, Outcome, Row};
use netem::{Bitrate, LinkConfig, QueueLimit};
use std::time::Duration;

pub const TWO_FLOWS: Row = Row {
    name: "two_flows",
    about: "two viewers of three cameras behind one line, one of them later: within 20 % of each other",
    run: two_flows,
    long: false,
    needs_traces: false,
};

fn two_flows(context: &Context) -> Outcome {
    let mut call = Call::new(context.seed, 3);
    let (kbps, one_way) = (call.between(1500.0, 4500.0), call.between(10.0, 30.0));
    let near = wide(one_way);
    let first = call.viewer("first", (near.clone(), near.clone()));
    let second = call.viewer("second", (near.clone(), near));
    let shared = call.world.share_bottleneck(&[first, second], bottleneck(kbps));
    call.run(90.0);
    let (from, end) = (call.now() - secs(50.0), call.now());
    let rates = [first, second].map(|who| call.down(who).passed_kbps(from, end));
    let mut outcome = Outcome::default();
    outcome.told("capacity_kbps", kbps);
    outcome.told("first_kbps", rates[0]);
    outcome.told("second_kbps", rates[1]);
    outcome.at_least("smaller_of_larger", rates[0].min(rates[1]) / rates[0].max(rates[1]), 0.8);
    let meter = &call.world.bottlenecks[shared].meter;
    outcome.at_least("utilisation", meter.passed_kbps(from, end) / kbps, 0.65);
    outcome.at_most("queue_p95_ms", meter.waited_ms(from, end, 0.95), 200.0);
    for (name, who) in [("first", first), ("second", second)] {
        let frozen = call.picture(who, from, end).frozen;
        outcome.at_most(format!("{name}_frozen_pct"), 100.0 * frozen, 2.0);
    }
    outcome
}

pub const AGAINST_TCP: Row = Row {
    name: "against_tcp",
    about: "a viewer of three cameras and one endless download (CUBIC) behind one line: neither starves",
    run: against_tcp,
    long: false,
    needs_traces: false,
};

fn against_tcp(context: &Context) -> Outcome {
    let mut call = Call::new(context.seed, 3);
    let (kbps, one_way) = (call.between(2500.0, 6000.0), call.between(10.0, 30.0));
    let near = wide(one_way);
    let viewer = call.viewer("viewer", (near.clone(), near));
    let shared = call.world.share_bottleneck(&[viewer], bottleneck(kbps));
    call.run(15.0);
    let came = call.now();
    call.world.start_tcp(shared, secs(2.0 * one_way / 1000.0));
    call.run(75.0);
    let (from, end) = (came + secs(15.0), call.now());
    let ours = call.down(viewer).passed_kbps(from, end);
    let meter = &call.world.bottlenecks[shared].meter;
    let theirs = meter.passed_kbps(from, end) - ours;
    let mut outcome = Outcome::default();
    outcome.told("capacity_kbps", kbps);
    outcome.at_least("ours_share", ours / kbps, 0.15);
    outcome.at_least("tcp_share", theirs / kbps, 0.15);
    outcome.told("queue_p95_ms", meter.waited_ms(from, end, 0.95));
    let picture = call.picture(viewer, from, end);
    outcome.at_most("frozen_pct", 100.0 * picture.frozen, 3.0);
    outcome.at_least("sound_pct", 100.0 * call.sound(viewer, from, end - secs(1.0)), 97.0);
    outcome
}

/// With an ordinary home router's queue.
fn bottleneck(kbps: f64) -> LinkConfig {
    let queue = QueueLimit { bytes: None, wait: Some(Duration::from_millis(200)) };
    LinkConfig { queue, ..line(Bitrate(kbps as u64 * 1000), 0.0) }
}
