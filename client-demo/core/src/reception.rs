//! All slots together: packets in; sound and pictures out when they are due; for each participant what arrived and what is new.

use crate::decoders::Decoders;
use crate::event::{Event, Reason, ReceivedFrame, Sound};
use crate::lag::Lag;
use crate::pairs::Pairs;
use crate::participants::{Owner, Participants};
use crate::receive::{Listening, Media, Receive, Taken};
use crate::stats::Received;
use jitter::video::Via;
use packet::ext::ExtensionMap;
use packet::media::{CodecConfig, MediaKind, Slot};
use packet::{Mid, NtpTime, RtpTime, SeqNo};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wire::{Binding, Kind, ParticipantInfo, Share, Source, TrackInfo};

/// Sound is played in pieces of this length.
const PIECE: Duration = Duration::from_millis(10);
/// Further behind than this (the process was stopped), sound goes on from now: a sound card would have played silence meanwhile.
const BEHIND_MAX: Duration = Duration::from_millis(200);

/// Also of use to a participant that runs on another implementation and only wants the same statistics.
pub struct Reception {
    pub(crate) slots: Vec<Receive>,
    listening: Listening,
    deliver_sound: bool,
    participants: Participants,
    pairs: Pairs,
    round_trip: Option<Duration>,
    /// Of the server's clock, by its reports.
    server: Lag,
    now: Instant,
    /// When the next 10 ms of sound are played; None: nobody is heard.
    play_at: Option<Instant>,
    first_audio: Option<Instant>,
    first_frame: Option<Instant>,
    pub(crate) events: VecDeque<Event>,
}

/// What comes out besides statistics.
#[derive(Clone, Debug, Default)]
pub struct Deliver {
    /// Encoded frames, see [`crate::Config::deliver_frames`].
    pub frames: bool,
    /// Decoded sound, see [`crate::Config::deliver_sound`].
    pub sound: bool,
    pub decoders: Decoders,
    /// Of the noise that fills silence.
    pub seed: u64,
}

impl Reception {
    pub fn new(now: Instant, deliver: Deliver) -> Self {
        let Deliver { frames, sound, decoders, seed } = deliver;
        Self {
            slots: Vec::new(),
            listening: Listening { decoders, frames, seed, ..Listening::default() },
            deliver_sound: sound,
            participants: Participants::default(),
            pairs: Pairs::default(),
            round_trip: None,
            server: Lag::default(),
            now,
            play_at: None,
            first_audio: None,
            first_frame: None,
            events: VecDeque::new(),
        }
    }

    /// What payload types and extension ids mean in slots that are added from now on.
    pub fn negotiated(&mut self, codecs: Vec<CodecConfig>, extensions: ExtensionMap) {
        (self.listening.codecs, self.listening.extensions) = (codecs, extensions);
    }

    /// Does nothing if the m-line is known.
    pub fn add_slot(&mut self, now: Instant, slot: Slot) {
        if self.index(slot.mid.as_str()).is_none() {
            let mut slot = Receive::new(slot, now, &self.listening);
            self.round_trip.into_iter().for_each(|round_trip| slot.set_round_trip(round_trip));
            self.slots.push(slot);
        }
    }

    /// Position of the slot on this m-line.
    pub fn index(&self, mid: &str) -> Option<usize> {
        self.slots.iter().position(|slot| slot.slot.mid.as_str() == mid)
    }

    pub fn mid(&self, index: usize) -> Option<Mid> {
        self.slots.get(index).map(|slot| slot.slot.mid)
    }

    pub fn met(&mut self, info: &ParticipantInfo) {
        self.participants.met(info);
    }

    /// Slot pairs changed hands.
    pub fn bind(&mut self, now: Instant, bindings: Vec<Binding>) {
        for Binding { slot, participant, share } in bindings {
            let screen = share == Share::Screen;
            let owner = participant.clone().map(|participant| Owner { participant, screen });
            let audio = self.bind_slot(now, &slot.audio, owner.as_ref());
            let video = self.bind_slot(now, &slot.video, owner.as_ref());
            if let Some((audio, video)) = audio.zip(video) {
                self.pairs.bind(audio, video, owner.is_some());
            }
            if let (Some(audio), Some(video)) = (Mid::new(&slot.audio), Mid::new(&slot.video)) {
                self.events.push_back(Event::Bound { audio, video, participant, share });
            }
        }
    }

    fn bind_slot(&mut self, now: Instant, mid: &str, owner: Option<&Owner>) -> Option<usize> {
        let index = self.index(mid)?;
        let last = self.slots[index].owner().cloned();
        if self.slots[index].bind(now, owner.cloned())
            && let Some(last) = last
        {
            self.participants.pause(&last);
        } else if let (Some(unnamed), Some(owner)) = (last.filter(Owner::is_unnamed), owner) {
            self.participants.named(&unnamed, owner);
        }
        self.release(index);
        Some(index)
    }

    /// From `timestamp` on the slot is the newcomer's.
    pub fn begins(&mut self, mid: &str, participant: &str, timestamp: RtpTime) {
        if let Some(index) = self.index(mid)
            && self.slots[index].owner().is_some_and(|owner| owner.participant == participant)
        {
            self.slots[index].begins(timestamp);
            self.release(index);
        }
    }

    /// A picture switched off is not a frozen one.
    pub fn track_changed(&mut self, participant: &str, track: &TrackInfo) {
        if track.muted || !track.active {
            let screen = matches!(track.source, Source::Screen | Source::ScreenAudio);
            self.participants.pause(&Owner { participant: participant.to_owned(), screen });
        }
    }

    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = Some(round_trip);
        self.slots.iter_mut().for_each(|slot| slot.set_round_trip(round_trip));
    }

    /// A sender report about this slot: `rtp` was captured at `ntp`.
    pub fn sender_report(&mut self, now: Instant, index: usize, ntp: NtpTime, rtp: RtpTime) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.sender_report(now, ntp, rtp);
            self.pairs.sender_report(index, ntp, rtp);
            self.server.add(now, ntp);
            if let Some(farther) = slot.lag.beyond(&self.server) {
                slot.set_farther(farther);
            }
        }
    }

    /// A whole RTP packet of a slot, decrypted and, if it came as a retransmission, restored. An error says why it is of no use.
    pub fn packet(&mut self, now: Instant, index: usize, rtp: &[u8], via: Via) -> Result<(), &'static str> {
        self.now = self.now.max(now);
        let Some(slot) = self.slots.get_mut(index) else { return Err("unknown_slot") };
        let taken = slot.packet(now, rtp, via, &self.listening);
        let result = self.taken(now, index, taken);
        self.show(now, index);
        result
    }

    /// What was held back and is known now.
    fn release(&mut self, index: usize) {
        while let Some((at, taken)) = self.slots[index].release(&self.listening) {
            // A straggler of the one before is no fault.
            let _ = self.taken(at, index, taken);
        }
        self.show(self.now, index);
    }

    fn taken(&mut self, at: Instant, index: usize, taken: Taken) -> Result<(), &'static str> {
        let bytes = match taken {
            Taken::Used(bytes) => bytes,
            Taken::Held => return Ok(()),
            Taken::Dropped(why) => return Err(why),
        };
        let slot = &self.slots[index];
        let Some(owner) = slot.owner() else { return Ok(()) };
        match slot.slot.kind {
            MediaKind::Video => self.participants.video_packet(owner, bytes),
            MediaKind::Audio => {
                let since_bound = at.saturating_duration_since(slot.bound_at());
                if self.participants.audio_packet(owner, bytes, since_bound) {
                    self.first_audio.get_or_insert(at);
                    self.events.push_back(Event::FirstAudio { participant: owner.participant.clone() });
                }
                self.play_at.get_or_insert(self.now);
            }
        }
        Ok(())
    }

    /// Plays, shows and asks for what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(at) = self.play_at.filter(|at| *at <= now) {
            let at = if now.saturating_duration_since(at) > BEHIND_MAX { now } else { at };
            self.play_at = self.play(at).then_some(at + PIECE);
        }
        for index in 0..self.slots.len() {
            self.show(now, index);
        }
        self.pairs.synchronise(now, &mut self.slots, &mut self.participants);
    }

    /// The next 10 ms of everybody. False: nobody is heard.
    fn play(&mut self, at: Instant) -> bool {
        let mut heard = false;
        for slot in &mut self.slots {
            let (mid, bound_at, owner) = (slot.slot.mid, slot.bound_at(), slot.owner().cloned());
            let (Media::Sound(sound), Some(owner)) = (&mut slot.media, owner) else { continue };
            if sound.buffer.is_idle() {
                continue;
            }
            heard = true;
            let pulled = sound.pull(at);
            self.participants.heard(&owner, &pulled, at.saturating_duration_since(bound_at));
            let captured = pulled.timestamp.and_then(|timestamp| slot.source.captured(timestamp));
            for data in pulled.frames {
                self.events.push_back(Event::Frame(ReceivedFrame {
                    mid,
                    kind: Kind::Audio,
                    participant: owner.participant.clone(),
                    timestamp: pulled.timestamp.unwrap_or(RtpTime(0)),
                    captured,
                    render_at: at,
                    keyframe: true,
                    data,
                }));
            }
            if self.deliver_sound {
                self.events.push_back(Event::Sound(Sound {
                    mid,
                    participant: owner.participant,
                    at,
                    timestamp: pulled.timestamp,
                    captured,
                    samples: pulled.samples.to_vec(),
                    heard: pulled.heard,
                    delay: pulled.delay,
                    target: pulled.target,
                }));
            }
        }
        heard
    }

    /// Pictures that are due.
    fn show(&mut self, now: Instant, index: usize) {
        let slot = &mut self.slots[index];
        let (mid, bound_at, owner) = (slot.slot.mid, slot.bound_at(), slot.owner().cloned());
        let (Media::Pictures(pictures), Some(owner)) = (&mut slot.media, owner) else { return };
        while let Some(picture) = pictures.buffer.pull(now) {
            let since_bound = now.saturating_duration_since(bound_at);
            if self.participants.picture(&owner, &picture, since_bound) {
                self.first_frame.get_or_insert(now);
                self.events.push_back(Event::FirstFrame { participant: owner.participant.clone() });
            }
            if self.listening.frames {
                self.events.push_back(Event::Frame(ReceivedFrame {
                    mid,
                    kind: Kind::Video,
                    participant: owner.participant.clone(),
                    timestamp: picture.timestamp,
                    captured: slot.source.captured(picture.timestamp),
                    render_at: picture.render_at,
                    keyframe: picture.keyframe,
                    data: picture.data,
                }));
            }
        }
        let video = self.participants.video(&owner);
        video.lost += pictures.newly_lost();
        video.delay = pictures.buffer.delay();
    }

    /// The packets of a slot to ask for now.
    pub fn ask(&mut self, now: Instant, index: usize) -> Vec<SeqNo> {
        let Some(slot) = self.slots.get_mut(index) else { return Vec::new() };
        match &mut slot.media {
            Media::Sound(sound) => sound.asks(),
            Media::Pictures(pictures) => pictures.buffer.poll_nack(now),
        }
    }

    /// True if a keyframe must be asked for now; asks again only after a while.
    pub fn wants_keyframe(&mut self, now: Instant, index: usize) -> bool {
        match self.slots.get_mut(index).map(|slot| &mut slot.media) {
            Some(Media::Pictures(pictures)) => pictures.buffer.poll_keyframe(now).is_some(),
            _ => false,
        }
    }

    pub fn next_timeout(&self) -> Option<(Instant, Reason)> {
        let pictures = self.slots.iter().filter_map(|slot| match &slot.media {
            Media::Pictures(pictures) if slot.owner().is_some() => pictures.buffer.poll_timeout(),
            _ => None,
        });
        let asks = |slot: &Receive| matches!(&slot.media, Media::Sound(sound) if sound.asks_now());
        let play = if self.slots.iter().any(asks) { Some(self.now) } else { self.play_at };
        let play = play.map(|at| (at, Reason::Play));
        pictures.min().map(|at| (at, Reason::Picture)).into_iter().chain(play).min()
    }

    /// What is new since the last call.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When the first packet of anybody's sound came.
    pub fn first_audio_at(&self) -> Option<Instant> {
        self.first_audio
    }

    /// When the first picture of anybody was shown.
    pub fn first_frame_at(&self) -> Option<Instant> {
        self.first_frame
    }

    pub fn received(&self) -> Vec<Received> {
        self.participants.received(self.now)
    }

    /// Frames that were complete and of no use, over all slots.
    pub fn undecodable(&self) -> u64 {
        let discarded = |slot: &Receive| match &slot.media {
            Media::Pictures(pictures) => {
                pictures.buffer.stats().discarded(jitter::video::Discarded::Undecodable)
            }
            Media::Sound(sound) => sound.buffer.stats().undecodable,
        };
        self.slots.iter().map(discarded).sum()
    }
}
