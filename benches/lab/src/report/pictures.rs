//! Pictures of one call, as SVG: drawn in black, greys and dashes, so that a printer loses nothing.

use crate::outcome::{Call, Joins, STAGES, STEP_MS, Timeline, stage};
use anyhow::{Result, anyhow};
use measure::report::percentile;
use plotters::coord::Shift;
use plotters::prelude::*;

const WIDTH: u32 = 860;
const FONT: &str = "sans-serif";
const DARK: RGBColor = RGBColor(20, 20, 20);
const GREY: RGBColor = RGBColor(120, 120, 120);
const LIGHT: RGBColor = RGBColor(205, 205, 205);

/// How a line is told from the others without colour.
#[derive(Clone, Copy)]
enum Pen {
    Solid,
    Bold,
    Dashed,
    Dotted,
}

struct Line {
    label: &'static str,
    series: &'static str,
    pen: Pen,
}

const fn line(label: &'static str, series: &'static str, pen: Pen) -> Line {
    Line { label, series, pen }
}

/// From the best to the worst, and how dark.
const RUNGS: [(&str, &str, u8); 7] = [
    ("rung_primary_pct", "as sent", 235),
    ("rung_rtx_pct", "asked again", 200),
    ("rung_red_pct", "a copy", 170),
    ("rung_fec_pct", "in-band FEC", 140),
    ("rung_deep_pct", "DRED", 100),
    ("rung_comfort_pct", "comfort noise", 60),
    ("rung_conceal_pct", "made up", 0),
];

/// The library's errors borrow from the drawing; their text is enough.
fn drawn(
    height: u32,
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)
            .map_err(|error| error.into())
            .and_then(|()| draw(&root))
            .and_then(|()| root.present().map_err(Into::into))
            .map_err(|error: Box<dyn std::error::Error>| anyhow!("{error}"))?;
    }
    // It scales with the page.
    Ok(svg.replacen("<svg ", &format!("<svg role=\"img\" viewBox=\"0 0 {WIDTH} {height}\" "), 1))
}

/// When each stage of connecting was reached, half and nearly all of the joins; `times` by stage.
pub fn waterfall(times: &[(&'static str, Vec<f64>)]) -> Result<String> {
    let rows: Vec<(&str, f64, f64)> = times
        .iter()
        .filter(|(_, times)| !times.is_empty())
        .map(|(name, times)| {
            let mut times = times.clone();
            (*name, percentile(&mut times, 0.5), percentile(&mut times, 0.95))
        })
        .collect();
    // The numbers behind the longest bar need room.
    let longest = rows.iter().map(|row| row.2).fold(650.0, f64::max) * 1.18;
    drawn(40 + 34 * rows.len().max(1) as u32, |root| {
        let count = rows.len() as f64;
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(30)
            .y_label_area_size(150)
            .build_cartesian_2d(0.0..longest, 0.0..count.max(1.0))?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(WHITE)
            .bold_line_style(LIGHT)
            .x_desc("milliseconds since the click")
            .y_labels(0)
            .label_style((FONT, 13))
            .x_label_formatter(&tick)
            .y_label_formatter(&tick)
            .draw()?;
        let mut from = 0.0f64;
        for (number, (stage, p50, p95)) in rows.iter().enumerate() {
            let low = count - number as f64 - 0.8;
            let high = count - number as f64 - 0.2;
            let middle = (low + high) / 2.0;
            chart.draw_series([Rectangle::new([(from.min(*p50), low), (*p50, high)], GREY.filled())])?;
            chart.draw_series([
                PathElement::new([(*p50, middle), (*p95, middle)], DARK.stroke_width(2)),
                PathElement::new([(*p95, low), (*p95, high)], DARK.stroke_width(2)),
            ])?;
            let style = (FONT, 13).into_font().color(&DARK);
            let text = format!("{p50:.0} / {p95:.0}");
            chart.draw_series([Text::new(text, (p95 + longest * 0.01, middle + 0.15), style.clone())])?;
            let place = chart.backend_coord(&(0.0, middle));
            root.draw(&Text::new(meaning(stage).to_owned(), (6, place.1 - 7), style))?;
            from = *p50;
        }
        chart.draw_series([PathElement::new([(600.0, 0.0), (600.0, count)], DARK.stroke_width(1))])?;
        let style = (FONT, 12).into_font().color(&DARK);
        chart.draw_series([Text::new("600", (600.0 + longest * 0.004, count), style)])?;
        Ok(())
    })
}

fn meaning(name: &str) -> &'static str {
    STAGES.iter().find(|(stage, _)| *stage == name).map_or("", |(_, meaning)| meaning)
}

/// Latency over time, and freezes as black bars along the top.
pub fn latency(call: &Call) -> Result<String> {
    const LINES: [Line; 4] = [
        line("mouth to ear", "m2e_ms", Pen::Bold),
        line("glass to glass", "g2g_ms", Pen::Solid),
        line("playout buffer", "buffer_ms", Pen::Dashed),
        line("its target", "target_ms", Pen::Dotted),
    ];
    chart(call, "milliseconds", &LINES, Some(600.0), true)
}

pub fn network(call: &Call, direction: &str) -> Result<String> {
    const DOWN: [Line; 3] = [
        line("offered kb/s", "down_offered_kbps", Pen::Solid),
        line("delivered kb/s", "down_delivered_kbps", Pen::Bold),
        line("queue ms", "down_queue_ms", Pen::Dotted),
    ];
    const UP: [Line; 3] = [
        line("offered kb/s", "up_offered_kbps", Pen::Solid),
        line("delivered kb/s", "up_delivered_kbps", Pen::Bold),
        line("queue ms", "up_queue_ms", Pen::Dotted),
    ];
    let (lines, lost) = if direction == "up" { (&UP, "up_lost_pct") } else { (&DOWN, "down_lost_pct") };
    let curves = chart(call, "kb/s, ms", lines, None, false)?;
    Ok(curves + &shares(&call.timeline, &[(lost, "lost or dropped, % of the packets", 90)], 110)?)
}

/// What was seen: the layer, or where that is not known the width.
pub fn layer(call: &Call) -> Result<Option<String>> {
    const LAYER: [Line; 1] = [line("layer on screen (0 is the smallest)", "layer", Pen::Bold)];
    const WIDTHS: [Line; 1] = [line("width of the picture, pixels", "width_px", Pen::Bold)];
    let has = |name: &str| call.timeline.series.contains_key(name);
    let lines = if has("layer") { &LAYER } else { &WIDTHS };
    if !has(lines[0].series) {
        return Ok(None);
    }
    chart(call, "", lines, None, true).map(Some)
}

/// What every moment of sound was made from, stacked from the best at the bottom to the worst on top.
pub fn rungs(call: &Call) -> Result<Option<String>> {
    let known: Vec<(&str, &str, u8)> =
        RUNGS.into_iter().filter(|(series, ..)| call.timeline.series.contains_key(*series)).collect();
    if known.is_empty() {
        return Ok(None);
    }
    shares(&call.timeline, &known, 200).map(Some)
}

/// Stretches of a curve without a gap: seconds and values.
type Runs = Vec<Vec<(f64, f64)>>;

fn points<'a>(timeline: &'a Timeline, series: &str) -> Runs {
    let values: &'a [Option<f32>] = timeline.series.get(series).map_or(&[], Vec::as_slice);
    let mut runs = vec![Vec::new()];
    let mut silent = 0;
    for (number, value) in values.iter().enumerate() {
        match value {
            // A gap of a second and a half is one; a value that comes each second still makes a line.
            Some(value) => {
                if silent > 8 {
                    runs.push(Vec::new());
                }
                silent = 0;
                let at = number as f64 * STEP_MS as f64 / 1000.0;
                if let Some(run) = runs.last_mut() {
                    run.push((at, f64::from(*value)));
                }
            }
            None => silent += 1,
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn seconds(timeline: &Timeline) -> f64 {
    let steps = timeline.series.values().map(Vec::len).max().unwrap_or(0);
    (steps as f64 * STEP_MS as f64 / 1000.0).max(1.0)
}

fn chart(call: &Call, unit: &str, lines: &[Line], budget: Option<f64>, freezes: bool) -> Result<String> {
    let timeline = &call.timeline;
    let all: Vec<(&Line, Runs)> = lines
        .iter()
        .map(|line| (line, points(timeline, line.series)))
        .filter(|(_, p)| !p.is_empty())
        .collect();
    let highest = all.iter().flat_map(|(_, runs)| runs.iter().flatten()).map(|p| p.1).fold(0.0, f64::max);
    let highest = highest.max(budget.map_or(2.0, |budget| budget * 1.05)) * 1.2;
    drawn(230, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(30)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..width(timeline), 0.0..highest)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(LIGHT)
            .x_desc("seconds after the click")
            .y_desc(unit)
            .label_style((FONT, 13))
            .x_label_formatter(&tick)
            .y_label_formatter(&tick)
            .draw()?;
        if freezes {
            let bar = |(at, ms): &(f64, f64)| {
                Rectangle::new([(*at, highest * 0.93), (at + ms / 1000.0, highest * 0.98)], BLACK.filled())
            };
            let bars = chart.draw_series(timeline.freezes.iter().map(bar))?;
            if !timeline.freezes.is_empty() {
                bars.label("frozen")
                    .legend(|(x, y)| Rectangle::new([(x, y - 4), (x + 20, y + 4)], BLACK.filled()));
            }
        }
        if let Some(budget) = budget {
            let style = DARK.stroke_width(1);
            chart.draw_series([PathElement::new([(0.0, budget), (seconds(timeline), budget)], style)])?;
            let text = Text::new(
                format!("budget {budget:.0}"),
                (seconds(timeline) * 0.005, budget + highest * 0.07),
                (FONT, 12).into_font().color(&DARK),
            );
            chart.draw_series([text])?;
        }
        for (line, runs) in all {
            let mut labelled = false;
            for run in runs {
                let (style, size, gap) = stroke(line.pen);
                let drawn = match gap {
                    0 => chart.draw_series(LineSeries::new(run, style))?,
                    gap => chart.draw_series(DashedLineSeries::new(run, size, gap, style))?,
                };
                if !std::mem::replace(&mut labelled, true) {
                    let pen = line.pen;
                    drawn.label(line.label).legend(move |(x, y)| {
                        EmptyElement::at((x, y)) + dash(pen, 0) + dash(pen, 1) + dash(pen, 2)
                    });
                }
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.85))
            .border_style(LIGHT)
            .label_font((FONT, 13))
            .draw()?;
        Ok(())
    })
}

/// Style, length of a dash and of the gap behind it.
fn stroke(pen: Pen) -> (ShapeStyle, i32, i32) {
    match pen {
        Pen::Solid => (GREY.stroke_width(1), 0, 0),
        Pen::Bold => (DARK.stroke_width(2), 0, 0),
        Pen::Dashed => (DARK.stroke_width(1), 7, 4),
        Pen::Dotted => (GREY.stroke_width(2), 2, 3),
    }
}

/// A piece of a line of 21 pixels, as a legend shows it.
fn dash(pen: Pen, number: i32) -> PathElement<(i32, i32)> {
    let (style, dash, gap) = stroke(pen);
    let (dash, gap) = if gap == 0 { (7, 0) } else { (dash, gap) };
    let from = number * (dash + gap);
    PathElement::new([(from, 0), (from + dash, 0)], style)
}

/// Of every chart over time, so that what happened at once stands below each other. The legend stands beside what there is.
fn width(timeline: &Timeline) -> f64 {
    seconds(timeline) * 1.22
}

/// At most one decimal, and none if it is a nought.
fn tick(value: &f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    format!("{rounded}")
}

/// Shares of a hundred, stacked; each a name of a series, its label, and how light it is.
fn shares(timeline: &Timeline, series: &[(&str, &'static str, u8)], height: u32) -> Result<String> {
    drawn(height, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(if height < 150 { 0 } else { 30 })
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..width(timeline), 0.0..100.0)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("seconds after the click")
            .y_desc("%")
            .label_style((FONT, 13))
            .x_label_formatter(&tick)
            .y_label_formatter(&tick)
            .draw()?;
        let step = STEP_MS as f64 / 1000.0;
        let length = series.iter().filter_map(|(name, ..)| timeline.series.get(*name)).map(Vec::len).max();
        let mut below = vec![0.0; length.unwrap_or(0)];
        for (name, label, light) in series {
            let colour = RGBColor(*light, *light, *light);
            let mut bars = Vec::new();
            for (number, value) in timeline.series.get(*name).into_iter().flatten().enumerate() {
                let value = f64::from(value.unwrap_or(0.0));
                if value > 0.0 {
                    let left = number as f64 * step;
                    let corners = [(left, below[number]), (left + step, below[number] + value)];
                    bars.push(Rectangle::new(corners, colour.filled()));
                    below[number] += value;
                }
            }
            if !bars.is_empty() {
                chart
                    .draw_series(bars)?
                    .label(*label)
                    .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.85))
            .border_style(LIGHT)
            .label_font((FONT, 13))
            .draw()?;
        Ok(())
    })
}

/// Times of every stage, of joins or of the calls' own.
pub fn stages_of(calls: &[&Call]) -> Vec<(&'static str, Vec<f64>)> {
    STAGES
        .iter()
        .map(|(name, _)| (*name, calls.iter().filter_map(|c| stage(&c.stages, name)).collect()))
        .collect()
}

pub fn stages_of_joins(joins: &Joins) -> Vec<(&'static str, Vec<f64>)> {
    STAGES.iter().map(|(name, _)| (*name, joins.times(name))).collect()
}
