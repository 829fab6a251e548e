//! Attributes of rooms and participants.

use super::Rooms;
use crate::{Attribute, Event, Happening, Holder, Output, SetError};

impl Rooms {
    /// See [`crate::Attribute`]; everybody in the room is told, whoever sets it, too. `expected`: the version that is to be there, 0 for none;
    /// None: whatever is there.
    pub fn set_attribute(
        &mut self,
        holder: Holder,
        key: Option<String>,
        text: Option<String>,
        expected: Option<u64>,
    ) -> Result<Attribute, SetError> {
        let (room, of, attribute) = match holder {
            Holder::Room(id) => {
                let room = self.rooms.get_mut(&id).ok_or(SetError::Nobody)?;
                (id, None, room.attributes.set(key, text, expected, self.limits.room_attributes)?)
            }
            Holder::Participant(peer) => {
                let participant = self.participants.get_mut(&peer).ok_or(SetError::Nobody)?;
                let limits = self.limits.participant_attributes;
                (participant.room, Some(peer), participant.attributes.set(key, text, expected, limits)?)
            }
        };
        self.happened(room, Happening::Attribute { of, attribute: attribute.clone() });
        let event = Event::Attribute { of, attribute: attribute.clone() };
        match of {
            Some(peer) => {
                self.outputs.push_back(Output::Deliver { to: peer, event: event.clone() });
                self.tell_others(room, peer, &event);
            }
            None => {
                let members = self.rooms.get(&room).map(|r| r.members.clone()).unwrap_or_default();
                let deliver = |to| Output::Deliver { to, event: event.clone() };
                self.outputs.extend(members.into_iter().map(deliver));
            }
        }
        Ok(attribute)
    }
}
