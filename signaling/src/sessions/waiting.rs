//! Those who have to be let in: their join is kept until a moderator says so, and they are told of nothing.

use std::time::{Duration, Instant};

use packet::PeerId;
use wire::{ErrorCode, HistoryFrom, Member, ServerMessage};

use super::connection::State;
use super::join::Newcomer;
use super::{ConnectionId, Refused, Sessions};

/// Somebody who waits, with all that is needed to let them in.
pub(super) struct Waiter {
    /// What they are known by, now and in the room.
    pub id: String,
    /// Of the connection on which they wait.
    connection: ConnectionId,
    /// The request that is answered in the end.
    re: u64,
    until: Instant,
    pub jti: Option<String>,
    pub room: String,
    pub identity: Option<String>,
    join: rooms::Join,
    offer: sdp::Offer,
    history: Option<HistoryFrom>,
}

/// What a join that has to wait is about, besides what the rooms need.
pub(super) struct Asked {
    pub connection: ConnectionId,
    pub re: u64,
    pub jti: Option<String>,
    pub history: Option<HistoryFrom>,
}

impl Sessions {
    pub(super) fn wait(
        &mut self,
        now: Instant,
        join: rooms::Join,
        offer: sdp::Offer,
        asked: Asked,
    ) -> Result<(), Refused> {
        let Asked { connection, re, jti, history } = asked;
        let peer = PeerId(self.next_peer);
        self.rooms.wait(peer, &join)?;
        self.next_peer += 1;
        let until = now + Duration::from_secs(wire::limits::WAIT_TIMEOUT_S);
        let id = self.secret.participant_id();
        let (room, identity) = (join.room.trim().to_owned(), join.identity.clone());
        let waiter = Waiter { id, connection, re, until, jti, room, identity, join, offer, history };
        self.waiters.insert(peer, waiter);
        self.wait_deadlines.insert((until, peer));
        if let Some(state) = self.connections.get_mut(&connection) {
            state.state = State::Waiting(peer);
            self.join_deadlines.remove(&(state.join_by, connection));
        }
        let timeout_ms = wire::limits::WAIT_TIMEOUT_S * 1000;
        self.send(connection, ServerMessage::Waiting { re, timeout_ms });
        self.drain_rooms();
        Ok(())
    }

    /// Into the room. If that is not possible (it is full), they go on waiting, and whoever wanted to let them in is told.
    pub(super) fn let_in(&mut self, peer: PeerId) -> Result<(), Refused> {
        let Some(waiter) = self.waiters.get(&peer) else { return Ok(()) };
        let (connection, re, history) = (waiter.connection, waiter.re, waiter.history.clone());
        let newcomer = Newcomer {
            connection: Some(connection),
            jti: waiter.jti.clone(),
            id: Some((peer, waiter.id.clone())),
        };
        let (join, offer) = (waiter.join.clone(), waiter.offer.clone());
        let (entered, answer) = self.enter(join, &offer, newcomer)?;
        if let Some(waiter) = self.waiters.remove(&peer) {
            self.wait_deadlines.remove(&(waiter.until, peer));
        }
        self.welcome(connection, re, entered, Some(answer), history);
        Ok(())
    }

    /// Tells somebody that they are not let in. Their connection may try again.
    pub(super) fn turn_away(&mut self, peer: PeerId, code: ErrorCode, message: &str) {
        let Some(waiter) = self.waiters.get(&peer) else { return };
        let (connection, re) = (waiter.connection, waiter.re);
        self.end_wait(peer);
        if let Some(state) = self.connections.get_mut(&connection) {
            state.state = State::Idle;
            self.join_deadlines.insert((state.join_by, connection));
        }
        self.refuse(connection, Some(re), Refused::new(code, message));
    }

    /// Waits no longer; nobody is told but those who moderate.
    pub(super) fn end_wait(&mut self, peer: PeerId) {
        let Some(waiter) = self.waiters.get(&peer) else { return };
        self.wait_deadlines.remove(&(waiter.until, peer));
        self.rooms.end_wait(peer, false);
        // What is told of it still names it.
        self.drain_rooms();
        self.waiters.remove(&peer);
    }

    pub(super) fn end_waits(&mut self, now: Instant) {
        while let Some(&(_, peer)) = self.wait_deadlines.first().filter(|(until, _)| *until <= now) {
            self.turn_away(peer, ErrorCode::WaitTimeout, "nobody has let you in: try again");
        }
    }

    /// Of a room, all of them or the one with this id.
    pub(super) fn waiting_in(&self, room: &str, participant: Option<&str>) -> Result<Vec<PeerId>, Refused> {
        let people = self.rooms.waiting(room).iter().map(|waiter| waiter.peer);
        let Some(id) = participant else { return Ok(people.collect()) };
        let found = people.filter(|peer| self.waiters.get(peer).is_some_and(|waiter| waiter.id == id));
        let found: Vec<_> = found.collect();
        match found.is_empty() {
            true => Err(Refused::new(ErrorCode::UnknownParticipant, "nobody of this id waits here")),
            false => Ok(found),
        }
    }

    pub(super) fn waiters_to_wire(&self, people: &[rooms::Waiter]) -> Vec<Member> {
        let member = |waiter: &rooms::Waiter| {
            let id = self.waiters.get(&waiter.peer)?.id.clone();
            Some(Member { id, name: waiter.name.clone(), identity: waiter.identity.clone(), role: None })
        };
        people.iter().filter_map(member).collect()
    }
}
