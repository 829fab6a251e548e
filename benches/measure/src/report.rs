//! What a bench found: figures under the names of the design's section 9, as a table and as JSON.

use serde_json::{Map, Number, Value};
use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

/// The result of one bench. Make it when the bench starts: it counts the seconds.
pub struct Report {
    bench: &'static str,
    start: Instant,
    rows: Vec<Row>,
    absent: Vec<(String, String)>,
    notes: Vec<String>,
}

/// A measured value, or the heading of those that follow.
enum Row {
    Heading(String),
    Figure(Figure),
}

struct Figure {
    name: String,
    value: f64,
    meaning: String,
}

impl Report {
    pub fn new(bench: &'static str) -> Self {
        Self::since(bench, Instant::now())
    }

    /// Of a bench that began then.
    pub fn since(bench: &'static str, start: Instant) -> Self {
        Self { bench, start, rows: Vec::new(), absent: Vec::new(), notes: Vec::new() }
    }

    /// `name` ends with its unit. A value that is not a number is listed as absent.
    pub fn figure(&mut self, name: impl Into<String>, value: f64, meaning: impl Into<String>) {
        let name = name.into();
        if value.is_finite() {
            self.rows.push(Row::Figure(Figure { name, value, meaning: meaning.into() }));
        } else {
            self.absent(name, "nothing was counted to compute it from");
        }
    }

    /// The figures that follow belong together; for the table only.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.rows.push(Row::Heading(text.into()));
    }

    fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.rows.iter().filter_map(|row| match row {
            Row::Figure(figure) => Some(figure),
            Row::Heading(_) => None,
        })
    }

    /// What a figure is; `None` if it was not measured.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.figures().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// A figure that could not be measured, and why.
    pub fn absent(&mut self, name: impl Into<String>, why: impl Into<String>) {
        self.absent.push((name.into(), why.into()));
    }

    /// A sentence below the table.
    pub fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// `{"bench", "commit", "machine", "seconds", "figures": {"name_with_unit": number}}`, and what is absent with its
    /// reason.
    pub fn json(&self) -> String {
        let figures: Map<String, Value> = self.figures().map(|f| (f.name.clone(), number(f.value))).collect();
        let absent: Map<String, Value> =
            self.absent.iter().map(|(name, why)| (name.clone(), why.clone().into())).collect();
        let mut object = serde_json::json!({
            "bench": self.bench,
            "commit": commit(),
            "machine": machine(),
            "seconds": number(self.start.elapsed().as_secs_f64()),
            "figures": figures,
        });
        if !absent.is_empty() {
            object["absent"] = absent.into();
        }
        if !self.notes.is_empty() {
            object["notes"] = self.notes.clone().into();
        }
        object.to_string()
    }

    pub fn table(&self) -> String {
        let names = self.figures().map(|f| &f.name).chain(self.absent.iter().map(|(name, _)| name));
        let width = names.map(String::len).max().unwrap_or(0);
        let mut text = format!("{} at {} on {}\n\n", self.bench, commit(), machine());
        for row in &self.rows {
            let _ = match row {
                Row::Heading(heading) => writeln!(text, "{heading}"),
                Row::Figure(Figure { name, value, meaning }) => {
                    writeln!(text, "  {name:width$}  {:>12}  {meaning}", readable(*value))
                }
            };
        }
        for (name, why) in &self.absent {
            let _ = writeln!(text, "  {name:width$}  {:>12}  not measured: {why}", "-");
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

/// The value below which `share` (0 to 1) of the samples lie; NaN without samples. Sorts them.
pub fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    let rank = (share * samples.len() as f64).ceil() as usize;
    samples.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Five significant digits are more than any of these measurements has.
fn number(value: f64) -> Value {
    let rounded = format!("{value:.4e}").parse().unwrap_or(value);
    Number::from_f64(rounded).map_or(Value::Null, Value::Number)
}

fn readable(value: f64) -> String {
    match value.abs() {
        v if v >= 10_000.0 => format!("{value:.0}"),
        v if v >= 100.0 => format!("{value:.1}"),
        v if v >= 1.0 || v == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The commit that is checked out, marked if files differ from it.
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let directory = env!("CARGO_MANIFEST_DIR");
        let output = Command::new("git").arg("-C").arg(directory).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(hash) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|s| !s.is_empty());
    if changed { hash + "+changes" } else { hash }
}

/// Processor, cores and kernel.
pub fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_every_figure_and_says_why_one_is_absent() {
        let mut report = Report::new("example");
        report.figure("delay_p50_ms", 1.234_567, "");
        report.figure("ratio", f64::NAN, "");
        report.absent("page_p50_ms", "no browser");
        let json: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["bench"], "example");
        assert_eq!(json["figures"]["delay_p50_ms"], 1.2346);
        assert_eq!(json["figures"].as_object().unwrap().len(), 1);
        assert_eq!(json["absent"]["page_p50_ms"], "no browser");
        assert!(json["absent"]["ratio"].is_string());
        assert!(report.table().contains("not measured: no browser"));
    }

    #[test]
    fn percentiles_are_of_the_samples_themselves() {
        let mut samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut samples, 0.5), 50.0);
        assert_eq!(percentile(&mut samples, 0.99), 99.0);
        assert_eq!(percentile(&mut samples, 1.0), 100.0);
        assert!(percentile(&mut [], 0.5).is_nan());
    }
}
