//! Calls in headless Chromium, both ends in one page: through our server, and from browser to browser.
//!
//! ```text
//! page     sender -- near link --> server -- bad link --> watcher        both links carry UDP and the WebSocket
//! p2p      sender -- near link ------------- bad link --> watcher        offer and answer cross both links to a relay, too
//! ```

mod measured;
mod relay;

use crate::network::Network;
use crate::outcome::{Call, Client, Joins, STAGES, stage};
use anyhow::{Context as _, Result};
use measure::chromium::Site;
use measure::page::{Page, Said};
use measured::Told;
use relay::Relay;
use serde_json::{Value, json};
use signaling::server::{Listen, Options as ServerOptions, Server};
use signaling::sessions::Rate;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::proxy::{Meters, Proxy};

pub const SIGNALING: &str = "the WebSocket's TCP crosses the same impaired link as media, segment by segment (a model of \
     Linux's sender in the proxy); Chromium to Chromium exchanges offer and answer over the same link after the click, our \
     server has answered in the lobby, where a page is 3 s before it";
/// A page that says nothing for longer hangs.
const SILENCE: Duration = Duration::from_secs(60);
/// Of a join, as the page counts it.
const PATIENCE_S: f64 = 25.0;
/// Chromium hides a page's addresses behind names that only it resolves, unless told otherwise.
const OPTIONS: &[&str] = &["--disable-features=WebRtcHideLocalIpsWithMdns", "--window-size=1280,900"];

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub struct Browsers {
    page: Page,
    server: Server,
    media: SocketAddr,
    http: SocketAddr,
    /// Of the sender who stays from call to call in a room.
    near: Option<(String, Arc<Near>)>,
    _site: Site,
}

/// The sender's own link. Dropped, it stops.
struct Near {
    link: Proxy,
    tcp: SocketAddr,
}

/// The two links of a call. Dropped, they stop.
struct Links {
    near: Arc<Near>,
    bad: Proxy,
    bad_tcp: SocketAddr,
}

pub struct Setup<'a> {
    pub client: Client,
    pub network: &'a Network,
    pub seed: u64,
    /// None: only the join is measured.
    pub seconds: u64,
    /// The sender of the last call in this room goes on.
    pub room: &'a str,
    pub folder: &'a Path,
}

impl Browsers {
    /// Our server and a page with these samples (16 kHz, mono) as its speech.
    pub async fn start(browser: &Path, flags: &[String], speech: &[f32]) -> Result<Self> {
        let site = Site::new(&[
            ("lab.html", include_str!("browser/lab.html")),
            ("lab.js", include_str!("browser/lab.js")),
            ("p2p.js", include_str!("browser/p2p.js")),
            ("picture.js", include_str!("browser/picture.js")),
            ("tap.js", include_str!("browser/tap.js")),
        ])?;
        measure::speech::write_wav(&site.folder().join("speech.wav"), 16_000, speech)?;
        let server = Server::start(ServerOptions {
            listen: Listen::Localhost(0),
            joins: Rate { burst: 100_000, per_second: 100_000.0 },
            web: Some(site.folder().to_owned()),
            ..ServerOptions::default()
        })
        .await?;
        let port =
            server.media().candidates(0).first().context("the server has no media address")?.address.port();
        let media = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let http =
            *server.addresses().iter().find(|address| address.is_ipv4()).context("the server has no page")?;
        let url = server.url();
        let flags: Vec<&str> = OPTIONS.iter().copied().chain(flags.iter().map(String::as_str)).collect();
        let page = Page::open(browser, &site, &flags, |lab| format!("{url}/lab.html?lab={lab}")).await?;
        Ok(Self { page, server, media, http, near: None, _site: site })
    }

    pub async fn stop(self) {
        drop(self.page);
        self.server.shut_down().await;
    }

    pub async fn call(&mut self, setup: &Setup<'_>) -> Result<Call> {
        let (told, meters, (clicked, ended)) = self.run(setup).await?;
        measured::call(setup, told, &meters, (clicked, ended))
    }

    /// One after the other, each over losses of its own.
    pub async fn joins(
        &mut self,
        (client, network): (Client, &Network),
        (seed, count): (u64, u64),
        folder: &Path,
        progress: impl Fn(u64),
    ) -> Result<Joins> {
        let mut joins = Joins {
            scenario: network.id.clone(),
            client,
            count,
            failed: 0,
            patience_s: PATIENCE_S,
            stages_ms: STAGES.iter().map(|(name, _)| ((*name).to_owned(), Vec::new())).collect(),
        };
        let room = format!("joins {}", network.id);
        for number in 0..count {
            let seed = seed * 1000 + number;
            let (told, ..) =
                self.run(&Setup { client, network, seed, seconds: 0, room: &room, folder }).await?;
            joins.failed += u64::from(stage(&told.stages, "first_frame").is_none());
            for (name, times) in &mut joins.stages_ms {
                times.extend(stage(&told.stages, name));
            }
            progress(number + 1);
        }
        Ok(joins)
    }

    async fn run(&mut self, setup: &Setup<'_>) -> Result<(Told, Meters, (Instant, Instant))> {
        let Setup { client, network, seed, seconds, room, .. } = *setup;
        let relay = Relay::start().await?;
        let to = if client == Client::P2p { relay.address } else { self.http };
        let near = match &self.near {
            Some((its, near)) if its == room && client != Client::P2p => near.clone(),
            _ => Arc::new(Near::new(seed, self.media, to)?),
        };
        self.near = (client != Client::P2p).then(|| (room.to_owned(), near.clone()));
        let links = Links::new(near, network, seed, self.media, to)?;
        let order = json!({
            "type": "call",
            "kind": client.name(),
            "seconds": seconds,
            "room": room,
            "sender_url": format!("ws://{}/ws", links.near.tcp),
            "sender_media": links.near.link.address().to_string(),
            "watcher_url": format!("ws://{}/ws", links.bad_tcp),
            "watcher_media": links.bad.address().to_string(),
        });
        self.page.order(&order).await?;
        let patience = SILENCE + Duration::from_secs(seconds);
        let mut clicked = Instant::now();
        let mut recordings = Vec::new();
        loop {
            match self.page.next(patience).await? {
                Said::Bytes(bytes) => recordings.push(bytes),
                Said::Message(told) => match told["type"].as_str() {
                    Some("clicked") => {
                        links.bad.take_meters();
                        clicked = Instant::now();
                    }
                    Some("link") => {
                        let ports = links.between(&told).context("the browsers' own addresses")?;
                        self.page.order(&ports).await?;
                    }
                    Some("call") => {
                        let (meters, ended) = (links.bad.take_meters(), Instant::now());
                        let mut told: Told =
                            serde_json::from_value(told).context("what the page measured")?;
                        told.recorded(recordings);
                        return Ok((told, meters, (clicked, ended)));
                    }
                    _ => {}
                },
            }
        }
    }
}

impl Near {
    fn new(seed: u64, media: SocketAddr, to: SocketAddr) -> Result<Self> {
        let far = (netem::preset::far_leg(), netem::preset::far_leg());
        let link = Proxy::start_one_leg(ANY, media, far, seed)?;
        let tcp = link.listen_tcp(ANY, to)?;
        Ok(Self { link, tcp })
    }
}

impl Links {
    fn new(near: Arc<Near>, network: &Network, seed: u64, media: SocketAddr, to: SocketAddr) -> Result<Self> {
        let bad = Proxy::start_one_leg(ANY, media, network.links(seed), seed)?;
        let bad_tcp = bad.listen_tcp(ANY, to)?;
        Ok(Self { near, bad, bad_tcp })
    }

    /// `{a, b}`, sender and watcher: media goes a -> near -> bad -> b and back. Where each finds the other.
    fn between(&self, asked: &Value) -> Option<Value> {
        let address = |name: &str| asked[name].as_str()?.parse::<SocketAddr>().ok();
        let (sender, watcher) = (address("a")?, address("b")?);
        let out_of_bad = self.bad.expect(watcher, self.near.link.address())?;
        let out_of_bad = SocketAddr::from((Ipv4Addr::LOCALHOST, out_of_bad));
        let out_of_near = self.near.link.expect(out_of_bad, sender)?;
        let for_sender = SocketAddr::new(sender.ip(), out_of_near);
        Some(json!({
            "type": "link",
            "for_sender": for_sender.to_string(),
            "for_watcher": self.bad.address().to_string(),
        }))
    }
}
