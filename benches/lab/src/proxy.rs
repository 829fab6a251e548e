//! `lab proxy`: the impairment link alone, with a page to watch and change it.

use crate::cli;
use crate::network::{Network, Trace};
use anyhow::{Context, Result};
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use netem::{Bitrate, Capacity, LinkConfig, Loss, QueueLimit};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tests::meter::Meter;
use tests::proxy::Proxy;

const PAGE: &str = include_str!("proxy/control.html");
/// Between two looks at the meters.
const LOOK_EVERY: Duration = Duration::from_secs(1);

struct Control {
    proxy: Proxy,
    seed: u64,
    networks: Vec<Network>,
    now: Mutex<Now>,
}

/// What the page shows.
#[derive(Clone, Default, Serialize)]
struct Now {
    scenario: String,
    up_link: String,
    down_link: String,
    up: Passed,
    down: Passed,
    udp_and_tcp: String,
    to: String,
    #[serde(skip)]
    links: (LinkConfig, LinkConfig),
}

/// In the last second, and packets since the start.
#[derive(Clone, Copy, Default, Serialize)]
struct Passed {
    offered_kbps: f64,
    passed_kbps: f64,
    dropped_pct: f64,
    queue_p95_ms: f64,
    packets: u64,
    lost: u64,
}

/// A form of the page; what is empty stays.
#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    scenario: String,
    #[serde(default)]
    delay_ms: String,
    #[serde(default)]
    loss_percent: String,
    #[serde(default)]
    rate_kbps: String,
    #[serde(default)]
    queue_ms: String,
}

pub fn run(options: &cli::Proxy) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(serve(options))
}

async fn serve(options: &cli::Proxy) -> Result<()> {
    let traces: Vec<Trace> = options.trace.iter().map(|text| Trace::read(text)).collect::<Result<_>>()?;
    let mut networks = Network::built_in();
    let network = if traces.is_empty() {
        Network::chosen(std::slice::from_ref(&options.scenario))?.remove(0)
    } else {
        let recorded = Network::recorded(&traces, Duration::from_millis(options.rtt))?;
        networks.push(recorded.clone());
        recorded
    };
    let links = network.links(options.seed);
    let proxy = Proxy::start_one_leg(options.listen, options.to, links.clone(), options.seed)
        .with_context(|| format!("cannot listen at {}", options.listen))?;
    let address = proxy.address();
    proxy
        .listen_tcp(address, options.tcp_to.unwrap_or(options.to))
        .with_context(|| format!("cannot listen for TCP at {address}"))?;
    let now =
        Now { udp_and_tcp: address.to_string(), to: options.to.to_string(), ..Now::of(&network.id, links) };
    let control = Arc::new(Control { proxy, seed: options.seed, networks, now: Mutex::new(now) });
    let listener = tokio::net::TcpListener::bind(options.control)
        .await
        .with_context(|| format!("cannot listen at {}", options.control))?;
    println!("link      {address} (UDP and TCP) to {}", options.to);
    println!("network   {}: {}", network.id, network.about);
    println!("control   http://{}", listener.local_addr()?);
    println!("stop      Ctrl-C");
    let routes = axum::Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/state", get(state))
        .route("/networks", get(networks_known))
        .route("/change", post(change))
        .with_state(control.clone());
    let serving = axum::serve(listener, routes);
    let lasts = async {
        match options.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        result = serving => result.context("the control page"),
        () = watch(control) => Ok(()),
        () = lasts => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// Empties the meters each second, so that a proxy can run for days.
async fn watch(control: Arc<Control>) {
    loop {
        let from = Instant::now();
        tokio::time::sleep(LOOK_EVERY).await;
        let (meters, to) = (control.proxy.take_meters(), Instant::now());
        let mut now = control.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.up = now.up.then(&meters.up, from, to);
        now.down = now.down.then(&meters.down, from, to);
    }
}

async fn state(State(control): State<Arc<Control>>) -> Json<Now> {
    Json(control.now.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

async fn networks_known(State(control): State<Arc<Control>>) -> Json<Vec<(String, String)>> {
    Json(control.networks.iter().map(|network| (network.id.clone(), network.about.clone())).collect())
}

async fn change(State(control): State<Arc<Control>>, Form(change): Form<Change>) -> Response {
    let mut now = control.now.lock().unwrap_or_else(PoisonError::into_inner);
    match change.apply(&control, &now) {
        Ok((scenario, links)) => {
            control.proxy.change(links.0.clone(), links.1.clone());
            let Now { up, down, udp_and_tcp, to, .. } = now.clone();
            *now = Now { up, down, udp_and_tcp, to, ..Now::of(&scenario, links) };
            Json(now.clone()).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}\n")).into_response(),
    }
}

impl Change {
    fn apply(&self, control: &Control, now: &Now) -> Result<(String, (LinkConfig, LinkConfig))> {
        let (mut name, mut links) = (now.scenario.clone(), now.links.clone());
        if !self.scenario.is_empty() {
            let found = control.networks.iter().find(|n| n.id.eq_ignore_ascii_case(&self.scenario));
            let network = found.with_context(|| format!("there is no scenario `{}`", self.scenario))?;
            (name, links) = (network.id.clone(), network.links(control.seed));
        }
        let number = |what: &str, text: &str| match text {
            "" => Ok(None),
            text => {
                let number =
                    text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && (0.0..=1e7).contains(n));
                number
                    .map(Some)
                    .with_context(|| format!("{what} `{text}` is not a number from 0 to 10,000,000"))
            }
        };
        let delay = number("the delay", &self.delay_ms)?;
        let loss = number("the loss", &self.loss_percent)?.map(|percent| (percent / 100.0).min(1.0));
        let rate = number("the rate", &self.rate_kbps)?;
        let queue = number("the queue", &self.queue_ms)?.unwrap_or(300.0);
        let changed = delay.is_some() || loss.is_some() || rate.is_some();
        for link in [&mut links.0, &mut links.1] {
            if let Some(ms) = delay {
                link.delay = Duration::from_micros((ms * 1000.0) as u64);
            }
            if let Some(share) = loss {
                link.loss = Loss::Random(share);
            }
            match rate {
                Some(0.0) => (link.capacity, link.queue) = (Capacity::Unlimited, QueueLimit::default()),
                Some(kbps) => {
                    link.capacity = Capacity::Constant(Bitrate::kbps(kbps as u64));
                    link.queue = QueueLimit { bytes: None, wait: Some(Duration::from_millis(queue as u64)) };
                }
                None => {}
            }
        }
        if changed && !name.ends_with(", changed") {
            name += ", changed";
        }
        Ok((name, links))
    }
}

impl Now {
    fn of(scenario: &str, links: (LinkConfig, LinkConfig)) -> Self {
        let (up_link, down_link) = (Network::numbers(&links.0), Network::numbers(&links.1));
        Self { scenario: scenario.to_owned(), up_link, down_link, links, ..Self::default() }
    }
}

impl Passed {
    fn then(self, meter: &Meter, from: Instant, to: Instant) -> Self {
        let packets = meter.between(from, to).count() as u64;
        let arrived = |fate| matches!(fate, netem::Fate::Delivered | netem::Fate::DeliveredTwice);
        let lost = meter.between(from, to).filter(|packet| !arrived(packet.fate)).count() as u64;
        Self {
            offered_kbps: meter.offered_kbps(from, to),
            passed_kbps: meter.passed_kbps(from, to),
            dropped_pct: 100.0 * meter.dropped_share(from, to),
            queue_p95_ms: meter.waited_ms(from, to, 0.95),
            packets: self.packets + packets,
            lost: self.lost + lost,
        }
    }
}
