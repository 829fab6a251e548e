//! A WebSocket relay between two: what one says the other hears. What a page needs to call another without a server for media.

use anyhow::Result;
use futures_util::{SinkExt as _, StreamExt as _};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Ends when dropped.
pub struct Relay {
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let (Ok(first), Ok(second)) = (accept(&listener).await, accept(&listener).await) else { return };
            let ((mut to_first, mut from_first), (mut to_second, mut from_second)) =
                (first.split(), second.split());
            loop {
                let (message, to) = tokio::select! {
                    message = from_first.next() => (message, &mut to_second),
                    message = from_second.next() => (message, &mut to_first),
                };
                let Some(Ok(message)) = message else { return };
                if matches!(message, Message::Text(_)) && to.send(message).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { address, task })
    }
}

async fn accept(listener: &TcpListener) -> Result<WebSocketStream<TcpStream>> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(tokio_tungstenite::accept_async(stream).await?)
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
