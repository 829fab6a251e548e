//! Recorded networks. They are not part of the project: a folder holds them, and without it these rows cannot run.

use super::call::{Call, secs, wide};
use super::{Context, Outcome, Row};
use netem::trace::PacketTrace;
use netem::{Bitrate, Capacity, LinkConfig, Opportunities, QueueLimit, Segments};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was found in a folder of traces, by file name.
#[derive(Debug, Default)]
pub struct Traces {
    capacities: BTreeMap<String, Capacity>,
    losses: BTreeMap<String, Arc<PacketTrace>>,
    arrivals: BTreeMap<String, Arc<PacketTrace>>,
}

impl Traces {
    /// Where traces are unless somebody says otherwise: beside the project.
    pub fn folder() -> PathBuf {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces");
        std::env::var_os("SAMPAN_TRACES").map_or(beside, PathBuf::from)
    }

    /// Folders `capacity` (mahimahi `.up` and `.down`, `seconds Mbit/s` in `.txt`), `loss` (`0` and `1` in `.txt`) and
    /// `arrival` (`.csv`). Err says what is missing or broken, for people.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let mut traces = Self::default();
        for (name, text) in files(&folder.join("capacity"))? {
            let capacity = if name.ends_with(".up") || name.ends_with(".down") {
                Opportunities::from_mahimahi(&text).map(|trace| Capacity::Opportunities(Arc::new(trace)))
            } else {
                Segments::from_seconds_mbps(&text).map(|trace| Capacity::Segments(Arc::new(trace)))
            };
            traces.capacities.insert(name.clone(), capacity.map_err(|error| format!("{name}: {error}"))?);
        }
        for (name, text) in files(&folder.join("loss"))? {
            let trace = PacketTrace::from_loss_string(&text).map_err(|error| format!("{name}: {error}"))?;
            traces.losses.insert(name, Arc::new(trace));
        }
        for (name, text) in files(&folder.join("arrival"))? {
            let trace = PacketTrace::from_arrivals(&text, clock_of(&text))
                .map_err(|error| format!("{name}: {error}"))?;
            traces.arrivals.insert(name, Arc::new(trace));
        }
        Ok(traces)
    }

    pub fn count(&self) -> usize {
        self.capacities.len() + self.losses.len() + self.arrivals.len()
    }
}

/// The usual RTP clock that is nearest to how fast its timestamps went by: no file says which it is.
fn clock_of(arrivals: &str) -> u32 {
    const CLOCKS: [u32; 5] = [8_000, 16_000, 32_000, 48_000, 90_000];
    let row = |line: &str| -> Option<(f64, u32)> {
        let mut columns = line.split(',');
        Some((columns.next()?.trim().parse().ok()?, columns.nth(1)?.trim().parse().ok()?))
    };
    let mut rows = arrivals.lines().filter_map(row);
    let Some((first, last)) = rows.next().and_then(|first| Some((first, rows.next_back()?))) else {
        return 48_000;
    };
    let per_second = f64::from(last.1.wrapping_sub(first.1)) * 1000.0 / (last.0 - first.0).max(1.0);
    let distance = |clock: u32| (f64::from(clock) / per_second.max(1.0)).ln().abs();
    CLOCKS.into_iter().min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap_or(48_000)
}

fn files(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let missing = |error| {
        format!(
            "no traces: {} cannot be read ({error}). Name their folder in SAMPAN_TRACES or with --traces; it has \
             the folders capacity, loss and arrival",
            folder.display()
        )
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(missing)? {
        let path = entry.map_err(missing)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() {
            found.push((name, std::fs::read_to_string(&path).map_err(missing)?));
        }
    }
    if found.is_empty() {
        return Err(format!("no traces: {} is empty", folder.display()));
    }
    found.sort();
    Ok(found)
}

pub const CAPACITY: Row = Row {
    name: "capacity_traces",
    about: "recorded mobile links, from a place that the seed chooses: 65 % used at a p95 of 200 ms of queue",
    run: capacity,
    long: true,
    needs_traces: true,
};

fn capacity(context: &Context) -> Outcome {
    const SECONDS: f64 = 60.0;
    let mut outcome = Outcome::default();
    for (name, capacity) in &context.traces.capacities {
        let mut call = Call::new(context.seed, 3);
        let one_way = call.between(20.0, 40.0);
        let link = LinkConfig {
            capacity: capacity.clone(),
            queue: QueueLimit { bytes: Some(150_000), wait: None },
            shifted_by_seed: true,
            ..wide(one_way)
        };
        let came = call.now();
        let viewer = call.viewer("viewer", (wide(one_way), link));
        call.run(SECONDS);
        let (from, end) = (came + secs(5.0), call.now());
        let meter = call.down(viewer);
        let could = call.world.leg(viewer).down.could_pass(from, end, MOST) as f64;
        let could = could * 8.0 / 1000.0 / (SECONDS - 5.0);
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        outcome.at_least(format!("{name}_utilisation"), meter.passed_kbps(from, end) / could, 0.65);
        outcome.at_most(format!("{name}_queue_p95_ms"), meter.waited_ms(from, end, 0.95), 200.0);
        outcome.told(format!("{name}_could_kbps"), could);
        outcome.told(format!("{name}_frozen_pct"), 100.0 * call.picture(viewer, from, end).frozen);
        outcome.told(format!("{name}_sound_pct"), 100.0 * call.sound(viewer, from, end - secs(1.0)));
    }
    outcome
}

/// Three cameras' top layers and sound: what lies above it could not be used.
const MOST: Bitrate = Bitrate::kbps(4200);

pub const LOSS: Row = Row {
    name: "loss_traces",
    about: "modelled loss with real bursts up to 30 %, no limit: the highest layer is kept",
    run: loss,
    long: true,
    needs_traces: true,
};

fn loss(context: &Context) -> Outcome {
    let mut outcome = Outcome::default();
    for (name, trace) in &context.traces.losses {
        let lost = trace.packets().iter().filter(|packet| packet.lost).count();
        let share = lost as f64 / trace.packets().len() as f64;
        let mut call = Call::new(context.seed, 1);
        let one_way = call.between(20.0, 50.0);
        let link = LinkConfig { trace: Some(trace.clone()), shifted_by_seed: true, ..wide(one_way) };
        let viewer = call.viewer("viewer", (wide(one_way), link));
        call.run(35.0);
        let (from, end) = (call.now() - secs(25.0), call.now());
        let picture = call.picture(viewer, from, end);
        let name = name.trim_end_matches(".txt").replace('.', "_");
        // Above 40 % the ladder may choose a lower layer for the sake of repair.
        if share < 0.35 {
            outcome.at_least(format!("{name}_top_layer_pct"), 100.0 * picture.layers[2], 95.0);
        } else {
            outcome.told(format!("{name}_top_layer_pct"), 100.0 * picture.layers[2]);
        }
        outcome.told(format!("{name}_frozen_pct"), 100.0 * picture.frozen);
        outcome.told(format!("{name}_fps"), picture.fps);
    }
    outcome
}

pub const ARRIVAL: Row = Row {
    name: "arrival_traces",
    about: "recorded arrival times without congestion: no switch down",
    run: arrival,
    long: true,
    needs_traces: true,
};

fn arrival(context: &Context) -> Outcome {
    let mut outcome = Outcome::default();
    for (name, trace) in &context.traces.arrivals {
        let mut call = Call::new(context.seed, 1);
        let link =
            LinkConfig { trace: Some(trace.clone()), shifted_by_seed: true, keeps_order: true, ..wide(20.0) };
        let viewer = call.viewer("viewer", (wide(20.0), link));
        call.run(35.0);
        let (from, end) = (call.now() - secs(25.0), call.now());
        let picture = call.picture(viewer, from, end);
        let name = name.trim_end_matches(".csv").replace('.', "_");
        outcome.at_most(format!("{name}_downs"), picture.downs as f64, 0.0);
        outcome.at_least(format!("{name}_top_layer_pct"), 100.0 * picture.layers[2], 99.0);
    }
    outcome
}
