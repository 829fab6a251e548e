//! What a participant may do.

use crate::Source;

/// A set of sources.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Sources(u8);

impl Sources {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self(0b1111);

    fn bit(source: Source) -> u8 {
        match source {
            Source::Microphone => 1,
            Source::Camera => 2,
            Source::Screen => 4,
            Source::ScreenAudio => 8,
        }
    }

    pub fn contains(self, source: Source) -> bool {
        self.0 & Self::bit(source) != 0
    }

    pub fn with(self, source: Source) -> Self {
        Self(self.0 | Self::bit(source))
    }

    pub fn without(self, source: Source) -> Self {
        Self(self.0 & !Self::bit(source))
    }

    /// What is in either.
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Source> {
        let all = [Source::Microphone, Source::Camera, Source::Screen, Source::ScreenAudio];
        all.into_iter().filter(move |source| self.contains(*source))
    }
}

impl FromIterator<Source> for Sources {
    fn from_iter<I: IntoIterator<Item = Source>>(sources: I) -> Self {
        sources.into_iter().fold(Self::NONE, Self::with)
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Given by whoever let the participant in, and changed while it is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grants {
    /// What it may send. Anything else reaches nobody.
    pub publish: Sources,
    /// See and hear others.
    pub subscribe: bool,
    /// Send messages.
    pub data: bool,
    /// Mute, remove, lock, and change what others may do.
    pub moderate: bool,
    /// Nobody is told that it is there; it cannot publish.
    pub hidden: bool,
    /// Start and stop recordings.
    pub record: bool,
}

impl Grants {
    pub const ALL: Self = Self {
        publish: Sources::ALL,
        subscribe: true,
        data: true,
        moderate: true,
        hidden: false,
        record: true,
    };
    pub const NONE: Self = Self {
        publish: Sources::NONE,
        subscribe: false,
        data: false,
        moderate: false,
        hidden: false,
        record: false,
    };

    pub fn may_publish(&self, source: Source) -> bool {
        !self.hidden && self.publish.contains(source)
    }
}
