//! What a listener heard, against what was said.

use super::person::{Notes, Sound};
use crate::align::{self, RATE};
use crate::outcome::{Audio, Timeline, hundredth};
use anyhow::Result;
use jitter::audio::{Rung, Rungs};
use measure::report::percentile;
use measure::speech::{self, Speech};
use std::path::Path;
use std::time::{Duration, Instant};

/// Frame, look-ahead, pacing and rendering, 46.5 ms; the codec's look-ahead of 6.5 ms is in what is heard already.
const DEVICE_MS: f64 = 40.0;

pub struct Heard<'a> {
    pub notes: &'a Notes,
    pub speaks_since: Option<Instant>,
    pub speech: &'a Speech,
    /// Judged is what was said and heard in between.
    pub window: (Instant, Instant),
}

pub fn measured(heard: &Heard<'_>, clicked: Instant, steps: usize, timeline: &mut Timeline) -> Audio {
    let (from, to) = heard.window;
    let ms = |at: Instant| at.saturating_duration_since(clicked).as_secs_f64() * 1000.0;
    let sounds: Vec<&Sound> = heard.notes.sounds.iter().filter(|s| (from..to).contains(&s.at)).collect();
    let mut rungs = Rungs::default();
    sounds.iter().for_each(|sound| rungs.add_all(&sound.heard));
    let total = rungs.total() as f64;
    let share = |of: &[Rung]| {
        let samples: u64 = of.iter().map(|rung| rungs.samples(*rung)).sum();
        (total > 0.0).then(|| hundredth(100.0 * samples as f64 / total))
    };
    let of_ms = |of: fn(&Sound) -> Duration| move |s: &&Sound| of(s).as_secs_f64() * 1000.0;
    let played = || sounds.iter().filter(|sound| sound.heard.total() > 0);
    let mut buffers: Vec<f64> = played().map(|s| of_ms(|s| s.delay)(s)).collect();
    timeline.add("buffer_ms", steps, played().map(|s| (ms(s.at), of_ms(|s| s.delay)(s))));
    timeline.add("target_ms", steps, played().map(|s| (ms(s.at), of_ms(|s| s.target)(s))));
    for rung in Rung::ALL {
        let of_step = |sound: &&&Sound| {
            let share = sound.heard.samples(rung) as f64 / sound.heard.total() as f64;
            (ms(sound.at), 100.0 * share)
        };
        timeline.add(&format!("rung_{}_pct", rung.name()), steps, played().map(|s| of_step(&s)));
    }
    let (said, listened) = aligned(heard).unwrap_or_default();
    let lags = align::lags(&said, &listened);
    let mut m2e: Vec<f64> = lags.iter().map(|(_, lag)| lag + DEVICE_MS).collect();
    let begins = ms(from);
    timeline.add("m2e_ms", steps, lags.iter().map(|(at, lag)| (begins + at * 1000.0 + lag, lag + DEVICE_MS)));
    let known = |value: f64| value.is_finite().then(|| hundredth(value));
    Audio {
        concealed_pct: share(&[Rung::Conceal, Rung::Comfort]),
        synthesised_pct: share(&[Rung::Deep]),
        rungs_pct: Rung::ALL
            .into_iter()
            .filter_map(|rung| Some((rung.name().to_owned(), share(&[rung])?)))
            .collect(),
        buffer_p50_ms: known(percentile(&mut buffers, 0.5)),
        buffer_p95_ms: known(percentile(&mut buffers, 0.95)),
        m2e_p50_ms: known(percentile(&mut m2e, 0.5)),
        m2e_p95_ms: known(percentile(&mut m2e, 0.95)),
        ..Audio::default()
    }
}

/// Writes what was said and what was heard, from the same moment on; the names of the files. None: there was nothing.
pub fn record(heard: &Heard<'_>, folder: &Path, name: &str) -> Result<(Option<String>, Option<String>)> {
    let Some((said, listened)) = aligned(heard) else { return Ok((None, None)) };
    let mut names = Vec::new();
    for (kind, samples) in [("sent", &said), ("received", &listened)] {
        let file = format!("{name}_{kind}.wav");
        speech::write_wav(&folder.join(&file), RATE as u32, samples)?;
        names.push(file);
    }
    let mut names = names.into_iter();
    Ok((names.next(), names.next()))
}

/// Both at 16 kHz from the beginning of the window on. Of what was said only what could be heard before its end.
fn aligned(heard: &Heard<'_>) -> Option<(Vec<f32>, Vec<f32>)> {
    let (from, to) = heard.window;
    let since = heard.speaks_since?;
    let first = heard.notes.sounds.first()?.at;
    let at = |origin: Instant, moment: Instant| {
        (moment.saturating_duration_since(origin).as_secs_f64() * RATE as f64) as usize
    };
    let corpus = &heard.speech.at_16_khz;
    // As the voice repeats it: whole frames of 20 ms.
    let whole = corpus.len() - corpus.len() % (RATE / 50);
    let length = at(from, to);
    let said: Vec<f32> = (0..length).map(|n| corpus[(at(since, from) + n) % whole]).collect();
    let narrow = speech::narrowed(&heard.notes.samples).ok()?;
    let mut listened = vec![0.0; at(from, first).min(length)];
    listened.extend(narrow.into_iter().skip(at(first, from)));
    listened.resize(length, 0.0);
    Some((said, listened))
}
