//! Who else is in the room, and what arrived of them.

use crate::sound::Pulled;
use crate::stats::{AudioReceived, Received, VideoReceived};
use jitter::video::{Picture, Rhythm};
use packet::Mid;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};
use wire::{ParticipantId, ParticipantInfo, Share};

const UNNAMED: char = '?';

/// Whose picture or sound a slot carries.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Owner {
    pub participant: ParticipantId,
    /// Screen rather than person.
    pub screen: bool,
}

impl Owner {
    /// Of whoever is heard in this slot before it is told who that is. No participant is called that.
    pub fn unnamed(slot: Mid) -> Self {
        Self { participant: format!("{UNNAMED}{slot}"), screen: false }
    }

    pub fn is_unnamed(&self) -> bool {
        self.participant.starts_with(UNNAMED)
    }

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
    delays: Delays,
    video: VideoReceived,
    rhythm: Rhythm,
}

impl Tally {
    /// With what came in one slot before it was told whose it is: sound or pictures.
    fn add(&mut self, unnamed: Tally) {
        match self.audio.packets {
            0 if unnamed.audio.packets > 0 => (self.audio, self.delays) = (unnamed.audio, unnamed.delays),
            _ => self.audio.add(&unnamed.audio),
        }
        match self.video.packets {
            0 if unnamed.video.packets > 0 => (self.video, self.rhythm) = (unnamed.video, unnamed.rhythm),
            _ => self.video.add(&unnamed.video),
        }
    }
}

impl Participants {
    pub fn met(&mut self, info: &ParticipantInfo) {
        self.names.insert(info.id.clone(), info.name.clone());
    }

    fn tally(&mut self, owner: &Owner) -> &mut Tally {
        self.tallies.entry(owner.clone()).or_default()
    }

    /// What arrived of somebody unnamed is this one's.
    pub fn named(&mut self, unnamed: &Owner, owner: &Owner) {
        let Some(tally) = self.tallies.remove(unnamed) else { return };
        match self.tallies.entry(owner.clone()) {
            Entry::Vacant(none) => drop(none.insert(tally)),
            Entry::Occupied(mut known) => known.get_mut().add(tally),
        }
    }

    pub fn video(&mut self, owner: &Owner) -> &mut VideoReceived {
        &mut self.tally(owner).video
    }

    pub fn video_packet(&mut self, owner: &Owner, bytes: usize) {
        let video = self.video(owner);
        video.packets += 1;
        video.bytes += bytes as u64;
    }

    /// True for the first packet.
    pub fn audio_packet(&mut self, owner: &Owner, bytes: usize, since_bound: Duration) -> bool {
        let audio = &mut self.tally(owner).audio;
        audio.packets += 1;
        audio.bytes += bytes as u64;
        let first = audio.first_ms.is_none();
        audio.first_ms.get_or_insert(ms(since_bound));
        first
    }

    /// 10 ms were played.
    pub fn heard(&mut self, owner: &Owner, pulled: &Pulled<'_>, since_bound: Duration) {
        let tally = self.tally(owner);
        tally.audio.lost += pulled.lost;
        tally.audio.target = pulled.target;
        if pulled.heard.total() > 0 {
            tally.audio.first_heard_ms.get_or_insert(ms(since_bound));
            tally.audio.heard.add_all(&pulled.heard);
        }
        if pulled.timestamp.is_some() {
            tally.delays.add(pulled.delay);
        }
    }

    /// A picture is shown. True for the first one.
    pub fn picture(&mut self, owner: &Owner, picture: &Picture, since_bound: Duration) -> bool {
        let Tally { video, rhythm, .. } = self.tally(owner);
        video.frames += 1;
        video.keyframes += u64::from(picture.keyframe);
        video.in_time += u64::from(picture.in_time);
        video.late += u64::from(picture.late);
        video.repaired += u64::from(picture.repaired);
        rhythm.shown(picture.render_at);
        let first = video.first_ms.is_none();
        video.first_ms.get_or_insert(ms(since_bound));
        first
    }

    /// A picture that stopped on purpose (another slot, muted) does not freeze.
    pub fn pause(&mut self, owner: &Owner) {
        if let Some(tally) = self.tallies.get_mut(owner) {
            tally.rhythm.pause();
        }
    }

    /// `now`: a picture that stands still counts as frozen so far.
    pub fn received(&self, now: Instant) -> Vec<Received> {
        let received = |(owner, tally): (&Owner, &Tally)| {
            let freezes = tally.rhythm.freezes(now);
            Received {
                participant: owner.participant.clone(),
                name: self.names.get(&owner.participant).cloned().unwrap_or_default(),
                share: owner.share(),
                audio: AudioReceived {
                    buffer_p50: tally.delays.quantile(0.5),
                    buffer_p95: tally.delays.quantile(0.95),
                    ..tally.audio
                },
                video: VideoReceived {
                    freezes: freezes.count,
                    frozen_ms: ms(freezes.total),
                    longest_gap_ms: ms(freezes.longest_gap),
                    ..tally.video
                },
            }
        };
        self.tallies.iter().map(received).collect()
    }
}

/// Playout delays in steps of 10 ms, the last one without an end.
struct Delays([u32; 100]);

impl Default for Delays {
    fn default() -> Self {
        Self([0; 100])
    }
}

impl Delays {
    fn add(&mut self, delay: Duration) {
        let step = (delay.as_millis() / 10).min(self.0.len() as u128 - 1) as usize;
        self.0[step] = self.0[step].saturating_add(1);
    }

    fn quantile(&self, share: f64) -> Duration {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let mut below = 0;
        let found = self.0.iter().position(|count| {
            below += u64::from(*count);
            below as f64 >= all as f64 * share
        });
        found.filter(|_| all > 0).map_or(Duration::ZERO, |step| Duration::from_millis(10 * (step as u64 + 1)))
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
