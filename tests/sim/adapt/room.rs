//! A room: one with a bad network and nineteen others; and layers that nobody watches.

use super::call::{Call, ms_since, secs, wide};
use super::{Context, Outcome, Row};
use crate::picture::Picture;
use crate::world::PersonId;
use netem::{LinkConfig, Loss};
use std::time::Instant;

pub const ISOLATION: Row = Row {
    name: "isolation",
    about: "a class of 20, one of them at 50 % loss: the others' bitrate within 2 %, no further keyframe",
    run: isolation,
    long: true,
    needs_traces: false,
};

/// A teacher with a camera and 19 who watch; from 8 s on the last one's network may be bad.
fn class(seed: u64, bad: bool) -> Call {
    let mut call = Call::new(seed, 1);
    for number in 0..19 {
        let one_way = call.between(5.0, 40.0);
        call.viewer(&format!("pupil{number}"), (wide(one_way), wide(one_way)));
    }
    call.run(6.0);
    if bad {
        let lossy = LinkConfig { loss: Loss::Random(0.5), ..wide(50.0) };
        call.world.change_network(call.viewers[18], lossy.clone(), lossy);
    }
    call.run(20.0);
    call
}

fn isolation(context: &Context) -> Outcome {
    let (good, bad) = (class(context.seed, false), class(context.seed, true));
    let rate = |call: &Call, who: PersonId| call.down(who).offered_kbps(call.now() - secs(18.0), call.now());
    let keyframes = |call: &Call| {
        let asked = call.world.keyframes_wanted(call.cameras[0]).iter();
        asked.filter(|(at, _)| *at >= call.now() - secs(20.0)).count() as f64
    };
    let changes = (0..18).map(|number| {
        let who = good.viewers[number];
        (rate(&bad, who) / rate(&good, who) - 1.0).abs() * 100.0
    });
    let frozen = (0..18)
        .map(|number| bad.picture(bad.viewers[number], bad.now() - secs(18.0), bad.now()).frozen * 100.0);
    let mut outcome = Outcome::default();
    outcome.at_most("others_changed_pct", changes.fold(0.0, f64::max), 2.0);
    outcome.at_most("others_frozen_pct", frozen.fold(0.0, f64::max), 0.0);
    outcome.at_most("further_keyframes", (keyframes(&bad) - keyframes(&good)).max(0.0), 0.0);
    let unlucky = bad.picture(bad.viewers[18], bad.now() - secs(15.0), bad.now());
    outcome.told("unlucky_fps", unlucky.fps);
    outcome.told("unlucky_frozen_pct", 100.0 * unlucky.frozen);
    outcome
}

pub const LAYERS_ON_DEMAND: Row = Row {
    name: "layers_on_demand",
    about: "a layer nobody watches is not sent, and begins within 300 ms of being wanted",
    run: layers_on_demand,
    long: false,
    needs_traces: false,
};

fn layers_on_demand(context: &Context) -> Outcome {
    let mut call = Call::new(context.seed, 1);
    let one_way = call.between(5.0, 30.0);
    let viewer = call.viewer("viewer", (wide(one_way), wide(one_way)));
    call.run(8.0);
    let camera = call.cameras[0];
    let show = |call: &mut Call, (width, height)| {
        call.world.with_participant(viewer, |participant, _| participant.show(width, height));
        call.now()
    };
    let small = show(&mut call, (200, 112));
    call.run(10.0);
    let large = show(&mut call, (1920, 1080));
    call.run(8.0);
    let end = call.now();

    let up = &call.world.leg(camera).up_meter;
    let layers = |at: Instant| -> Option<&Vec<u8>> {
        let told = call.world.layers_wanted(camera).iter();
        told.take_while(|(told, _)| *told <= at).last().map(|(_, layers)| layers)
    };
    let mut outcome = Outcome::default();
    // The lowest layer, sound and headers.
    outcome.at_most("small_up_kbps", up.offered_kbps(small + secs(5.0), large), 260.0);
    outcome.told("layers_while_small", layers(large).map_or(f64::NAN, |layers| layers.len() as f64));
    let resumed = up.between(large, end).scan(0usize, |bytes, packet| {
        *bytes += packet.bytes;
        Some((packet.at, *bytes))
    });
    // The keyframe of the highest layer alone is more than everything was in half a second before.
    let mut resumed = resumed.filter(|(_, bytes)| *bytes > 25_000).map(|(at, _)| at);
    outcome.at_most("resumed_ms", ms_since(large, resumed.next()), 300.0 + one_way * 2.0 + 150.0);
    let asked =
        call.world.layers_wanted(camera).iter().find(|(at, layers)| *at >= large && layers.contains(&2));
    outcome.at_most("asked_ms", ms_since(large, asked.map(|(at, _)| *at)), 300.0);
    let top = Picture::first_of_layer(&call.world.ledger, call.flow(viewer), 2, large);
    outcome.at_most("top_layer_ms", ms_since(large, top), 1000.0);
    outcome.at_most("frozen_pct", 100.0 * call.picture(viewer, small, end).frozen, 0.0);
    outcome
}
