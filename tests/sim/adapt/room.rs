//! A room: one with a bad network and nineteen others; and layers that nobody watches.

use super::call::{Call, secs, wide};
use super::{Context, Outcome, Row};
use crate::world::PersonId;
use netem::{LinkConfig, Loss};

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
