//! What a participant publishes.

use std::collections::BTreeSet;

use packet::{Mid, media::MediaKind};

use crate::{Grants, Share};

/// Where a track comes from. A participant publishes each source at most once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    Microphone,
    Camera,
    Screen,
    ScreenAudio,
}

impl Source {
    pub fn kind(self) -> MediaKind {
        match self {
            Self::Microphone | Self::ScreenAudio => MediaKind::Audio,
            Self::Camera | Self::Screen => MediaKind::Video,
        }
    }
    pub fn share(self) -> Share {
        match self {
            Self::Microphone | Self::Camera => Share::Person,
            Self::Screen | Self::ScreenAudio => Share::Screen,
        }
    }
}

/// One m-line on which the participant sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Track {
    pub mid: Mid,
    pub source: Source,
    /// Still published, nothing to hear or see.
    pub muted: bool,
    /// False: the m-line is there ahead of need and takes nobody's slot.
    pub active: bool,
    /// Nobody but who has the key of the call can decode it.
    pub encrypted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TracksError {
    #[error("more than {0} tracks")]
    TooMany(usize),
    #[error("the m-line {0} is named twice")]
    MidTwice(Mid),
    #[error("the source {0:?} is published twice")]
    SourceTwice(Source),
}

/// Each m-line once, each source once, not too many.
pub(crate) fn check(tracks: &[Track], count_max: usize) -> Result<(), TracksError> {
    if tracks.len() > count_max {
        return Err(TracksError::TooMany(count_max));
    }
    let mut mids = BTreeSet::new();
    let mut sources = BTreeSet::new();
    for track in tracks {
        if !mids.insert(track.mid) {
            return Err(TracksError::MidTwice(track.mid));
        }
        if !sources.insert(track.source) {
            return Err(TracksError::SourceTwice(track.source));
        }
    }
    Ok(())
}

/// Other tracks take the place of the known ones. What is no longer named is as if not active; others know it by its m-line, so it stays
/// unless its source has moved to another one. Returns what others have to be told.
pub(crate) fn succeed(known: &mut Vec<Track>, tracks: Vec<Track>) -> Vec<Track> {
    let is_gone = |old: &&Track| !tracks.iter().any(|new| new.mid == old.mid);
    let gone: Vec<_> = known.iter().filter(is_gone).map(|old| Track { active: false, ..*old }).collect();
    let has_moved = |old: &Track| tracks.iter().any(|new| new.source == old.source);
    let kept = gone.iter().filter(|old| !has_moved(old)).copied();
    let all: Vec<_> = tracks.iter().copied().chain(kept).collect();
    let news = gone.iter().chain(&tracks).filter(|track| !known.contains(track));
    let news = news.copied().collect();
    *known = all;
    news
}

/// What may not be published is not active.
pub(crate) fn clip(tracks: &mut [Track], grants: &Grants) {
    for track in tracks {
        track.active &= grants.may_publish(track.source);
    }
}

/// The m-line that carries `kind` of `share`, if anything is sent on it.
pub(crate) fn active_mid(tracks: &[Track], share: Share, kind: MediaKind) -> Option<Mid> {
    tracks.iter().find(|t| t.active && t.source.share() == share && t.source.kind() == kind).map(|t| t.mid)
}

/// Whether anything of `share` is sent.
pub(crate) fn is_active(tracks: &[Track], share: Share) -> bool {
    tracks.iter().any(|t| t.active && t.source.share() == share)
}
