//! A camera behind a bad uplink, and a viewer on a good network: what the feedback we send makes of a native sender.

use super::call::{Call, line, secs, wide};
use super::{Context, Outcome, Row};
use netem::{Bitrate, Capacity, LinkConfig, Loss, QueueLimit};
use std::time::Duration;

pub const LOSS_30: Row = Row {
    name: "uplink_loss_30",
    about: "30 % random loss on a camera's unlimited uplink: the highest layer is still sent and seen",
    run: lossy,
    long: false,
    needs_traces: false,
};

pub const NARROW: Row = Row {
    name: "uplink_300kbps",
    about: "a camera behind 300 kb/s with a queue of 300 ms: p95 of the queue at most 120 ms",
    run: narrow,
    long: false,
    needs_traces: false,
};

pub const POLICER: Row = Row {
    name: "uplink_policer_500kbps",
    about: "a camera behind a policer of 500 kb/s without a queue: it loses at most 5 %",
    run: policed,
    long: false,
    needs_traces: false,
};

pub const FADES: Row = Row {
    name: "uplink_fades",
    about: "a camera's uplink of 2 Mb/s is 300 kb/s for 5 s out of 15: what it sends then is not older than a conversation bears",
    run: fades,
    long: false,
    needs_traces: false,
};

/// Forty seconds of a camera with this uplink; the viewer and the last thirty are looked at.
fn behind(context: &Context, link: impl FnOnce(f64) -> LinkConfig, seconds: f64) -> Call {
    let mut call = Call::empty(context.seed);
    let one_way = call.between(20.0, 50.0);
    call.camera("camera", (link(one_way), wide(one_way)), |_| {});
    call.viewer("viewer", (wide(5.0), wide(5.0)));
    call.run(seconds);
    call
}

fn lossy(context: &Context) -> Outcome {
    let call = behind(context, |one_way| LinkConfig { loss: Loss::Random(0.3), ..wide(one_way) }, 40.0);
    let (from, end) = (call.now() - secs(30.0), call.now());
    let picture = call.picture(call.viewers[0], from, end);
    let mut outcome = Outcome::default();
    outcome.at_least("top_layer_pct", 100.0 * picture.layers[2], 95.0);
    outcome.at_most("frozen_pct", 100.0 * picture.frozen, 8.0);
    let up = &call.world.leg(call.cameras[0]).up_meter;
    outcome.told("up_kbps", up.offered_kbps(from, end));
    outcome.told("late_pct", 100.0 * picture.late);
    outcome
}

fn narrow(context: &Context) -> Outcome {
    let queue = QueueLimit { bytes: None, wait: Some(Duration::from_millis(300)) };
    let call = behind(context, |one_way| LinkConfig { queue, ..line(Bitrate::kbps(300), one_way) }, 60.0);
    let (from, end) = (call.now() - secs(50.0), call.now());
    let viewer = call.viewers[0];
    let picture = call.picture(viewer, from, end);
    let up = &call.world.leg(call.cameras[0]).up_meter;
    let mut outcome = Outcome::default();
    outcome.at_most("queue_p95_ms", up.waited_ms(from, end, 0.95), 120.0);
    outcome.at_least("utilisation", up.passed_kbps(from, end) / 300.0, 0.5);
    outcome.at_most("frozen_pct", 100.0 * picture.frozen, 3.0);
    outcome.at_least("sound_pct", 100.0 * call.sound(viewer, from, end - secs(1.0)), 99.0);
    outcome
}

fn policed(context: &Context) -> Outcome {
    let policer = Capacity::Policed { rate: Bitrate::kbps(500), burst_bytes: 10_000 };
    let call = behind(context, |one_way| LinkConfig { capacity: policer.clone(), ..wide(one_way) }, 70.0);
    let (from, end) = (call.now() - secs(60.0), call.now());
    let viewer = call.viewers[0];
    let picture = call.picture(viewer, from, end);
    let up = &call.world.leg(call.cameras[0]).up_meter;
    let mut outcome = Outcome::default();
    outcome.at_most("lost_pct", 100.0 * up.dropped_share(from, end), 5.0);
    outcome.at_least("utilisation", up.passed_kbps(from, end) / 500.0, 0.4);
    outcome.at_most("frozen_pct", 100.0 * picture.frozen, 5.0);
    outcome
}

fn fades(context: &Context) -> Outcome {
    let mut call = Call::empty(context.seed);
    let one_way = call.between(20.0, 50.0);
    let queue = QueueLimit { bytes: None, wait: Some(Duration::from_millis(500)) };
    let up = |kbps| LinkConfig { queue, ..line(Bitrate::kbps(kbps), one_way) };
    let camera = call.camera("camera", (up(2000), wide(one_way)), |_| {});
    let viewer = call.viewer("viewer", (wide(5.0), wide(5.0)));
    call.run(10.0);
    let from = call.now();
    for _ in 0..3 {
        for (kbps, seconds) in [(300, 5.0), (2000, 10.0)] {
            call.world.change_network(camera, up(kbps), wide(one_way));
            call.run(seconds);
        }
    }
    let picture = call.picture(viewer, from, call.now());
    let mut outcome = Outcome::default();
    // The encoder has 350 kb/s as its least for what is watched, so some wait; with none left out nearly all do.
    outcome.at_most("late_pct", 100.0 * picture.late, 35.0);
    outcome.at_most("frozen_pct", 100.0 * picture.frozen, 30.0);
    // A listener waits for what comes again every quarter of a minute.
    outcome.told("sound_pct", 100.0 * call.sound(viewer, from, call.now() - secs(1.0)));
    outcome.told("top_layer_pct", 100.0 * picture.layers[2]);
    outcome
}
