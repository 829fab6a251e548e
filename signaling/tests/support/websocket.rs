//! A client of the WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use wire::{ClientMessage, ServerMessage};

use crate::support::{offer, pairs, tracks};

/// Far beyond anything that should happen, so that a loaded machine fails no test.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    pub async fn open(address: SocketAddr) -> Self {
        Self(connect_async(format!("ws://{address}/ws")).await.unwrap().0)
    }

    pub async fn say(&mut self, message: &ClientMessage) {
        self.0.send(Message::text(serde_json::to_string(message).unwrap())).await.unwrap();
    }

    /// The first message from now on for which there is something to say.
    pub async fn hear<T>(&mut self, mut wanted: impl FnMut(ServerMessage) -> Option<T>) -> T {
        let search = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        if let Some(found) = wanted(serde_json::from_str(&text).unwrap()) {
                            return found;
                        }
                    }
                    Some(Ok(_)) => {}
                    other => panic!("the connection ended: {other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("it comes in time")
    }

    /// Its own id.
    pub async fn join(&mut self, room: &str, name: &str, token: Option<String>) -> String {
        self.say(&ClientMessage::Join {
            id: 1,
            room: room.into(),
            name: name.into(),
            offer: offer(4, "abcd"),
            tracks: tracks(),
            slots: pairs(4),
            token,
            history: Some(wire::HistoryFrom::Newest { newest: 10 }),
            role: None,
        })
        .await;
        self.hear(|message| match message {
            ServerMessage::Joined { participant, .. } => Some(participant),
            ServerMessage::Error { message, .. } => panic!("{message}"),
            _ => None,
        })
        .await
    }
}
