//! How a room is set, for everybody in it.

use packet::PeerId;

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Setting {
    /// Nobody but moderators comes in. Whoever is waited for may come back.
    pub is_locked: bool,
    /// Whom everybody should look at.
    pub spotlight: Option<PeerId>,
}
