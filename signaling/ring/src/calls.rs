//! All calls of a server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::call::{Call, State};
use crate::{CallId, CallInfo, Outcome, Role, Stage};

/// One device of a person: the application's id of the person, and an id that the device keeps.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Device {
    pub identity: String,
    pub device: String,
}

#[derive(Clone, Debug)]
pub struct Limits {
    pub ring_for: Duration,
    /// Ringing and accepted, of the whole server.
    pub calls: usize,
    pub devices_per_identity: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ring_for: Duration::from_secs(45), calls: 10_000, devices_per_identity: 8 }
    }
}

/// Drained by [`Calls::poll_event`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It rings on this device.
    Incoming { to: Device, call: CallId, from: String, room: String },
    /// It rings on at least one device of the callee.
    Ringing { to: Device, call: CallId },
    /// For the caller, and for the device that has answered.
    Accepted { to: Device, call: CallId },
    /// Nothing more follows about this call on this device.
    Over { to: Device, call: CallId, outcome: Outcome },
    /// The callee has missed a call: to be kept, and pushed to a phone that sleeps.
    Missed { identity: String, from: String, call: CallId },
    /// Somebody is invited: to be pushed to phones that sleep.
    Invited { identity: String, from: String, call: CallId },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InviteError {
    #[error("this device is not registered")]
    NotRegistered,
    #[error("nobody can call themselves")]
    Oneself,
    #[error("you are in a call already")]
    InCall,
    #[error("there are too many calls on this server at the moment")]
    TooMany,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ActError {
    /// Of calls of others as well: that there are any is nobody's business.
    #[error("there is no such call, or it is over")]
    Unknown,
    #[error("this is not possible now")]
    WrongState,
}

/// Plain values, to go on in another process.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CallsState {
    pub next: u64,
    pub calls: Vec<CallState>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallState {
    pub call: CallId,
    pub caller: Device,
    pub callee: String,
    pub room: String,
    pub stage: StageState,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StageState {
    Ringing { left: Duration },
    Accepted { by: Device },
}

#[derive(Debug)]
pub struct Calls {
    limits: Limits,
    next: u64,
    calls: BTreeMap<CallId, Call>,
    devices: BTreeMap<String, BTreeSet<String>>,
    deadlines: BTreeSet<(Instant, CallId)>,
    events: VecDeque<Event>,
}

impl Calls {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next: 0,
            calls: BTreeMap::new(),
            devices: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            events: VecDeque::new(),
        }
    }

    /// The device is there, or there again. What goes on is returned; what rings for its person rings on it, too.
    /// None: the person has too many devices.
    pub fn register(&mut self, device: &Device) -> Option<Vec<CallInfo>> {
        let devices = self.devices.entry(device.identity.clone()).or_default();
        if devices.len() >= self.limits.devices_per_identity && !devices.contains(&device.device) {
            return None;
        }
        let was_nowhere = devices.is_empty();
        devices.insert(device.device.clone());
        let mut infos = Vec::new();
        for (id, call) in &self.calls {
            if let Some(info) = info(*id, call, device) {
                if was_nowhere && info.role == Role::Callee && info.stage == Stage::Ringing {
                    self.events.push_back(Event::Ringing { to: call.caller.clone(), call: *id });
                }
                infos.push(info);
            }
        }
        Some(infos)
    }

    /// Its connection is gone. Nothing ends by that.
    pub fn unregister(&mut self, device: &Device) {
        if let Some(devices) = self.devices.get_mut(&device.identity) {
            devices.remove(&device.device);
            if devices.is_empty() {
                self.devices.remove(&device.identity);
            }
        }
    }

    /// Rings at `to`. `room`: where the two will meet. A callee who is in a call is busy: the call is over before it has begun, and
    /// the caller is told like of any other end. A callee who rings at the caller at this moment is answered.
    pub fn invite(
        &mut self,
        now: Instant,
        from: &Device,
        to: &str,
        room: String,
    ) -> Result<CallId, InviteError> {
        match self.is_registered(from) {
            true => self.ring(now, from, to, room),
            false => Err(InviteError::NotRegistered),
        }
    }

    /// As [`Self::invite`] for a caller who need not be there: the application rings in their name.
    pub fn ring(
        &mut self,
        now: Instant,
        from: &Device,
        to: &str,
        room: String,
    ) -> Result<CallId, InviteError> {
        if from.identity == to {
            return Err(InviteError::Oneself);
        }
        let back = self.calls.iter().find(|(_, call)| {
            call.caller.identity == to
                && call.callee == from.identity
                && matches!(call.state, State::Ringing { .. })
        });
        if let Some(id) = back.map(|(id, _)| *id) {
            let _ = self.accept(from, id);
            return Ok(id);
        }
        // One device rings at one person at a time; who talks may invite others to where they talk.
        let rings = |call: &Call| call.caller == *from && matches!(call.state, State::Ringing { .. });
        if self.calls.values().any(rings) {
            return Err(InviteError::InCall);
        }
        if self.calls.len() >= self.limits.calls {
            return Err(InviteError::TooMany);
        }
        let id = CallId(self.next);
        self.next += 1;
        let caller = from.identity.clone();
        if self.is_busy(to) {
            self.events.push_back(Event::Over { to: from.clone(), call: id, outcome: Outcome::Busy });
            self.events.push_back(Event::Missed { identity: to.to_owned(), from: caller, call: id });
            return Ok(id);
        }
        let until = now + self.limits.ring_for;
        self.events.push_back(Event::Invited { identity: to.to_owned(), from: caller.clone(), call: id });
        let callee: Vec<_> = self.devices_of(to);
        for device in &callee {
            let (to, from, room) = (device.clone(), caller.clone(), room.clone());
            self.events.push_back(Event::Incoming { to, call: id, from, room });
        }
        if !callee.is_empty() {
            self.events.push_back(Event::Ringing { to: from.clone(), call: id });
        }
        let state = State::Ringing { until };
        self.calls.insert(id, Call { caller: from.clone(), callee: to.to_owned(), room, state });
        self.deadlines.insert((until, id));
        Ok(id)
    }

    /// The callee answers on this device; its others stop.
    pub fn accept(&mut self, device: &Device, id: CallId) -> Result<(), ActError> {
        let call =
            self.calls.get_mut(&id).filter(|c| c.callee == device.identity).ok_or(ActError::Unknown)?;
        let State::Ringing { until } = call.state else { return Err(ActError::WrongState) };
        call.state = State::Accepted { by: device.clone() };
        let caller = call.caller.clone();
        self.deadlines.remove(&(until, id));
        self.events.push_back(Event::Accepted { to: caller, call: id });
        self.events.push_back(Event::Accepted { to: device.clone(), call: id });
        self.stop_others(device, id, Outcome::AnsweredElsewhere);
        Ok(())
    }

    /// The callee does not want it, on any device.
    pub fn reject(&mut self, device: &Device, id: CallId) -> Result<(), ActError> {
        let call = self.calls.get(&id).filter(|c| c.callee == device.identity).ok_or(ActError::Unknown)?;
        if !matches!(call.state, State::Ringing { .. }) {
            return Err(ActError::WrongState);
        }
        let caller = call.caller.clone();
        self.remove(id);
        self.events.push_back(Event::Over { to: caller, call: id, outcome: Outcome::Rejected });
        self.stop_others(device, id, Outcome::RejectedElsewhere);
        Ok(())
    }

    /// The caller gives up while it rings; either side hangs up afterwards.
    pub fn end(&mut self, device: &Device, id: CallId) -> Result<(), ActError> {
        let is_callee = |call: &Call| matches!(&call.state, State::Accepted { by } if by == device);
        let call = self.calls.get(&id).filter(|c| c.caller == *device || is_callee(c));
        let call = call.ok_or(ActError::Unknown)?.clone();
        self.remove(id);
        match call.state {
            State::Ringing { .. } => {
                self.stop_all(&call.callee, id, Outcome::Cancelled);
                self.events.push_back(Event::Missed {
                    identity: call.callee,
                    from: call.caller.identity,
                    call: id,
                });
            }
            State::Accepted { by } => {
                let other = if by == *device { call.caller } else { by };
                self.events.push_back(Event::Over { to: other, call: id, outcome: Outcome::Ended });
            }
        }
        Ok(())
    }

    /// Over for everybody, whatever its state. False: it is not known.
    pub fn abort(&mut self, id: CallId) -> bool {
        let Some(Call { caller, callee, state, .. }) = self.remove(id) else { return false };
        match state {
            State::Ringing { .. } => {
                self.stop_all(&callee, id, Outcome::Cancelled);
                let from = caller.identity.clone();
                self.events.push_back(Event::Over { to: caller, call: id, outcome: Outcome::Cancelled });
                self.events.push_back(Event::Missed { identity: callee, from, call: id });
            }
            State::Accepted { by } => {
                for to in [caller, by] {
                    self.events.push_back(Event::Over { to, call: id, outcome: Outcome::Ended });
                }
            }
        }
        true
    }

    /// Everybody has left the room: calls that were accepted to it are over.
    pub fn room_ended(&mut self, room: &str) {
        let over = |call: &Call| call.room == room && matches!(call.state, State::Accepted { .. });
        let ids: Vec<_> = self.calls.iter().filter(|(_, call)| over(call)).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(Call { caller, state: State::Accepted { by }, .. }) = self.remove(id) {
                for to in [caller, by] {
                    self.events.push_back(Event::Over { to, call: id, outcome: Outcome::Ended });
                }
            }
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, id));
            let Some(Call { caller, callee, .. }) = self.remove(id) else { continue };
            self.stop_all(&callee, id, Outcome::Missed);
            let from = caller.identity.clone();
            self.events.push_back(Event::Over { to: caller, call: id, outcome: Outcome::Missed });
            self.events.push_back(Event::Missed { identity: callee, from, call: id });
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn contains(&self, id: CallId) -> bool {
        self.calls.contains_key(&id)
    }

    /// Whether this person may be where the call takes place: the caller at once, the callee once they have accepted.
    pub fn may_enter(&self, id: CallId, identity: &str) -> bool {
        self.calls.get(&id).is_some_and(|call| {
            call.caller.identity == identity
                || (call.callee == identity && matches!(call.state, State::Accepted { .. }))
        })
    }

    /// Calls that ring or go on.
    pub fn count(&self) -> usize {
        self.calls.len()
    }

    pub fn export(&self, now: Instant) -> CallsState {
        let call = |(id, call): (&CallId, &Call)| {
            let stage = match &call.state {
                State::Ringing { until } => {
                    StageState::Ringing { left: until.saturating_duration_since(now) }
                }
                State::Accepted { by } => StageState::Accepted { by: by.clone() },
            };
            let Call { caller, callee, room, .. } = call.clone();
            CallState { call: *id, caller, callee, room, stage }
        };
        CallsState { next: self.next, calls: self.calls.iter().map(call).collect() }
    }

    /// Devices register again by themselves.
    pub fn import(limits: Limits, now: Instant, state: CallsState) -> Self {
        let mut calls = Self::new(limits);
        calls.next = state.next;
        for CallState { call: id, caller, callee, room, stage } in state.calls {
            let state = match stage {
                StageState::Ringing { left } => {
                    calls.deadlines.insert((now + left, id));
                    State::Ringing { until: now + left }
                }
                StageState::Accepted { by } => State::Accepted { by },
            };
            calls.calls.insert(id, Call { caller, callee, room, state });
        }
        calls
    }

    fn is_registered(&self, device: &Device) -> bool {
        self.devices.get(&device.identity).is_some_and(|devices| devices.contains(&device.device))
    }

    /// In a call, or ringing somebody.
    fn is_busy(&self, identity: &str) -> bool {
        self.calls.values().any(|call| {
            call.caller.identity == identity
                || matches!(&call.state, State::Accepted { by } if by.identity == identity)
        })
    }

    fn devices_of(&self, identity: &str) -> Vec<Device> {
        let device = |device: &String| Device { identity: identity.to_owned(), device: device.clone() };
        self.devices.get(identity).into_iter().flatten().map(device).collect()
    }

    fn stop_others(&mut self, but: &Device, id: CallId, outcome: Outcome) {
        for to in self.devices_of(&but.identity).into_iter().filter(|device| device != but) {
            self.events.push_back(Event::Over { to, call: id, outcome });
        }
    }

    fn stop_all(&mut self, identity: &str, id: CallId, outcome: Outcome) {
        for to in self.devices_of(identity) {
            self.events.push_back(Event::Over { to, call: id, outcome });
        }
    }

    fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        if let State::Ringing { until } = call.state {
            self.deadlines.remove(&(until, id));
        }
        Some(call)
    }
}

/// What concerns this device.
fn info(id: CallId, call: &Call, device: &Device) -> Option<CallInfo> {
    let stage = match call.state {
        State::Ringing { .. } => Stage::Ringing,
        State::Accepted { .. } => Stage::Accepted,
    };
    let (role, other) = match &call.state {
        _ if call.caller == *device => (Role::Caller, call.callee.clone()),
        State::Ringing { .. } if call.callee == device.identity => {
            (Role::Callee, call.caller.identity.clone())
        }
        State::Accepted { by } if by == device => (Role::Callee, call.caller.identity.clone()),
        _ => return None,
    };
    Some(CallInfo { call: id, role, stage, other, room: call.room.clone() })
}
