//! The networks of the table: presets of `netem`, others on which no constant was ever chosen, and recordings from a folder of traces.

use anyhow::{Context, Result, bail};
use netem::trace::PacketTrace;
use netem::{
    Capacity, GilbertElliott, Jitter, LinkConfig, Loss, Opportunities, PRESETS, QueueLimit, Segments,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Of the traces, which have none of their own.
const TRACE_ROUND_TRIP: Duration = Duration::from_millis(60);
/// Loss on top of capacity traces (WEAKNET S10).
const CAPACITY_LOSS: f64 = 0.01;
/// In front of a cellular link: 100 full packets.
const CAPACITY_QUEUE: usize = 100 * 1500;
/// Clocks of RTP audio; a recording does not say which is its own.
const CLOCKS_HZ: [u32; 4] = [8_000, 16_000, 32_000, 48_000];

pub struct Network {
    pub id: String,
    pub about: String,
    pub round_trip: Duration,
    source: Source,
}

enum Source {
    Preset(&'static netem::Preset),
    Fixed(Box<LinkConfig>),
}

impl Network {
    /// One direction; call it once for each.
    pub fn link(&self, seed: u64) -> LinkConfig {
        match &self.source {
            Source::Preset(preset) => preset.link(seed),
            Source::Fixed(link) => LinkConfig::clone(link),
        }
    }
}

/// The scenarios of the weak-network sheet that one audio stream can show.
pub fn presets() -> Vec<Network> {
    let ids = ["S0", "S1", "S2", "S3", "S4", "S5", "S6", "S7a", "S7b", "S8", "S9", "S11", "S12"];
    let wanted = PRESETS.iter().filter(|preset| ids.contains(&preset.id));
    let network = |preset: &'static netem::Preset| Network {
        id: preset.id.to_owned(),
        about: preset.about.to_owned(),
        round_trip: preset.round_trip,
        source: Source::Preset(preset),
    };
    wanted.map(network).collect()
}

/// Networks that the presets are not: what is chosen on those has to hold here.
pub fn held_out() -> Vec<Network> {
    let fading = |enter, leave, loss_good, loss_bad| {
        Loss::Bursts(GilbertElliott { enter, leave, loss_good, loss_bad })
    };
    let bursts = |share, packets| Loss::Bursts(GilbertElliott::bursts(share, packets));
    let made = [
        ("X1", "20 % loss, 80 ms", 80, Loss::Random(0.2), 0),
        ("X2", "40 % loss, 120 ms", 120, Loss::Random(0.4), 0),
        ("X3", "60 % loss, 60 ms", 60, Loss::Random(0.6), 0),
        ("X4", "20 % loss in bursts of 3, 140 ms", 140, bursts(0.2, 3.0), 0),
        ("X5", "40 % loss in bursts of 8, 60 ms", 60, bursts(0.4, 8.0), 0),
        ("X6", "40 % loss, fading, 80 ms", 80, fading(0.02, 0.06, 0.25, 0.85), 0),
        ("X7", "20 % loss, 220 ms", 220, Loss::Random(0.2), 0),
        ("X8", "10 % loss in bursts of 3, jitter of 20 ms, 100 ms", 100, bursts(0.1, 3.0), 20),
    ];
    let network = |(id, about, round_trip_ms, loss, jitter_ms): (&str, &str, u64, Loss, u64)| {
        let round_trip = Duration::from_millis(round_trip_ms);
        let jitter = match jitter_ms {
            0 => Jitter::None,
            mean => Jitter::Exponential(Duration::from_millis(mean)),
        };
        let link = LinkConfig { delay: round_trip / 2, loss, jitter, ..LinkConfig::default() };
        let source = Source::Fixed(Box::new(link));
        Network { id: id.to_owned(), about: about.to_owned(), round_trip, source }
    };
    made.into_iter().map(network).collect()
}

/// Every recording in `folder`, or why there is none.
pub fn recorded(folder: &Path) -> Result<Vec<Network>> {
    if !folder.is_dir() {
        bail!("no folder {}", folder.display());
    }
    let mut networks = Vec::new();
    for (kind, read) in KINDS {
        let mut files: Vec<PathBuf> = match std::fs::read_dir(folder.join(kind)) {
            Ok(files) => files.map(|file| file.map(|f| f.path())).collect::<Result<_, _>>()?,
            Err(_) => continue,
        };
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            let Some(mut link) = read(&file, &text).with_context(|| file.display().to_string())? else {
                continue;
            };
            link.delay = TRACE_ROUND_TRIP / 2;
            link.shifted_by_seed = true;
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let ending = file
                .extension()
                .map(|e| e.to_string_lossy().into_owned())
                .filter(|e| e != "txt" && e != "csv");
            let name = ending.map_or(name.clone(), |ending| format!("{name}.{ending}"));
            networks.push(Network {
                id: format!("{kind}_{}", name.replace(['.', '-'], "_")),
                about: format!("{kind} trace {name}, 60 ms"),
                round_trip: TRACE_ROUND_TRIP,
                source: Source::Fixed(Box::new(link)),
            });
        }
    }
    if networks.is_empty() {
        bail!("no traces in {}: it wants the folders loss, capacity and arrival", folder.display());
    }
    Ok(networks)
}

type Read = fn(&Path, &str) -> Result<Option<LinkConfig>>;

const KINDS: [(&str, Read); 3] = [("loss", loss), ("arrival", arrival), ("capacity", capacity)];

fn loss(_: &Path, text: &str) -> Result<Option<LinkConfig>> {
    let trace = PacketTrace::from_loss_string(text)?;
    Ok(Some(LinkConfig { trace: Some(Arc::new(trace)), ..LinkConfig::default() }))
}

fn arrival(_: &Path, text: &str) -> Result<Option<LinkConfig>> {
    let trace = PacketTrace::from_arrivals(text, clock_hz(text))?;
    Ok(Some(LinkConfig { trace: Some(Arc::new(trace)), ..LinkConfig::default() }))
}

/// The clock with which the recording lasts as long by its timestamps as by its arrivals.
fn clock_hz(text: &str) -> u32 {
    let times: Vec<(f64, u32)> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(',');
            Some((fields.next()?.trim().parse().ok()?, fields.nth(1)?.trim().parse().ok()?))
        })
        .collect();
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return CLOCKS_HZ[0] };
    let hz = f64::from(last.1.wrapping_sub(first.1)) * 1000.0 / (last.0 - first.0).max(1.0);
    let off = |clock: &u32| (hz / f64::from(*clock)).ln().abs();
    CLOCKS_HZ.into_iter().min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(CLOCKS_HZ[0])
}

fn capacity(path: &Path, text: &str) -> Result<Option<LinkConfig>> {
    let capacity = match path.extension().and_then(|e| e.to_str()) {
        Some("up" | "down") => Capacity::Opportunities(Arc::new(Opportunities::from_mahimahi(text)?)),
        Some("txt") => Capacity::Segments(Arc::new(Segments::from_seconds_mbps(text)?)),
        _ => return Ok(None),
    };
    let queue = QueueLimit { bytes: Some(CAPACITY_QUEUE), wait: None };
    Ok(Some(LinkConfig { capacity, queue, loss: Loss::Random(CAPACITY_LOSS), ..LinkConfig::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_scenarios_with_audio_of_their_own() {
        let ids: Vec<String> = presets().into_iter().map(|network| network.id).collect();
        assert_eq!(ids.len(), 13, "{ids:?}");
        assert!(!ids.contains(&"S13".to_owned()));
    }

    #[test]
    fn a_recording_tells_its_clock() {
        let lines = |step: u32| (0..100).map(move |n| format!("{},{n},{},0,100\n", n * 20 + n % 3, n * step));
        let clock =
            |step| clock_hz(&format!("arrival_ms,seq,rtp_timestamp\n{}", lines(step).collect::<String>()));
        assert_eq!((clock(160), clock(320), clock(960)), (8_000, 16_000, 48_000));
    }

    #[test]
    fn a_missing_folder_is_said() {
        let error = recorded(Path::new("/nowhere")).err().expect("an error").to_string();
        assert!(error.contains("/nowhere"), "{error}");
    }
}
