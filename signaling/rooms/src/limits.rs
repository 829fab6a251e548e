//! How much of everything one process accepts.

use crate::AttributeLimits;

/// Every limit is a refusal with its own error, never a silent truncation.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Rooms that exist at the same time, groups among them. A room exists while somebody is in it or in a group of it.
    pub rooms: usize,
    /// Those in its groups among them.
    pub participants_per_room: usize,
    /// People who wait to be let into one room. Each takes the size of an offer.
    pub waiting_per_room: usize,
    pub groups_per_room: usize,
    /// Characters of a room's name.
    pub room_name_chars: usize,
    /// Characters of a participant's name.
    pub participant_name_chars: usize,
    /// Tracks of one participant: microphone, camera, screen and its sound, and as many again ahead of need.
    pub tracks_per_participant: usize,
    /// Slot pairs of one participant. An SDP of 24 pairs is about 60 kB; a class of 20 with a screen needs 21.
    pub slots_per_participant: usize,
    pub room_attributes: AttributeLimits,
    /// Everybody is told those of everybody.
    pub participant_attributes: AttributeLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms: 1000,
            participants_per_room: 24,
            waiting_per_room: 100,
            groups_per_room: 50,
            room_name_chars: 64,
            participant_name_chars: 64,
            tracks_per_participant: 8,
            slots_per_participant: 24,
            room_attributes: AttributeLimits { count: 64, bytes: 16 * 1024 },
            participant_attributes: AttributeLimits { count: 16, bytes: 2 * 1024 },
        }
    }
}
