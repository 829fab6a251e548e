//! What a run prints: a table for people, one object for programs, and the verdicts.

use crate::figures::{self, Group};
use crate::outcome::Run;
use crate::thresholds::Verdict;
use measure::report::Report;
use std::fmt::Write as _;
use std::time::Instant;

/// Heading, the figures of a cell, and decimals.
const COLUMNS: &[(&str, &[&str], usize)] = &[
    ("connect ms", &["connect_p50_ms", "connect_p95_ms"], 0),
    ("1st sound ms", &["first_audio_p50_ms", "first_audio_p95_ms"], 0),
    ("1st picture ms", &["first_frame_p50_ms", "first_frame_p95_ms"], 0),
    ("made up/DRED %", &["concealed_pct", "dred_pct"], 2),
    ("buffer ms", &["buffer_p50_ms", "buffer_p95_ms"], 0),
    ("m2e ms", &["m2e_p50_ms", "m2e_p95_ms"], 0),
    ("PLCMOS", &["plcmos"], 2),
    ("PESQ", &["pesq"], 2),
    ("ESTOI", &["estoi"], 2),
    ("shown %", &["shown_pct"], 1),
    ("frozen %", &["frozen_pct"], 1),
    ("g2g ms", &["g2g_p50_ms", "g2g_p95_ms"], 0),
    ("video kb/s", &["video_kbps"], 0),
    ("audio kb/s", &["wire_kbps"], 0),
];

/// Pairs are p50 / p95, or as the heading says.
pub fn table(run: &Run) -> String {
    let groups = figures::groups(run);
    let cell = |group: &Group, names: &[&str], decimals: usize| {
        let value = |name: &&str| {
            let name = format!("{}_{}_{name}", group.scenario, group.client.name());
            let figure = group.figures.iter().find(|figure| figure.name == name);
            figure.map_or("-".to_owned(), |figure| format!("{:.decimals$}", figure.value))
        };
        let values: Vec<String> = names.iter().map(value).collect();
        if values.iter().all(|value| value == "-") { "-".to_owned() } else { values.join(" / ") }
    };
    let mut rows =
        vec![[&["scenario", "client"][..], &COLUMNS.iter().map(|c| c.0).collect::<Vec<_>>()].concat()]
            .into_iter()
            .map(|row| row.into_iter().map(str::to_owned).collect::<Vec<String>>())
            .collect::<Vec<_>>();
    for group in &groups {
        let mut row = vec![group.scenario.clone(), group.client.name().to_owned()];
        row.extend(COLUMNS.iter().map(|(_, names, decimals)| cell(group, names, *decimals)));
        rows.push(row);
    }
    // A column in which nothing stands says nothing.
    let kept: Vec<usize> =
        (0..rows[0].len()).filter(|&c| c < 2 || rows[1..].iter().any(|row| row[c] != "-")).collect();
    let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        for &c in &kept {
            let _ = match c < 2 {
                true => write!(text, "{:<1$}  ", row[c], width(c)),
                false => write!(text, "{:>1$}  ", row[c], width(c)),
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    let mut clients: Vec<_> = groups.iter().map(|group| group.client).collect();
    clients.sort();
    clients.dedup();
    text.push('\n');
    for client in clients {
        let _ = writeln!(text, "{}: {}.", client.name(), client.about());
    }
    let _ = writeln!(text, "Pairs are p50 / p95. {}.", run.mode);
    let _ = writeln!(text, "Signaling: {}.", run.signaling);
    let _ =
        writeln!(text, "Speech: {}. --json has every figure, a report how each was measured.", run.speech);
    for extra in groups
        .iter()
        .flat_map(|g| &g.figures)
        .filter(|f| run.extras.iter().any(|e| f.name.ends_with(&e.name)))
    {
        let _ = writeln!(text, "{}: {:.2} ({})", extra.name, extra.value, extra.how);
    }
    for call in run.calls.iter().filter(|call| call.error.is_some()) {
        let why = call.error.as_deref().unwrap_or_default();
        let _ = writeln!(text, "FAILED {} {} seed {}: {why}", call.scenario, call.client.name(), call.seed);
    }
    for joins in run.joins.iter().filter(|joins| joins.failed > 0) {
        let (scenario, client) = (&joins.scenario, joins.client.name());
        let _ = writeln!(
            text,
            "FAILED {scenario} {client}: {} of {} joins had no sound or picture within {} s, and count with that",
            joins.failed, joins.count, joins.patience_s
        );
    }
    for (what, why) in &run.absent {
        let _ = writeln!(text, "not measured: {what}: {why}");
    }
    text
}

/// The object of the design's section 9.
pub fn json(run: &Run, began: Instant) -> String {
    let mut report = Report::since("lab", began);
    for figure in figures::groups(run).into_iter().flat_map(|group| group.figures) {
        report.figure(figure.name, figure.value, figure.how);
    }
    for (what, why) in &run.absent {
        report.absent(what.clone(), why.clone());
    }
    for call in run.calls.iter().filter(|call| call.error.is_some()) {
        let name = format!("{}_{}_seed_{}", call.scenario, call.client.name(), call.seed);
        report.absent(name, call.error.clone().unwrap_or_default());
    }
    report.note(format!("Signaling: {}.", run.signaling));
    report.note(run.mode.clone());
    report.json()
}

/// Says which thresholds were held; on standard error where standard output is for programs. False: one was missed.
pub fn tell(verdicts: Option<&[Verdict]>, json: bool) -> bool {
    let Some(verdicts) = verdicts else { return true };
    let missed = verdicts.iter().filter(|verdict| !verdict.held).count();
    let mut text = String::new();
    for verdict in verdicts {
        text += &verdict.line();
        text.push('\n');
    }
    let _ = writeln!(text, "{} of {} limits held", verdicts.len() - missed, verdicts.len());
    if json {
        eprint!("{text}");
    } else {
        print!("\n{text}");
    }
    missed == 0
}
