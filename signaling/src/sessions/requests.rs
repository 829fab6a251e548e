//! What an application's server asks for: its API, without HTTP. Every request is authorised here, in one place.

use std::time::Instant;

use access::{Claims, Denied, GrantClaims};
use packet::{PeerId, RoomId};
use ring_core::{CallId, Device, StageState};
use rooms::Holder;
use wire::{CallState, ErrorCode};

use super::messages::Asker;
use super::request::{
    Call, Cause, Mint, Person, Reply, Request, RequestError, RequestId, Room, RoomWithPeople, Token,
};
use super::{Output, Refused, Sessions, attributes, phones, translate};

/// The room of tokens that open the API for every room.
const EVERY_ROOM: &str = "*";

/// Messages that one request is given at most.
pub const MESSAGES_MAX: usize = 500;

/// Who says what the application posts, on the wire.
const APPLICATION: &str = "api";

impl From<Refused> for RequestError {
    fn from(refused: Refused) -> Self {
        Self { cause: Cause::Wire(refused.code), message: refused.message, present: refused.present }
    }
}

impl Sessions {
    /// Answered by [`Output::Reply`], at once or when the store has answered. `token`: what the request came with.
    pub fn handle_request(&mut self, now: Instant, id: RequestId, token: Option<&str>, request: Request) {
        let result = match request {
            // With a participant's token, or knowing the secret name of a session.
            Request::OpenMedia(media) => self.open_media(now, token, media).map(Some),
            Request::PatchMedia { id, condition, fragment } => {
                self.patch_media(&id, condition.as_deref(), &fragment).map(Some)
            }
            Request::CloseMedia { id } => self.close_media(&id).map(Some),
            request => self.authorise(now, token, request.room()).and_then(|()| self.serve(now, id, request)),
        };
        match result {
            Ok(Some(reply)) => self.reply(id, Ok(reply)),
            Ok(None) => {}
            Err(error) => self.reply(id, Err(error)),
        }
    }

    pub(super) fn reply(&mut self, to: RequestId, result: Result<Reply, RequestError>) {
        self.outputs.push_back(Output::Reply { to, result });
    }

    /// Without keys everybody may do everything. Whatever is wrong with a token, the answer is the same; so it is for a room
    /// that the token is not for, whether that is there or not.
    fn authorise(
        &mut self,
        now: Instant,
        token: Option<&str>,
        room: Option<&str>,
    ) -> Result<(), RequestError> {
        let Some(keys) = self.config.keys.clone() else { return Ok(()) };
        let now_s = self.wall_s(now);
        let checked = token.ok_or(Denied::Missing).and_then(|token| {
            let claims = keys.verify(token, now_s)?;
            let scope = claims.room.trim();
            if !claims.grants.admin {
                return Err(Denied::Admin);
            }
            // A group of the room is of the room.
            let is_of = |room: &str| room == scope || rooms::main_name(room) == scope;
            if scope != EVERY_ROOM && !room.is_some_and(is_of) {
                return Err(Denied::Room);
            }
            self.revoked.check(&claims, now_s)
        });
        checked.map_err(|denied| {
            *self.stats.denied.entry(denied).or_default() += 1;
            RequestError::new(
                Cause::Wire(ErrorCode::AccessDenied),
                "this needs a token with the grant `admin` for this room, or for the room `*`",
            )
        })
    }

    /// None: answered later.
    fn serve(
        &mut self,
        now: Instant,
        id: RequestId,
        request: Request,
    ) -> Result<Option<Reply>, RequestError> {
        Ok(Some(match request {
            Request::Rooms => {
                Reply::Rooms(self.rooms.rooms().map(|(name, id)| self.room_info(name, id)).collect())
            }
            Request::Room { room } => Reply::Room(self.room_with_people(&room)?),
            Request::Set { room, locked, waiting, publish, spotlight } => {
                let id = self.find_room(&room)?;
                let spotlight = match spotlight {
                    Some(Some(participant)) => Some(Some(self.in_room(id, &participant)?)),
                    Some(None) => Some(None),
                    None => None,
                };
                let mut setting = self.rooms.setting(id);
                setting.is_locked = locked.unwrap_or(setting.is_locked);
                setting.has_waiting_room = waiting.unwrap_or(setting.has_waiting_room);
                setting.publish =
                    publish.map_or(setting.publish, |sources| translate::sources_to_core(&sources));
                setting.spotlight = spotlight.unwrap_or(setting.spotlight);
                self.rooms.set(id, setting);
                self.drain_rooms();
                Reply::Room(self.room_with_people(&room)?)
            }
            Request::EndRoom { room } => {
                let id = self.find_room(&room)?;
                for peer in self.rooms.family(id).collect::<Vec<_>>() {
                    self.remove(now, peer, false);
                }
                Reply::Done
            }
            Request::Role { room, participant, role } => {
                let peer = self.in_room(self.find_room(&room)?, &participant)?;
                self.rooms.set_role(peer, translate::role_to_core(role));
                self.drain_rooms();
                Reply::Done
            }
            Request::Waiting { room } => {
                Reply::Waiting(self.waiters_to_wire(self.rooms.waiting(&self.good_name(&room)?)))
            }
            Request::Decide { room, participant, admit } => {
                for peer in self.waiting_in(&self.good_name(&room)?, participant.as_deref())? {
                    match admit {
                        true => self.let_in(peer)?,
                        false => self.turn_away(peer, ErrorCode::NotAdmitted, "you were not let in"),
                    }
                }
                Reply::Done
            }
            Request::SetAttribute { room, participant, key, value, version } => {
                let id = self.find_room(&room)?;
                let holder = match &participant {
                    Some(participant) => Holder::Participant(self.in_room(id, participant)?),
                    None => Holder::Room(id),
                };
                let version = self.assign(holder, attributes::Wanted { participant, key, value, version })?;
                self.drain_rooms();
                Reply::ValueSet { version }
            }
            Request::Groups { room, groups } => {
                let id = self.find_room(&room)?;
                self.rooms.set_groups(id, &groups).map_err(Refused::from)?;
                self.drain_rooms();
                Reply::Room(self.room_with_people(&room)?)
            }
            Request::Move { room, participants, group } => {
                let id = self.find_room(&room)?;
                match participants {
                    Some(people) => {
                        let people: Vec<_> =
                            people.iter().map(|one| self.in_room(id, one)).collect::<Result<_, _>>()?;
                        self.move_people(&people, group.as_deref())?;
                    }
                    None => self.rooms.recall(id),
                }
                self.drain_rooms();
                Reply::Done
            }
            Request::Grant { room, participant, grants } => {
                let peer = self.in_room(self.find_room(&room)?, &participant)?;
                self.rooms.set_grants(peer, translate::grants_to_core(&grants));
                self.drain_rooms();
                Reply::Done
            }
            Request::Stop { room, participant, sources } => {
                let id = self.find_room(&room)?;
                let peers = match participant {
                    Some(participant) => vec![self.in_room(id, &participant)?],
                    None => self.rooms.participants(id).map(|p| p.peer()).collect(),
                };
                for peer in peers {
                    self.rooms.stop(peer, translate::sources_to_core(&sources));
                }
                self.drain_rooms();
                Reply::Done
            }
            Request::Remove { room, participant, keep_out } => {
                let peer = self.in_room(self.find_room(&room)?, &participant)?;
                self.remove(now, peer, keep_out);
                Reply::Done
            }
            Request::LetIn { room, identity } => {
                if self.revoked.pardon(room.trim(), &identity) {
                    self.outputs.push_back(Output::Revoked(self.revoked.export()));
                }
                Reply::Done
            }
            Request::Messages { room, after, limit } => {
                let room = self.good_name(&room)?;
                self.histories.open(&room);
                let ticket = self.ticket(Asker::Application(id));
                self.histories.read(&room, ticket, after, limit.min(MESSAGES_MAX));
                self.done_with_history(&room);
                return Ok(None);
            }
            Request::Post { room, key, name, identity, topic, body } => {
                let room = self.good_name(&room)?;
                let key = key.unwrap_or_else(|| self.secret.token());
                let from = APPLICATION.to_owned();
                let post = history::Post { key, from, identity, name, topic, body };
                self.histories.open(&room);
                let ticket = self.ticket(Asker::Application(id));
                self.histories.post(self.wall_ms(now), &room, ticket, post);
                self.done_with_history(&room);
                return Ok(None);
            }
            Request::Calls => Reply::Calls(self.call_infos(now)),
            Request::Ring { from, name, to, room } => Reply::Rang(self.ring(now, &from, &name, &to, room)?),
            Request::EndCall { call } => {
                let ended = phones::call_of(&call).is_some_and(|call| self.calls.abort(call));
                self.drain_calls();
                if !ended {
                    return Err(
                        Refused::new(ErrorCode::UnknownCall, "there is no such call, or it is over").into()
                    );
                }
                Reply::Done
            }
            Request::Mint(mint) => Reply::Token(self.mint(now, mint)?),
            Request::OpenMedia(_) | Request::PatchMedia { .. } | Request::CloseMedia { .. } => {
                return Err(Refused::new(ErrorCode::Internal, "this is served elsewhere").into());
            }
            Request::Operate => Reply::Done,
            Request::Revoke { jti, until_s } => {
                self.revoke(&jti, until_s);
                Reply::Done
            }
        }))
    }

    fn find_room(&self, name: &str) -> Result<RoomId, RequestError> {
        self.rooms.find(name.trim()).ok_or_else(RequestError::unknown_room)
    }

    /// Of a room that need not be there.
    fn good_name(&self, room: &str) -> Result<String, RequestError> {
        let name = rooms::clean_room_name(room, self.rooms.limits().room_name_chars);
        name.map_err(|error| {
            Refused::new(ErrorCode::BadRoom, format!("the room's name cannot be used: {error}")).into()
        })
    }

    /// Or in a group of it. Hidden ones too: the application knows whom it let in.
    fn in_room(&self, room: RoomId, participant: &str) -> Result<PeerId, RequestError> {
        let mut people = self.rooms.family(room);
        let is_meant = |peer: &PeerId| self.peers.get(peer).is_some_and(|p| p.id == participant);
        people.find(is_meant).ok_or_else(|| {
            Refused::new(ErrorCode::UnknownParticipant, "nobody of this id is in this room").into()
        })
    }

    /// A room's log is open while somebody is in it, and while something is under way.
    fn done_with_history(&mut self, room: &str) {
        if self.rooms.find(room).is_none() {
            self.histories.close(room);
        }
        self.drain_histories();
    }

    fn room_info(&self, name: &str, id: RoomId) -> Room {
        let setting = self.rooms.setting(id);
        Room {
            room: name.to_owned(),
            participants: self.rooms.participants(id).count(),
            locked: setting.is_locked,
            waiting: setting.has_waiting_room,
            publish: translate::sources_to_wire(setting.publish),
            spotlight: setting.spotlight.and_then(|peer| translate::id_of(&self.peers, peer)),
            groups: self.rooms.groups(id).to_vec(),
        }
    }

    fn room_with_people(&self, room: &str) -> Result<RoomWithPeople, RequestError> {
        let id = self.find_room(room)?;
        let person = |p: &rooms::Participant| {
            Some(Person {
                id: translate::id_of(&self.peers, p.peer())?,
                name: p.name().to_owned(),
                identity: p.identity().map(str::to_owned),
                connected: p.is_connected(),
                tracks: translate::tracks_to_wire(p.tracks()),
                grants: translate::grants_to_wire(p.grants()),
                role: p.role().map(translate::role_to_wire),
                attributes: translate::attributes_to_wire(p.introduction().attributes),
            })
        };
        let people = self.rooms.participants(id).filter_map(person).collect();
        let attributes = translate::attributes_to_wire(self.rooms.attributes(id));
        Ok(RoomWithPeople { room: self.room_info(room.trim(), id), attributes, people })
    }

    fn call_infos(&self, now: Instant) -> Vec<Call> {
        let info = |call: ring_core::CallState| Call {
            call: phones::name_of(call.call),
            caller: call.caller.identity,
            callee: call.callee,
            room: call.room,
            state: match call.stage {
                StageState::Ringing { .. } => CallState::Ringing,
                StageState::Accepted { .. } => CallState::Accepted,
            },
        };
        self.calls.export(now).calls.into_iter().map(info).collect()
    }

    /// The caller need not be there: it is told where to go, with the token that opens that room.
    fn ring(
        &mut self,
        now: Instant,
        from: &str,
        name: &str,
        to: &str,
        room: Option<String>,
    ) -> Result<wire::CallInfo, RequestError> {
        let device = Device { identity: from.to_owned(), device: String::new() };
        let limit = self.rooms.limits().participant_name_chars;
        let name = rooms::clean_name(name, limit).map_err(|error| Refused::new(ErrorCode::BadName, error))?;
        if !phones::is_identity(from) || !phones::is_identity(to) {
            return Err(Refused::new(ErrorCode::BadIdentity, "an identity has 1 to 128 bytes").into());
        }
        let room = match room {
            Some(room) => self.good_name(&room)?,
            None => self.new_call_room(),
        };
        let call: CallId = self.calls.ring(now, &device, to, room.clone()).map_err(Refused::from)?;
        let info = self.began(call, &device, Some(name), to, room);
        let is_busy = !self.calls.contains(call);
        self.drain_calls();
        let info =
            info.map(|info| if is_busy { wire::CallInfo { state: CallState::Busy, ..info } } else { info });
        info.ok_or_else(|| Refused::new(ErrorCode::Internal, "the call is gone").into())
    }

    fn mint(&mut self, now: Instant, mint: Mint) -> Result<Token, RequestError> {
        let Mint { room, identity, name, seconds, role, wait, grants } = mint;
        let Some(signer) = self.config.signer.clone() else {
            return Err(RequestError::new(
                Cause::CannotSign,
                "this server has no secret that it could sign with",
            ));
        };
        if !phones::is_identity(&identity) {
            return Err(Refused::new(ErrorCode::BadIdentity, "an identity has 1 to 128 bytes").into());
        }
        let room = self.good_name(&room)?;
        let (jti, exp) = (self.secret.token(), self.wall_s(now).saturating_add(seconds.max(1)));
        let grants = GrantClaims::of(&translate::grants_to_core(&grants));
        let role = role.map(|role| translate::role_to_core(role).name().to_owned());
        let jti_claim = Some(jti.clone());
        let claims = Claims { room, sub: identity, name, exp, nbf: None, jti: jti_claim, role, wait, grants };
        let signed = signer.sign(&claims);
        let token = signed.map_err(|error| RequestError::new(Cause::CannotSign, &error.to_string()))?;
        Ok(Token { token, jti, exp })
    }
}
