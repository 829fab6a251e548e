//! How long a join takes, from the call of `join` (the WebSocket is open, as on a warm page) to sound and picture.
//!
//! Three times, by native clients and, where Chromium is present, by a page on the web SDK:
//!
//! - alone into a room in which a native client talks already,
//! - two at the same moment into an empty room: each waits for the other's sound and picture.
//!
//! Server, talker and native joiners are one process on real sockets; the browser is its own.

mod native;
mod page;

use crate::report::{Report, percentile};
use anyhow::Context as _;
use signaling::server::{Listen, Options as ServerOptions, Server};
use signaling::sessions::Rate;
use std::path::PathBuf;
use wire::Stages;

#[derive(clap::Args)]
pub struct Options {
    /// Joins of each kind
    #[arg(long, default_value_t = 30)]
    joins: usize,
    /// Measure native clients only
    #[arg(long)]
    no_page: bool,
    /// The browser for the page
    #[arg(long, default_value = "chromium")]
    browser: PathBuf,
}

/// What one bench run measured: one `Stages` per join.
struct Joins {
    prefix: &'static str,
    who: &'static str,
    stages: Vec<Stages>,
    /// When the browser presented the first frame; native clients present nothing.
    shown_ms: Vec<f64>,
    /// Joins that did not come to sound and picture in time.
    failed: usize,
}

pub fn run(options: &Options) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(options))
}

async fn measure(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("connect");
    let site = page::site().context("the page could not be put together")?;
    let server = Server::start(ServerOptions {
        listen: Listen::Localhost(0),
        joins: Rate { burst: 100_000, per_second: 100_000.0 },
        web: Some(site.folder().to_owned()),
        ..ServerOptions::default()
    })
    .await?;
    let url = server.url();

    eprintln!("native: {} joins into a room that talks", options.joins);
    let talker = native::Talker::start(&url, "talking").await?;
    figures(&mut report, &native::joins(&url, "talking", options.joins).await?);
    eprintln!("native: {} times two at the same moment", options.joins);
    figures(&mut report, &native::together(&url, options.joins).await?);

    if options.no_page {
        report.absent("page_first_frame_p50_ms", "--no-page");
    } else {
        match page::run(&options.browser, &url, &site, "talking", options.joins).await {
            Ok((alone, together)) => {
                figures(&mut report, &alone);
                figures(&mut report, &together);
            }
            Err(error) => report.absent("page_first_frame_p50_ms", format!("{error:#}")),
        }
    }
    drop(talker);
    server.shut_down().await;
    report.note(
        "first_media is the earlier of the first audio packet and the first decodable (page: decoded) frame. \
         Milliseconds since join() with the WebSocket open; an audio packet comes every 20 ms.",
    );
    Ok(report)
}

fn figures(report: &mut Report, joins: &Joins) {
    let Joins { prefix, who, stages, shown_ms, failed } = joins;
    let first_media = |s: &Stages| match (s.first_audio_ms, s.first_frame_ms) {
        (Some(audio), Some(frame)) => Some(audio.min(frame)),
        (audio, frame) => audio.or(frame),
    };
    type Stage = (&'static str, &'static str, fn(&Stages) -> Option<f64>);
    let list: [Stage; 6] = [
        ("signaling", "answer to the join", |s| s.signaling_ms),
        ("ice", "path found", |s| s.ice_ms),
        ("dtls", "keys", |s| s.dtls_ms),
        ("first_packet", "first media packet", |s| s.first_packet_ms),
        ("first_audio", "first sound", |s| s.first_audio_ms),
        ("first_frame", "first picture", |s| s.first_frame_ms),
    ];
    for (name, meaning, stage) in list {
        figure_pair(
            report,
            &format!("{prefix}_{name}"),
            &format!("{who}: {meaning}"),
            stages.iter().filter_map(stage),
        );
    }
    let meaning = format!("{who}: first sound or picture");
    figure_pair(report, &format!("{prefix}_first_media"), &meaning, stages.iter().filter_map(first_media));
    if !shown_ms.is_empty() {
        let meaning = format!("{who}: first picture presented (requestVideoFrameCallback)");
        figure_pair(report, &format!("{prefix}_first_shown"), &meaning, shown_ms.iter().copied());
    }
    if *failed > 0 {
        report.figure(
            format!("{prefix}_failed_joins"),
            *failed as f64,
            format!("{who}: without sound and picture in time"),
        );
    }
}

fn figure_pair(report: &mut Report, name: &str, meaning: &str, values: impl Iterator<Item = f64>) {
    let mut values: Vec<f64> = values.collect();
    for (share, label) in [(0.5, "p50"), (0.95, "p95")] {
        report.figure(format!("{name}_{label}_ms"), percentile(&mut values, share), meaning);
    }
}
