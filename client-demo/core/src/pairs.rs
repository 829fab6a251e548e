//! Sound and pictures of one participant are played with the same delay since their capture.

use crate::participants::Participants;
use crate::receive::{Media, Receive};
use jitter::sync::{LipSync, Playout};
use packet::media::Codec;
use packet::{NtpTime, RtpTime};
use std::time::{Duration, Instant};

/// Between two comparisons: delays move slowly.
const INTERVAL: Duration = Duration::from_secs(1);

/// The slots that belong together.
#[derive(Default)]
pub(crate) struct Pairs {
    pairs: Vec<Pair>,
    due: Option<Instant>,
}

struct Pair {
    audio: usize,
    video: usize,
    sync: LipSync,
    bound: bool,
}

impl Pairs {
    /// Slots by position. The server's reports keep their clock when a slot changes hands.
    pub fn bind(&mut self, audio: usize, video: usize, bound: bool) {
        match self.pairs.iter_mut().find(|pair| (pair.audio, pair.video) == (audio, video)) {
            Some(pair) => pair.bound = bound,
            None => {
                let sync = LipSync::new(Codec::Opus.clock_rate(), Codec::Vp8.clock_rate());
                self.pairs.push(Pair { audio, video, sync, bound });
            }
        }
    }

    pub fn sender_report(&mut self, slot: usize, ntp: NtpTime, rtp: RtpTime) {
        for pair in &mut self.pairs {
            if pair.audio == slot {
                pair.sync.audio_report(ntp, rtp);
            } else if pair.video == slot {
                pair.sync.video_report(ntp, rtp);
            }
        }
    }

    /// The faster one of each pair waits for the other.
    pub fn synchronise(&mut self, now: Instant, slots: &mut [Receive], participants: &mut Participants) {
        if self.due.is_some_and(|due| now < due) {
            return;
        }
        self.due = Some(now + INTERVAL);
        for pair in self.pairs.iter_mut().filter(|pair| pair.bound) {
            let playouts = playout(now, &slots[pair.audio]).zip(playout(now, &slots[pair.video]));
            let Some((audio, video)) = playouts else { continue };
            let minimum = pair.sync.update(audio, video);
            for (slot, minimum) in [(pair.audio, minimum.audio), (pair.video, minimum.video)] {
                match &mut slots[slot].media {
                    Media::Sound(sound) => sound.buffer.set_minimum_delay(minimum),
                    Media::Pictures(pictures) => pictures.buffer.set_minimum_delay(minimum),
                }
            }
            if let Some(owner) = slots[pair.video].owner() {
                participants.video(owner).skew_us = pair.sync.skew_us();
            }
        }
    }
}

/// None while nothing is played.
fn playout(now: Instant, slot: &Receive) -> Option<Playout> {
    match &slot.media {
        Media::Sound(sound) => {
            let stats = sound.buffer.stats();
            let (timestamp, own_delay) = (sound.buffer.playing()?, sound.buffer.own_target());
            Some(Playout { timestamp, at: now, delay: stats.delay, own_delay })
        }
        Media::Pictures(pictures) => {
            let buffer = &pictures.buffer;
            let (timestamp, at) = buffer.shown()?;
            Some(Playout { timestamp, at, delay: buffer.delay(), own_delay: buffer.own_delay() })
        }
    }
}
