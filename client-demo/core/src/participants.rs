//! Who else is in the room, and what arrived of them.

use crate::stats::{AudioReceived, Received, Rhythm, VideoReceived};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wire::{ParticipantId, ParticipantInfo, Share};

/// Whose picture or sound a slot carries.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Owner {
    pub participant: ParticipantId,
    /// Screen rather than person.
    pub screen: bool,
}

impl Owner {
    pub fn share(&self) -> Share {
        if self.screen { Share::Screen } else { Share::Person }
    }
}

#[derive(Default)]
pub(crate) struct Participants {
    names: BTreeMap<ParticipantId, String>,
    tallies: BTreeMap<Owner, Tally>,
}

#[derive(Default)]
struct Tally {
    audio: AudioReceived,
    video: VideoReceived,
    rhythm: Rhythm,
}

impl Participants {
    pub fn met(&mut self, info: &ParticipantInfo) {
        self.names.insert(info.id.clone(), info.name.clone());
    }

    pub fn audio(&mut self, owner: &Owner) -> &mut AudioReceived {
        &mut self.tallies.entry(owner.clone()).or_default().audio
    }

    pub fn video(&mut self, owner: &Owner) -> &mut VideoReceived {
        &mut self.tallies.entry(owner.clone()).or_default().video
    }

    /// True for the first packet.
    pub fn audio_packet(&mut self, owner: &Owner, bytes: usize, since_bound: Duration) -> bool {
        let audio = self.audio(owner);
        audio.packets += 1;
        audio.bytes += bytes as u64;
        let first = audio.first_ms.is_none();
        audio.first_ms.get_or_insert(since_bound.as_secs_f64() * 1000.0);
        first
    }

    /// True for the first frame.
    pub fn frame(&mut self, owner: &Owner, now: Instant, keyframe: bool, since_bound: Duration) -> bool {
        let tally = self.tallies.entry(owner.clone()).or_default();
        tally.video.frames += 1;
        tally.video.keyframes += u64::from(keyframe);
        tally.rhythm.frame(now, &mut tally.video);
        let first = tally.video.first_ms.is_none();
        tally.video.first_ms.get_or_insert(since_bound.as_secs_f64() * 1000.0);
        first
    }

    /// A picture that stopped on purpose (another slot, muted) does not freeze.
    pub fn pause(&mut self, owner: &Owner) {
        if let Some(tally) = self.tallies.get_mut(owner) {
            tally.rhythm = Rhythm::default();
        }
    }

    pub fn received(&self) -> Vec<Received> {
        let received = |(owner, tally): (&Owner, &Tally)| Received {
            participant: owner.participant.clone(),
            name: self.names.get(&owner.participant).cloned().unwrap_or_default(),
            share: owner.share(),
            audio: tally.audio,
            video: tally.video,
        };
        self.tallies.iter().map(received).collect()
    }
}
