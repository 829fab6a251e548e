//! Rooms as a state machine: who is in which room, what they publish, and who sees whom in which slot.
//!
//! Methods mutate; then [`Rooms::poll_output`] is drained until it is empty. Everything that leaves is either an
//! [`Event`] for one participant or a [`Output::Bind`] for the forwarder. The core knows no wire format, no socket,
//! no clock and no randomness: identifiers come from outside, order is the order of calls.
//!
//! A participant publishes *shares*: the person (microphone and camera) and the screen (picture and its sound). Each
//! share that has something to send takes one pair of slots of every other participant in the room, and keeps it
//! until it ends:
//!
//! ```text
//!   publisher                         subscriber: pairs of receive-only m-lines it has offered
//!   Person { microphone, camera } --> slot 0 { audio mid, video mid }
//!   Screen { screen audio, screen } > slot 1 { audio mid, video mid }
//!                                     slot 2   spare; when only one is left, `Event::NeedSlots`
//! ```
//!
//! A room may have *groups*: rooms of their own, entered only by being moved there, whose people count as the room's. Some who
//! want to come in *wait* first, outside: they are told of nothing, and only who moderates is told of them.

mod attributes;
mod grants;
mod join;
mod limits;
mod name;
mod output;
mod participant;
mod role;
mod room;
mod setting;
mod share;
mod slots;
mod track;

pub use attributes::{Attribute, AttributeLimits, Holder, KEY_BYTES_MAX, SetError};
pub use grants::{Grants, Sources};
pub use join::{BadGroups, Join, JoinError, MoveError, SlotsError, TrackError, UpdateError};
pub use limits::Limits;
pub use name::{BadName, clean_name, clean_room_name, main_name};
pub use output::{Binding, Event, Happening, Introduction, Output, Place, Waiter};
pub use packet::{Mid, PeerId, RoomId, media::MediaKind};
pub use participant::Participant;
pub use role::Role;
pub use room::{Rooms, Stats};
pub use setting::Setting;
pub use share::Share;
pub use slots::SlotPair;
pub use track::{Source, Track, TracksError};
