//! A page of ours in a headless browser that is told over a WebSocket what to do, and tells what it measured.

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

/// What a page says.
#[derive(Debug)]
pub enum Said {
    /// An object with a `type`.
    Message(Value),
    Bytes(Vec<u8>),
}

impl Page {
    /// `address`: of the page, from the address of the WebSocket that it is to open. It says `ready` first.
    pub async fn open(
        browser: &Path,
        site: &Site,
        options: &[&str],
        address: impl FnOnce(&str) -> String,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = address(&format!("ws://{}/", listener.local_addr()?));
        let browser = Browser::start_with(browser, site, &address, options)?;
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

    /// The next thing that it says; that it failed is an error.
    pub async fn next(&mut self, patience: Duration) -> Result<Said> {
        let next = async {
            loop {
                let Some(Ok(message)) = self.socket.next().await else { bail!("the page went away") };
                match message {
                    Message::Binary(bytes) => return Ok(Said::Bytes(bytes.into())),
                    Message::Text(text) => {
                        let told: Value =
                            serde_json::from_str(&text).with_context(|| format!("the page said {text}"))?;
                        if told["type"] == "failed" {
                            bail!("the page failed: {}", told["why"]);
                        }
                        return Ok(Said::Message(told));
                    }
                    _ => {}
                }
            }
        };
        tokio::time::timeout(patience, next).await.context("the page is silent")?
    }

    /// The next message of this type; what the page says in between is of no interest.
    pub async fn wait(&mut self, what: &str, patience: Duration) -> Result<Value> {
        let wait = async {
            loop {
                match self.next(patience).await? {
                    Said::Message(told) if told["type"] == what => return Ok(told),
                    _ => {}
                }
            }
        };
        let waited = tokio::time::timeout(patience, wait).await;
        waited.with_context(|| format!("the page did not say `{what}`"))?
    }
}
