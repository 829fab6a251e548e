//! The rows in real Chromium: one page with two calls of the SDK, one of them through the impairment proxy.
//!
//! ```text
//! page: publisher ---> proxy (links of netem) ---> server ---> subscriber        rows `up`: the publisher is impaired
//!       publisher ---------------------------> server ---> proxy ---> subscriber rows `down`: the subscriber is
//! ```
//! Candidates in the answers of the impaired call are rewritten to the proxy. Signaling is not impaired.

use super::Options;
use super::scenarios::{SCENARIOS, Scenario, Side};
use crate::report::{Report, percentile};
use anyhow::{Context as _, Result};
use measure::page::Page;
use serde::Deserialize;
use serde_json::json;
use signaling::server::{Listen, Options as ServerOptions, Server};
use signaling::sessions::Rate;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tests::proxy::Proxy;
use wire::Stages;

/// What the page measured of one scenario.
#[derive(Clone, Debug, Deserialize)]
pub struct Measured {
    pub video_kbps: f64,
    pub rtx_kbps: f64,
    pub fps: f64,
    pub width: Option<f64>,
    pub keyframes: f64,
    pub frozen_pct: Option<f64>,
    pub concealed_pct: Option<f64>,
    pub audio_buffer_ms: Option<f64>,
    pub m2e_ms: Option<f64>,
    pub sent_kbps: f64,
    pub estimate_kbps: Option<f64>,
    pub sent_fps: Vec<f64>,
}

/// What the proxy saw while the page measured.
struct Seen {
    queue_p95_ms: f64,
    dropped_pct: f64,
    wire_kbps: f64,
}

pub fn run(options: &Options, report: &mut Report) -> Result<(usize, usize)> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(options, report))
}

async fn measure(options: &Options, report: &mut Report) -> Result<(usize, usize)> {
    let site = super::page::site()?;
    let server = Server::start(ServerOptions {
        listen: Listen::Localhost(0),
        joins: Rate { burst: 100_000, per_second: 100_000.0 },
        web: Some(site.folder().to_owned()),
        ..ServerOptions::default()
    })
    .await?;
    let media = server.media().candidates(0);
    let port = media.first().context("the server has no media address")?.address.port();
    let media = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut page = super::page::open(&options.browser, &server.url(), &site).await?;
    let (mut passed, mut total) = (0, 0);
    let mut clean: BTreeMap<&str, f64> = BTreeMap::new();
    let wanted = |s: &&Scenario| options.scenario.as_ref().is_none_or(|name| s.name.contains(name.as_str()));
    for scenario in SCENARIOS.iter().filter(wanted) {
        let began = Instant::now();
        match one(options, scenario, media, &mut page).await {
            Ok((measured, seen)) => {
                if scenario.is_clean {
                    clean.insert(scenario.side.name(), measured.video_kbps);
                }
                let own_clean = clean.get(scenario.side.name()).copied();
                let verdict = super::scenarios::tell(report, scenario, &measured, &figures(&seen), own_clean);
                total += usize::from(verdict.is_some());
                passed += usize::from(verdict == Some(true));
                eprintln!(
                    "adapt: {:6} chromium {}: {:.0} kb/s, {:.1} % frozen, {:.1} % concealed ({:.0} s)",
                    verdict.map_or("", |ok| if ok { "ok" } else { "MISSED" }),
                    scenario.name,
                    measured.video_kbps,
                    measured.frozen_pct.unwrap_or(f64::NAN),
                    measured.concealed_pct.unwrap_or(f64::NAN),
                    began.elapsed().as_secs_f64()
                );
            }
            Err(error) => {
                total += 1;
                eprintln!("adapt: MISSED chromium {}: {error:#}", scenario.name);
                report.absent(format!("chromium_{}_video_kbps", scenario.name), format!("{error:#}"));
            }
        }
    }
    if options.joins > 0 {
        joins(options, media, &mut page, report).await?;
    }
    drop(page);
    server.shut_down().await;
    report.note(
        "chromium rows: one page with two calls; the source is a textured moving picture of 960x540 in three simulcast \
         layers. Signaling runs over an unimpaired loopback connection. Queue and drops are those of the impaired \
         direction at the proxy; m2e is from the sound's graph to the sound's graph of one AudioContext.",
    );
    Ok((passed, total))
}

fn figures(seen: &Seen) -> [(&'static str, f64); 3] {
    [("queue_p95_ms", seen.queue_p95_ms), ("dropped_pct", seen.dropped_pct), ("wire_kbps", seen.wire_kbps)]
}

async fn one(
    options: &Options,
    scenario: &Scenario,
    media: SocketAddr,
    page: &mut Page,
) -> Result<(Measured, Seen)> {
    let links = (scenario.links)(1);
    let proxy = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), media, links, 1)?;
    let order = json!({
        "type": "scenario",
        "impaired": scenario.side.name(),
        "proxy": proxy.address().port(),
        "min_kbps": scenario.min_kbps,
        "room": scenario.name,
        "fps": options.fps,
        "warm_up_s": options.warm_up,
        "seconds": options.seconds,
    });
    let patience = Duration::from_secs(60 + options.warm_up + options.seconds);
    page.order(&order).await?;
    page.wait("measuring", patience).await?;
    let from = Instant::now();
    proxy.take_meters();
    let told = page.wait("scenario", patience).await?;
    let (meters, to) = (proxy.take_meters(), Instant::now());
    if options.detail {
        let entries = told["detail"].as_array().into_iter().flatten();
        entries.for_each(|entry| eprintln!("adapt: {} {entry}", scenario.name));
    }
    let measured: Measured = serde_json::from_value(told).context("the page's figures")?;
    let meter = match scenario.side {
        Side::Publisher => &meters.up,
        Side::Subscriber => &meters.down,
    };
    let seen = Seen {
        queue_p95_ms: meter.waited_ms(from, to, 0.95),
        dropped_pct: 100.0 * meter.dropped_share(from, to),
        wire_kbps: meter.offered_kbps(from, to),
    };
    Ok((measured, seen))
}

/// Joins through each network that has targets for them.
async fn joins(options: &Options, media: SocketAddr, page: &mut Page, report: &mut Report) -> Result<()> {
    let is_asked = |s: &&Scenario| {
        let by_name = options.scenario.as_ref().is_none_or(|name| s.name.contains(name.as_str()));
        by_name && s.connect.is_some() && s.side == Side::Subscriber
    };
    for scenario in SCENARIOS.iter().filter(is_asked) {
        let room = format!("joins {}", scenario.name);
        page.order(&json!({ "type": "talk", "room": room, "fps": options.fps })).await?;
        page.wait("talking", Duration::from_secs(30)).await?;
        let (mut connect, mut frame, mut failed) = (Vec::new(), Vec::new(), 0);
        for number in 0..options.joins {
            // Each join has a proxy and with it losses of its own.
            let seed = 100 + number as u64;
            let links = (scenario.links)(seed);
            let proxy = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), media, links, seed)?;
            let port = proxy.address().port();
            page.order(&json!({ "type": "join", "proxy": port, "room": room })).await?;
            let told = page.wait("join", Duration::from_secs(60)).await?;
            let stages: Stages = serde_json::from_value(told["stages"].clone())?;
            connect.extend(stages.dtls_ms);
            frame.extend(stages.first_frame_ms);
            failed += usize::from(stages.first_frame_ms.is_none());
        }
        page.order(&json!({ "type": "talk" })).await?;
        page.wait("talking", Duration::from_secs(30)).await?;
        let name = scenario.id;
        let limits = scenario.connect.unwrap_or_default();
        report.heading(format!("chromium joins through {name}, {} of them", options.joins));
        let mut tell = |what: &str, samples: &mut Vec<f64>, share, limit: Option<u32>| {
            let target = limit.map_or(String::new(), |limit| format!("target {limit}"));
            report.figure(format!("chromium_{name}_{what}_ms"), percentile(samples, share), target);
        };
        tell("connect_p50", &mut connect, 0.5, limits.connect_p50);
        tell("connect_p95", &mut connect, 0.95, limits.connect_p95);
        tell("first_frame_p50", &mut frame, 0.5, limits.frame_p50);
        tell("first_frame_p95", &mut frame, 0.95, limits.frame_p95);
        let meaning = "without a picture in 25 s";
        report.figure(format!("chromium_{name}_failed_joins"), failed as f64, meaning);
        eprintln!("adapt: chromium joins through {name}: {} done, {failed} failed", options.joins);
    }
    Ok(())
}
