//! Coming, changing and going: `join`, `offer`, `track`, and leaving.

use std::time::Instant;

use packet::media::PeerMedia;
use packet::{Mid, PeerId};
use rooms::SlotPair;
use sfu_core::Command;
use transport::{IceCredentials, Remote};
use wire::{ErrorCode, MediaOffer, ResumeTicket, ServerMessage, TrackInfo};

use super::connection::{Peer, State};
use super::sticky::Sticky;
use super::{ConnectionId, Output, Refused, Sessions, translate, waiting};

/// What a `join` carries.
#[derive(Debug)]
pub(super) struct Wanted {
    pub room: String,
    pub name: String,
    pub offer: String,
    pub tracks: Vec<TrackInfo>,
    pub slots: Vec<wire::SlotPair>,
    pub token: Option<String>,
    pub history: Option<wire::HistoryFrom>,
    pub role: Option<wire::Role>,
}

/// What comes with somebody besides what the rooms need.
pub(super) struct Newcomer {
    /// None: a session of WHIP or WHEP, which is its media and nothing else.
    pub connection: Option<ConnectionId>,
    pub jti: Option<String>,
    /// None: it is given one.
    pub id: Option<(PeerId, String)>,
}

pub(super) struct Entered {
    pub peer: PeerId,
    pub room: packet::RoomId,
    pub participant: String,
    /// Whoever knows it may go on with this session.
    pub token: String,
}

/// Who wants to come in, by what they ask for and by their token.
pub(super) struct Asking {
    pub join: rooms::Join,
    pub jti: Option<String>,
    /// A moderator has to let them in.
    pub has_to_wait: bool,
}

/// A transport for somebody, and what was negotiated for it.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub room: packet::RoomId,
    pub worker: usize,
    pub local: IceCredentials,
    pub remote: Remote,
    pub media: PeerMedia,
    /// SDP session id and seed of SSRCs.
    pub session: (u64, u64),
}

impl Sessions {
    /// Everything that can be refused is checked before anything changes: a failed join touches nobody.
    pub(super) fn join(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        id: u64,
        wanted: &Wanted,
    ) -> Result<(), Refused> {
        let Some(state) = self.connections.get(&connection) else { return Ok(()) };
        if state.state != State::Idle {
            return Err(Refused::new(ErrorCode::WrongState, "this connection has joined already"));
        }
        if !self.joins.take(now, state.address) {
            return Err(Refused::new(
                ErrorCode::TooManyJoins,
                "too many joins from your network: wait some seconds",
            ));
        }
        let Asking { join, jti, has_to_wait } = self.asking(now, wanted)?;
        if !has_to_wait {
            self.rooms.check_join(PeerId(self.next_peer), &join)?;
        }
        let offer = sdp::Offer::parse(&wanted.offer)?;
        let history = wanted.history.clone();
        if has_to_wait {
            return self.wait(now, join, offer, waiting::Asked { connection, re: id, jti, history });
        }
        let newcomer = Newcomer { connection: Some(connection), jti, id: None };
        let (entered, answer) = self.enter(join, &offer, newcomer)?;
        let is_first = self.rooms.participants(entered.room).count() == 1;
        self.welcome(connection, id, entered, Some(answer), history);
        if is_first {
            self.room_begins(now, &wanted.room);
        }
        Ok(())
    }

    pub(super) fn asking(&mut self, now: Instant, wanted: &Wanted) -> Result<Asking, Refused> {
        let tracks = translate::tracks_to_core(&wanted.tracks)?;
        let slots = translate::slots_to_core(&wanted.slots)?;
        let bearer = self.bearer(now, &wanted.room, wanted.token.as_deref())?;
        let name = bearer.name.unwrap_or_else(|| wanted.name.clone());
        let (mut grants, mut role) = (bearer.grants, bearer.role);
        if self.config.keys.is_none() && bearer.identity.is_none() {
            role = wanted.role.map(translate::role_to_core);
            grants = role.map_or(grants, rooms::Role::grants);
        }
        let (room, identity, must_wait) = (wanted.room.clone(), bearer.identity, bearer.must_wait);
        let join = rooms::Join { room, name, identity, grants, role, must_wait, tracks, slots };
        let has_to_wait = self.rooms.must_wait(&join);
        Ok(Asking { join, jti: bearer.jti, has_to_wait })
    }

    /// Tells somebody who is in what they have to know. `answer`: SDP; None: it was given before.
    pub(super) fn welcome(
        &mut self,
        connection: ConnectionId,
        re: u64,
        entered: Entered,
        answer: Option<String>,
        history: Option<wire::HistoryFrom>,
    ) {
        let Entered { peer, room, participant, token } = entered;
        let (participants, bindings) = self.snapshot(peer);
        let Some(known) = self.rooms.participant(peer) else { return };
        let message = ServerMessage::Joined {
            re,
            participant,
            room: self.rooms.room_name(room).unwrap_or_default().to_owned(),
            answer,
            participants,
            bindings,
            resume: ResumeTicket { token, grace_ms: self.grace_ms() },
            grants: translate::grants_to_wire(known.grants()),
            role: known.role().map(translate::role_to_wire),
            attributes: translate::attributes_to_wire(self.rooms.attributes(room)),
            server_ms: 0.0,
        };
        self.send(connection, message);
        self.tell_setting(peer);
        self.drain_rooms();
        self.open_history(room);
        self.subscribe(peer, history);
    }

    /// Into the room and into the media plane; the rooms have to be drained after it. Everything that can be refused is checked
    /// before anything changes.
    pub(super) fn enter(
        &mut self,
        join: rooms::Join,
        offer: &sdp::Offer,
        newcomer: Newcomer,
    ) -> Result<(Entered, String), Refused> {
        let peer = newcomer.id.as_ref().map_or(PeerId(self.next_peer), |(peer, _)| *peer);
        let room = self.rooms.check_join(peer, &join)?;
        if self.place.is_full() && !self.place.knows(room) {
            return Err(Refused::new(
                ErrorCode::TooManyRooms,
                "the server's processors are busy with the calls that are there: try again in a while, or on another server",
            ));
        }
        // Who has nothing but media has none of our protocol to speak over channels.
        let (seat, answer) = self.seat(room, &join, offer, newcomer.connection.is_some())?;
        self.rooms.join(peer, join)?;
        if newcomer.id.is_none() {
            self.next_peer += 1;
        }
        self.add_to_media(peer, &seat);
        Ok((self.take_seat(peer, seat, newcomer), answer))
    }

    /// Answers an offer, and changes nothing.
    pub(super) fn seat(
        &mut self,
        room: packet::RoomId,
        join: &rooms::Join,
        offer: &sdp::Offer,
        data: bool,
    ) -> Result<(Seat, String), Refused> {
        let worker = self.place.worker(room);
        let local = self.secret.credentials(worker);
        let session = (self.secret.number(), self.secret.number());
        let (answer, media, remote) =
            self.answer(offer, worker, local.clone(), (&join.slots, data), session, None)?;
        translate::check_against_media(&media, &join.tracks, &join.slots)?;
        Ok((Seat { room, worker, local, remote, media, session }, answer))
    }

    pub(super) fn add_to_media(&mut self, peer: PeerId, seat: &Seat) {
        let Seat { room, worker, local, remote, media, .. } = seat.clone();
        let command = Command::AddPeer { peer, room, local, remote, media };
        self.outputs.push_back(Output::Media { worker, command });
    }

    /// What is known of somebody who is in the room and in the media plane from now on.
    pub(super) fn take_seat(&mut self, peer: PeerId, seat: Seat, newcomer: Newcomer) -> Entered {
        let Newcomer { connection, jti, id } = newcomer;
        let Seat { room, worker, local, remote, media, session } = seat;
        let is_first_there = self.place.enter(room, worker);
        self.stats.joins += 1;
        let participant = id.map_or_else(|| self.secret.participant_id(), |(_, id)| id);
        let token = self.secret.token();
        let entry = Peer {
            peer,
            connection,
            away_until: None,
            jti,
            reader: None,
            token: token.clone(),
            id: participant.clone(),
            worker,
            local,
            was_held: false,
            remote: remote.ice,
            fingerprint: remote.fingerprint,
            setup: remote.setup,
            has_media: true,
            media,
            session,
            answers: 1,
            has_reported_stages: false,
            sticky: Sticky::default(),
        };
        let by_token = if connection.is_some() { &mut self.tokens } else { &mut self.media_sessions };
        by_token.insert(token.clone(), peer);
        self.peers.insert(peer, entry);
        if is_first_there {
            self.introduce_others(peer);
        }
        self.introduce(peer);
        self.tell_data(peer);
        if let Some(connection) = connection
            && let Some(state) = self.connections.get_mut(&connection)
        {
            state.state = State::Joined(peer);
            self.join_deadlines.remove(&(state.join_by, connection));
        }
        Entered { peer, room, participant, token }
    }

    /// A new offer of a running session.
    pub(super) fn offer(
        &mut self,
        connection: ConnectionId,
        id: u64,
        media: &MediaOffer,
    ) -> Result<(), Refused> {
        let before = self.joined(connection)?;
        let (peer, answer) = self.negotiate(before, media)?;
        self.send(connection, ServerMessage::Answer { re: id, answer });
        if peer != before {
            let (_, bindings) = self.snapshot(peer);
            self.send(connection, ServerMessage::Bindings { bindings });
        }
        self.drain_rooms();
        Ok(())
    }

    /// Answers an offer of a participant: goes on with its media session, or replaces it where the offer is of another
    /// PeerConnection. Everything that can be refused is checked first. The rooms have to be drained after it.
    pub(super) fn negotiate(
        &mut self,
        peer_id: PeerId,
        wanted: &MediaOffer,
    ) -> Result<(PeerId, String), Refused> {
        let tracks = translate::tracks_to_core(&wanted.tracks)?;
        let slots = translate::slots_to_core(&wanted.slots)?;
        let offer = sdp::Offer::parse(&wanted.offer)?;
        let Some(peer) = self.peers.get(&peer_id) else {
            return Err(Refused::new(ErrorCode::WrongState, "join first"));
        };
        if *offer.fingerprint() != peer.fingerprint {
            return self.renew(peer_id, &offer, tracks, &slots);
        }
        if !peer.has_media {
            let message = "the media session is over: offer a new PeerConnection";
            return Err(Refused::new(ErrorCode::MediaLost, message));
        }
        self.rooms.check_update(peer_id, &tracks, &slots)?;
        let is_restart = *offer.ice() != peer.remote;
        let local = if is_restart { self.secret.credentials(peer.worker) } else { peer.local.clone() };
        let (answer, media, remote) =
            self.answer(&offer, peer.worker, local.clone(), (&slots, true), peer.session, Some(peer))?;
        translate::check_against_media(&media, &tracks, &slots)?;

        self.rooms.update(peer_id, tracks, &slots)?;
        let Some(peer) = self.peers.get_mut(&peer_id) else { return Ok((peer_id, answer)) };
        peer.answers += 1;
        peer.media = media.clone();
        peer.local = local.clone();
        peer.remote = remote.ice.clone();
        let worker = peer.worker;
        let restart = is_restart.then_some((local, remote));
        let command = Command::UpdatePeer { peer: peer_id, media, restart };
        self.outputs.push_back(Output::Media { worker, command });
        self.introduce(peer_id);
        self.tell_data(peer_id);
        Ok((peer_id, answer))
    }

    /// The media plane hears what a participant with data channels is called, and whether it may use them.
    pub(super) fn tell_data(&mut self, peer_id: PeerId) {
        let Some(peer) = self.peers.get(&peer_id).filter(|peer| peer.media.sctp_port.is_some()) else {
            return;
        };
        let may_send = self.rooms.participant(peer_id).is_some_and(|p| p.grants().data && !p.grants().hidden);
        let command = Command::Data { peer: peer_id, name: peer.id.clone(), may_send };
        self.outputs.push_back(Output::Media { worker: peer.worker, command });
    }

    pub(super) fn track(&mut self, connection: ConnectionId, track: &TrackInfo) -> Result<(), Refused> {
        if let Some(held) = self.held.get_mut(&connection) {
            held.change(track);
            return Ok(());
        }
        let peer = self.joined(connection)?;
        self.rooms.set_track(peer, translate::track_to_core(track)?)?;
        self.drain_rooms();
        Ok(())
    }

    /// Out of the room and out of the media plane.
    pub(super) fn leave(&mut self, peer: PeerId) {
        let Some(room) = self.rooms.participant(peer).map(|p| p.room()) else { return };
        self.unsubscribe(peer);
        // A room and its groups live on the same workers, so that people can be moved between them.
        let main = self.rooms.main_of(room);
        let (others, worker) = (self.other_workers(peer), self.peers.get(&peer).map(|entry| entry.worker));
        let was_last_there = worker.is_some_and(|worker| self.place.leave(main, worker));
        self.rooms.leave(peer);
        self.stats.leaves += 1;
        // The others' messages still name the one who leaves.
        self.drain_rooms();
        if let Some(gone) = self.peers.remove(&peer) {
            self.tokens.remove(&gone.token);
            self.media_sessions.remove(&gone.token);
            if let Some(until) = gone.away_until {
                self.away.remove(&(until, peer));
            }
            for worker in std::iter::once(gone.worker).chain(others) {
                self.outputs.push_back(Output::Media { worker, command: Command::RemovePeer { peer } });
            }
            if was_last_there {
                self.forget_others(main, gone.worker);
            }
        }
    }

    pub(super) fn joined(&self, connection: ConnectionId) -> Result<PeerId, Refused> {
        let peer = self.connections.get(&connection).and_then(|c| c.peer());
        peer.ok_or_else(|| Refused::new(ErrorCode::WrongState, "join first"))
    }

    pub(super) fn answer(
        &self,
        offer: &sdp::Offer,
        worker: usize,
        ice: IceCredentials,
        (slots, data): (&[SlotPair], bool),
        (session_id, ssrc_seed): (u64, u64),
        previous: Option<&Peer>,
    ) -> Result<(String, PeerMedia, Remote), Refused> {
        let pairs: Vec<(Mid, Mid)> = slots.iter().map(|s| (s.audio, s.video)).collect();
        let params = sdp::AnswerParams {
            ice,
            fingerprint: self.config.fingerprint,
            setup: self.config.setup,
            candidates: self.config.workers.get(worker).map(Vec::as_slice).unwrap_or_default(),
            ice_lite: true,
            pairs: &pairs,
            red: self.config.red,
            data,
            ssrc_seed,
            previous: previous.map(|p| &p.media),
            // Chromium reads it as a signed number (RFC 8866 section 5.2 leaves the size open).
            session_id: session_id >> 2,
            session_version: previous.map_or(1, |p| p.answers + 1),
        };
        Ok(sdp::answer(offer, &params)?)
    }

    /// What the rooms decided, in their order.
    pub(super) fn drain_rooms(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            match output {
                rooms::Output::Bind { subscriber, slot, source } => {
                    let Some(peer) = self.peers.get_mut(&subscriber) else { continue };
                    peer.sticky.rebound(slot.as_str());
                    let command = Command::Bind { subscriber, slot, source };
                    self.outputs.push_back(Output::Media { worker: peer.worker, command });
                }
                rooms::Output::Happened { room, happening } => {
                    if happening == rooms::Happening::Closed {
                        self.histories.close(&room);
                        self.calls.room_ended(&room);
                        self.drain_calls();
                    }
                    if let Some(event) = self.happening_to_event(happening) {
                        self.happened(&room, event);
                    }
                }
                rooms::Output::Move { peer, room } => self.follow(peer, room),
                rooms::Output::Deliver { to, event } => {
                    if matches!(event, rooms::Event::Granted { .. }) {
                        self.tell_data(to);
                    }
                    if let Some(message) = self.event_to_wire(event) {
                        self.tell(to, message);
                    }
                }
            }
        }
    }

    fn event_to_wire(&self, event: rooms::Event) -> Option<ServerMessage> {
        let id = |peer| translate::id_of(&self.peers, peer);
        Some(match event {
            rooms::Event::Joined(news) => {
                ServerMessage::ParticipantJoined { participant: self.introduction_to_wire(news)? }
            }
            rooms::Event::Left { peer } => ServerMessage::ParticipantLeft { participant: id(peer)? },
            rooms::Event::TrackChanged { peer, track } => ServerMessage::TrackChanged {
                participant: id(peer)?,
                track: translate::track_to_wire(&track),
            },
            rooms::Event::Stopped { sources } => {
                ServerMessage::Stopped { sources: translate::sources_to_wire(sources) }
            }
            rooms::Event::RoomChanged(setting) => self.setting_to_wire(setting),
            rooms::Event::Granted { grants, role } => ServerMessage::Permissions {
                grants: translate::grants_to_wire(&grants),
                role: role.map(translate::role_to_wire),
            },
            rooms::Event::RoleChanged { peer, role } => {
                ServerMessage::RoleChanged { participant: id(peer)?, role: role.map(translate::role_to_wire) }
            }
            rooms::Event::Attribute { of, attribute } => ServerMessage::AttributeChanged {
                participant: match of {
                    Some(peer) => Some(id(peer)?),
                    None => None,
                },
                attribute: translate::attribute_to_wire(attribute),
            },
            rooms::Event::Waiting(people) => {
                ServerMessage::WaitingRoom { people: self.waiters_to_wire(&people) }
            }
            rooms::Event::Groups(places) => ServerMessage::Groups { groups: self.places_to_wire(places) },
            rooms::Event::Moved { room, others, bindings, attributes } => {
                self.moved_to_wire(room, others, bindings, attributes)
            }
            rooms::Event::Presence { peer, is_connected } => {
                ServerMessage::Presence { participant: id(peer)?, connected: is_connected }
            }
            rooms::Event::Bound(bindings) => {
                ServerMessage::Bindings { bindings: translate::bindings_to_wire(&self.peers, bindings) }
            }
            rooms::Event::NeedSlots { wanted } => {
                ServerMessage::NeedSlots { wanted: u32::try_from(wanted).unwrap_or(u32::MAX) }
            }
        })
    }
}
