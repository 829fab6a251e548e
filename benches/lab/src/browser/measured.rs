//! From what the page told to a call's figures.

use super::Setup;
use crate::align::{self, RATE};
use crate::links as link;
use crate::outcome::{Audio, Call, STEP_MS, Timeline, Video, hundredth};
use crate::picture::{self, Shown};
use anyhow::Result;
use measure::report::percentile;
use measure::speech;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Instant;
use tests::proxy::Meters;
use wire::Stages;

/// Opus and redundant sound, as Chromium numbers them.
const AUDIO_TYPES: [u8; 2] = [111, 63];

/// Times are milliseconds after the click.
#[derive(Deserialize)]
pub struct Told {
    pub stages: Stages,
    ended_ms: f64,
    /// Of the recordings: the sample at the click. Negative if they began later.
    clicked_sample: i64,
    /// Number and time.
    captured: Vec<(u64, f64)>,
    /// Number, time and width.
    shown: Vec<(u64, f64, f64)>,
    looks: Vec<Look>,
    #[serde(skip)]
    said: Vec<f32>,
    #[serde(skip)]
    heard: Vec<f32>,
}

/// Sums of the watcher's statistics, once a second.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Look {
    at_ms: f64,
    video_bytes: f64,
    width: f64,
    audio_bytes: f64,
    samples: f64,
    concealed: f64,
    buffer_s: f64,
    buffered: f64,
}

impl Told {
    /// 16 bit at 16 kHz, little endian as every browser's machine: what was said, and what was heard.
    pub fn recorded(&mut self, recordings: Vec<Vec<u8>>) {
        let samples = |bytes: Vec<u8>| {
            let sample = |pair: &[u8]| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0;
            bytes.chunks_exact(2).map(sample).collect()
        };
        let mut recordings = recordings.into_iter().map(samples);
        (self.said, self.heard) =
            (recordings.next().unwrap_or_default(), recordings.next().unwrap_or_default());
    }
}

pub fn call(
    setup: &Setup<'_>,
    told: Told,
    meters: &Meters,
    (clicked, ended): (Instant, Instant),
) -> Result<Call> {
    let Setup { client, network, seed, folder, .. } = *setup;
    let steps = (told.ended_ms / STEP_MS as f64) as usize;
    let mut timeline = Timeline::default();
    let first_audio = told.stages.first_audio_ms.unwrap_or(told.ended_ms);
    let from = (told.clicked_sample.max(0) as usize + (first_audio * RATE as f64 / 1000.0) as usize)
        .min(told.said.len());
    let to = (told.clicked_sample.max(0) as usize + (told.ended_ms * RATE as f64 / 1000.0) as usize)
        .clamp(from, told.said.len());
    let (said, heard) = (&told.said[from..to], &told.heard[from..to.min(told.heard.len()).max(from)]);
    let mut audio = sound(&told, (said, heard), first_audio, steps, &mut timeline);
    audio.wire_kbps = Some(link::kbps_of(&meters.down, &AUDIO_TYPES, clicked, ended));
    link::over_time(&mut timeline, "down", &meters.down, clicked, ended, steps);
    link::over_time(&mut timeline, "up", &meters.up, clicked, ended, steps);
    let video = sight(&told, steps, &mut timeline);
    let (mut sent, mut received) = (None, None);
    for (file, kind, samples) in [(&mut sent, "sent", said), (&mut received, "received", heard)] {
        let name = format!("{}_{}_{seed}_{kind}.wav", network.id, client.name());
        speech::write_wav(&folder.join(&name), RATE as u32, samples)?;
        *file = Some(name);
    }
    let error = (told.stages.first_frame_ms.is_none() || told.stages.first_audio_ms.is_none())
        .then(|| format!("no sound or no picture within {} s", super::PATIENCE_S));
    let (down, up) = (link::leg(&meters.down, clicked, ended), link::leg(&meters.up, clicked, ended));
    Ok(Call {
        scenario: network.id.clone(),
        about: network.about.clone(),
        client,
        seed,
        error,
        stages: told.stages,
        audio,
        video: Some(video),
        network: BTreeMap::from([("down".to_owned(), down), ("up".to_owned(), up)]),
        timeline,
        sent,
        received,
    })
}

fn sound(
    told: &Told,
    (said, heard): (&[f32], &[f32]),
    first_audio: f64,
    steps: usize,
    timeline: &mut Timeline,
) -> Audio {
    let pairs = || told.looks.windows(2).map(|pair| (pair[0], pair[1]));
    let buffer = |(before, after): (Look, Look)| {
        let emitted = after.buffered - before.buffered;
        (emitted > 0.0).then(|| (after.at_ms, 1000.0 * (after.buffer_s - before.buffer_s) / emitted))
    };
    let mut buffers: Vec<f64> = pairs().filter_map(buffer).map(|(_, ms)| ms).collect();
    timeline.add("buffer_ms", steps, pairs().filter_map(buffer));
    let concealed = |(before, after): (Look, Look)| {
        let played = after.samples - before.samples;
        (played > 0.0).then(|| (after.at_ms, 100.0 * (after.concealed - before.concealed) / played))
    };
    timeline.add("rung_conceal_pct", steps, pairs().filter_map(concealed));
    let lags = align::lags(said, heard);
    let mut m2e: Vec<f64> = lags.iter().map(|(_, lag)| *lag).collect();
    timeline.add("m2e_ms", steps, lags.iter().map(|(at, lag)| (first_audio + at * 1000.0 + lag, *lag)));
    let known = |value: f64| value.is_finite().then(|| hundredth(value));
    let whole =
        told.looks.first().zip(told.looks.last()).and_then(|(first, last)| concealed((*first, *last)));
    Audio {
        concealed_pct: whole.map(|(_, percent)| hundredth(percent)),
        buffer_p50_ms: known(percentile(&mut buffers, 0.5)),
        buffer_p95_ms: known(percentile(&mut buffers, 0.95)),
        m2e_p50_ms: known(percentile(&mut m2e, 0.5)),
        m2e_p95_ms: known(percentile(&mut m2e, 0.95)),
        ..Audio::default()
    }
}

fn sight(told: &Told, steps: usize, timeline: &mut Timeline) -> Video {
    let captured: BTreeMap<u64, f64> = told.captured.iter().map(|(n, at)| (n & 0xffff, *at)).collect();
    let shown: Vec<Shown> = told
        .shown
        .iter()
        .filter_map(|(number, at_ms, _)| {
            let captured_ms = *captured.get(number)?;
            Some(Shown { at_ms: *at_ms, captured_ms, layer: None })
        })
        .collect();
    let begins = shown.first().map_or(told.ended_ms, |first| first.at_ms);
    let count = told.captured.iter().filter(|(_, at)| (begins..told.ended_ms - 400.0).contains(at)).count();
    let mut video = picture::watched(&shown, count, (begins, told.ended_ms), timeline);
    timeline.add("g2g_ms", steps, shown.iter().map(|s| (s.at_ms, s.at_ms - s.captured_ms)));
    timeline.add("width_px", steps, told.shown.iter().map(|(_, at, width)| (*at, *width)));
    video.width = told.shown.last().map(|(_, _, width)| *width);
    if let (Some(first), Some(last)) = (told.looks.first(), told.looks.last()) {
        let seconds = ((last.at_ms - first.at_ms) / 1000.0).max(1e-3);
        video.kbps = hundredth((last.video_bytes - first.video_bytes) * 0.008 / seconds);
    }
    video
}
