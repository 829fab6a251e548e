//! The bad networks of the lab: the numbered scenarios, networks with a name, and traces that a tester brings.

use anyhow::{Context, Result, bail, ensure};
use netem::trace::{Format, Recorded};
use netem::{Capacity, Direction, Jitter, LinkConfig, Loss, NAMED, Named, PRESETS, Preset, QueueLimit};
use std::path::Path;
use std::time::Duration;

/// One impaired leg, there and back.
#[derive(Clone, Debug)]
pub struct Network {
    pub id: String,
    pub about: String,
    /// Without queueing and jitter.
    pub round_trip: Duration,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Preset(&'static Preset),
    Named(&'static Named),
    Recorded(Box<(LinkConfig, LinkConfig)>),
}

/// In front of a recorded capacity: 100 full packets, as before a cellular link.
const TRACE_QUEUE_BYTES: usize = 100 * 1500;

impl Network {
    /// Everything that is built in, in the order of the table.
    pub fn built_in() -> Vec<Self> {
        let presets = PRESETS.iter().map(|preset| Self {
            id: preset.id.to_owned(),
            about: preset.about.to_owned(),
            round_trip: preset.round_trip,
            source: Source::Preset(preset),
        });
        let named = NAMED.iter().map(|named| Self {
            id: named.id.to_owned(),
            about: named.about.to_owned(),
            round_trip: named.round_trip,
            source: Source::Named(named),
        });
        presets.chain(named).collect()
    }

    /// `all`, or ids in either case. An error names what there is.
    pub fn chosen(ids: &[String]) -> Result<Vec<Self>> {
        let built_in = Self::built_in();
        if ids.iter().any(|id| id.eq_ignore_ascii_case("all")) {
            return Ok(built_in);
        }
        let find = |id: &String| {
            let found = built_in.iter().find(|network| network.id.eq_ignore_ascii_case(id));
            found.cloned().with_context(|| {
                let ids: Vec<&str> = built_in.iter().map(|network| network.id.as_str()).collect();
                format!(
                    "there is no scenario `{id}`; there are {}, and `all` (sampan-lab list)",
                    ids.join(", ")
                )
            })
        };
        ids.iter().map(find).collect()
    }

    /// Traces as one network: the last that is given for a direction counts, and may be one of capacity and one of packets.
    pub fn recorded(traces: &[Trace], round_trip: Duration) -> Result<Self> {
        ensure!(!traces.is_empty(), "no trace was given");
        let base = LinkConfig { delay: round_trip / 2, shifted_by_seed: true, ..LinkConfig::default() };
        let (mut up, mut down) = (base.clone(), base);
        let mut about = Vec::new();
        for trace in traces {
            for (direction, link) in [(Direction::Up, &mut up), (Direction::Down, &mut down)] {
                if trace.direction.is_none_or(|wanted| wanted == direction) {
                    trace.put_on(link);
                }
            }
            about.push(format!("{} ({})", trace.name, trace.format));
        }
        let id = if let [trace] = traces { trace.id() } else { "traces".to_owned() };
        let about = format!("{}, {} ms", about.join(", "), round_trip.as_millis());
        Ok(Self { id, about, round_trip, source: Source::Recorded(Box::new((up, down))) })
    }

    /// Up and down. The seed shapes what is made up and shifts what is recorded; losses come from the seed of the link.
    pub fn links(&self, seed: u64) -> (LinkConfig, LinkConfig) {
        match &self.source {
            Source::Preset(preset) => (preset.link(seed), preset.link(seed ^ 1)),
            Source::Named(named) => (named.link(seed, Direction::Up), named.link(seed, Direction::Down)),
            Source::Recorded(links) => LinkPair::clone(links),
        }
    }

    /// Only sound is worth sending.
    pub fn is_audio_only(&self) -> bool {
        self.id == "S5"
    }

    /// In numbers: what one direction does.
    pub fn numbers(link: &LinkConfig) -> String {
        let mut parts = vec![format!("{} ms one way", link.delay.as_millis())];
        match link.jitter {
            Jitter::None => {}
            Jitter::Uniform(most) => parts.push(format!("jitter up to {} ms", most.as_millis())),
            Jitter::Exponential(mean) => parts.push(format!("jitter {} ms on average", mean.as_millis())),
        }
        match &link.loss {
            Loss::None => {}
            Loss::Random(share) => parts.push(format!("loss {} %", percent(*share))),
            Loss::Bursts(chain) if chain.loss_good > 0.0 => {
                let (good, bad) = (percent(chain.loss_good), percent(chain.loss_bad));
                let lasts = 1.0 / chain.leave;
                let share = percent(chain.share());
                parts.push(format!("loss {share} %: {good} %, and {bad} % in fades of {lasts:.0} packets"));
            }
            Loss::Bursts(chain) => {
                parts.push(format!(
                    "loss {} % in bursts of {:.1}",
                    percent(chain.share()),
                    1.0 / chain.leave
                ));
            }
        }
        match &link.capacity {
            Capacity::Unlimited => {}
            Capacity::Constant(rate) => parts.push(format!("{} kb/s", rate.0 / 1000)),
            Capacity::Policed { rate, .. } => parts.push(format!("policed to {} kb/s", rate.0 / 1000)),
            Capacity::Segments(segments) => {
                let mut rates: Vec<u64> = segments.as_slice().iter().map(|s| s.rate.0 / 1000).collect();
                rates.sort_unstable();
                let at = |share: usize| rates[(rates.len() - 1) * share / 100];
                parts.push(format!("{} kb/s in the middle ({} to {})", at(50), at(5), at(95)));
            }
            Capacity::Opportunities(trace) => {
                parts.push(format!("recorded capacity, {} s", trace.period().as_secs()));
            }
        }
        if let Some(trace) = &link.trace {
            let packets = trace.packets();
            let lost = packets.iter().filter(|packet| packet.lost).count() as f64 / packets.len() as f64;
            parts.push(format!("{} recorded packets, {} % lost", packets.len(), percent(lost)));
        }
        match link.queue {
            QueueLimit { wait: Some(wait), .. } => parts.push(format!("queue {} ms", wait.as_millis())),
            QueueLimit { bytes: Some(bytes), .. } => parts.push(format!("queue {} kB", bytes / 1000)),
            QueueLimit { .. } => {}
        }
        if let Some(first) = link.outages.first() {
            let seconds: f64 = link.outages.iter().map(|outage| outage.lasts.as_secs_f64()).sum();
            let (count, mean) = (link.outages.len(), seconds / link.outages.len() as f64);
            let begins = first.begins.as_secs_f64();
            parts.push(format!("{count} outages of {mean:.1} s on average, the first at {begins:.0} s"));
        }
        parts.join(", ")
    }
}

type LinkPair = (LinkConfig, LinkConfig);

/// Per cent, without decimals that say nothing.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 10.0 || percent.fract() < 0.05 { format!("{percent:.0}") } else { format!("{percent:.1}") }
}

/// A file, and which direction it is for.
#[derive(Clone, Debug)]
pub struct Trace {
    pub name: String,
    pub format: Format,
    direction: Option<Direction>,
    recorded: Recorded,
}

impl Trace {
    /// `[up=|down=][FORMAT:]FILE`.
    pub fn read(text: &str) -> Result<Self> {
        let (direction, rest) = match text.split_once('=') {
            Some(("up", rest)) => (Some(Direction::Up), rest),
            Some(("down", rest)) => (Some(Direction::Down), rest),
            _ => (None, text),
        };
        let (format, path) = match rest.split_once(':') {
            Some((name, path)) if Format::by_name(name).is_some() => (Format::by_name(name), path),
            _ => (None, rest),
        };
        let path = Path::new(path);
        let bytes = std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let (format, recorded) = Recorded::read(&bytes, format).map_err(|error| {
            let formats: Vec<String> =
                Format::ALL.iter().map(|f| format!("  {:<9} {}", f.name(), f.about())).collect();
            let read_as = format.map_or(String::new(), |format| format!(" (read as {format})"));
            anyhow::anyhow!(
                "{}{read_as}: {error}\nFormats, for `--trace FORMAT:FILE` where it is not found out:\n{}",
                path.display(),
                formats.join("\n")
            )
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.is_empty() {
            bail!("{text}: no file is named");
        }
        Ok(Self { name, format, direction, recorded })
    }

    fn put_on(&self, link: &mut LinkConfig) {
        match &self.recorded {
            Recorded::Capacity(capacity) => {
                link.capacity = capacity.clone();
                link.queue = QueueLimit { bytes: Some(TRACE_QUEUE_BYTES), wait: None };
            }
            Recorded::Packets(packets) => link.trace = Some(packets.clone()),
        }
    }

    /// Its name as part of a figure's.
    fn id(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        self.name.trim_end_matches(".txt").trim_end_matches(".csv").chars().map(plain).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, content: &[u8]) -> String {
        let path = std::env::temp_dir().join(format!("sampan-lab-{}-{name}", std::process::id()));
        std::fs::write(&path, content).expect("written");
        path.display().to_string()
    }

    #[test]
    fn every_scenario_of_the_sheet_and_every_named_network_is_there() {
        let ids: Vec<String> = Network::built_in().into_iter().map(|network| network.id).collect();
        let wanted =
            ["S0", "S1", "S2", "S3", "S4", "S5", "S6", "S7a", "S7b", "S8", "S9", "S10", "S11", "S12", "S13"];
        let named = ["office-wifi", "train", "india-3g", "hotel", "satellite", "300-cuts-a-day"];
        assert!(wanted.iter().chain(&named).all(|id| ids.iter().any(|known| known == id)), "{ids:?}");
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let error = Network::chosen(&["S99".to_owned()]).expect_err("unknown").to_string();
        assert!(error.contains("no scenario `S99`") && error.contains("satellite"), "{error}");
        assert_eq!(Network::chosen(&["s7A".to_owned()]).expect("known")[0].id, "S7a");
    }

    #[test]
    fn traces_are_put_on_their_direction() {
        let rates = file("rates.txt", b"0 1\n1 2\n2 0\n");
        let losses = file("loss.txt", b"0010001\n");
        let traces = [format!("up={rates}"), losses].map(|text| Trace::read(&text).expect("valid"));
        let network = Network::recorded(&traces, Duration::from_millis(60)).expect("one network");
        let (up, down) = network.links(1);
        assert!(matches!(up.capacity, Capacity::Segments(_)) && up.trace.is_some());
        assert!(down.capacity == Capacity::Unlimited && down.trace.is_some());
        assert_eq!(up.delay, Duration::from_millis(30));
    }

    #[test]
    fn a_broken_trace_is_told_with_file_line_and_reason() {
        let broken = file("broken.up", b"1\n2\nx\n");
        let error = format!("{:#}", Trace::read(&broken).expect_err("broken"));
        assert!(error.contains("broken.up: line 3: `x` is not a whole number"), "{error}");
        let forced = format!("{:#}", Trace::read(&format!("loss:{broken}")).expect_err("broken"));
        assert!(forced.contains("(read as loss): line 2: `2` is neither 0 nor 1"), "{forced}");
        let missing = format!("{:#}", Trace::read("/nowhere/x").expect_err("missing"));
        assert!(missing.contains("/nowhere/x: cannot be read"), "{missing}");
    }
}
