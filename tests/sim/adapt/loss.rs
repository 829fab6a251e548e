//! Random loss on a link without a limit: nothing is gained by sending less.

use super::call::{Call, secs, wide};
use super::{Context, Outcome, Row};
use netem::{LinkConfig, Loss};

pub const LOSS_2: Row =
    row("loss_2", "2 % random loss on an unlimited link: the highest layer is kept", |c| {
        loss(c, 0.02, 97.0, 1.0)
    });
pub const LOSS_10: Row =
    row("loss_10", "10 % random loss on an unlimited link: the highest layer is kept", |c| {
        loss(c, 0.1, 97.0, 2.0)
    });
pub const LOSS_30: Row =
    row("loss_30", "30 % random loss on an unlimited link: the highest layer is kept", |c| {
        loss(c, 0.3, 97.0, 8.0)
    });
pub const LOSS_50: Row = row(
    "loss_50",
    "50 % random loss on an unlimited link: the highest layer mostly, and hardly a freeze",
    |c| loss(c, 0.5, 80.0, 5.0),
);

const fn row(name: &'static str, about: &'static str, run: fn(&Context) -> Outcome) -> Row {
    Row { name, about, run, long: false, needs_traces: false }
}

fn loss(context: &Context, share: f64, top_pct: f64, frozen_pct: f64) -> Outcome {
    let mut call = Call::new(context.seed, 1);
    let one_way = call.between(20.0, 60.0);
    let lossy = LinkConfig { loss: Loss::Random(share), ..wide(one_way) };
    let viewer = call.viewer("viewer", (lossy.clone(), lossy));
    call.run(40.0);
    let (from, end) = (call.now() - secs(30.0), call.now());
    let picture = call.picture(viewer, from, end);
    let mut outcome = Outcome::default();
    outcome.at_least("top_layer_pct", 100.0 * picture.layers[2], top_pct);
    outcome.at_most("frozen_pct", 100.0 * picture.frozen, frozen_pct);
    outcome.told("fps", picture.fps);
    outcome.told("late_pct", 100.0 * picture.late);
    outcome.told("sound_pct", 100.0 * call.sound(viewer, from, end - secs(1.0)));
    let asked = call.world.keyframes_wanted(call.cameras[0]);
    outcome.told("keyframes_asked", asked.iter().filter(|(at, _)| *at >= from).count() as f64);
    outcome.told("down_kbps", call.down(viewer).offered_kbps(from, end));
    outcome
}
