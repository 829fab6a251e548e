//! From what two native clients noted to the figures of one direction of a call.

use super::hearing::{self, Heard};
use super::person::Notes;
use super::virtual_call::Setup;
use crate::links as link;
use crate::outcome::{Call, Client, STEP_MS, Timeline, hundredth};
use crate::picture::{self, Shown};
use anyhow::Result;
use std::collections::BTreeMap;
use std::time::Instant;
use tests::meter::Meter;

/// Opus, its retransmissions, and redundant sound, as our own client offers them.
const AUDIO_TYPES: [u8; 3] = [111, 112, 63];
const FRAMES_PER_SECOND: f64 = 25.0;

pub struct Observed<'a> {
    pub client: Client,
    pub clicked: Instant,
    pub ends: Instant,
    /// Of the one who listens, and of the one who speaks.
    pub notes: &'a Notes,
    pub spoken: &'a Notes,
    /// When a picture was captured, when it was shown, and which layer it was.
    pub shown: Vec<(Instant, Instant, u8)>,
    /// Of the bad leg.
    pub up: &'a Meter,
    pub down: &'a Meter,
}

pub fn call(setup: &Setup<'_>, observed: &Observed<'_>) -> Result<Call> {
    let Setup { network, seed, speech, folder, .. } = *setup;
    let Observed { client, clicked, ends, notes, spoken, up, down, .. } = *observed;
    let steps = (ends - clicked).as_millis() as usize / STEP_MS as usize;
    let mut timeline = Timeline::default();
    // From the first moment at which both can be heard.
    let from =
        [notes.first_heard(), spoken.speaks_since].into_iter().flatten().max().unwrap_or(ends).max(clicked);
    let heard = Heard { notes, speaks_since: spoken.speaks_since, speech, window: (from, ends) };
    let mut audio = hearing::measured(&heard, clicked, steps, &mut timeline);
    let meter = if client == Client::NativeUp { up } else { down };
    audio.wire_kbps = Some(link::kbps_of(meter, &AUDIO_TYPES, from, ends));
    link::over_time(&mut timeline, "down", down, clicked, ends, steps);
    link::over_time(&mut timeline, "up", up, clicked, ends, steps);
    let video = (!network.is_audio_only()).then(|| sight(observed, steps, &mut timeline));
    let (sent, received) =
        hearing::record(&heard, folder, &format!("{}_{}_{seed}", network.id, client.name()))?;
    let error = match (&notes.ended, notes.connected, notes.first_heard()) {
        (Some(why), ..) => Some(why.clone()),
        (None, None, _) => Some("no connection in time".to_owned()),
        (None, Some(_), None) => Some("nothing was heard".to_owned()),
        (None, Some(_), Some(_)) => None,
    };
    let network_legs = [("down", down), ("up", up)];
    Ok(Call {
        scenario: network.id.clone(),
        about: network.about.clone(),
        client,
        seed,
        error,
        stages: super::stages(notes, clicked),
        audio,
        video,
        network: BTreeMap::from(
            network_legs.map(|(name, meter)| (name.to_owned(), link::leg(meter, clicked, ends))),
        ),
        timeline,
        sent,
        received,
    })
}

fn sight(observed: &Observed<'_>, steps: usize, timeline: &mut Timeline) -> crate::outcome::Video {
    let ms = |at: Instant| match at.checked_duration_since(observed.clicked) {
        Some(after) => after.as_secs_f64() * 1000.0,
        None => -(observed.clicked - at).as_secs_f64() * 1000.0,
    };
    let shown: Vec<Shown> = observed
        .shown
        .iter()
        .map(|(captured, at, layer)| Shown {
            at_ms: ms(*at),
            captured_ms: ms(*captured),
            layer: Some(*layer),
        })
        .collect();
    let ends_ms = ms(observed.ends);
    let begins = shown.first().map_or(ends_ms, |first| first.at_ms).max(0.0);
    let seconds = ((ends_ms - begins) / 1000.0).max(1e-3);
    // The last of them are still on their way.
    let until = ends_ms - 400.0;
    let captured = ((until - begins) / 1000.0 * FRAMES_PER_SECOND).max(0.0) as usize;
    let mut video = picture::watched(&shown, captured, (begins, ends_ms), timeline);
    video.kbps = hundredth(observed.notes.video_bytes as f64 * 0.008 / seconds);
    timeline.add("g2g_ms", steps, shown.iter().map(|s| (s.at_ms, s.at_ms - s.captured_ms)));
    timeline.add("layer", steps, shown.iter().map(|s| (s.at_ms, f64::from(s.layer.unwrap_or(0)))));
    video
}
