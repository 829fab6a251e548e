//! With libopus: a WAV file is spoken, and what is heard is decoded and recorded.

use crate::recording::Recording;
use anyhow::Result;
use client_core::{Client, Config, Decoders, Event, Frame};
use packet::Mid;
use std::path::Path;
use std::time::Instant;
use voice::{Channels, OpusDecoder};

/// Neural concealment from 5 on, the larger neural enhancement of what is decoded at 7.
const COMPLEXITY: u8 = 7;

pub(crate) type Microphone = Box<crate::microphone::Microphone>;

pub(super) fn microphone(file: &[u8], start: Instant) -> Result<Microphone> {
    Ok(Box::new(crate::microphone::Microphone::new(file, start)?))
}

pub(super) fn speak(microphone: &mut Microphone, now: Instant, mid: Mid, client: &mut Client) -> Result<()> {
    while let Some(spoken) = microphone.take(now, client.sound_advice(now, mid).as_ref())? {
        let frame = Frame {
            audio_level: Some(spoken.level),
            copy: Some(spoken.copy),
            silence: spoken.silence,
            ..Frame::new(spoken.timestamp, spoken.data)
        };
        // A frame that cannot be sent (not connected any more) is gone.
        let _ = client.send_frame(now, mid, frame);
    }
    Ok(())
}

pub(crate) struct Ear {
    recording: Option<Recording>,
}

impl Ear {
    pub fn new(record: Option<&Path>) -> Result<Self> {
        Ok(Self { recording: record.map(Recording::create).transpose()? })
    }

    pub fn configure(&self, config: &mut Config) {
        config.deliver_sound = self.recording.is_some();
        config.decoders = Decoders::new(|| {
            let decoder = OpusDecoder::new(Channels::Mono, COMPLEXITY);
            Box::new(decoder.expect("a decoder needs nothing but memory"))
        });
    }

    pub fn event(&mut self, event: &Event) -> Result<()> {
        match (event, &mut self.recording) {
            (Event::Sound(sound), Some(recording)) => recording.hear(sound),
            _ => Ok(()),
        }
    }

    pub fn finish(self) -> Result<()> {
        self.recording.map_or(Ok(()), Recording::finish)
    }
}
