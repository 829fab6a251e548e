//! Coming back: a lost connection, the one that takes its place, and a media session that takes the place of another.

use std::collections::BTreeSet;
use std::time::Instant;

use packet::PeerId;
use sfu_core::Command;
use wire::{Binding, ErrorCode, HistoryFrom, MediaOffer, ParticipantInfo, ServerMessage};

use super::connection::State;
use super::{ConnectionId, Output, Refused, Sessions, translate};

impl Sessions {
    /// The connection is gone; its participant stays in the room until the grace time after `heard_at` is over.
    pub(super) fn wait_for(&mut self, connection: ConnectionId, heard_at: Instant) {
        let Some(state) = self.connections.remove(&connection) else { return };
        self.join_deadlines.remove(&(state.join_by, connection));
        self.unregister(connection, state.device);
        let peer_id = match state.state {
            State::Joined(peer) => peer,
            // Nobody waits for those who wait.
            State::Waiting(peer) => return self.end_wait(peer),
            State::Held => return drop(self.take_held(connection, true)),
            State::Idle => return,
        };
        let until = heard_at + self.config.grace;
        self.unsubscribe(peer_id);
        let Some(peer) = self.peers.get_mut(&peer_id) else { return };
        peer.connection = None;
        peer.away_until = Some(until);
        self.away.insert((until, peer_id));
        self.rooms.set_connected(peer_id, false);
        self.drain_rooms();
    }

    /// Whoever knows the token goes on where the lost connection left off, even if the loss was not noticed here yet. A
    /// refusal changes nothing.
    pub(super) fn resume(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        id: u64,
        token: &str,
        media: Option<MediaOffer>,
        history: Option<HistoryFrom>,
    ) -> Result<(), Refused> {
        let Some(state) = self.connections.get(&connection) else { return Ok(()) };
        if state.state != State::Idle {
            return Err(Refused::new(ErrorCode::WrongState, "this connection has joined already"));
        }
        let (address, join_by) = (state.address, state.join_by);
        let Some(&before) = self.tokens.get(token) else {
            // Guessing is as slow as joining.
            return match self.joins.take(now, address) {
                true => {
                    Err(Refused::new(ErrorCode::ResumeRefused, "no session waits for this token: join again"))
                }
                false => Err(Refused::new(
                    ErrorCode::TooManyJoins,
                    "too many joins from your network: wait some seconds",
                )),
            };
        };
        let (peer_id, answer) = match media {
            Some(media) => match self.negotiate(before, &media) {
                Ok((peer, answer)) => (peer, Some(answer)),
                // Told by `media` being false.
                Err(refused) if refused.code == ErrorCode::MediaLost => (before, None),
                Err(refused) => return Err(refused),
            },
            None => (before, None),
        };
        let Some(peer) = self.peers.get_mut(&peer_id) else { return Ok(()) };
        let lost = peer.connection.replace(connection);
        if let Some(until) = peer.away_until.take() {
            self.away.remove(&(until, peer_id));
        }
        let (participant, has_media) = (peer.id.clone(), peer.has_media);
        let Some(known) = self.rooms.participant(peer_id) else { return Ok(()) };
        let (grants, role) = (*known.grants(), known.role().map(translate::role_to_wire));
        let room = self.rooms.room_name(known.room()).unwrap_or_default().to_owned();
        let group = self.rooms.group_of(known.room()).map(str::to_owned);
        let attributes = translate::attributes_to_wire(self.rooms.attributes(known.room()));
        if let Some(lost) = lost
            && let Some(gone) = self.connections.remove(&lost)
        {
            self.join_deadlines.remove(&(gone.join_by, lost));
            self.unregister(lost, gone.device);
            self.outputs.push_back(Output::Close { connection: lost, code: Some(ErrorCode::Replaced) });
        }
        if let Some(state) = self.connections.get_mut(&connection) {
            state.state = State::Joined(peer_id);
            self.join_deadlines.remove(&(join_by, connection));
        }
        self.stats.resumes += 1;
        let (participants, bindings) = self.snapshot(peer_id);
        let here: BTreeSet<_> = participants.iter().map(|p| &p.id).chain([&participant]).cloned().collect();
        self.send(
            connection,
            ServerMessage::Resumed {
                re: id,
                participant,
                room,
                answer,
                media: has_media,
                participants,
                bindings,
                grants: translate::grants_to_wire(&grants),
                role,
                attributes,
                group,
            },
        );
        let missed: Vec<_> =
            self.peers.get(&peer_id).into_iter().flat_map(|p| p.sticky.messages()).cloned().collect();
        for mut message in missed {
            if let ServerMessage::Speakers { participants } = &mut message {
                participants.retain(|id| here.contains(id));
            }
            self.send(connection, message);
        }
        self.tell_setting(peer_id);
        self.tell_moderator(peer_id);
        self.rooms.set_connected(peer_id, true);
        self.drain_rooms();
        self.unsubscribe(peer_id);
        self.subscribe(peer_id, history);
        Ok(())
    }

    /// Another PeerConnection takes the place of the one before, or of one that is gone. The participant stays who it is.
    pub(super) fn renew(
        &mut self,
        old: PeerId,
        offer: &sdp::Offer,
        tracks: Vec<rooms::Track>,
        slots: &[rooms::SlotPair],
    ) -> Result<(PeerId, String), Refused> {
        self.rooms.check_renew(old, &tracks, slots)?;
        let Some(room) = self.rooms.participant(old).map(|p| p.room()) else {
            return Err(Refused::new(ErrorCode::WrongState, "join first"));
        };
        let Some(worker) = self.peers.get(&old).map(|peer| peer.worker) else {
            return Err(Refused::new(ErrorCode::Internal, "the session is gone"));
        };
        let others = self.other_workers(old);
        let local = self.secret.credentials(worker);
        let seeds = (self.secret.number(), self.secret.number());
        let (answer, media, remote) =
            self.answer(offer, worker, local.clone(), (slots, true), seeds, None)?;
        translate::check_against_media(&media, &tracks, slots)?;

        let new = PeerId(self.next_peer);
        self.rooms.renew(old, new, tracks, slots)?;
        self.next_peer += 1;
        let Some(mut peer) = self.peers.remove(&old) else {
            return Err(Refused::new(ErrorCode::Internal, "the session is gone"));
        };
        for worker in std::iter::once(worker).chain(others) {
            self.outputs.push_back(Output::Media { worker, command: Command::RemovePeer { peer: old } });
        }
        let (ice, fingerprint, setup) = (remote.ice.clone(), remote.fingerprint, remote.setup);
        let command =
            Command::AddPeer { peer: new, room, local: local.clone(), remote, media: media.clone() };
        self.outputs.push_back(Output::Media { worker, command });
        if let Some(until) = peer.away_until {
            self.away.remove(&(until, old));
            self.away.insert((until, new));
        }
        if let Some(state) = peer.connection.and_then(|c| self.connections.get_mut(&c)) {
            state.state = State::Joined(new);
        }
        if let Some(reader) = peer.reader {
            self.readers.insert(reader, new);
        }
        self.tokens.insert(peer.token.clone(), new);
        (peer.peer, peer.local, peer.remote, peer.fingerprint) = (new, local, ice, fingerprint);
        peer.setup = setup;
        (peer.has_media, peer.media, peer.session, peer.answers) = (true, media, seeds, 1);
        peer.sticky = Default::default();
        self.peers.insert(new, peer);
        // Its worker may have been made anew, and then knows nobody.
        self.introduce_others(new);
        self.introduce(new);
        self.tell_data(new);
        Ok((new, answer))
    }

    /// Everybody else in the room of `peer`, and what is in its slots.
    pub(super) fn snapshot(&self, peer: PeerId) -> (Vec<ParticipantInfo>, Vec<Binding>) {
        let Some(own) = self.rooms.participant(peer) else { return Default::default() };
        let others = self.rooms.participants(own.room()).filter(|p| p.peer() != peer && !p.grants().hidden);
        let others = others.filter_map(|p| self.introduction_to_wire(p.introduction()));
        (others.collect(), translate::bindings_to_wire(&self.peers, own.bindings()))
    }

    /// Where the room is set in a way that a newcomer would not expect.
    pub(super) fn tell_setting(&mut self, peer: PeerId) {
        let Some(participant) = self.rooms.participant(peer) else { return };
        let setting = self.rooms.setting(participant.room());
        if setting != rooms::Setting::default() {
            let message = self.setting_to_wire(setting);
            self.tell(peer, message);
        }
    }

    pub(super) fn setting_to_wire(&self, setting: rooms::Setting) -> ServerMessage {
        let spotlight = setting.spotlight.and_then(|peer| translate::id_of(&self.peers, peer));
        ServerMessage::RoomChanged {
            locked: setting.is_locked,
            waiting: setting.has_waiting_room,
            publish: translate::sources_to_wire(setting.publish),
            spotlight,
        }
    }

    pub(super) fn grace_ms(&self) -> u64 {
        u64::try_from(self.config.grace.as_millis()).unwrap_or(u64::MAX)
    }
}
