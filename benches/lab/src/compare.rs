//! Two runs beside each other.

use crate::figures;
use crate::outcome::Run;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Figures that both or either of the runs have, with their values.
pub struct Comparison {
    rows: Vec<(String, Option<f64>, Option<f64>)>,
}

impl Comparison {
    pub fn of(first: &Run, second: &Run) -> Self {
        let (mut a, mut b) = (figures::values(first), figures::values(second));
        let order: Vec<String> = [first, second]
            .into_iter()
            .flat_map(|run| figures::groups(run).into_iter().flat_map(|group| group.figures))
            .map(|figure| figure.name)
            .collect();
        let mut rows = Vec::new();
        for name in order {
            let (a, b) = (a.remove(&name), b.remove(&name));
            if a.is_some() || b.is_some() {
                rows.push((name, a, b));
            }
        }
        Self { rows }
    }

    pub fn table(&self) -> String {
        let width = self.rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
        let mut text = format!("{:width$}  {:>12}  {:>12}  {:>12}  {:>8}\n", "", "A", "B", "change", "");
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        for (name, a, b) in &self.rows {
            let change = a.zip(*b).map(|(a, b)| b - a);
            let share = a.zip(*b).filter(|(a, _)| *a != 0.0).map(|(a, b)| 100.0 * (b - a) / a);
            let share = share.map_or(String::new(), |share| format!("{share:+.0} %"));
            let change = change.map_or("-".to_owned(), |change| format!("{change:+.2}"));
            let _ = writeln!(
                text,
                "{name:width$}  {:>12}  {:>12}  {change:>12}  {share:>8}",
                number(*a),
                number(*b)
            );
        }
        text
    }

    pub fn json(&self) -> String {
        let rows: BTreeMap<&str, serde_json::Value> =
            self.rows.iter().map(|(name, a, b)| (name.as_str(), json!({ "a": a, "b": b }))).collect();
        json!({ "bench": "lab", "compare": rows }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Client, Joins};

    fn run(scenario: &str, ms: f64) -> Run {
        let stages_ms = BTreeMap::from([("first_audio".to_owned(), vec![ms])]);
        let joins = Joins {
            scenario: scenario.to_owned(),
            client: Client::Native,
            count: 1,
            failed: 0,
            patience_s: 20.0,
            stages_ms,
        };
        Run { joins: vec![joins], ..Run::default() }
    }

    #[test]
    fn what_only_one_of_them_has_is_shown_too() {
        let table = Comparison::of(&run("S1", 200.0), &run("S1", 150.0)).table();
        let row = table.lines().find(|line| line.starts_with("S1_native_first_audio_p50_ms")).expect("a row");
        assert!(row.contains("200.00") && row.contains("150.00") && row.contains("-25 %"), "{row}");
        let table = Comparison::of(&run("S1", 200.0), &run("S2", 150.0)).table();
        assert!(
            table.contains("S1_native_first_audio_p50_ms") && table.contains("S2_native_first_audio_p50_ms")
        );
    }
}
