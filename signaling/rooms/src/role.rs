//! Names for sets of grants, as a class has them.

use crate::{Grants, Source, Sources};

/// What somebody is in a room. It says what they may do when they get it; a moderator may change that for one person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Everything.
    Teacher,
    /// Everything but recording.
    Assistant,
    /// Is seen and heard, and writes.
    Student,
    /// Sees, hears and writes.
    Audience,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Teacher, Self::Assistant, Self::Student, Self::Audience];

    pub fn grants(self) -> Grants {
        let person = [Source::Microphone, Source::Camera].into_iter().collect();
        let audience = Grants { subscribe: true, data: true, ..Grants::NONE };
        match self {
            Self::Teacher => Grants::ALL,
            Self::Assistant => Grants { record: false, ..Grants::ALL },
            Self::Student => Grants { publish: person, ..audience },
            Self::Audience => Grants { publish: Sources::NONE, ..audience },
        }
    }

    /// As it is written in a token.
    pub fn name(self) -> &'static str {
        match self {
            Self::Teacher => "teacher",
            Self::Assistant => "assistant",
            Self::Student => "student",
            Self::Audience => "audience",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}
