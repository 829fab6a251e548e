//! What is said in a room: messages that are kept, and what is true only now.

use std::time::Instant;

use history::{Cursor, Loaded, PostError, ReaderId, StoreError};
use packet::{PeerId, RoomId};
use wire::limits::{STATE_KEY_BYTES_MAX, STATE_VALUE_BYTES_MAX};
use wire::{ErrorCode, HistoryFrom, Message, ServerMessage};

use super::request::{Messages, Reply, RequestId};
use super::{ConnectionId, Output, Refused, RoomEvent, Sessions};

/// Who waits for the store.
#[derive(Debug)]
pub(super) enum Asker {
    /// With the request's `id`.
    Client(ConnectionId, u64),
    Application(RequestId),
}

/// What a `post` carries.
pub(super) struct Said {
    pub key: String,
    pub topic: String,
    pub body: String,
    /// The room that it is meant for; None: any.
    pub room: Option<String>,
}

impl Sessions {
    /// The store has answered [`Output::Load`].
    pub fn handle_loaded(&mut self, room: &str, loaded: Result<Loaded, StoreError>) {
        let fresh = self.secret.log_id();
        self.histories.handle_loaded(room, loaded, fresh);
        self.drain_histories();
    }

    /// The store has answered [`Output::Store`].
    pub fn handle_stored(&mut self, room: &str, result: Result<(), StoreError>) {
        if result.is_err() {
            self.stats.not_stored += 1;
        }
        self.histories.handle_stored(room, result);
        self.drain_histories();
    }

    pub(super) fn post(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        id: u64,
        said: Said,
    ) -> Result<(), Refused> {
        let peer = self.may_speak(connection)?;
        let Some(participant) = self.rooms.participant(peer) else { return Ok(()) };
        let room = self.rooms.room_name(participant.room()).unwrap_or_default().to_owned();
        let Said { key, topic, body, room: meant } = said;
        if meant.is_some_and(|meant| meant != room) {
            let message = "you were moved to another room meanwhile";
            return Err(Refused::new(ErrorCode::Moved, message));
        }
        let post = history::Post {
            key,
            from: self.peers.get(&peer).map(|p| p.id.clone()).unwrap_or_default(),
            identity: participant.identity().map(str::to_owned),
            name: participant.name().to_owned(),
            topic,
            body,
        };
        let ticket = self.ticket(Asker::Client(connection, id));
        self.histories.post(self.wall_ms(now), &room, ticket, post);
        self.drain_histories();
        Ok(())
    }

    pub(super) fn ticket(&mut self, asker: Asker) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.tickets.insert(ticket, asker);
        ticket
    }

    pub(super) fn received(&mut self, connection: ConnectionId, seq: u64) -> Result<(), Refused> {
        let peer = self.joined(connection)?;
        if let Some(reader) = self.peers.get(&peer).and_then(|p| p.reader) {
            self.histories.received(reader, seq);
            self.drain_histories();
        }
        Ok(())
    }

    /// To everybody else who is there at the moment.
    pub(super) fn state(
        &mut self,
        connection: ConnectionId,
        key: String,
        value: String,
    ) -> Result<(), Refused> {
        let peer = self.may_speak(connection)?;
        if key.is_empty() || key.len() > STATE_KEY_BYTES_MAX || value.len() > STATE_VALUE_BYTES_MAX {
            let message = format!(
                "a state has a key of 1 to {STATE_KEY_BYTES_MAX} and a value of at most {STATE_VALUE_BYTES_MAX} bytes"
            );
            return Err(Refused::new(ErrorCode::BadPost, message));
        }
        let Some(participant) = self.rooms.participant(peer) else { return Ok(()) };
        let Some(id) = self.peers.get(&peer).map(|p| p.id.clone()) else { return Ok(()) };
        let others = self.rooms.participants(participant.room()).filter(|p| p.peer() != peer);
        let others: Vec<_> = others.filter(|_| !participant.grants().hidden).map(|p| p.peer()).collect();
        for other in others {
            let message =
                ServerMessage::State { participant: id.clone(), key: key.clone(), value: value.clone() };
            self.tell(other, message);
        }
        Ok(())
    }

    fn may_speak(&self, connection: ConnectionId) -> Result<PeerId, Refused> {
        let peer = self.joined(connection)?;
        match self.rooms.participant(peer).is_some_and(|p| p.grants().data) {
            true => Ok(peer),
            false => Err(Refused::new(ErrorCode::NotAllowed, "you may not send messages here")),
        }
    }

    /// The room's log is there from its first participant on.
    pub(super) fn open_history(&mut self, room: RoomId) {
        if let Some(name) = self.rooms.room_name(room) {
            self.histories.open(name);
            self.drain_histories();
        }
    }

    pub(super) fn subscribe(&mut self, peer: PeerId, from: Option<HistoryFrom>) {
        let Some(from) = from else { return };
        let Some(room) = self.rooms.participant(peer).map(|p| p.room()) else { return };
        let Some(name) = self.rooms.room_name(room) else { return };
        let Some(entry) = self.peers.get_mut(&peer) else { return };
        let reader = ReaderId(self.next_reader);
        self.next_reader += 1;
        entry.reader = Some(reader);
        self.readers.insert(reader, peer);
        let cursor = match from {
            HistoryFrom::After { log, after } => Cursor::After { log, seq: after },
            HistoryFrom::Newest { newest } => Cursor::Newest(newest as usize),
        };
        self.histories.subscribe(reader, name, cursor);
        self.drain_histories();
    }

    pub(super) fn unsubscribe(&mut self, peer: PeerId) {
        if let Some(reader) = self.peers.get_mut(&peer).and_then(|p| p.reader.take()) {
            self.readers.remove(&reader);
            self.histories.unsubscribe(reader);
        }
    }

    pub(super) fn drain_histories(&mut self) {
        while let Some(output) = self.histories.poll_output() {
            match output {
                history::Output::Load { room } => self.outputs.push_back(Output::Load { room }),
                history::Output::Store(batch) => self.outputs.push_back(Output::Store(batch)),
                history::Output::Deliver { to, log, entries, gap } => {
                    let Some(peer) = self.readers.get(&to) else { continue };
                    let Some(connection) = self.peers.get(peer).and_then(|p| p.connection) else { continue };
                    let messages = entries.into_iter().map(to_wire).collect();
                    self.send(connection, ServerMessage::Messages { log, messages, gap });
                }
                history::Output::Logged { room, entries } => {
                    for entry in entries {
                        self.happened(&room, RoomEvent::MessagePosted { message: to_wire(entry) });
                    }
                }
                history::Output::Read { ticket, log, first, head, entries } => {
                    if let Some(Asker::Application(id)) = self.tickets.remove(&ticket) {
                        let messages = entries.into_iter().map(to_wire).collect();
                        self.reply(id, Ok(Reply::Messages(Messages { log, first, head, messages })));
                    }
                }
                history::Output::Posted { ticket, seq } => {
                    let Some(asker) = self.tickets.remove(&ticket) else { continue };
                    self.stats.posts += 1;
                    match asker {
                        Asker::Client(connection, re) if self.connections.contains_key(&connection) => {
                            self.send(connection, ServerMessage::Posted { re, seq });
                        }
                        Asker::Client(..) => {}
                        Asker::Application(id) => self.reply(id, Ok(Reply::Posted { seq })),
                    }
                }
                history::Output::Failed { ticket, error } => {
                    let Some(asker) = self.tickets.remove(&ticket) else { continue };
                    let code = match error {
                        PostError::TooLarge(_) | PostError::BadTopic(_) | PostError::BadKey(_) => {
                            ErrorCode::BadPost
                        }
                        PostError::Busy => ErrorCode::Busy,
                        PostError::NotStored(_) => ErrorCode::NotStored,
                    };
                    self.not_posted(asker, Refused::new(code, error));
                }
            }
        }
    }

    fn not_posted(&mut self, asker: Asker, refused: Refused) {
        match asker {
            Asker::Application(id) => self.reply(id, Err(refused.into())),
            // A store that does not work is not the client's fault.
            Asker::Client(connection, re) if refused.code == ErrorCode::BadPost => {
                self.refuse(connection, Some(re), refused);
            }
            Asker::Client(connection, re) if self.connections.contains_key(&connection) => {
                let Refused { code, message, present } = refused;
                *self.stats.errors.entry(code).or_default() += 1;
                self.send(connection, ServerMessage::Error { re: Some(re), code, message, present });
            }
            Asker::Client(..) => {}
        }
    }
}

fn to_wire(entry: history::Entry) -> Message {
    let history::Entry { seq, at_ms, post } = entry;
    let history::Post { from, identity, name, topic, body, .. } = post;
    Message { seq, at_ms, participant: from, identity, name, topic, body }
}
