//! Attributes and metadata of rooms and participants.

use rooms::{Holder, SetError};
use wire::{ErrorCode, Present, ServerMessage};

use super::{ConnectionId, Refused, Sessions};

/// What a `set` carries.
pub(super) struct Wanted {
    /// None: of the room.
    pub participant: Option<String>,
    pub key: Option<String>,
    pub value: Option<String>,
    pub version: Option<u64>,
}

impl Sessions {
    /// One's own by whoever may send messages, those of the room and of others by moderators.
    pub(super) fn set_attribute(
        &mut self,
        connection: ConnectionId,
        id: u64,
        wanted: Wanted,
    ) -> Result<(), Refused> {
        let own = self.joined(connection)?;
        let Some(participant) = self.rooms.participant(own) else { return Ok(()) };
        let is_own = wanted.participant.is_some()
            && wanted.participant == self.peers.get(&own).map(|peer| peer.id.clone());
        let may = if is_own { participant.grants().data } else { participant.grants().moderate };
        if !may {
            return Err(Refused::new(ErrorCode::NotAllowed, "you may not change this"));
        }
        let holder = match &wanted.participant {
            _ if is_own => Holder::Participant(own),
            Some(id) => Holder::Participant(self.in_reach(own, id)?),
            None => Holder::Room(participant.room()),
        };
        let version = self.assign(holder, wanted)?;
        self.send(connection, ServerMessage::ValueSet { re: id, version });
        self.drain_rooms();
        Ok(())
    }

    /// The version that it has from now on. The rooms have to be drained after it.
    pub(super) fn assign(&mut self, holder: Holder, wanted: Wanted) -> Result<u64, Refused> {
        let Wanted { key, value, version, .. } = wanted;
        Ok(self.rooms.set_attribute(holder, key, value, version)?.version)
    }
}

impl From<SetError> for Refused {
    fn from(error: SetError) -> Self {
        let message = error.to_string();
        match error {
            SetError::Conflict(present) => {
                let present = Present { value: present.text, version: present.version };
                Self { code: ErrorCode::Conflict, message, present: Some(present) }
            }
            SetError::BadKey(_) | SetError::TooLarge(_) | SetError::TooMany(_) => {
                Self::new(ErrorCode::BadAttribute, message)
            }
            SetError::Nobody => Self::new(ErrorCode::UnknownParticipant, message),
        }
    }
}
