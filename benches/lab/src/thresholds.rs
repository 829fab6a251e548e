//! A file of limits on figures, so that a run can gate somebody's CI.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// What this project aims at; `--thresholds targets`.
const TARGETS: &str = include_str!("../targets.txt");

#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    pub figure: String,
    pub limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// One threshold and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub threshold: Threshold,
    /// None: there is no such figure in the run.
    pub value: Option<f64>,
    pub held: bool,
}

/// From a file, or the built-in `targets`.
pub fn load(name: &str) -> Result<Vec<Threshold>> {
    if name == "targets" {
        return parse(TARGETS).context("the built-in targets");
    }
    let path = Path::new(name);
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{name}: cannot be read (or write `targets` for the built-in ones)"))?;
    parse(&text).with_context(|| path.display().to_string())
}

/// `FIGURE <= NUMBER` or `FIGURE >= NUMBER` a line; `#` begins a comment.
pub fn parse(text: &str) -> Result<Vec<Threshold>> {
    let mut thresholds = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        let fields: Vec<&str> = content.split_whitespace().collect();
        let [figure, sign, limit] = fields[..] else {
            bail!("line {number}: wanted `FIGURE <= NUMBER` or `FIGURE >= NUMBER`, found `{content}`");
        };
        let value: f64 = limit
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
            .with_context(|| format!("line {number}: `{limit}` is not a number"))?;
        let limit = match sign {
            "<=" => Limit::AtMost(value),
            ">=" => Limit::AtLeast(value),
            _ => bail!("line {number}: `{sign}` is neither <= nor >="),
        };
        thresholds.push(Threshold { figure: figure.to_owned(), limit });
    }
    Ok(thresholds)
}

/// Every threshold against the figures of a run. Those of scenarios and clients that were not run (by the first part of the
/// name) are left out, but one that names a figure which should be there and is not counts as missed.
pub fn judge(thresholds: &[Threshold], figures: &BTreeMap<String, f64>, ran: &[String]) -> Vec<Verdict> {
    let was_run = |threshold: &&Threshold| {
        ran.iter().any(|prefix| {
            threshold.figure.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('_'))
        })
    };
    let verdict = |threshold: &Threshold| {
        let value = figures.get(&threshold.figure).copied();
        let held = value.is_some_and(|value| match threshold.limit {
            Limit::AtMost(most) => value <= most,
            Limit::AtLeast(least) => value >= least,
        });
        Verdict { threshold: threshold.clone(), value, held }
    };
    thresholds.iter().filter(was_run).map(verdict).collect()
}

impl Verdict {
    /// One line for people.
    pub fn line(&self) -> String {
        let (sign, limit) = match self.threshold.limit {
            Limit::AtMost(limit) => ("<=", limit),
            Limit::AtLeast(limit) => (">=", limit),
        };
        let value = self.value.map_or("not measured".to_owned(), |value| format!("{value:.2}"));
        let word = if self.held { "held" } else { "MISSED" };
        format!("{word:6}  {:<40} {value:>12}   wanted {sign} {limit}", self.threshold.figure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_targets_can_be_read_and_name_known_scenarios() {
        let targets = load("targets").expect("valid");
        assert!(targets.len() > 60, "{}", targets.len());
        let networks = crate::network::Network::built_in();
        for target in targets {
            let known = networks.iter().any(|n| target.figure.starts_with(&format!("{}_", n.id)));
            assert!(known, "{} is of no scenario", target.figure);
        }
    }

    #[test]
    fn a_broken_line_is_told_with_its_number() {
        let table = [
            ("S0_x_ms <= 1\nS0_y_ms < 2", "line 2: `<` is neither"),
            ("S0_x_ms <= fast", "line 1: `fast` is not a number"),
            ("\n# no\nS0_x_ms 4", "line 3: wanted `FIGURE <= NUMBER`"),
        ];
        for (text, wanted) in table {
            let error = parse(text).expect_err(wanted).to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn missing_figures_are_missed_and_what_was_not_run_is_left_out() {
        let thresholds =
            parse("S0_native_a_ms <= 5\nS0_native_b_pct >= 5 # why\nS0_native_c <= 1\nS1_native_a_ms <= 1");
        let figures =
            BTreeMap::from([("S0_native_a_ms".to_owned(), 5.0), ("S0_native_b_pct".to_owned(), 4.0)]);
        let verdicts = judge(&thresholds.expect("valid"), &figures, &["S0_native".to_owned()]);
        let held: Vec<bool> = verdicts.iter().map(|verdict| verdict.held).collect();
        assert_eq!(held, [true, false, false]);
        assert!(verdicts[2].line().contains("not measured"));
    }
}
