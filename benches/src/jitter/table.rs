//! The figures of one network.

use super::call::{DEVICE, FAR, Heard, Tick};
use super::network::Network;
use super::score::Scores;
use crate::report::{Report, percentile};
use anyhow::Result;
use jitter::audio::Rung;
use std::path::PathBuf;
use std::time::Duration;

/// What a recording is of; part of file names and of figures.
pub const OURS: &str = "";
pub const BOUND: &str = "_bound";
pub const NETEQ: &str = "_neteq";
pub const GSTREAMER: &str = "_gstreamer";

pub const EXPLANATION: &str = "One leg is impaired in both directions as its row says; the other is clean and adds 5 ms. \
plc: made up, comfort noise included; dred: synthesised; wire: 50 bytes of headers a packet. bound: the same ladder decoded at the \
row's median delay, every fate drawn without jitter. Peers get plain Opus with in-band FEC at the same rate over the same links; they \
cannot ask again. m2e of ours is 46.5 ms of device and coding, network, and the buffer, exact at every pull; of peers, \
p95 over windows of ten seconds by cross-correlation.";

/// One network and what was heard over it.
pub struct Row<'a> {
    pub network: &'a Network,
    pub calls: Vec<Heard>,
    /// Files of each kind.
    pub recordings: Vec<(&'static str, PathBuf)>,
}

impl<'a> Row<'a> {
    pub fn new(network: &'a Network, calls: Vec<Heard>) -> Self {
        Self { network, calls, recordings: Vec::new() }
    }

    /// Percentile of a duration over all pulls of all calls, in milliseconds.
    fn ms(&self, share: f64, of: impl Fn(&Tick) -> Option<Duration>) -> f64 {
        percentile_ms(&self.calls, share, of)
    }

    /// Share of samples from these rungs, per cent.
    fn heard(&self, rungs: &[Rung]) -> f64 {
        let samples = |r: &Rung| self.calls.iter().map(|c| c.stats.heard.samples(*r)).sum::<u64>();
        let total: u64 = self.calls.iter().map(|c| c.stats.heard.total()).sum();
        100.0 * rungs.iter().map(samples).sum::<u64>() as f64 / total as f64
    }

    /// Samples added and removed.
    fn stretched(&self) -> u64 {
        self.calls.iter().map(|call| call.stats.added + call.stats.removed).sum()
    }

    fn kbps(&self, bytes: impl Fn(&Heard) -> u64) -> f64 {
        let seconds: f64 = self.calls.iter().map(|c| c.ticks.len() as f64 / 100.0).sum();
        self.calls.iter().map(bytes).sum::<u64>() as f64 * 0.008 / seconds
    }
}

fn percentile_ms(calls: &[Heard], share: f64, of: impl Fn(&Tick) -> Option<Duration>) -> f64 {
    let ticks = calls.iter().flat_map(|call| call.ticks.iter());
    let mut values: Vec<f64> = ticks.filter_map(|tick| Some(of(tick)?.as_secs_f64() * 1000.0)).collect();
    percentile(&mut values, share)
}

fn played(tick: &Tick) -> Option<Duration> {
    tick.m2e.map(|_| tick.delay)
}

/// Playout delay that half of all pulls had, while something played.
pub fn median_delay(calls: &[Heard]) -> Duration {
    let ms = percentile_ms(calls, 0.5, played);
    Duration::from_secs_f64(if ms.is_finite() { ms / 1000.0 } else { 0.0 })
}

pub fn print(report: &mut Report, row: &Row<'_>, scores: Option<&[Result<Scores>]>) {
    let id = &row.network.id;
    report.heading(format!("{id}: {}", row.network.about));
    let mut figure =
        |name: &str, value: f64, meaning: &str| report.figure(format!("{id}_{name}"), value, meaning);
    figure("plc_pct", row.heard(&[Rung::Conceal, Rung::Comfort]), "made up");
    let spoken: u64 = row.calls.iter().flat_map(|call| &call.ticks).map(|tick| tick.made_up_spoken).sum();
    let total: u64 = row.calls.iter().map(|call| call.stats.heard.total()).sum();
    figure("plc_spoken_pct", 100.0 * spoken as f64 / total as f64, "of it while somebody spoke");
    figure(
        "stretched_pct",
        100.0 * row.stretched() as f64 / total as f64,
        "added and removed to change the delay",
    );
    figure("dred_pct", row.heard(&[Rung::Deep]), "synthesised from deep redundancy");
    figure("fec_pct", row.heard(&[Rung::Fec]), "in-band FEC");
    figure("repaired_pct", row.heard(&[Rung::Red, Rung::Rtx]), "exact, from a copy or an answer");
    figure("buffer_p50_ms", row.ms(0.5, played), "playout buffer");
    figure("buffer_p95_ms", row.ms(0.95, played), "");
    figure("m2e_p95_ms", row.ms(0.95, |tick| tick.m2e), "mouth to ear");
    figure("wire_kbps", row.kbps(|c| c.wire_bytes), "to the listener");
    figure("back_kbps", row.kbps(|c| c.back_bytes), "requests and advice");
    let Some(scores) = scores else { return };
    for kind in [OURS, BOUND, NETEQ, GSTREAMER] {
        let of_kind = row.recordings.iter().zip(scores).filter(|((k, _), _)| *k == kind).map(|(_, s)| s);
        let (good, bad): (Vec<_>, Vec<_>) = of_kind.partition(|score| score.is_ok());
        for error in bad.iter().filter_map(|score| score.as_ref().err()) {
            report.note(format!("{id}{kind}: not scored: {error:#}"));
        }
        let good: Vec<&Scores> = good.iter().filter_map(|score| score.as_ref().ok()).collect();
        if good.is_empty() {
            continue;
        }
        let mean = |of: fn(&Scores) -> f64| good.iter().map(|s| of(s)).sum::<f64>() / good.len() as f64;
        let mut figure = |name: &str, value: f64| report.figure(format!("{id}{kind}_{name}"), value, "");
        figure("plcmos", mean(|s| s.plcmos));
        figure("pesq", mean(|s| s.pesq));
        figure("estoi", mean(|s| s.estoi));
        if kind == NETEQ || kind == GSTREAMER {
            // The lag holds network and buffer and the codec's look-ahead of 6.5 ms, which the device's share holds too.
            let fixed = (DEVICE + FAR).as_secs_f64() * 1000.0 - 6.5;
            let mut lags: Vec<f64> =
                good.iter().flat_map(|s| s.lags_ms.iter().map(|lag| lag + fixed)).collect();
            figure("m2e_p95_ms", percentile(&mut lags, 0.95));
        }
    }
}
