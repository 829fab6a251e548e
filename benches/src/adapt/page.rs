//! The page, its browser, and the WebSocket over which they take orders.

use crate::chromium::{Browser, Site};
use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// A browser that starts on a busy machine.
const START: Duration = Duration::from_secs(60);

pub struct Page {
    _browser: Browser,
    socket: WebSocketStream<TcpStream>,
}

/// The SDK with our page beside it.
pub fn site() -> Result<Site> {
    Site::new(&[
        ("adapt.html", include_str!("page.html")),
        ("adapt.js", include_str!("page.js")),
        ("onset.js", include_str!("onset.js")),
    ])
}

impl Page {
    pub async fn open(browser: &Path, url: &str, site: &Site) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("{url}/adapt.html?bench=ws://{}/", listener.local_addr()?);
        let browser = Browser::start(browser, site, &address)?;
        let accepted = tokio::time::timeout(START, listener.accept()).await;
        let (stream, _) = accepted.context("the browser is silent; does it run headless here?")??;
        let socket = tokio_tungstenite::accept_async(stream).await?;
        let mut page = Self { _browser: browser, socket };
        page.wait("ready", START).await?;
        Ok(page)
    }

    pub async fn order(&mut self, order: &Value) -> Result<()> {
        self.socket.send(Message::text(order.to_string())).await.context("the page went away")
    }

    /// The next message of this type; what the page says in between is of no interest.
    pub async fn wait(&mut self, what: &str, patience: Duration) -> Result<Value> {
        let wait = async {
            loop {
                let Some(Ok(message)) = self.socket.next().await else { bail!("the page went away") };
                let Message::Text(text) = message else { continue };
                let told: Value =
                    serde_json::from_str(&text).with_context(|| format!("the page said {text}"))?;
                match told["type"].as_str() {
                    Some("failed") => bail!("the page failed: {}", told["why"]),
                    Some(name) if name == what => return Ok(told),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(patience, wait)
            .await
            .with_context(|| format!("the page did not say `{what}`"))?
    }
}
