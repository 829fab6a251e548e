//! `lab report`: one HTML file that needs nothing else, about one run; or two runs beside each other.

mod pictures;

use crate::cli;
use crate::compare::Comparison;
use crate::figures::{self, Group};
use crate::outcome::{Call, Run};
use crate::table;
use crate::thresholds::{self, Verdict};
use anyhow::{Context as _, Result, bail};
use data_encoding::BASE64;
use std::fmt::Write as _;
use std::path::Path;

/// What a call has to stay under, both for connecting and for latency.
const BUDGET_MS: f64 = 600.0;
/// Recordings are embedded whole in a report of so few, otherwise their first seconds.
const WHOLE_RECORDINGS: usize = 2;
const EXCERPT_S: usize = 12;

/// False: a threshold was missed.
pub fn run(options: &cli::Report) -> Result<bool> {
    let thresholds = options.thresholds.as_deref().map(thresholds::load).transpose()?;
    let (judged, text) = match (&options.runs[..], options.compare) {
        ([first, second], true) => {
            let (first, second) = (Run::load(first)?, Run::load(second)?);
            let comparison = Comparison::of(&first, &second);
            let text = if options.json { comparison.json() + "\n" } else { comparison.table() };
            (second, text)
        }
        (_, true) => bail!("--compare wants two runs: sampan-lab report A B --compare"),
        ([folder], false) => {
            let run = Run::load(folder)?;
            let beside =
                if folder.is_dir() { folder.as_path() } else { folder.parent().unwrap_or(Path::new(".")) };
            let path = options.out.clone().unwrap_or_else(|| beside.join("report.html"));
            write(&run, beside, &path)?;
            let text = match options.json {
                true => serde_json::json!({ "report": path }).to_string() + "\n",
                false => format!("the report is {}\n", path.display()),
            };
            (run, text)
        }
        _ => bail!("a report is about one run; two are compared with --compare"),
    };
    print!("{text}");
    let verdicts = thresholds.map(|thresholds| figures::judged(&judged, &thresholds));
    Ok(table::tell(verdicts.as_deref(), options.json))
}

/// `folder`: where the run's recordings are.
pub fn write(run: &Run, folder: &Path, path: &Path) -> Result<()> {
    let targets = figures::judged(run, &thresholds::load("targets")?);
    let groups = figures::groups(run);
    let mut html = head(run, &groups);
    html += &overview(&groups);
    for group in &groups {
        section(&mut html, run, group, &targets, folder)?;
    }
    if !run.absent.is_empty() {
        html += "<h2>Not measured</h2><table>";
        for (what, why) in &run.absent {
            let _ = write!(html, "<tr><td>{}<td class=how>{}", text(what), text(why));
        }
        html += "</table>";
    }
    html += "</body></html>\n";
    std::fs::write(path, html).with_context(|| path.display().to_string())
}

fn head(run: &Run, groups: &[Group]) -> String {
    let mut html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Sampan on bad networks</title><style>{}</style><body><h1>Sampan on bad networks</h1>\
         <p>{} s a call. {}.<p>Signaling: {}.<p>Speech: {}.<p><small>Commit {}, {}.</small><nav>",
        include_str!("report/style.css"),
        run.seconds,
        text(&run.mode),
        text(&run.signaling),
        text(&run.speech),
        text(&run.commit),
        text(&run.machine),
    );
    for group in groups {
        let _ = write!(
            html,
            "<a href=\"#{0}\">{1} {2}</a><br>",
            anchor(group),
            text(&group.scenario),
            group.client.name()
        );
    }
    html + "</nav>"
}

fn anchor(group: &Group) -> String {
    format!("{}-{}", group.scenario, group.client.name())
}

/// The table of everything, as on the terminal but short.
fn overview(groups: &[Group]) -> String {
    const COLUMNS: [(&str, &str, usize); 10] = [
        ("connected p95 ms", "connect_p95_ms", 0),
        ("first sound p95 ms", "first_audio_p95_ms", 0),
        ("first picture p95 ms", "first_frame_p95_ms", 0),
        ("made up %", "concealed_pct", 2),
        ("DRED %", "dred_pct", 2),
        ("mouth to ear p95 ms", "m2e_p95_ms", 0),
        ("PLCMOS", "plcmos", 2),
        ("shown in 400 ms %", "shown_pct", 1),
        ("frozen %", "frozen_pct", 1),
        ("video kb/s", "video_kbps", 0),
    ];
    let mut html = "<div class=wide><table><thead><tr><th>scenario<th>client".to_owned();
    for (title, ..) in COLUMNS {
        let _ = write!(html, "<th>{title}");
    }
    html += "</thead>";
    for group in groups {
        let _ = write!(
            html,
            "<tr><td><a href=\"#{}\">{}</a><td>{}",
            anchor(group),
            text(&group.scenario),
            group.client.name()
        );
        for (_, name, decimals) in COLUMNS {
            let value = value(group, name).map_or("–".to_owned(), |value| format!("{value:.decimals$}"));
            let _ = write!(html, "<td>{value}");
        }
    }
    html + "</table></div>"
}

fn value(group: &Group, name: &str) -> Option<f64> {
    let name = format!("{}_{}_{name}", group.scenario, group.client.name());
    group.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
}

fn section(html: &mut String, run: &Run, group: &Group, targets: &[Verdict], folder: &Path) -> Result<()> {
    let of = |call: &&Call| call.scenario == group.scenario && call.client == group.client;
    let calls: Vec<&Call> = run.calls.iter().filter(of).collect();
    let _ = write!(
        html,
        "<h2 id=\"{}\">{}: {}</h2><p>{}; {} {}.",
        anchor(group),
        text(&group.scenario),
        text(&group.about),
        text(group.client.about()),
        calls.len(),
        if calls.len() == 1 { "call" } else { "calls" }
    );
    for call in calls.iter().filter(|call| call.error.is_some()) {
        let why = text(call.error.as_deref().unwrap_or_default());
        let _ = write!(html, "<p class=missed>Seed {}: {why}", call.seed);
    }
    html.push_str(&budgets(group));
    let joins = run.joins.iter().find(|j| j.scenario == group.scenario && j.client == group.client);
    let stages = match joins {
        Some(joins) => pictures::stages_of_joins(joins),
        None => pictures::stages_of(&calls),
    };
    if stages.iter().any(|(_, times)| !times.is_empty()) {
        let count = joins.map_or(calls.len() as u64, |joins| joins.count);
        let _ = write!(
            html,
            "<h3>Connecting, {count} joins: half were there at the bar's end, 95 % at the mark (p50 / p95)</h3>"
        );
        html.push_str(&pictures::waterfall(&stages)?);
    }
    if let Some(call) = calls.iter().find(|call| call.error.is_none()).or(calls.first()) {
        one_call(html, run, call, folder)?;
    }
    html.push_str(&all_figures(group, targets));
    Ok(())
}

/// The verdict on either budget.
fn budgets(group: &Group) -> String {
    let verdict = |title: &str, what: &str, value: Option<f64>| {
        let (class, number) = match value {
            Some(value) if value <= BUDGET_MS => ("held", format!("{value:.0} ms")),
            Some(value) => ("missed", format!("{value:.0} ms")),
            None => ("unknown", "not measured".to_owned()),
        };
        format!(
            "<div class={class}>{title}: <b>{number}</b> of {BUDGET_MS:.0}<br><small>{what}</small></div>"
        )
    };
    let sound = value(group, "first_audio_p95_ms");
    let picture = value(group, "first_frame_p95_ms").or(sound);
    let connect = sound.zip(picture).map(|(sound, picture)| sound.max(picture));
    format!(
        "<div class=verdict>{}{}</div>",
        verdict("Connecting", "from the click to sound and picture, p95", connect),
        verdict("Latency", "mouth to ear, p95", value(group, "m2e_p95_ms"))
    )
}

fn one_call(html: &mut String, run: &Run, call: &Call, folder: &Path) -> Result<()> {
    let _ =
        write!(html, "<h3>Delay over time, seed {} (black bars: the picture stood still)</h3>", call.seed);
    html.push_str(&pictures::latency(call)?);
    if let Some(picture) = pictures::rungs(call)? {
        html.push_str("<h3>What the sound was made from</h3>");
        html.push_str(&picture);
    }
    if let Some(picture) = pictures::layer(call)? {
        html.push_str("<h3>The picture</h3>");
        html.push_str(&picture);
    }
    for (direction, title) in
        [("down", "The bad network, to the one behind it"), ("up", "The bad network, from the one behind it")]
    {
        let _ = write!(html, "<h3>{title}</h3>");
        html.push_str(&pictures::network(call, direction)?);
    }
    let recordings = run.calls.iter().filter(|call| call.sent.is_some()).count();
    let excerpt = (recordings > WHOLE_RECORDINGS).then_some(EXCERPT_S);
    let files = [("said", &call.sent), ("heard", &call.received)];
    if files.iter().any(|(_, file)| file.is_some()) {
        let length = excerpt.map_or(String::new(), |seconds| format!(", the first {seconds} s"));
        let _ = write!(html, "<h3>To listen to{length}</h3><div class=sound>");
        for (title, file) in files {
            let Some(file) = file else { continue };
            let player = match embedded(&folder.join(file), excerpt) {
                Ok(data) => format!("<audio controls preload=none src=\"{data}\"></audio>"),
                Err(error) => format!("<span>{}</span>", text(&format!("{error:#}"))),
            };
            let _ = write!(html, "<span>{title}</span>{player}");
        }
        html.push_str("</div>");
    }
    Ok(())
}

/// A recording as a data URL.
fn embedded(path: &Path, seconds: Option<usize>) -> Result<String> {
    let mut reader = hound::WavReader::open(path).with_context(|| path.display().to_string())?;
    let spec = reader.spec();
    let most = seconds.map_or(usize::MAX, |seconds| seconds * spec.sample_rate as usize);
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut wav = hound::WavWriter::new(&mut bytes, spec)?;
    for sample in reader.samples::<i16>().take(most) {
        wav.write_sample(sample?)?;
    }
    wav.finalize()?;
    Ok(format!("data:audio/wav;base64,{}", BASE64.encode(bytes.get_ref())))
}

fn all_figures(group: &Group, targets: &[Verdict]) -> String {
    let mut html = format!(
        "<details><summary>All {} figures, and how each was measured</summary><table><thead><tr><th>figure<th>value<th>aimed at<th class=how>how</thead>",
        group.figures.len()
    );
    for figure in &group.figures {
        let target = targets.iter().find(|verdict| verdict.threshold.figure == figure.name);
        let (class, aim) = target.map_or((String::new(), String::new()), |verdict| {
            let class = if verdict.held { " class=held" } else { " class=missed" };
            let aim = match verdict.threshold.limit {
                thresholds::Limit::AtMost(limit) => format!("≤ {limit}"),
                thresholds::Limit::AtLeast(limit) => format!("≥ {limit}"),
            };
            (class.to_owned(), aim)
        });
        let _ = write!(
            html,
            "<tr><td>{}<td{class}>{:.2}<td>{aim}<td class=how>{}",
            text(&figure.name),
            figure.value,
            text(&figure.how)
        );
    }
    html + "</table></details>"
}

/// As text of an HTML document, attributes included.
fn text(plain: &str) -> String {
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
