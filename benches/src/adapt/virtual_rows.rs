//! The rows in virtual time: the scenario library of the tests, with more seeds.

use super::Options;
use crate::report::Report;
use std::time::Instant;
use tests::adapt::{Limit, Outcome, ROWS, Row, Traces};

/// How many rows were run and held, and one figure for each row and each of its figures.
pub fn run(options: &Options, report: &mut Report) -> (usize, usize) {
    let wanted = |row: &&Row| options.scenario.as_ref().is_none_or(|name| row.name.contains(name.as_str()));
    let folder = options.traces.clone().unwrap_or_else(Traces::folder);
    let traces = Traces::read(&folder);
    if let Err(why) = &traces {
        eprintln!("adapt: {why}");
    }
    let (mut passed, mut total) = (0, 0);
    for row in ROWS.iter().filter(wanted) {
        total += 1;
        let none = Traces::default();
        let traces = match &traces {
            Ok(traces) => traces,
            Err(why) if row.needs_traces => {
                report.absent(format!("{}_passed", row.name), why.clone());
                continue;
            }
            Err(_) => &none,
        };
        let seeds: Vec<u64> =
            (1..=if row.long { options.seeds.div_ceil(3) } else { options.seeds }).collect();
        let (began, mut runs, mut held) = (Instant::now(), 0, 0);
        let worst = row.run_all(&seeds, traces, |_, outcome| {
            runs += 1;
            held += u32::from(outcome.is_met());
        });
        let verdict = if worst.is_met() { "ok" } else { "MISSED" };
        eprintln!(
            "adapt: {verdict:6} {} ({held} of {runs} seeds, {:.1} s)",
            row.name,
            began.elapsed().as_secs_f64()
        );
        passed += usize::from(worst.is_met());
        tell(report, row, &worst, held, runs);
    }
    (passed, total)
}

fn tell(report: &mut Report, row: &Row, worst: &Outcome, held: u32, runs: u32) {
    report.heading(format!("{}: {}", row.name, row.about));
    let meaning = format!("{held} of {runs} seeds hold every limit");
    report.figure(format!("{}_passed", row.name), f64::from(u8::from(worst.is_met())), meaning);
    for figure in &worst.figures {
        let meaning = match figure.limit {
            Limit::AtMost(most) => format!("worst seed; at most {most}"),
            Limit::AtLeast(least) => format!("worst seed; at least {least}"),
            Limit::Told => "largest of the seeds".to_owned(),
        };
        let missed = if figure.is_met() { "" } else { "  MISSED" };
        report.figure(format!("{}_{}", row.name, figure.name), figure.value, meaning + missed);
    }
}
