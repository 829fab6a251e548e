//! What a participant says and hears. Without feature `opus` it says files of encoded packets only, and hears nothing though
//! everything arrives, is asked for and counted as if it did.

use crate::playback::AudioPlayback;
use anyhow::Result;
use client_core::{Client, Frame};
use packet::Mid;
use std::time::Instant;

#[cfg_attr(feature = "opus", path = "talk/opus.rs")]
#[cfg_attr(not(feature = "opus"), path = "talk/without.rs")]
mod codec;

pub(crate) use codec::Ear;

pub(crate) enum Mouth {
    /// Packets that were encoded long ago.
    File(AudioPlayback),
    Microphone(codec::Microphone),
}

impl Mouth {
    /// `file`: Ogg Opus or WAV.
    pub fn new(file: &[u8], start: Instant) -> Result<Self> {
        if file.starts_with(b"RIFF") {
            return Ok(Self::Microphone(codec::microphone(file, start)?));
        }
        Ok(Self::File(AudioPlayback::new(file, start)?))
    }

    pub fn due(&self) -> Instant {
        match self {
            Self::File(file) => file.due(),
            Self::Microphone(microphone) => microphone.due(),
        }
    }

    /// Nothing is due before.
    pub fn start_at(&mut self, now: Instant) {
        match self {
            Self::File(file) => file.start_at(now),
            Self::Microphone(microphone) => microphone.start_at(now),
        }
    }

    /// Sends what is due. A frame that cannot be sent (not connected any more) is gone, as with a microphone.
    pub fn speak(&mut self, now: Instant, mid: Mid, client: &mut Client) -> Result<()> {
        match self {
            Self::File(file) => {
                while let Some(frame) = file.take(now) {
                    let audio_level = Some(frame.level);
                    let frame = Frame { audio_level, ..Frame::new(frame.timestamp, frame.data) };
                    let _ = client.send_frame(now, mid, frame);
                }
            }
            Self::Microphone(microphone) => codec::speak(microphone, now, mid, client)?,
        }
        Ok(())
    }
}
