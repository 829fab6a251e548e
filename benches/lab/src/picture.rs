//! What a person saw: freezes, pictures in time, glass to glass.

use crate::outcome::{Timeline, Video, hundredth};
use measure::report::percentile;

/// One picture that came on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// Milliseconds after the join.
    pub at_ms: f64,
    /// When it was captured, on the same clock.
    pub captured_ms: f64,
    /// Simulcast layer, if it is known.
    pub layer: Option<u8>,
}

/// A conversation's deadline.
const DEADLINE_MS: f64 = 400.0;
/// Of the average interval, as WebRTC's statistics smooth it.
const SMOOTHED_OVER: f64 = 30.0;

/// Between `from_ms` and `to_ms`; `captured`: how many pictures were captured so early that they could be shown in time. Pictures
/// in the order in which they were shown.
pub fn watched(
    shown: &[Shown],
    captured: usize,
    (from_ms, to_ms): (f64, f64),
    timeline: &mut Timeline,
) -> Video {
    let within: Vec<&Shown> = shown.iter().filter(|s| (from_ms..to_ms).contains(&s.at_ms)).collect();
    let lasts_ms = (to_ms - from_ms).max(1.0);
    let in_time = |s: &&Shown| {
        let could = (from_ms..to_ms - DEADLINE_MS).contains(&s.captured_ms);
        could && s.at_ms - s.captured_ms <= DEADLINE_MS
    };
    let in_time = shown.iter().filter(in_time).count();
    let freezes = freezes(&within, (from_ms, to_ms));
    let mut delays: Vec<f64> = within.iter().map(|s| s.at_ms - s.captured_ms).collect();
    let (p50, p95) = (percentile(&mut delays, 0.5), percentile(&mut delays, 0.95));
    timeline.freezes = freezes.iter().map(|(at, ms)| (hundredth(at / 1000.0), ms.round())).collect();
    Video {
        shown_pct: hundredth((100.0 * in_time as f64 / captured.max(1) as f64).min(100.0)),
        frozen_pct: hundredth(
            100.0 * freezes.iter().map(|(_, ms)| ms).fold(0.0, |sum, ms| sum + ms) / lasts_ms,
        ),
        freezes: freezes.len() as u64,
        longest_freeze_ms: freezes.iter().map(|(_, ms)| *ms).fold(0.0, f64::max).round(),
        g2g_p50_ms: p50.is_finite().then(|| hundredth(p50)),
        g2g_p95_ms: p95.is_finite().then(|| hundredth(p95)),
        fps: hundredth(within.len() as f64 * 1000.0 / lasts_ms),
        layers_pct: layers(&within, (from_ms, to_ms)),
        ..Video::default()
    }
}

/// Beginning and length of every time without a new picture for longer than max(3 intervals, interval + 150 ms), the usual
/// interval taken off (`freezeCount` and `totalFreezesDuration` of WebRTC's statistics). A window that ends in one counts it.
fn freezes(shown: &[&Shown], (from_ms, to_ms): (f64, f64)) -> Vec<(f64, f64)> {
    let mut freezes = Vec::new();
    let mut average: Option<f64> = None;
    let mut last = from_ms;
    for at in shown.iter().map(|s| s.at_ms).chain([to_ms]) {
        let gap = at - last;
        let usual = *average.get_or_insert(gap.min(100.0));
        if gap > (3.0 * usual).max(usual + 150.0) {
            freezes.push((last, gap - usual));
        } else {
            average = Some(usual + (gap - usual) / SMOOTHED_OVER);
        }
        last = at;
    }
    freezes
}

/// Share of the time that each layer was on the screen, per cent; empty if no picture tells its layer.
fn layers(shown: &[&Shown], (_, to_ms): (f64, f64)) -> Vec<f64> {
    let mut times = [0.0; 3];
    let ends = shown.iter().skip(1).map(|s| s.at_ms).chain([to_ms]);
    for (picture, end) in shown.iter().zip(ends) {
        if let Some(layer) = picture.layer {
            times[usize::from(layer.min(2))] += end - picture.at_ms;
        }
    }
    let total: f64 = times.iter().sum();
    if total == 0.0 { Vec::new() } else { times.map(|time| hundredth(100.0 * time / total)).to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 25 pictures a second for ten seconds, 100 ms after they were captured.
    fn pictures(is_shown: impl Fn(f64) -> bool) -> Vec<Shown> {
        let all = (0..250).map(|n| f64::from(n) * 40.0);
        let layer = |at| Some(if at < 5000.0 { 0 } else { 2 });
        all.map(|at| Shown { at_ms: at + 100.0, captured_ms: at, layer: layer(at) })
            .filter(|s| is_shown(s.at_ms))
            .collect()
    }

    fn watch(shown: &[Shown]) -> (Video, Timeline) {
        let mut timeline = Timeline::default();
        let video = watched(shown, 215, (0.0, 9000.0), &mut timeline);
        (video, timeline)
    }

    #[test]
    fn a_steady_picture_is_neither_late_nor_frozen() {
        let (video, timeline) = watch(&pictures(|_| true));
        assert_eq!((video.freezes, video.frozen_pct, video.g2g_p50_ms), (0, 0.0, Some(100.0)));
        assert!(video.shown_pct >= 99.0 && timeline.freezes.is_empty(), "{video:?}");
        assert!((video.layers_pct[0] - 56.0).abs() < 2.0, "{video:?}");
    }

    #[test]
    fn a_gap_is_one_freeze_less_the_usual_interval_and_jitter_is_none() {
        let (video, timeline) = watch(&pictures(|at| !(3000.0..4000.0).contains(&at)));
        assert_eq!(video.freezes, 1);
        // The usual interval is smoothed from the first one, which is longer here.
        assert!((990.0..=1000.0).contains(&video.longest_freeze_ms), "{video:?}");
        assert!((video.frozen_pct - 11.1).abs() < 0.5, "{video:?}");
        assert!((timeline.freezes[0].0 - 2.98).abs() < 0.05, "{timeline:?}");
        let (video, _) = watch(&pictures(|at| !(at as u64 / 40).is_multiple_of(3)));
        assert_eq!(video.freezes, 0, "80 ms between some pictures are no freeze");
    }

    #[test]
    fn what_comes_late_is_shown_but_not_in_time_and_nothing_at_all_is_frozen_throughout() {
        let late: Vec<Shown> =
            pictures(|_| true).into_iter().map(|s| Shown { at_ms: s.at_ms + 350.0, ..s }).collect();
        let (video, _) = watch(&late);
        assert_eq!((video.shown_pct, video.g2g_p50_ms), (0.0, Some(450.0)));
        let (video, _) = watch(&[]);
        assert!(video.frozen_pct > 98.0 && video.freezes == 1 && video.g2g_p50_ms.is_none(), "{video:?}");
    }
}
