//! The one task that owns [`Sessions`]: inputs come through queues, outputs go to the WebSockets and to the media plane.

use std::collections::HashMap;
use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::Utf8Bytes;
use sfu::{Event, Sfu};
use tokio::sync::{mpsc, oneshot};
use wire::ServerMessage;

use super::hooks;
use super::outbox::{Ending, Outbox};
use super::store::{Answer, Job};
use crate::sessions::{ConnectionId, Output, Reply, Request, RequestError, RequestId, Sessions, Stats};

/// From the WebSockets and the HTTP side.
pub(super) enum Input {
    Open {
        connection: ConnectionId,
        address: IpAddr,
        outbox: Outbox,
    },
    /// `at`: when it was read off the socket.
    Text {
        connection: ConnectionId,
        text: Utf8Bytes,
        at: Instant,
    },
    /// A frame of which nothing could be read.
    Unreadable {
        connection: ConnectionId,
        is_too_large: bool,
    },
    /// `lost`: nobody wanted that; when the client was heard last.
    Closed {
        connection: ConnectionId,
        lost: Option<Instant>,
    },
    /// Of the application, over HTTP.
    Request {
        token: Option<String>,
        request: Request,
        reply: oneshot::Sender<Result<Reply, RequestError>>,
    },
    Stored(Answer),
    Stats(oneshot::Sender<Stats>),
    ShutDown,
}

/// Messages that wait for the engine; then the WebSockets wait, and with them their clients.
pub(super) const INPUT_QUEUE: usize = 1024;

pub(super) struct Engine {
    pub sessions: Sessions,
    pub sfu: Arc<Sfu>,
    pub outboxes: HashMap<ConnectionId, Outbox>,
    /// Never full: every room has one batch under way at most.
    pub store: std::sync::mpsc::Sender<Job>,
    pub requests: Requests,
    pub hooks: Option<hooks::Handle>,
}

/// Who waits for an answer over HTTP.
#[derive(Default)]
pub(super) struct Requests {
    next: u64,
    waiting: HashMap<RequestId, oneshot::Sender<Result<Reply, RequestError>>>,
}

impl Requests {
    fn expect(&mut self, reply: oneshot::Sender<Result<Reply, RequestError>>) -> RequestId {
        let id = RequestId(self.next);
        self.next += 1;
        self.waiting.insert(id, reply);
        id
    }

    /// Whoever asked may have gone meanwhile.
    fn answer(&mut self, id: RequestId, result: Result<Reply, RequestError>) {
        if let Some(reply) = self.waiting.remove(&id) {
            let _ = reply.send(result);
        }
    }
}

impl Engine {
    /// Ends when every sender of inputs is gone. Media events have no bound, because a worker must not wait; the router
    /// makes few of them.
    pub async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut events: mpsc::UnboundedReceiver<Event>,
    ) {
        let mut wake_at: Option<Instant> = None;
        loop {
            let timeout = async {
                match wake_at {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => pending().await,
                }
            };
            let mut read_at = None;
            tokio::select! {
                biased;
                Some(event) = events.recv() => self.sessions.handle_media_event(Instant::now(), event),
                input = inputs.recv() => match input {
                    Some(input) => {
                        self.sessions.handle_load(&self.sfu.busy_percent());
                        read_at = self.handle(input);
                    }
                    None => return,
                },
                () = timeout => self.sessions.handle_timeout(Instant::now()),
            }
            wake_at = self.drain(read_at);
        }
    }

    fn handle(&mut self, input: Input) -> Option<Instant> {
        let now = Instant::now();
        match input {
            Input::Open { connection, address, outbox } => {
                self.outboxes.insert(connection, outbox);
                self.sessions.handle_open(now, connection, address);
            }
            Input::Text { connection, text, at } => {
                self.sessions.handle_text(now, connection, text.as_str());
                return Some(at);
            }
            Input::Unreadable { connection, is_too_large } => {
                self.sessions.handle_unreadable(now, connection, is_too_large);
            }
            Input::Closed { connection, lost } => {
                match lost {
                    Some(heard_at) => self.sessions.handle_lost(connection, heard_at),
                    None => self.sessions.handle_closed(connection),
                }
                self.outboxes.remove(&connection);
            }
            Input::Request { token, request, reply } => {
                let id = self.requests.expect(reply);
                self.sessions.handle_request(now, id, token.as_deref(), request);
            }
            Input::Stored(Answer::Loaded(room, loaded)) => self.sessions.handle_loaded(&room, loaded),
            Input::Stored(Answer::Stored(room, result)) => self.sessions.handle_stored(&room, result),
            Input::Stats(reply) => drop(reply.send(self.sessions.stats())),
            Input::ShutDown => self.sessions.shut_down(),
        }
        None
    }

    /// `read_at`: when the message that caused all this was read. Returns when to wake up at the latest.
    fn drain(&mut self, read_at: Option<Instant>) -> Option<Instant> {
        loop {
            match self.sessions.poll_output() {
                Output::Send { to, mut message } => {
                    if let (ServerMessage::Joined { server_ms, .. }, Some(at)) = (&mut message, read_at) {
                        *server_ms = (at.elapsed().as_secs_f64() * 100_000.0).round() / 100.0;
                    }
                    self.send(to, &message);
                }
                Output::Media { worker, command } => self.sfu.send(worker, command),
                Output::Load { room } => drop(self.store.send(Job::Load(room))),
                Output::Store(batch) => drop(self.store.send(Job::Store(batch))),
                Output::Revoked(state) => drop(self.store.send(Job::Revoked(state))),
                Output::Reply { to, result } => self.requests.answer(to, result),
                Output::Happened { room, event } => {
                    if let Some(hooks) = &self.hooks {
                        hooks.happened(room, &event);
                    }
                }
                Output::Close { connection, code } => {
                    if let Some(outbox) = self.outboxes.remove(&connection) {
                        outbox.end(code.map_or(Ending::Left, Ending::Error));
                    }
                    tracing::debug!(connection = connection.0, code = code.map(|c| c.name()), "closing");
                }
                Output::Timeout(at) => return at.map(|(at, _)| at),
            }
        }
    }

    fn send(&mut self, to: ConnectionId, message: &ServerMessage) {
        let Some(outbox) = self.outboxes.get(&to) else { return };
        match message {
            ServerMessage::Joined { participant, room, server_ms, .. } => {
                tracing::info!(connection = to.0, room, participant, server_ms, "joined");
            }
            ServerMessage::Resumed { participant, room, answer, .. } => {
                let restart = answer.is_some();
                tracing::info!(connection = to.0, room, participant, restart, "came back");
            }
            ServerMessage::Waiting { .. } => tracing::info!(connection = to.0, "waits to be let in"),
            ServerMessage::Error { code, message, .. } => {
                tracing::info!(connection = to.0, code = code.name(), message, "refused");
            }
            _ => {}
        }
        let text = match serde_json::to_string(message) {
            Ok(text) => text,
            Err(error) => return tracing::error!(%error, "a message cannot be written"),
        };
        if !outbox.send(text) {
            tracing::info!(connection = to.0, "reads too slowly");
            self.sessions.handle_overflow(Instant::now(), to);
        }
    }
}
