//! What takes one slot pair of somebody else.

/// A part of a participant that is seen and heard together, in one slot pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Share {
    /// Microphone and camera.
    Person,
    /// Screen and its sound.
    Screen,
}
