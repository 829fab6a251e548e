//! One picture a network: playout delay and target over time, and below them what every tenth of a second was made from.

use super::call::Heard;
use anyhow::{Result, anyhow};
use jitter::audio::Rung;
use plotters::prelude::*;
use std::path::Path;

/// Each darker than the one before, so that they are told apart without colour, too.
const COLOURS: [(Rung, RGBColor); 8] = [
    (Rung::Primary, RGBColor(222, 235, 247)),
    (Rung::Rtx, RGBColor(170, 205, 235)),
    (Rung::Red, RGBColor(120, 165, 215)),
    (Rung::Fec, RGBColor(95, 150, 80)),
    (Rung::Deep, RGBColor(195, 80, 20)),
    (Rung::Pause, RGBColor(160, 160, 150)),
    (Rung::Conceal, RGBColor(120, 15, 15)),
    (Rung::Comfort, RGBColor(15, 15, 15)),
];
/// Room at the right for what the colours mean, as a share of the time.
const LEGEND: f64 = 0.1;
/// Pulls in one column: a tenth of a second.
const COLUMN: usize = 10;

pub fn draw(path: &Path, title: &str, heard: &Heard) -> Result<()> {
    // The library's errors borrow from the drawing; their text is enough.
    drawn(path, title, heard).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn drawn(path: &Path, title: &str, heard: &Heard) -> Result<(), Box<dyn std::error::Error>> {
    let seconds = heard.ticks.len() as f64 / 100.0;
    let width = seconds * (1.0 + LEGEND);
    let root = SVGBackend::new(path, (1100, 520)).into_drawing_area();
    root.fill(&WHITE)?;
    let (upper, lower) = root.split_vertically(320);
    let points = |of: fn(&super::call::Tick) -> f64| {
        heard
            .ticks
            .iter()
            .enumerate()
            .filter(|(_, t)| t.m2e.is_some())
            .map(move |(n, t)| (n as f64 / 100.0, of(t)))
    };
    let highest = points(|t| t.delay.max(t.target).as_secs_f64() * 1000.0).map(|p| p.1).fold(100.0, f64::max);
    let mut chart = ChartBuilder::on(&upper)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(24)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..width, 0.0..highest * 1.1)?;
    chart.configure_mesh().y_desc("milliseconds").light_line_style(WHITE).draw()?;
    chart
        .draw_series(LineSeries::new(
            points(|t| t.target.as_secs_f64() * 1000.0),
            RGBColor(160, 160, 160).stroke_width(2),
        ))?
        .label("target")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], RGBColor(160, 160, 160).stroke_width(2)));
    chart
        .draw_series(LineSeries::new(
            points(|t| t.delay.as_secs_f64() * 1000.0),
            RGBColor(8, 81, 156).stroke_width(1),
        ))?
        .label("playout delay")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], RGBColor(8, 81, 156).stroke_width(2)));
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;

    let mut rungs = ChartBuilder::on(&lower)
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..width, 0.0..100.0)?;
    rungs.configure_mesh().x_desc("seconds").y_desc("% of samples").disable_mesh().draw()?;
    // Stacked from the best rung at the bottom to the worst on top.
    for (place, (rung, colour)) in COLOURS.iter().enumerate() {
        let bars = heard.ticks.chunks(COLUMN).enumerate().filter_map(|(n, ticks)| {
            let share = |rungs: &[(Rung, RGBColor)]| {
                let of = ticks.iter().filter(|t| rungs.iter().any(|(r, _)| t.rung == Some(*r))).count();
                let heard = ticks.iter().filter(|t| t.rung.is_some()).count().max(1);
                100.0 * of as f64 / heard as f64
            };
            let (below, with) = (share(&COLOURS[..place]), share(&COLOURS[..=place]));
            let left = n as f64 / 10.0;
            (with > below).then(|| Rectangle::new([(left, below), (left + 0.1, with)], colour.filled()))
        });
        rungs
            .draw_series(bars)?
            .label(rung.name())
            .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
    }
    rungs.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}
