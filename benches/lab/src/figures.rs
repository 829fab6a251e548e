//! Figures of a run under the names of the design's section 9, each with how it was measured.

use crate::outcome::{Call, Client, Extra, Joins, Leg, Run, STAGES, Video};
use crate::thresholds::{self, Threshold, Verdict};
use measure::report::percentile;
use std::collections::BTreeMap;

/// Opus at 32 kb/s in 50 packets a second with 50 bytes of headers each.
const PLAIN_KBPS: f64 = 52.0;

#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Ends with its unit.
    pub name: String,
    pub value: f64,
    pub how: String,
}

/// Of one scenario and client, in the order of a table.
#[derive(Clone, Debug)]
pub struct Group {
    pub scenario: String,
    pub client: Client,
    pub about: String,
    pub figures: Vec<Figure>,
}

/// All of a run, in its order.
pub fn groups(run: &Run) -> Vec<Group> {
    let mut keys: Vec<(String, Client, String)> = Vec::new();
    let mut note = |scenario: &str, client: Client, about: &str| {
        if !keys.iter().any(|(id, known, _)| id == scenario && *known == client) {
            keys.push((scenario.to_owned(), client, about.to_owned()));
        }
    };
    run.calls.iter().for_each(|call| note(&call.scenario, call.client, &call.about));
    run.joins.iter().for_each(|joins| note(&joins.scenario, joins.client, "joins"));
    run.extras.iter().for_each(|extra| note(&extra.scenario, extra.client, "class"));
    keys.into_iter()
        .map(|(scenario, client, about)| {
            let calls: Vec<&Call> =
                run.calls.iter().filter(|c| c.scenario == scenario && c.client == client).collect();
            let joins = run.joins.iter().find(|j| j.scenario == scenario && j.client == client);
            let prefix = format!("{scenario}_{}", client.name());
            let mut figures = figures(&prefix, client, &calls, joins);
            figures.extend(extras(&prefix, run, &scenario, client));
            Group { scenario, client, about, figures }
        })
        .collect()
}

/// The mean over seeds of what is no call of its own.
fn extras(prefix: &str, run: &Run, scenario: &str, client: Client) -> Vec<Figure> {
    let of = |extra: &&Extra| extra.scenario == scenario && extra.client == client;
    let mut by_name: BTreeMap<&str, (Vec<f64>, &str)> = BTreeMap::new();
    for extra in run.extras.iter().filter(of) {
        by_name.entry(&extra.name).or_insert((Vec::new(), &extra.how)).0.push(extra.value);
    }
    let figure = |(name, (values, how)): (&str, (Vec<f64>, &str))| Figure {
        name: format!("{prefix}_{name}"),
        value: values.iter().sum::<f64>() / values.len() as f64,
        how: how.to_owned(),
    };
    by_name.into_iter().map(figure).collect()
}

/// Every threshold that concerns what was run.
pub fn judged(run: &Run, thresholds: &[Threshold]) -> Vec<Verdict> {
    let ran: Vec<String> =
        groups(run).iter().map(|group| format!("{}_{}", group.scenario, group.client.name())).collect();
    thresholds::judge(thresholds, &values(run), &ran)
}

/// Name and value of every figure.
pub fn values(run: &Run) -> BTreeMap<String, f64> {
    let figures = groups(run).into_iter().flat_map(|group| group.figures);
    figures.map(|figure| (figure.name, figure.value)).collect()
}

fn figures(prefix: &str, client: Client, calls: &[&Call], joins: Option<&Joins>) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut tell = |name: &str, value: Option<f64>, how: &str| {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            figures.push(Figure { name: format!("{prefix}_{name}"), value, how: how.to_owned() });
        }
    };
    connect(calls, joins, &mut tell);
    let failed = calls.iter().filter(|call| call.error.is_some()).count();
    tell(
        "failed_calls",
        (failed > 0).then_some(failed as f64),
        "calls that ended early or never began; see the run",
    );
    let mean = |of: &dyn Fn(&Call) -> Option<f64>| {
        let values: Vec<f64> = calls.iter().filter_map(|call| of(call)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let native = matches!(client, Client::Native | Client::NativeUp);
    let made_up = if native {
        "concealment and comfort noise, of the samples played"
    } else {
        "concealedSamples less silentConcealedSamples, of totalSamplesReceived (getStats)"
    };
    tell("concealed_pct", mean(&|c| c.audio.concealed_pct), made_up);
    tell(
        "dred_pct",
        mean(&|c| c.audio.synthesised_pct),
        "synthesised from deep redundancy, of the samples played",
    );
    for rung in ["rtx", "red", "fec"] {
        let of = |c: &Call| c.audio.rungs_pct.get(rung).copied();
        tell(&format!("{rung}_pct"), mean(&of), "of the samples played, by what they were made from");
    }
    let buffer = if native {
        "playout delay at every 10 ms"
    } else {
        "jitterBufferDelay / emitted, each second (getStats)"
    };
    tell("buffer_p50_ms", mean(&|c| c.audio.buffer_p50_ms), buffer);
    tell("buffer_p95_ms", mean(&|c| c.audio.buffer_p95_ms), buffer);
    let m2e = if native {
        "cross-correlation of sent and heard speech, windows of 2 s, plus 46.5 ms of device"
    } else {
        "cross-correlation of sent and heard speech in one audio graph, windows of 2 s"
    };
    tell("m2e_p50_ms", mean(&|c| c.audio.m2e_p50_ms), m2e);
    tell("m2e_p95_ms", mean(&|c| c.audio.m2e_p95_ms), m2e);
    let of_plain = |c: &Call| c.audio.wire_kbps.map(|kbps| kbps / PLAIN_KBPS);
    tell("wire_x", mean(&of_plain), "of the 52 kb/s that 32 kb/s of Opus and its headers take");
    tell(
        "wire_kbps",
        mean(&|c| c.audio.wire_kbps),
        "audio handed to the bad link, with all headers, copies and repairs",
    );
    tell("plcmos", mean(&|c| c.audio.plcmos), "speech scorer, windows of 10 s");
    tell("pesq", mean(&|c| c.audio.pesq), "speech scorer, wideband");
    tell("estoi", mean(&|c| c.audio.estoi), "speech scorer, windows of 2 s");
    let video = |of: fn(&Video) -> Option<f64>| mean(&|c| c.video.as_ref().and_then(of));
    tell(
        "shown_pct",
        video(|v| Some(v.shown_pct)),
        "pictures on screen within 400 ms of capture, of those captured",
    );
    tell(
        "frozen_pct",
        video(|v| Some(v.frozen_pct)),
        "no new picture for max(3 intervals, interval + 150 ms), of the time",
    );
    tell("freezes", video(|v| Some(v.freezes as f64)), "a call");
    tell("longest_freeze_ms", video(|v| Some(v.longest_freeze_ms)), "of each call");
    let clock =
        if native { "the number stamped into each picture" } else { "a barcode of the time in the picture" };
    tell("g2g_p50_ms", video(|v| v.g2g_p50_ms), clock);
    tell("g2g_p95_ms", video(|v| v.g2g_p95_ms), clock);
    tell("video_kbps", video(|v| Some(v.kbps)), "received, without headers");
    tell("fps", video(|v| Some(v.fps)), "shown");
    tell("width", video(|v| v.width), "of the last picture");
    for layer in 0..3 {
        let of = |c: &Call| c.video.as_ref().and_then(|v| v.layers_pct.get(layer).copied());
        tell(&format!("layer{layer}_pct"), mean(&of), "of the time on screen");
    }
    for direction in ["down", "up"] {
        let leg = |of: fn(&Leg) -> f64| mean(&|c| c.network.get(direction).map(of));
        tell(
            &format!("{direction}_offered_kbps"),
            leg(|l| l.offered_kbps),
            "handed to the bad link, with IP and UDP headers",
        );
        tell(&format!("{direction}_delivered_kbps"), leg(|l| l.delivered_kbps), "came out of it");
        tell(
            &format!("{direction}_lost_pct"),
            leg(|l| l.lost_pct),
            "of the packets, by chance or in outages",
        );
        tell(&format!("{direction}_dropped_pct"), leg(|l| l.dropped_pct), "of the packets, at a full queue");
        tell(&format!("{direction}_queue_p95_ms"), leg(|l| l.queue_p95_ms), "waited in front of the link");
    }
    figures
}

/// Percentiles of the joins, if there were any, otherwise of the calls' own.
fn connect(calls: &[&Call], joins: Option<&Joins>, tell: &mut impl FnMut(&str, Option<f64>, &str)) {
    for (name, meaning) in STAGES {
        let mut times: Vec<f64> = match joins {
            Some(joins) => joins.times(name),
            None => calls.iter().filter_map(|call| crate::outcome::stage(&call.stages, name)).collect(),
        };
        let count = joins.map_or(calls.len() as u64, |joins| joins.count);
        let mut how = format!("{meaning}, since the click on a warm page; {count} joins");
        if let Some(joins) = joins.filter(|joins| joins.missing(name) > 0) {
            how += &format!(
                ", {} of which did not get there in {} s and count with that",
                joins.missing(name),
                joins.patience_s
            );
        }
        let figure = if name == "dtls" { "connect" } else { name };
        for (share, label) in [(0.5, "p50"), (0.95, "p95")] {
            let value = percentile(&mut times, share);
            tell(&format!("{figure}_{label}_ms"), Some(value), &how);
        }
    }
    if let Some(joins) = joins {
        let how = format!("without sound and picture within {} s", joins.patience_s);
        tell("failed_joins", (joins.failed > 0).then_some(joins.failed as f64), &how);
    }
}
