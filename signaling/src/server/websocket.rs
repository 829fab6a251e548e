//! One WebSocket: frames in, to the engine; the engine's queue out, compressed where the client reads that. Pings, and an end to
//! what is silent or stuck.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite;
use wire::deflate::{self, InflateError};

use super::engine::Input;
use super::limits::Admitted;
use super::options::Options;
use super::outbox::{Ending, Inbox, Outgoing, outbox};
use crate::sessions::ConnectionId;

/// Messages that leave in one go.
const TOGETHER: usize = 32;
/// For saying goodbye to somebody who may not read; then the connection is dropped.
const FAREWELL: Duration = Duration::from_secs(1);

/// Who is at the other end.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub connection: ConnectionId,
    /// It said that it reads binary frames.
    pub inflates: bool,
    /// And those that refer to what it said.
    pub refers: bool,
}

pub(super) async fn run(
    socket: WebSocket,
    Client { connection, inflates, refers }: Client,
    admitted: Arc<Admitted>,
    options: Arc<Options>,
    engine: mpsc::Sender<Input>,
) {
    let address: IpAddr = admitted.address();
    tracing::debug!(connection = connection.0, %address, "WebSocket opened");
    let (outbox, inbox) = outbox(options.queue_messages, options.queue_bytes);
    if engine.send(Input::Open { connection, address, outbox }).await.is_err() {
        return;
    }
    let (sink, stream) = socket.split();
    let heard = Heard::new();
    let said = Said::new(refers);
    let reader = read(stream, connection, options.silence, &engine, &heard, &said);
    let writer = write(sink, inbox, options.silence / 3, inflates, &said);
    tokio::pin!(reader, writer);
    let is_wanted = tokio::select! {
        () = &mut writer => false,
        end = &mut reader => {
            // The engine still has something to say to a client that broke the rules.
            if end == ReadEnd::Unreadable {
                let _ = timeout(FAREWELL, &mut writer).await;
            }
            end == ReadEnd::Goodbye
        }
    };
    let lost = (!is_wanted).then(|| heard.at());
    // The engine ends only with the process.
    let _ = engine.send(Input::Closed { connection, lost }).await;
    tracing::debug!(connection = connection.0, "WebSocket closed");
}

#[derive(PartialEq, Eq)]
enum ReadEnd {
    /// The client is done: it closed with 1000, or its page went away (1001).
    Goodbye,
    Lost,
    Unreadable,
}

/// When anything was read last.
struct Heard(Mutex<Instant>);

impl Heard {
    fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
    fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first long message of the client, until an answer has referred to it.
struct Said(Mutex<Memory>);

enum Memory {
    Waiting,
    Kept(Utf8Bytes),
    Used,
}

impl Said {
    fn new(refers: bool) -> Self {
        Self(Mutex::new(if refers { Memory::Waiting } else { Memory::Used }))
    }
    fn hears(&self, text: &Utf8Bytes) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*memory, Memory::Waiting) && deflate::is_long(text) {
            *memory = Memory::Kept(text.clone());
        }
    }
    /// For the first long answer; later ones do without, so that nothing is kept for the length of a call.
    fn take(&self) -> Option<Utf8Bytes> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *memory, Memory::Used) {
            Memory::Kept(text) => Some(text),
            other => {
                *memory = other;
                None
            }
        }
    }
}

async fn read(
    mut stream: SplitStream<WebSocket>,
    connection: ConnectionId,
    silence: Duration,
    engine: &mpsc::Sender<Input>,
    heard: &Heard,
    said: &Said,
) -> ReadEnd {
    loop {
        let Ok(frame) = timeout(silence, stream.next()).await else {
            tracing::info!(connection = connection.0, "silent for {silence:?}, closing");
            return ReadEnd::Lost;
        };
        heard.now();
        let input = match frame {
            Some(Ok(Message::Text(text))) => Input::Text { connection, text, at: Instant::now() },
            Some(Ok(Message::Binary(bytes))) => match deflate::inflate(&bytes) {
                Ok(text) => Input::Text { connection, text: text.into(), at: Instant::now() },
                Err(InflateError::Broken) => Input::Unreadable { connection, is_too_large: false },
                Err(InflateError::TooLarge) => {
                    let _ = engine.send(Input::Unreadable { connection, is_too_large: true }).await;
                    return ReadEnd::Unreadable;
                }
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(Some(frame)))) if matches!(frame.code, 1000 | 1001) => {
                return ReadEnd::Goodbye;
            }
            Some(Ok(Message::Close(_))) | None => return ReadEnd::Lost,
            Some(Err(error)) if is_too_large(&error) => {
                let _ = engine.send(Input::Unreadable { connection, is_too_large: true }).await;
                return ReadEnd::Unreadable;
            }
            Some(Err(error)) => {
                tracing::debug!(connection = connection.0, %error, "WebSocket failed");
                return ReadEnd::Lost;
            }
        };
        if let Input::Text { text, .. } = &input {
            said.hears(text);
        }
        if engine.send(input).await.is_err() {
            return ReadEnd::Lost;
        }
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let inner = error.source().and_then(|e| e.downcast_ref::<tungstenite::Error>());
    matches!(inner, Some(tungstenite::Error::Capacity(_)))
}

/// Until the engine ends it or the socket fails. What waits leaves together: an answer and what follows it are one TCP segment.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut inbox: Inbox,
    ping_every: Duration,
    inflates: bool,
    said: &Said,
) {
    // Says that binary frames are understood here, too.
    if inflates && sink.send(Message::Binary(Bytes::new())).await.is_err() {
        return;
    }
    let mut ticks = interval_at(tokio::time::Instant::now() + ping_every, ping_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let cut = inbox.cut();
    tokio::pin!(cut);
    let ending = loop {
        let mut outgoing = tokio::select! {
            ending = &mut cut => break ending,
            outgoing = inbox.next() => Some(outgoing.unwrap_or(Outgoing::End(Ending::Left))),
            _ = ticks.tick() => None,
        };
        let mut messages = Vec::new();
        if outgoing.is_none() {
            messages.push(Message::Ping(Default::default()));
        }
        let mut ending = None;
        while let Some(next) = outgoing.take() {
            match next {
                Outgoing::Text(text) => messages.push(frame(text, inflates, said)),
                Outgoing::End(end) => ending = Some(end),
            }
            outgoing = if ending.is_none() && messages.len() < TOGETHER { inbox.try_next() } else { None };
        }
        tokio::select! {
            sent = send_all(&mut sink, messages) => if sent.is_err() { return },
            ending = &mut cut => break ending,
        }
        if let Some(ending) = ending {
            break ending;
        }
    };
    let (code, reason) = match ending {
        Ending::Left => (1000, ""),
        Ending::Error(code) => (code.close_code(), code.name()),
    };
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    let _ = timeout(FAREWELL, sink.send(close)).await;
}

async fn send_all(
    sink: &mut SplitSink<WebSocket, Message>,
    messages: Vec<Message>,
) -> Result<(), axum::Error> {
    for message in messages {
        sink.feed(message).await?;
    }
    sink.flush().await
}

/// Compressed here and not in the engine, which has everybody's messages to decide.
fn frame(text: Utf8Bytes, inflates: bool, said: &Said) -> Message {
    let deflated = match inflates && deflate::is_long(&text) {
        true => match said.take() {
            Some(said) => deflate::deflate_after(&text, &said),
            None => deflate::deflate(&text),
        },
        false => None,
    };
    deflated.map_or_else(|| Message::Text(text), |bytes| Message::Binary(bytes.into()))
}
