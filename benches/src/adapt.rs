//! The table of a forwarder that adapts: scenarios in virtual time, and real Chromium behind a bad network.

mod browsers;
mod page;
mod scenarios;
mod virtual_rows;

use crate::report::Report;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Options {
    /// The folder of recorded networks (capacity, loss, arrival); otherwise SAMPAN_TRACES, or shared/traces beside the project
    #[arg(long)]
    traces: Option<PathBuf>,
    /// Only the rows in real browsers
    #[arg(long, conflicts_with = "no_browsers")]
    browsers: bool,
    /// Only the rows in virtual time
    #[arg(long)]
    no_browsers: bool,
    /// Only rows whose name contains this
    #[arg(long)]
    scenario: Option<String>,
    /// Seeds per row in virtual time; a third as many for rows that take long
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// The browser
    #[arg(long, default_value = "chromium")]
    browser: PathBuf,
    /// Seconds measured per row in the browser
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Seconds before that, for the sender to find its rate
    #[arg(long, default_value_t = 12)]
    warm_up: u64,
    /// Joins per network in the browser; 0: none
    #[arg(long, default_value_t = 12)]
    joins: usize,
    /// Tell what the browsers' statistics and the server's metrics say of each row in the browser: why it is missed
    #[arg(long)]
    detail: bool,
    /// Pictures a second that the page draws
    #[arg(long, default_value_t = 20)]
    fps: u32,
}

pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("adapt");
    let (mut passed, mut total) = (0, 0);
    if !options.browsers {
        let (held, all) = virtual_rows::run(options, &mut report);
        (passed, total) = (passed + held, total + all);
    }
    if options.no_browsers {
        report.absent("chromium_loss30_video_kbps", "--no-browsers");
    } else {
        match browsers::run(options, &mut report) {
            Ok((held, all)) => (passed, total) = (passed + held, total + all),
            Err(error) => {
                eprintln!("adapt: the browser rows were not measured: {error:#}");
                report.absent("chromium_loss30_video_kbps", format!("{error:#}"));
                report.absent("chromium_300kbps_queue_p95_ms", format!("{error:#}"));
            }
        }
    }
    anyhow::ensure!(total > 0 || options.browsers, "no row has such a name");
    report.heading("in all");
    report.figure("scenarios_passed", passed as f64, "rows that hold every limit with every seed");
    report.figure("scenarios_total", total as f64, "rows that were to be run");
    Ok(report)
}
