//! How a room is set, for everybody in it.

use packet::PeerId;

use crate::Sources;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Nobody but moderators comes in. Whoever is waited for may come back.
    pub is_locked: bool,
    /// Who comes in waits until a moderator says so; moderators do not.
    pub has_waiting_room: bool,
    /// What people may publish who do not moderate, of what they are granted. What a moderator grants to one of them alone holds.
    pub publish: Sources,
    /// Whom everybody should look at.
    pub spotlight: Option<PeerId>,
}

impl Default for Setting {
    /// As rooms begin.
    fn default() -> Self {
        Self { is_locked: false, has_waiting_room: false, publish: Sources::ALL, spotlight: None }
    }
}
