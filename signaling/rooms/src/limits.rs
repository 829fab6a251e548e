//! How much of everything one process accepts.

/// Every limit is a refusal with its own error, never a silent truncation.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Rooms that exist at the same time. A room exists while somebody is in it.
    pub rooms: usize,
    pub participants_per_room: usize,
    /// Characters of a room's name.
    pub room_name_chars: usize,
    /// Characters of a participant's name.
    pub participant_name_chars: usize,
    /// Tracks of one participant: microphone, camera, screen and its sound, and as many again ahead of need.
    pub tracks_per_participant: usize,
    /// Slot pairs of one participant. An SDP of 24 pairs is about 60 kB; a class of 20 with a screen needs 21.
    pub slots_per_participant: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms: 1000,
            participants_per_room: 24,
            room_name_chars: 64,
            participant_name_chars: 64,
            tracks_per_participant: 8,
            slots_per_participant: 24,
        }
    }
}
