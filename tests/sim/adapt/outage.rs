//! A link that is dead for a while, in both directions.

use super::call::{Call, line, ms_since, secs};
use super::{Context, Outcome, Row};
use crate::picture::Picture;
use netem::{Bitrate, LinkConfig, Outage};

pub const SHORT: Row = row(
    "outage_500ms",
    "0.5 s without a network: picture within 500 ms of its return, the layer within 3 s",
    |c| outage(c, 0.5),
);
pub const LONG: Row = row(
    "outage_2s",
    "2 s without a network: picture within 500 ms of its return, the layer within 3 s",
    |c| outage(c, 2.0),
);
pub const LONGER: Row = row(
    "outage_5s",
    "5 s without a network: picture within 500 ms of its return, the layer within 3 s",
    |c| outage(c, 5.0),
);

const fn row(name: &'static str, about: &'static str, run: fn(&Context) -> Outcome) -> Row {
    Row { name, about, run, long: false, needs_traces: false }
}

fn outage(context: &Context, seconds: f64) -> Outcome {
    let mut call = Call::new(context.seed, 1);
    let one_way = call.between(10.0, 40.0);
    let begins = secs(15.0 + call.between(0.0, 1.0));
    let cut = LinkConfig {
        outages: vec![Outage { begins, lasts: secs(seconds) }],
        ..line(Bitrate::kbps(3000), one_way)
    };
    let came = call.now();
    let viewer = call.viewer("viewer", (cut.clone(), cut));
    call.run(30.0 + seconds);
    let (back, end) = (came + begins + secs(seconds), call.now());
    let (ledger, flow) = (&call.world.ledger, call.flow(viewer));
    let before = call.picture(viewer, came + secs(8.0), came + begins);
    let mut outcome = Outcome::default();
    outcome.at_least("top_before_pct", 100.0 * before.layers[2], 99.0);
    // A frame that was on its way when the link died is not the picture's return.
    let returned = back + secs(one_way / 1000.0);
    outcome.at_most("picture_ms", ms_since(back, ledger.first(flow, returned)), 500.0);
    let layer = Picture::first_of_layer(ledger, flow, 2, returned);
    outcome.at_most("layer_ms", ms_since(back, layer), 3000.0);
    let after = call.picture(viewer, back + secs(3.0), end);
    outcome.at_most("frozen_after_pct", 100.0 * after.frozen, 1.0);
    outcome.at_least("top_after_pct", 100.0 * after.layers[2], 98.0);
    outcome.told("queue_peak_ms", call.down(viewer).waited_ms(back, end, 1.0));
    outcome
}
