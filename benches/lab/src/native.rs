//! Calls of our own native client: in virtual time and over real sockets.

pub mod class;
mod hearing;
pub mod joins;
mod measured;
mod person;
pub mod real_call;
pub mod virtual_call;

use crate::outcome::hundredth;
use person::Notes;
use std::time::Instant;
use wire::Stages;

/// From the click on; sound counts from when it is heard, not from when it arrives. Of one who was there before only what came of
/// the click.
fn stages(notes: &Notes, clicked: Instant) -> Stages {
    let ms = |at: Instant| hundredth(at.saturating_duration_since(clicked).as_secs_f64() * 1000.0);
    let was_there = notes.connected.is_some_and(|connected| connected < clicked);
    let own = if was_there { Stages::default() } else { notes.stages.clone() };
    Stages { first_audio_ms: notes.first_heard().map(ms), first_frame_ms: notes.first_frame.map(ms), ..own }
}
