//! Places that are held for people in the lobby: everything of a join is settled before the click, the handshakes of the media
//! path too, so that one way of one packet is what stands between the click and being in the room.
//!
//! ```text
//! hold --> held {answer} --> ICE, DTLS     --(click)--> first packet of sound or pictures --.
//!                                            `-> enter --------------------------------------+--> as a join, whichever comes first
//! ```
//!
//! A held place has a transport in the media plane and nothing else: it is in no room, counts nowhere, and nobody is told of it.
//! What may have changed by the click (the token, a lock, a full room) is asked again then.

use std::net::IpAddr;
use std::time::Instant;

use packet::PeerId;
use sfu_core::{CloseReason, Command};
use wire::{ErrorCode, ServerMessage, TrackInfo};

use super::connection::State;
use super::join::{Asking, Newcomer, Seat, Wanted};
use super::{ConnectionId, Output, Refused, Sessions, translate};

/// A crowd before one door holds up nobody else: whoever is left out makes an ordinary join.
const SEATS_AT_ONCE: usize = 100;

/// A transport in the media plane that is nobody's yet.
type Reserved = (PeerId, Seat);

#[derive(Debug)]
pub(super) struct Held {
    /// The request that is answered in the end.
    re: u64,
    wanted: Wanted,
    /// None: the join is made when it is time (the room is not there yet, or somebody has to let them in).
    seat: Option<Reserved>,
}

impl Held {
    /// A microphone or camera was switched in the lobby.
    pub fn change(&mut self, track: &TrackInfo) {
        if let Some(known) = self.wanted.tracks.iter_mut().find(|known| known.mid == track.mid) {
            *known = track.clone();
        }
    }
}

impl Sessions {
    pub(super) fn hold(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        re: u64,
        mut wanted: Wanted,
    ) -> Result<(), Refused> {
        let Some(state) = self.connections.get(&connection) else { return Ok(()) };
        if state.state != State::Idle {
            return Err(Refused::new(ErrorCode::WrongState, "this connection has joined already"));
        }
        let (seat, answer) = self.seat_ahead(now, (connection, state.address), &mut wanted)?.unzip();
        if let Some(state) = self.connections.get_mut(&connection) {
            state.state = State::Held;
        }
        self.held.insert(connection, Held { re, wanted, seat });
        self.send(connection, ServerMessage::Held { re, answer });
        Ok(())
    }

    /// A seat and the answer to the offer; None: the join is made when it is time.
    fn seat_ahead(
        &mut self,
        now: Instant,
        (connection, address): (ConnectionId, IpAddr),
        wanted: &mut Wanted,
    ) -> Result<Option<(Reserved, String)>, Refused> {
        let Asking { join, has_to_wait, .. } = self.asking(now, wanted)?;
        let offer = sdp::Offer::parse(&wanted.offer)?;
        let peer = PeerId(self.next_peer);
        // A room that nobody is in has no worker yet, and nobody whose picture would come sooner.
        let room = self.rooms.check_join(peer, &join).ok().filter(|room| self.place.knows(*room));
        let Some(room) = room.filter(|_| !has_to_wait) else { return Ok(None) };
        if !self.joins.take(now, address) {
            return Ok(None);
        }
        let (seat, answer) = self.seat(room, &join, &offer, true)?;
        self.next_peer += 1;
        self.add_to_media(peer, &seat);
        self.held_peers.insert(peer, connection);
        wanted.offer = String::new(); // It is answered.
        Ok(Some(((peer, seat), answer)))
    }

    /// Somebody is in this room now: seats for those who look at its lobby already.
    pub(super) fn room_begins(&mut self, now: Instant, room: &str) {
        let waits = |held: &Held| held.seat.is_none() && held.wanted.room == room;
        let waiting = self.held.iter().filter(|(_, held)| waits(held)).map(|(connection, _)| *connection);
        let waiting: Vec<_> = waiting.take(SEATS_AT_ONCE).collect();
        for connection in waiting {
            let Some(state) = self.connections.get(&connection) else { continue };
            let address = state.address;
            let Some(mut held) = self.held.remove(&connection) else { continue };
            // What is refused now is told when they enter.
            if let Ok(Some((seat, answer))) = self.seat_ahead(now, (connection, address), &mut held.wanted) {
                held.seat = Some(seat);
                self.send(connection, ServerMessage::Held { re: held.re, answer: Some(answer) });
            }
            self.held.insert(connection, held);
        }
    }

    /// The person has clicked. Where nothing is held (any more) that was said, or the first check was faster.
    pub(super) fn enter_held(&mut self, now: Instant, connection: ConnectionId) -> Result<(), Refused> {
        let Some(Held { re, wanted, seat }) = self.take_held(connection, false) else { return Ok(()) };
        let result = match seat {
            Some((peer, seat)) => {
                let entered = self.enter_seat(now, connection, re, &wanted, (peer, &seat));
                if entered.is_err() {
                    self.remove_from_media(peer, &seat);
                }
                entered
            }
            None => self.join(now, connection, re, &wanted),
        };
        result.or_else(|refused| {
            self.refuse(connection, Some(re), refused);
            Ok(())
        })
    }

    fn enter_seat(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        re: u64,
        wanted: &Wanted,
        (peer, seat): (PeerId, &Seat),
    ) -> Result<(), Refused> {
        let Asking { join, jti, has_to_wait } = self.asking(now, wanted)?;
        let room = self.rooms.check_join(peer, &join)?;
        if has_to_wait || room != seat.room || !self.place.knows(room) {
            return Err(Refused::new(ErrorCode::HoldLost, "the room has changed meanwhile: join again"));
        }
        translate::check_against_media(&seat.media, &join.tracks, &join.slots)?;
        self.rooms.join(peer, join)?;
        let newcomer = Newcomer { connection: Some(connection), jti, id: None };
        let entered = self.take_seat(peer, seat.clone(), newcomer);
        if let Some(known) = self.peers.get_mut(&peer) {
            known.was_held = true;
        }
        self.welcome(connection, re, entered, None, wanted.history.clone());
        Ok(())
    }

    /// Nobody sends sound or pictures from the lobby: the first of them is as good as the word `enter`, and does not wait for TCP.
    pub(super) fn enter_by_media(&mut self, now: Instant, peer: PeerId) {
        if let Some(&connection) = self.held_peers.get(&peer) {
            // What is refused was told.
            let _ = self.enter_held(now, connection);
        }
    }

    /// The media plane has given a held transport up.
    pub(super) fn held_closed(&mut self, peer: PeerId, reason: CloseReason) {
        let Some(&connection) = self.held_peers.get(&peer) else { return };
        if reason == CloseReason::NeverConnected {
            // Its time begins with the click, not in the lobby.
            if let Some((peer, seat)) = self.held.get(&connection).and_then(|held| held.seat.clone()) {
                self.remove_from_media(peer, &seat);
                self.add_to_media(peer, &seat);
            }
            return;
        }
        if let Some(Held { re, .. }) = self.take_held(connection, true) {
            let refused =
                Refused::new(ErrorCode::HoldLost, "the media connection that was held is gone: join again");
            self.refuse(connection, Some(re), refused);
        }
    }

    /// What is held on a connection that wants something else.
    pub(super) fn let_go(&mut self, connection: ConnectionId) {
        drop(self.take_held(connection, true));
    }

    /// Nothing is held on the connection afterwards. `with_media`: the media plane forgets it, too.
    pub(super) fn take_held(&mut self, connection: ConnectionId, with_media: bool) -> Option<Held> {
        let held = self.held.remove(&connection)?;
        if let Some((peer, seat)) = &held.seat {
            self.held_peers.remove(peer);
            if with_media {
                self.remove_from_media(*peer, seat);
            }
        }
        if let Some(state) = self.connections.get_mut(&connection) {
            state.state = State::Idle;
        }
        Some(held)
    }

    fn remove_from_media(&mut self, peer: PeerId, seat: &Seat) {
        self.outputs.push_back(Output::Media { worker: seat.worker, command: Command::RemovePeer { peer } });
    }
}
