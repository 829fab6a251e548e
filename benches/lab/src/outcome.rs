//! What a run leaves behind: one file of JSON beside its recordings, which tables, reports and comparisons are made from.
//! Nothing in it depends on when or how fast the run was made, so that a virtual run is the same byte for byte.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use wire::Stages;

/// Of the file; a reader refuses others.
pub const FORMAT: u32 = 1;
pub const FILE: &str = "run.json";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub format: u32,
    pub commit: String,
    pub machine: String,
    /// How the calls were made: virtual time, real sockets, a browser.
    pub mode: String,
    /// What crossed the impaired link besides media, and how.
    pub signaling: String,
    pub speech: String,
    /// Of each call, after the join.
    pub seconds: u64,
    pub calls: Vec<Call>,
    pub joins: Vec<Joins>,
    /// Figures of scenarios that are more than one call.
    pub extras: Vec<Extra>,
    /// What could not be measured, and why.
    pub absent: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extra {
    pub scenario: String,
    pub client: Client,
    pub seed: u64,
    /// Ends with its unit.
    pub name: String,
    pub value: f64,
    pub how: String,
}

/// Who listened and watched at the end where everything was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// Our native client behind the bad network.
    Native,
    /// Our native client on a good network, with somebody who sends over the bad one.
    NativeUp,
    /// A page on the web SDK behind the bad network, through our server.
    Page,
    /// A browser behind the bad network, connected to another browser without a server for media.
    P2p,
}

impl Client {
    /// As part of a figure's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::NativeUp => "native_up",
            Self::Page => "page",
            Self::P2p => "p2p",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Self::Native => "native client behind the bad network",
            Self::NativeUp => "native client, the speaker is behind the bad network",
            Self::Page => "page in Chromium behind the bad network, through our server",
            Self::P2p => "Chromium to Chromium, without a server for media",
        }
    }
}

/// One direction of one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub scenario: String,
    pub about: String,
    pub client: Client,
    pub seed: u64,
    /// Why it ended early or did not begin; then the rest is what there was until then.
    pub error: Option<String>,
    pub stages: Stages,
    pub audio: Audio,
    pub video: Option<Video>,
    pub network: BTreeMap<String, Leg>,
    pub timeline: Timeline,
    /// Files beside this one.
    pub sent: Option<String>,
    pub received: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audio {
    pub concealed_pct: Option<f64>,
    pub synthesised_pct: Option<f64>,
    /// Of what was played, per cent by what it was made from; empty where the client does not tell.
    pub rungs_pct: BTreeMap<String, f64>,
    pub buffer_p50_ms: Option<f64>,
    pub buffer_p95_ms: Option<f64>,
    pub m2e_p50_ms: Option<f64>,
    pub m2e_p95_ms: Option<f64>,
    /// On the wire with all headers, retransmissions and copies.
    pub wire_kbps: Option<f64>,
    pub plcmos: Option<f64>,
    pub pesq: Option<f64>,
    pub estoi: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Video {
    /// On screen within 400 ms of capture, of those captured.
    pub shown_pct: f64,
    pub frozen_pct: f64,
    pub freezes: u64,
    pub longest_freeze_ms: f64,
    pub g2g_p50_ms: Option<f64>,
    pub g2g_p95_ms: Option<f64>,
    pub fps: f64,
    pub kbps: f64,
    /// Share of the time of each layer, lowest first; empty where it is not known.
    pub layers_pct: Vec<f64>,
    /// Width of the last picture, where it is known.
    pub width: Option<f64>,
}

/// One direction of the impaired leg, media and signaling together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    pub offered_kbps: f64,
    pub delivered_kbps: f64,
    /// By chance, in outages, and at a full queue.
    pub lost_pct: f64,
    pub dropped_pct: f64,
    pub queue_p95_ms: f64,
}

/// One value each [`STEP_MS`]; all of one length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// By name with the unit last, in order of the name.
    pub series: BTreeMap<String, Vec<Option<f32>>>,
    /// Beginning in seconds after the join, and length in milliseconds.
    pub freezes: Vec<(f64, f64)>,
}

/// Step of a timeline.
pub const STEP_MS: u64 = 200;

/// Joins into a room that talks, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joins {
    pub scenario: String,
    pub client: Client,
    pub count: u64,
    /// Without sound or picture in time.
    pub failed: u64,
    pub patience_s: f64,
    /// Of those that got there, by stage (`signaling`, `ice`, `dtls`, `first_packet`, `first_audio`, `first_frame`), milliseconds since the click.
    pub stages_ms: BTreeMap<String, Vec<f64>>,
}

impl Joins {
    /// How long each join took to this stage. One that did not get there counts with as long as was waited, which is too short: left
    /// out, it would make the others look better.
    pub fn times(&self, stage: &str) -> Vec<f64> {
        let mut times = self.stages_ms.get(stage).cloned().unwrap_or_default();
        if !times.is_empty() {
            times.resize(self.count as usize, self.patience_s * 1000.0);
        }
        times
    }

    /// Joins that did not get to this stage, although others did.
    pub fn missing(&self, stage: &str) -> usize {
        self.stages_ms
            .get(stage)
            .map_or(0, |times| if times.is_empty() { 0 } else { self.count as usize - times.len() })
    }
}

/// Stages in their order, and what each means.
pub const STAGES: [(&str, &str); 6] = [
    ("signaling", "answer to the join"),
    ("ice", "path found"),
    ("dtls", "keys: connected"),
    ("first_packet", "first media packet"),
    ("first_audio", "first sound heard"),
    ("first_frame", "first picture shown"),
];

/// The stage's time.
pub fn stage(stages: &Stages, name: &str) -> Option<f64> {
    match name {
        "signaling" => stages.signaling_ms,
        "ice" => stages.ice_ms,
        "dtls" => stages.dtls_ms,
        "first_packet" => stages.first_packet_ms,
        "first_audio" => stages.first_audio_ms,
        "first_frame" => stages.first_frame_ms,
        _ => None,
    }
}

impl Run {
    /// A run's folder or its file.
    pub fn load(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("{}: no run there (`sampan-lab run --out FOLDER` makes one)", path.display())
        })?;
        let run: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is not a run", path.display()))?;
        let Self { format, .. } = run;
        ensure!(format == FORMAT, "{}: format {format}, this lab reads {FORMAT}", path.display());
        Ok(run)
    }

    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(&path, text + "\n").with_context(|| path.display().to_string())
    }
}

impl Timeline {
    /// Values at moments in milliseconds after the join, averaged for each step.
    pub fn add(&mut self, name: &str, steps: usize, values: impl Iterator<Item = (f64, f64)>) {
        let mut sums = vec![(0.0, 0u32); steps];
        for (at_ms, value) in values.filter(|(at, _)| *at >= 0.0) {
            if let Some((sum, count)) = sums.get_mut((at_ms / STEP_MS as f64) as usize) {
                *sum += value;
                *count += 1;
            }
        }
        let mean = |(sum, count): (f64, u32)| (count > 0).then(|| tenth((sum / f64::from(count)) as f32));
        self.series.insert(name.to_owned(), sums.into_iter().map(mean).collect());
    }

    /// Sums of values at moments in milliseconds after the join, for each step, times `factor`.
    pub fn add_sums(
        &mut self,
        name: &str,
        steps: usize,
        values: impl Iterator<Item = (f64, f64)>,
        factor: f64,
    ) {
        let mut sums = vec![0.0; steps];
        for (at_ms, value) in values.filter(|(at, _)| *at >= 0.0) {
            if let Some(sum) = sums.get_mut((at_ms / STEP_MS as f64) as usize) {
                *sum += value;
            }
        }
        self.series.insert(
            name.to_owned(),
            sums.into_iter().map(|sum| Some(tenth((sum * factor) as f32))).collect(),
        );
    }
}

/// Rounded: nothing here is known better.
fn tenth(value: f32) -> f32 {
    (value * 10.0).round() / 10.0
}

/// Rounded to a hundredth, so that files stay readable.
pub fn hundredth(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_that_never_got_there_is_not_left_out() {
        let stages_ms = BTreeMap::from([
            ("dtls".to_owned(), vec![300.0, 200.0, 400.0]),
            ("first_frame".to_owned(), vec![500.0]),
            ("ice".to_owned(), Vec::new()),
        ]);
        let (scenario, client) = ("S1".to_owned(), Client::Page);
        let joins = Joins { scenario, client, count: 3, failed: 2, patience_s: 25.0, stages_ms };
        assert_eq!((joins.times("dtls"), joins.missing("dtls")), (vec![300.0, 200.0, 400.0], 0));
        assert_eq!(
            (joins.times("first_frame"), joins.missing("first_frame")),
            (vec![500.0, 25_000.0, 25_000.0], 2)
        );
        // A scenario without pictures.
        assert_eq!((joins.times("ice"), joins.missing("ice")), (Vec::new(), 0));
    }
}
