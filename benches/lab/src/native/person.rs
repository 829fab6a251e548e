//! A native participant that speaks real speech and hears through the jitter buffer, for a world in virtual time or for
//! sockets.

use client_core::{Client, Config, Event, Publish};
use jitter::audio::{Rung, Rungs};
use measure::speech::Speech;
use packet::NtpTime;
use packet::RtpTime;
use packet::ext::AudioLevel;
use packet::media::MediaKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tests::media::{Budget, Frame};
use tests::native::Native;
use tests::participant::{Output, Participant, Seen};
use transport::Certificate;
use voice::{Channels, Encoded, OpusDecoder, OpusEncoder, Settings, without_redundancy};
use wire::{Kind, ServerMessage, Source, Stages};

/// Samples of a packet: 20 ms.
const FRAME: usize = 960;
const FRAME_EVERY: Duration = Duration::from_millis(20);
/// Neural concealment from 5 on, neural enhancement of decoded speech (OSCE) from 6, the larger model at 7.
const DECODER_COMPLEXITY: u8 = 7;

/// What was heard and seen, shared with whoever made the participant.
pub type Shared = Arc<Mutex<Notes>>;

#[derive(Default)]
pub struct Notes {
    /// When the first frame of speech was handed to the client.
    pub speaks_since: Option<Instant>,
    /// Each 10 ms of sound, in order.
    pub sounds: Vec<Sound>,
    /// At 48 kHz, from the first of them on, without a gap.
    pub samples: Vec<f32>,
    pub first_audio: Option<Instant>,
    pub first_frame: Option<Instant>,
    pub connected: Option<Instant>,
    pub stages: Stages,
    /// Of pictures, without headers.
    pub video_bytes: u64,
    pub ended: Option<String>,
}

pub struct Sound {
    pub at: Instant,
    pub heard: Rungs,
    pub delay: Duration,
    pub target: Duration,
}

/// What a participant does in the call.
#[derive(Clone)]
pub struct Role {
    pub name: &'static str,
    pub room: &'static str,
    /// None: its sound is not listened to, and only timed and counted.
    pub speech: Option<Arc<Speech>>,
    pub sends_video: bool,
    /// Waits there until `enter`, as on a warm page.
    pub lobby: bool,
}

pub struct Person {
    native: Native,
    voice: Option<Voice>,
    notes: Shared,
    sends_video: bool,
}

struct Voice {
    speech: Arc<Speech>,
    encoder: OpusEncoder,
    next: Option<Instant>,
    frame: usize,
    payload: Vec<u8>,
    copy: Vec<u8>,
}

/// The part of a participant that may not be available.
pub struct Codec(Option<OpusEncoder>);

impl Codec {
    pub fn new(role: &Role) -> Result<Self, voice::Error> {
        if role.speech.is_none() {
            return Ok(Self(None));
        }
        OpusDecoder::new(Channels::Mono, DECODER_COMPLEXITY)?;
        OpusEncoder::new(Settings::default()).map(|encoder| Self(Some(encoder)))
    }
}

/// Where and when a participant begins: its address, the moment, one moment on both clocks, a seed.
pub type Birth = (SocketAddr, Instant, (Instant, NtpTime), u64);

impl Person {
    pub fn new(
        role: &Role,
        codec: Codec,
        certificate: Arc<Certificate>,
        (home, now, clock, seed): Birth,
        notes: Shared,
    ) -> Self {
        let mut config = Config::new(role.room, role.name, certificate, vec![home], clock, seed);
        config.deliver_sound = true;
        config.lobby = role.lobby;
        if role.sends_video {
            let camera = |publish: &mut Publish| publish.layers = 3;
            config.publish.iter_mut().filter(|publish| publish.source == Source::Camera).for_each(camera);
        } else {
            config.publish.retain(|publish| publish.kind() == Kind::Audio);
        }
        let voice = role.speech.clone().zip(codec.0).map(|(speech, encoder)| {
            config.decoders = client_core::Decoders::new(|| {
                // One could be made for `Codec`, so this can.
                Box::new(OpusDecoder::new(Channels::Mono, DECODER_COMPLEXITY).expect("a decoder"))
            });
            Voice { speech, encoder, next: None, frame: 0, payload: Vec::new(), copy: Vec::new() }
        });
        let shared = notes.clone();
        let watch = move |now, event: &Event| {
            shared.lock().unwrap_or_else(PoisonError::into_inner).event(now, event);
        };
        let native = Native::watched(config, now, watch);
        Self { native, voice, notes, sends_video: role.sends_video }
    }

    /// Notes the client's own numbers.
    fn look(&mut self) {
        let stats = self.native.client().stats();
        let mut notes = self.notes();
        notes.video_bytes = stats.received.iter().map(|received| received.video.bytes).sum();
        notes.stages = stats.stages;
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    /// When the first sound was played that was not made up.
    pub fn first_heard(&self) -> Option<Instant> {
        let real = |sound: &&Sound| {
            let made_up = [Rung::Conceal, Rung::Comfort].iter().map(|rung| sound.heard.samples(*rung)).sum();
            sound.heard.total() > made_up
        };
        self.sounds.iter().find(real).map(|sound| sound.at)
    }

    fn event(&mut self, now: Instant, event: &Event) {
        match event {
            Event::Connected => drop(self.connected.get_or_insert(now)),
            Event::FirstAudio { .. } => drop(self.first_audio.get_or_insert(now)),
            Event::FirstFrame { .. } => drop(self.first_frame.get_or_insert(now)),
            Event::Sound(sound) => {
                let first = self.sounds.first().map_or(sound.at, |first| first.at);
                let place = sound.at.saturating_duration_since(first).as_millis() as usize * 48;
                self.samples.resize(place.max(self.samples.len()), 0.0);
                self.samples.truncate(place);
                self.samples.extend(&sound.samples);
                let client_core::Sound { at, heard, delay, target, .. } = *sound;
                self.sounds.push(Sound { at, heard, delay, target });
            }
            Event::Refused { code, message } => self.ended = Some(format!("{code:?}: {message}")),
            Event::BadAnswer(why) => self.ended = Some(why.clone()),
            Event::Closed(reason) => self.ended = Some(reason.name().to_owned()),
            _ => {}
        }
    }
}

impl Voice {
    /// Says everything that is due.
    fn speak(&mut self, now: Instant, client: &mut Client) {
        while let Some(due) = self.next.filter(|due| *due <= now) {
            self.next = Some(due + FRAME_EVERY);
            let Some(mid) = client.mid(Source::Microphone) else { return };
            if let Some(advice) = client.sound_advice(now, mid) {
                let settings = Settings::default().advised(&advice);
                if settings != *self.encoder.settings() && self.encoder.set(settings).is_err() {
                    // Advice that the codec refuses changes nothing; the next one may be better.
                    continue;
                }
            }
            let samples = &self.speech.at_48_khz;
            let place = self.frame * FRAME % (samples.len() - samples.len() % FRAME);
            self.frame += 1;
            let Ok(encoded) = self.encoder.encode(&samples[place..place + FRAME], &mut self.payload) else {
                continue;
            };
            self.copy.clone_from(&self.payload);
            without_redundancy(&mut self.copy);
            let timestamp = RtpTime(((self.frame - 1) * FRAME) as u32);
            let frame = client_core::Frame {
                copy: Some(&self.copy),
                silence: encoded == Encoded::Silence,
                audio_level: Some(AudioLevel { voice: true, minus_dbov: 30 }),
                ..client_core::Frame::new(timestamp, &self.payload)
            };
            // Refused once the call is over: nobody listens.
            let _ = client.send_frame(now, mid, frame);
        }
    }
}

impl Participant for Person {
    fn handle_message(&mut self, now: Instant, message: ServerMessage) {
        self.native.handle_message(now, message);
    }

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        self.native.handle_datagram(now, from, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.native.handle_timeout(now);
        if let Some(voice) = &mut self.voice {
            voice.speak(now, self.native.client());
        }
    }

    fn poll_output(&mut self, now: Instant) -> Output {
        loop {
            let seen = match self.native.poll_output(now) {
                Output::Timeout(at) => {
                    let speaks = self.voice.as_ref().and_then(|voice| voice.next);
                    return Output::Timeout(at.into_iter().chain(speaks).min());
                }
                Output::Seen(seen) => seen,
                output => return output,
            };
            self.look();
            match (&seen, &mut self.voice) {
                // Speech carries no stamp; it is judged by ear.
                (Seen::Frame { kind: MediaKind::Audio, .. }, Some(_)) => continue,
                (Seen::Connected, Some(voice)) => {
                    voice.next = Some(now);
                    self.notes().speaks_since = Some(now);
                }
                _ => {}
            }
            return Output::Seen(seen);
        }
    }

    /// Only pictures: its own voice speaks.
    fn send_frame(&mut self, now: Instant, frame: &Frame) {
        let is_spoken = frame.stamp.kind == MediaKind::Audio && self.voice.is_some();
        if !is_spoken && (self.sends_video || frame.stamp.kind == MediaKind::Audio) {
            self.native.send_frame(now, frame);
        }
    }

    fn sends_layers(&self) -> bool {
        self.native.sends_layers()
    }

    fn video_budget(&self) -> Option<Budget> {
        self.native.video_budget()
    }

    fn show(&mut self, width: u16, height: u16) {
        self.native.show(width, height);
    }

    fn enter(&mut self, now: Instant) {
        self.native.enter(now);
    }

    fn restart_ice(&mut self) {
        self.native.restart_ice();
    }

    fn describe(&self) -> String {
        self.native.describe()
    }
}
