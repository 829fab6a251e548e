//! The table at the end: what ran, what it found, how long it took.

use crate::checks::Check;
use crate::run::Counted;
use anyhow::Result;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

pub struct Row {
    name: &'static str,
    outcome: Result<Counted>,
    took: Duration,
}

impl Row {
    pub fn of(check: Check, root: &Path) -> Self {
        let started = Instant::now();
        let outcome = check.run(root);
        if let Err(error) = &outcome {
            eprintln!("xtask: {}: {error:#}", check.name());
        }
        Self { name: check.name(), outcome, took: started.elapsed() }
    }

    pub fn passed(&self) -> bool {
        self.outcome.is_ok()
    }
}

/// Ends with one line that says it all: `xtask: ok, ...` or `xtask: FAILED: ...`.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("\n{:<9} {:<7} {:>8}   {}\n", "check", "result", "time", "found");
    for row in rows {
        let result = if row.passed() { "ok" } else { "FAILED" };
        let _ = writeln!(
            text,
            "{:<9} {:<7} {:>8}   {}",
            row.name,
            result,
            minutes(row.took),
            found(&row.outcome)
        );
    }
    let took = minutes(rows.iter().map(|row| row.took).sum());
    let failed: Vec<&str> = rows.iter().filter(|row| !row.passed()).map(|row| row.name).collect();
    if failed.is_empty() {
        let tests: u32 = rows.iter().filter_map(|row| row.outcome.as_ref().ok()).map(|c| c.passed).sum();
        let _ = writeln!(text, "xtask: ok, {} checks and {tests} tests passed in {took}", rows.len());
    } else {
        let _ = writeln!(text, "xtask: FAILED: {} (of {} checks, {took})", failed.join(", "), rows.len());
    }
    text
}

fn found(outcome: &Result<Counted>) -> String {
    match outcome {
        Ok(counted) if *counted == Counted::default() => String::new(),
        Ok(counted) if counted.skipped == 0 => format!("{} tests passed", counted.passed),
        Ok(counted) => format!("{} tests passed, {} not run", counted.passed, counted.skipped),
        Err(error) => format!("{error:#}"),
    }
}

fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds >= 60 {
        format!("{}m {:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{:.1}s", duration.as_secs_f32())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, outcome: Result<Counted>, seconds: u64) -> Row {
        Row { name, outcome, took: Duration::from_secs(seconds) }
    }

    #[test]
    fn last_line_counts_what_passed() {
        let counted = Counted { passed: 40, failed: 0, skipped: 0 };
        let text = table(&[row("fmt", Ok(Counted::default()), 2), row("rust", Ok(counted), 130)]);
        assert_eq!(text.lines().last(), Some("xtask: ok, 2 checks and 40 tests passed in 2m 12s"));
    }

    #[test]
    fn last_line_names_what_failed() {
        let failure = Err(anyhow::anyhow!("`cargo fmt` ended with exit status: 1"));
        let text = table(&[row("fmt", failure, 2), row("rust", Ok(Counted::default()), 3)]);
        assert_eq!(text.lines().last(), Some("xtask: FAILED: fmt (of 2 checks, 5.0s)"));
        assert!(text.contains("ended with exit status: 1"));
    }
}
