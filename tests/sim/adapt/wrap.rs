//! Every counter wraps around while somebody watches.

use super::call::{Call, secs, wide};
use super::{Context, Outcome, Row};
use client_core::Counters;
use netem::{LinkConfig, Loss};
use packet::media::MediaKind;

pub const WRAP: Row = Row {
    name: "wrap_around",
    about: "sequence numbers, timestamps, picture ids and transport-wide numbers wrap, with 2 % loss: nobody notices",
    run: wrap,
    long: true,
    needs_traces: false,
};

/// The publisher's counters begin just before their end. The server's begin where its seed says: 65,536 packets of one
/// slot are sent well within this, at 150 a second.
const SECONDS: f64 = 500.0;

fn wrap(context: &Context) -> Outcome {
    let mut call = Call::empty(context.seed);
    let lossy = LinkConfig { loss: Loss::Random(0.02), ..wide(20.0) };
    call.camera("camera", (lossy.clone(), wide(20.0)), |config| config.counters = Counters::AboutToWrap);
    let viewer = call.viewer("viewer", (wide(20.0), lossy));
    call.run(SECONDS);
    let (from, end) = (call.began + secs(5.0), call.now());
    let picture = call.picture(viewer, from, end);
    let packets = call.down(viewer).between(call.began, end).filter(|p| p.payload_type == Some(96)).count();
    let mut outcome = Outcome::default();
    outcome.at_least("slot_packets", packets as f64, 66_000.0);
    outcome.at_most("longest_gap_ms", picture.longest_gap.as_secs_f64() * 1000.0, 400.0);
    outcome.at_most("frozen_pct", 100.0 * picture.frozen, 0.5);
    outcome.at_least("top_layer_pct", 100.0 * picture.layers[2], 99.0);
    outcome.at_least("sound_pct", 100.0 * call.sound(viewer, from, end - secs(1.0)), 99.5);
    outcome.at_most("wrong_frames", call.world.ledger.wrong as f64, 0.0);
    let sound = super::super::world::World::flow(viewer, call.cameras[0], MediaKind::Audio);
    outcome.at_most("repeated_sounds", call.world.ledger.repeated(sound) as f64, 0.0);
    outcome
}
