//! A page in headless Chromium that joins on the web SDK. It is served by the server under test, beside the demo page,
//! and reports each join over a WebSocket of our own.

use super::Joins;
use crate::chromium::{Browser, Site};
use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use wire::Stages;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
/// Joins that are thrown away first: the browser compiles scripts and starts its media processes.
const WARM_UP: usize = 3;
/// The browser is silent for longer only if something is broken.
const SILENCE: Duration = Duration::from_secs(60);

/// The SDK with our page beside it.
pub fn site() -> Result<Site> {
    Site::new(&[("connect.html", PAGE), ("connect.js", SCRIPT)])
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told {
    Join { together: bool, warm: bool, stages: Stages, shown_ms: Option<f64> },
    Failed { why: String },
    Done,
}

/// Joins of one page into `room`, then of two calls at the same moment.
pub async fn run(browser: &Path, url: &str, site: &Site, room: &str, count: usize) -> Result<(Joins, Joins)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let report = listener.local_addr()?;
    let address =
        format!("{url}/connect.html?room={room}&joins={count}&warm_up={WARM_UP}&report=ws://{report}/");
    let _browser = Browser::start(browser, site, &address)?;
    eprintln!("page: {count} joins, and {count} times two at the same moment");
    let mut alone =
        Joins { prefix: "page", who: "page", stages: Vec::new(), shown_ms: Vec::new(), failed: 0 };
    let mut together = Joins {
        prefix: "page_together",
        who: "two pages at once",
        stages: Vec::new(),
        shown_ms: Vec::new(),
        failed: 0,
    };
    let (stream, _) =
        tokio::time::timeout(SILENCE, listener.accept()).await.context("the browser is silent")??;
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    loop {
        let message = tokio::time::timeout(SILENCE, socket.next()).await.context("the page is silent")?;
        let Some(Ok(message)) = message else { bail!("the page went away") };
        let Message::Text(text) = message else { continue };
        match serde_json::from_str(&text).with_context(|| format!("the page said {text}"))? {
            Told::Done => return Ok((alone, together)),
            Told::Failed { why } => bail!("the page failed: {why}"),
            Told::Join { warm: false, .. } => {}
            Told::Join { together: both, stages, shown_ms, .. } => {
                let joins = if both { &mut together } else { &mut alone };
                joins.failed += usize::from(stages.first_frame_ms.is_none());
                joins.stages.push(stages);
                joins.shown_ms.extend(shown_ms);
            }
        }
    }
}
