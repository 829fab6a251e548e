//! Calls that ring: devices, invitations, and the rooms that the two sides of a call may enter.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ring_core::{ActError, CallId, Device, Event, InviteError, Outcome, Role, Stage};
use rooms::Grants;
use wire::{CallAct, CallInfo, CallRole, CallState, ErrorCode, ServerMessage};

use super::bearer::Bearer;
use super::{ConnectionId, Refused, RoomEvent, Sessions};

/// What a `register` carries.
pub(super) struct Wanted {
    pub identity: String,
    pub name: String,
    pub device: String,
    pub token: Option<String>,
}

/// Bytes of an identity, and of the id of a device.
const IDENTITY_BYTES_MAX: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Phones {
    connections: BTreeMap<Device, ConnectionId>,
    /// What people go by, as their last device said.
    names: BTreeMap<String, String>,
    /// Of each side of a call that rings or goes on.
    tokens: BTreeMap<(CallId, String), String>,
    sides: BTreeMap<String, (CallId, String)>,
    rooms: BTreeMap<CallId, String>,
    /// What callers go by in whose name the application rings.
    called_by: BTreeMap<CallId, String>,
    accepted: BTreeSet<CallId>,
    /// And its room: that it was missed is told after that it is over.
    last_ended: Option<(CallId, String)>,
}

impl Phones {
    pub fn count(&self) -> usize {
        self.connections.len()
    }

    /// The room that it had, unless it was forgotten before.
    fn forget_call(&mut self, call: CallId) -> Option<String> {
        let room = self.rooms.remove(&call);
        self.accepted.remove(&call);
        self.called_by.remove(&call);
        let of_call = self.tokens.keys().filter(|(id, _)| *id == call).cloned().collect::<Vec<_>>();
        for key in of_call {
            if let Some(token) = self.tokens.remove(&key) {
                self.sides.remove(&token);
            }
        }
        room
    }
}

impl Sessions {
    pub(super) fn register(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        id: u64,
        wanted: Wanted,
    ) -> Result<(), Refused> {
        let Wanted { identity, name, device, token } = wanted;
        if !is_identity(&identity) || !is_identity(&device) {
            let message = format!("identity and device have 1 to {IDENTITY_BYTES_MAX} bytes");
            return Err(Refused::new(ErrorCode::BadIdentity, message));
        }
        let limit = self.rooms.limits().participant_name_chars;
        let name = rooms::clean_name(&name, limit).map_err(|e| Refused::new(ErrorCode::BadName, e))?;
        let Some(state) = self.connections.get(&connection) else { return Ok(()) };
        let (address, join_by, before) = (state.address, state.join_by, state.device.clone());
        if !self.joins.take(now, address) {
            return Err(Refused::new(ErrorCode::TooManyJoins, "too many registrations from your network"));
        }
        let identity = self.identity(now, &identity, token.as_deref())?;
        self.unregister(connection, before);
        let device = Device { identity, device };
        let Some(infos) = self.calls.register(&device) else {
            return Err(Refused::new(ErrorCode::TooManyDevices, "you have too many devices: close some"));
        };
        self.phones.names.insert(device.identity.clone(), name);
        self.phones.connections.insert(device.clone(), connection);
        if let Some(state) = self.connections.get_mut(&connection) {
            state.device = Some(device.clone());
            // A phone waits for as long as it likes.
            self.join_deadlines.remove(&(join_by, connection));
        }
        let calls = infos.into_iter().filter_map(|info| self.call_to_wire(&device, info)).collect();
        self.send(connection, ServerMessage::Registered { re: id, calls });
        self.drain_calls();
        Ok(())
    }

    pub(super) fn unregister(&mut self, connection: ConnectionId, device: Option<Device>) {
        let Some(device) = device else { return };
        // Another connection of the same device may have come meanwhile.
        if self.phones.connections.get(&device) == Some(&connection) {
            self.phones.connections.remove(&device);
            self.calls.unregister(&device);
            if !self.phones.connections.keys().any(|other| other.identity == device.identity) {
                self.phones.names.remove(&device.identity);
            }
        }
    }

    pub(super) fn invite(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        id: u64,
        to: &str,
        room: Option<String>,
    ) -> Result<(), Refused> {
        let device = self.device(connection)?;
        if !is_identity(to) {
            return Err(Refused::new(ErrorCode::BadIdentity, "nobody has this identity"));
        }
        let room = match room {
            Some(room) if self.may_invite_to(&device, &room) => room,
            Some(_) => return Err(Refused::new(ErrorCode::NotAllowed, "you are in no call in this room")),
            None => self.new_call_room(),
        };
        let call = self.calls.invite(now, &device, to, room.clone())?;
        if let Some(call) = self.began(call, &device, None, to, room) {
            self.send(connection, ServerMessage::Invited { re: id, call });
        }
        self.drain_calls();
        Ok(())
    }

    pub(super) fn new_call_room(&mut self) -> String {
        format!("call {}", self.secret.log_id())
    }

    /// Both sides of a new call get a token for its room. `name`: what the caller goes by, where no device of theirs has said so.
    pub(super) fn began(
        &mut self,
        call: CallId,
        caller: &Device,
        name: Option<String>,
        to: &str,
        room: String,
    ) -> Option<CallInfo> {
        let room = self.phones.rooms.entry(call).or_insert(room).clone();
        for identity in [caller.identity.as_str(), to] {
            self.ensure_token(call, identity);
        }
        if let Some(name) = name {
            self.phones.called_by.insert(call, name);
        }
        let info = ring_core::CallInfo {
            call,
            role: Role::Caller,
            stage: Stage::Ringing,
            other: to.to_owned(),
            room,
        };
        self.call_to_wire(caller, info)
    }

    pub(super) fn respond(
        &mut self,
        connection: ConnectionId,
        id: u64,
        call: &str,
        act: CallAct,
    ) -> Result<(), Refused> {
        let device = self.device(connection)?;
        let unknown = || Refused::new(ErrorCode::UnknownCall, ActError::Unknown);
        let call = call_of(call).ok_or_else(unknown)?;
        match act {
            CallAct::Accept => self.calls.accept(&device, call)?,
            CallAct::Reject => self.calls.reject(&device, call)?,
            CallAct::End => self.calls.end(&device, call)?,
        }
        self.send(connection, ServerMessage::Done { re: id });
        self.drain_calls();
        Ok(())
    }

    /// The side of a call that this token opens the room to: the caller from the start, the callee once they have accepted.
    pub(super) fn bearer_of_call(&self, room: &str, token: &str) -> Option<Bearer> {
        let (call, identity) = self.phones.sides.get(token)?;
        if self.phones.rooms.get(call)? != room.trim() || !self.calls.may_enter(*call, identity) {
            return None;
        }
        let grants = Grants { moderate: false, record: false, ..Grants::ALL };
        let name = self.phones.names.get(identity).cloned();
        let (role, must_wait) = (None, false);
        Some(Bearer { identity: Some(identity.clone()), name, grants, role, must_wait, jti: None })
    }

    pub(super) fn drain_calls(&mut self) {
        while let Some(event) = self.calls.poll_event() {
            match event {
                Event::Incoming { to, call, from, room } => {
                    let info = ring_core::CallInfo {
                        call,
                        role: Role::Callee,
                        stage: Stage::Ringing,
                        other: from,
                        room,
                    };
                    if let Some(call) = self.call_to_wire(&to, info) {
                        self.tell_device(&to, ServerMessage::Incoming { call });
                    }
                }
                Event::Ringing { to, call } => self.tell_call(&to, call, CallState::Ringing),
                Event::Accepted { to, call } => {
                    self.tell_call(&to, call, CallState::Accepted);
                    // Both sides are told, the application once.
                    if self.phones.accepted.insert(call)
                        && let Some(room) = self.phones.rooms.get(&call).cloned()
                    {
                        self.happened(&room, RoomEvent::CallAccepted { call: name_of(call) });
                    }
                }
                Event::Over { to, call, outcome } => {
                    self.tell_call(&to, call, outcome_to_wire(outcome));
                    self.call_ended(call, outcome);
                }
                Event::Missed { identity: to, from, call } => {
                    self.stats.missed_calls += 1;
                    let ended = self.phones.last_ended.as_ref().filter(|(id, _)| *id == call);
                    let room = self.phones.rooms.get(&call).or(ended.map(|(_, room)| room)).cloned();
                    if let Some(room) = room {
                        self.happened(&room, RoomEvent::CallMissed { call: name_of(call), from, to });
                    }
                    // Nobody may have been there to be told that it is over: then it was cancelled.
                    self.call_ended(call, Outcome::Cancelled);
                }
                Event::Invited { identity: to, from, call } => {
                    self.stats.invitations += 1;
                    let name = self.phones.called_by.get(&call).or(self.phones.names.get(&from)).cloned();
                    if let Some(room) = self.phones.rooms.get(&call).cloned() {
                        self.happened(&room, RoomEvent::CallInvited { call: name_of(call), from, name, to });
                    }
                }
            }
        }
    }

    /// Forgets a call that is over, and tells the application once.
    fn call_ended(&mut self, call: CallId, outcome: Outcome) {
        if self.calls.contains(call) {
            return;
        }
        if let Some(room) = self.phones.forget_call(call) {
            let event = RoomEvent::CallEnded { call: name_of(call), state: outcome_to_wire(outcome) };
            self.happened(&room, event);
            self.phones.last_ended = Some((call, room));
        }
    }

    fn ensure_token(&mut self, call: CallId, identity: &str) {
        let key = (call, identity.to_owned());
        if !self.phones.tokens.contains_key(&key) {
            let token = self.secret.call_token();
            self.phones.sides.insert(token.clone(), key.clone());
            self.phones.tokens.insert(key, token);
        }
    }

    fn tell_call(&mut self, to: &Device, call: CallId, state: CallState) {
        self.tell_device(to, ServerMessage::CallChanged { call: name_of(call), state });
    }

    fn tell_device(&mut self, to: &Device, message: ServerMessage) {
        if let Some(connection) = self.phones.connections.get(to).copied() {
            self.send(connection, message);
        }
    }

    fn device(&self, connection: ConnectionId) -> Result<Device, Refused> {
        let device = self.connections.get(&connection).and_then(|c| c.device.clone());
        device.ok_or_else(|| Refused::new(ErrorCode::WrongState, "register first"))
    }

    /// Into a call that one is in oneself, or into any room where there are no keys.
    fn may_invite_to(&self, device: &Device, room: &str) -> bool {
        let own = |(call, of): (&CallId, &String)| {
            of == room && self.phones.tokens.contains_key(&(*call, device.identity.clone()))
        };
        self.config.keys.is_none() || self.phones.rooms.iter().any(own)
    }

    fn call_to_wire(&self, device: &Device, info: ring_core::CallInfo) -> Option<CallInfo> {
        let token = self.phones.tokens.get(&(info.call, device.identity.clone()))?.clone();
        Some(CallInfo {
            call: name_of(info.call),
            role: match info.role {
                Role::Caller => CallRole::Caller,
                Role::Callee => CallRole::Callee,
            },
            state: match info.stage {
                Stage::Ringing => CallState::Ringing,
                Stage::Accepted => CallState::Accepted,
            },
            name: match info.role {
                Role::Callee => self.phones.called_by.get(&info.call).or(self.phones.names.get(&info.other)),
                Role::Caller => self.phones.names.get(&info.other),
            }
            .cloned(),
            other: info.other,
            room: info.room,
            token,
        })
    }
}

pub(super) fn name_of(call: CallId) -> String {
    format!("c{}", call.0)
}

pub(super) fn call_of(name: &str) -> Option<CallId> {
    name.strip_prefix('c').and_then(|number| number.parse().ok()).map(CallId)
}

/// Identities and ids of devices alike.
pub(super) fn is_identity(text: &str) -> bool {
    !text.is_empty() && text.len() <= IDENTITY_BYTES_MAX
}

fn outcome_to_wire(outcome: Outcome) -> CallState {
    match outcome {
        Outcome::Rejected => CallState::Rejected,
        Outcome::Busy => CallState::Busy,
        Outcome::Cancelled => CallState::Cancelled,
        Outcome::Missed => CallState::Missed,
        Outcome::AnsweredElsewhere => CallState::AnsweredElsewhere,
        Outcome::RejectedElsewhere => CallState::RejectedElsewhere,
        Outcome::Ended => CallState::Ended,
    }
}

impl From<InviteError> for Refused {
    fn from(error: InviteError) -> Self {
        let code = match error {
            InviteError::NotRegistered => ErrorCode::WrongState,
            InviteError::Oneself => ErrorCode::BadIdentity,
            InviteError::InCall => ErrorCode::InCall,
            InviteError::TooMany => ErrorCode::Busy,
        };
        Self::new(code, error)
    }
}

impl From<ActError> for Refused {
    fn from(error: ActError) -> Self {
        let code = match error {
            ActError::Unknown => ErrorCode::UnknownCall,
            ActError::WrongState => ErrorCode::WrongState,
        };
        Self::new(code, error)
    }
}
