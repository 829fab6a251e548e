//! What comes in, and why it may be refused.

use packet::Mid;

use crate::{BadName, Grants, Role, SlotPair, Source, Track, TracksError};

/// What somebody brings along.
#[derive(Clone, Debug)]
pub struct Join {
    pub room: String,
    pub name: String,
    /// Who that is beyond this room, if anybody vouches for it.
    pub identity: Option<String>,
    pub grants: Grants,
    /// What the grants are called, if they have a name.
    pub role: Option<Role>,
    /// Comes in when a moderator says so, however the room is set.
    pub must_wait: bool,
    /// What may not be published comes in as not active.
    pub tracks: Vec<Track>,
    pub slots: Vec<SlotPair>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JoinError {
    #[error("this participant is in a room already")]
    Twice,
    #[error("the room's name cannot be used: {0}")]
    BadRoom(BadName),
    #[error("the name cannot be used: {0}")]
    BadName(BadName),
    #[error("the room is locked: a moderator has to open it")]
    Locked,
    #[error("the room is full: it holds {0} people")]
    RoomFull(usize),
    #[error("the server holds no more than {0} rooms")]
    TooManyRooms(usize),
    #[error("{0} people wait already")]
    TooManyWait(usize),
    #[error(transparent)]
    Tracks(#[from] TracksError),
    #[error(transparent)]
    Slots(#[from] SlotsError),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SlotsError {
    #[error("more than {0} slot pairs")]
    TooMany(usize),
    #[error("the m-line {0} is in two slots")]
    MidTwice(Mid),
    #[error("slot pairs may be added at the end, never changed or removed")]
    Changed,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UpdateError {
    #[error("not in a room")]
    NotJoined,
    #[error(transparent)]
    Tracks(#[from] TracksError),
    #[error(transparent)]
    Slots(#[from] SlotsError),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TrackError {
    #[error("not in a room")]
    NotJoined,
    #[error("no track has the m-line {0}")]
    Unknown(Mid),
    #[error("publishing {0:?} is not allowed here")]
    NotGranted(Source),
    #[error(transparent)]
    Tracks(#[from] TracksError),
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoveError {
    #[error("not in a room")]
    NotJoined,
    #[error("this room has no group of this name")]
    UnknownGroup,
    #[error("these groups cannot be made: {0}")]
    BadGroups(BadGroups),
    #[error("the server holds no more than {0} rooms")]
    TooManyRooms(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadGroups {
    #[error("more than {0}")]
    TooMany(usize),
    #[error("the name of one cannot be used: {0}")]
    Name(BadName),
    #[error("two have the same name")]
    Twice,
}
