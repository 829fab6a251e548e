//! One picture of a comparison: CPU per forwarded packet as bars, and how it moves with the number of subscribers.

use crate::report::Report;
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

/// Figure, what it is called, colour.
const BARS: [(&str, &str, RGBColor); 5] = [
    ("limit_us_per_packet", "limit, 1 to 200", RGBColor(120, 120, 120)),
    ("cpu_us_per_packet", "ours, 1 to 200", RGBColor(8, 81, 156)),
    ("janus_cpu_us_per_packet", "Janus, 1 to 200", RGBColor(215, 48, 39)),
    ("class_cpu_us_per_packet", "ours, class of 20", RGBColor(107, 174, 214)),
    ("janus_class_cpu_us_per_packet", "Janus, class of 20", RGBColor(253, 174, 97)),
];

/// `curve`: subscribers, kb/s, microseconds a packet.
pub fn draw(path: &Path, report: &Report, curve: &[(usize, u64, f64)]) -> Result<()> {
    // The library's errors borrow from the drawing; their text is enough.
    drawn(path, report, curve).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn drawn(
    path: &Path,
    report: &Report,
    curve: &[(usize, u64, f64)],
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(path, (1000, 620)).into_drawing_area();
    root.fill(&WHITE)?;
    let (upper, lower) = root.split_vertically(if curve.is_empty() { 620 } else { 330 });
    let bars: Vec<_> = BARS
        .iter()
        .filter_map(|(name, label, colour)| Some((*label, report.value(name)?, *colour)))
        .collect();
    let highest = bars.iter().map(|(_, value, _)| *value).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&upper)
        .caption("CPU per forwarded packet, microseconds", ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(4)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..bars.len().max(1) as f64, 0.0..highest * 1.15)?;
    chart.configure_mesh().disable_x_mesh().disable_x_axis().light_line_style(WHITE).draw()?;
    for (place, (label, value, colour)) in bars.iter().enumerate() {
        let left = place as f64;
        chart.draw_series([Rectangle::new([(left + 0.15, 0.0), (left + 0.85, *value)], colour.filled())])?;
        let text = format!("{label}: {value:.2}");
        let at = (left + 0.08, *value + highest * 0.06);
        chart.draw_series([Text::new(text, at, ("sans-serif", 14))])?;
    }
    if !curve.is_empty() {
        let most = curve.iter().map(|(subscribers, ..)| *subscribers).max().unwrap_or(1) as f64;
        let highest = curve.iter().map(|(.., cost)| *cost).fold(0.5, f64::max);
        let mut chart = ChartBuilder::on(&lower)
            .margin(10)
            .x_label_area_size(32)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..most * 1.02, 0.0..highest * 1.15)?;
        let axes = "microseconds";
        chart.configure_mesh().x_desc("subscribers").y_desc(axes).light_line_style(WHITE).draw()?;
        for (kbps, colour) in [(2500, RGBColor(8, 81, 156)), (300, RGBColor(35, 139, 69))] {
            let points = curve.iter().filter(|(_, k, _)| *k == kbps).map(|(n, _, cost)| (*n as f64, *cost));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                .label(format!("{kbps} kb/s"))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    }
    root.present()?;
    Ok(())
}
