//! A client on a real WebSocket, without media.

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use wire::{ClientMessage, HistoryFrom, ServerMessage};

use super::PATIENCE;

pub struct Client(WebSocketStream<TcpStream>);

impl Client {
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("the server takes no more connections")?;
        stream.set_nodelay(true)?;
        Ok(Self(client_async(format!("ws://{address}/ws"), stream).await?.0))
    }

    pub async fn say(&mut self, message: &ClientMessage) -> anyhow::Result<()> {
        self.0.send(Message::text(serde_json::to_string(message)?)).await?;
        Ok(())
    }

    pub async fn hear(&mut self) -> anyhow::Result<ServerMessage> {
        loop {
            match timeout(PATIENCE, self.0.next()).await?.context("the server closed")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(frame) => bail!("the server closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// Reads what has come.
    pub async fn drain(&mut self) -> anyhow::Result<()> {
        while let Ok(frame) = timeout(Duration::from_millis(1), self.0.next()).await {
            frame.context("the server closed")??;
        }
        Ok(())
    }

    /// Joins with somebody's offer; publishes and receives nothing in a room that talks.
    pub async fn join(
        &mut self,
        join: &ClientMessage,
        into: &str,
        from: Option<HistoryFrom>,
    ) -> anyhow::Result<()> {
        let ClientMessage::Join { offer, mut tracks, mut slots, .. } = join.clone() else {
            bail!("no join");
        };
        if from.is_some() {
            tracks.iter_mut().for_each(|track| track.active = false);
            slots.clear();
        }
        let (room, name) = (into.to_owned(), "bench".to_owned());
        self.say(&ClientMessage::Join {
            id: 1,
            room,
            name,
            offer,
            tracks,
            slots,
            token: None,
            history: from,
            role: None,
        })
        .await?;
        loop {
            match self.hear().await? {
                ServerMessage::Joined { .. } => return Ok(()),
                ServerMessage::Error { message, .. } => bail!("{message}"),
                _ => {}
            }
        }
    }
}
