//! All slots together: packets in, and for each participant what arrived and what is new.

use crate::event::{Event, ReceivedFrame};
use crate::missing::Arrival;
use crate::participants::{Owner, Participants};
use crate::receive::{Arrived, Receive, Taken, What};
use crate::stats::Received;
use packet::media::{Codec, MediaKind, Slot};
use packet::{ExtSeq, Mid, RtpTime, SeqNo};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wire::{Binding, Kind, ParticipantInfo, Share, Source, TrackInfo};

/// Also of use to a participant that runs on another implementation and only wants the same statistics.
pub struct Reception {
    pub(crate) slots: Vec<Receive>,
    participants: Participants,
    keep_data: bool,
    first_audio: Option<Instant>,
    first_frame: Option<Instant>,
    pub(crate) events: VecDeque<Event>,
}

/// One packet of a slot, decrypted and, if it came as a retransmission, restored.
#[derive(Clone, Copy, Debug)]
pub struct SlotPacket<'a> {
    pub seq: ExtSeq,
    pub codec: Codec,
    pub timestamp: RtpTime,
    pub marker: bool,
    pub payload: &'a [u8],
    /// It came as a retransmission.
    pub repaired: bool,
}

impl Reception {
    pub fn new(keep_data: bool) -> Self {
        Self {
            slots: Vec::new(),
            participants: Participants::default(),
            keep_data,
            first_audio: None,
            first_frame: None,
            events: VecDeque::new(),
        }
    }

    /// Does nothing if the m-line is known.
    pub fn add_slot(&mut self, now: Instant, slot: Slot) {
        if self.index(slot.mid.as_str()).is_none() {
            self.slots.push(Receive::new(slot, now, self.keep_data));
        }
    }

    /// Position of the slot on this m-line.
    pub fn index(&self, mid: &str) -> Option<usize> {
        self.slots.iter().position(|slot| slot.slot.mid.as_str() == mid)
    }

    pub fn met(&mut self, info: &ParticipantInfo) {
        self.participants.met(info);
    }

    /// Slot pairs changed hands.
    pub fn bind(&mut self, now: Instant, bindings: Vec<Binding>) {
        for Binding { slot, participant, share } in bindings {
            let screen = share == Share::Screen;
            let owner = participant.clone().map(|participant| Owner { participant, screen });
            self.bind_slot(now, &slot.audio, owner.as_ref());
            self.bind_slot(now, &slot.video, owner.as_ref());
            if let (Some(audio), Some(video)) = (Mid::new(&slot.audio), Mid::new(&slot.video)) {
                self.events.push_back(Event::Bound { audio, video, participant, share });
            }
        }
    }

    fn bind_slot(&mut self, now: Instant, mid: &str, owner: Option<&Owner>) {
        if let Some(index) = self.index(mid) {
            if let Some(last) = self.slots[index].owner() {
                self.participants.pause(last);
            }
            self.slots[index].bind(now, owner.cloned());
        }
    }

    /// From `timestamp` on the slot is the newcomer's.
    pub fn begins(&mut self, mid: &str, participant: &str, timestamp: RtpTime) {
        if let Some(index) = self.index(mid)
            && self.slots[index].owner().is_some_and(|owner| owner.participant == participant)
        {
            let taken = self.slots[index].begins(timestamp);
            self.tally(index, taken);
        }
    }

    /// A picture switched off is not a frozen one.
    pub fn track_changed(&mut self, participant: &str, track: &TrackInfo) {
        if track.muted || !track.active {
            let screen = matches!(track.source, Source::Screen | Source::ScreenAudio);
            self.participants.pause(&Owner { participant: participant.to_owned(), screen });
        }
    }

    /// False: a packet that was there already, or given up.
    pub fn packet(&mut self, now: Instant, index: usize, packet: SlotPacket<'_>) -> bool {
        let Some(slot) = self.slots.get_mut(index) else { return false };
        let SlotPacket { seq, codec, timestamp, marker, payload, repaired } = packet;
        let arrived = Arrived { seq, codec, timestamp, marker, payload, repaired };
        let mut taken = Vec::new();
        let arrival = slot.packet(now, arrived, self.keep_data, &mut taken);
        self.tally(index, taken);
        arrival != Arrival::Useless
    }

    /// The packets of a slot to ask for now; what waited too long is given up.
    pub fn ask(&mut self, now: Instant, index: usize, round_trip: Duration) -> Vec<SeqNo> {
        let Some(slot) = self.slots.get_mut(index) else { return Vec::new() };
        if slot.next_missing().is_none_or(|at| now < at) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        let (ask, gone) = slot.handle_missing(now, round_trip, &mut taken);
        if let Some(owner) = slot.owner().filter(|_| gone > 0) {
            match slot.slot.kind {
                MediaKind::Audio => self.participants.audio(owner).lost += gone as u64,
                MediaKind::Video => self.participants.video(owner).lost += gone as u64,
            }
        }
        self.tally(index, taken);
        ask
    }

    /// True if a keyframe must be asked for now; asks again only after a while.
    pub fn wants_keyframe(&mut self, now: Instant, index: usize) -> bool {
        self.slots.get_mut(index).is_some_and(|slot| slot.wants_keyframe(now))
    }

    /// What is new since the last call.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When the first packet of anybody's sound came.
    pub fn first_audio_at(&self) -> Option<Instant> {
        self.first_audio
    }

    /// When the first decodable picture of anybody was complete.
    pub fn first_frame_at(&self) -> Option<Instant> {
        self.first_frame
    }

    pub fn received(&self) -> Vec<Received> {
        self.participants.received()
    }

    /// Frames that were complete and of no use, over all slots.
    pub fn undecodable(&self) -> u64 {
        self.slots.iter().map(Receive::undecodable).sum()
    }

    /// Counts what arrived for its owner and says what is new.
    fn tally(&mut self, index: usize, taken: Vec<(Owner, Taken)>) {
        let (mid, bound_at) = (self.slots[index].slot.mid, self.slots[index].bound_at());
        for (owner, Taken { at, timestamp, what }) in taken {
            let since_bound = at.saturating_duration_since(bound_at);
            let participant = owner.participant.clone();
            let (kind, keyframe, data) = match what {
                What::VideoPacket { bytes } => {
                    let video = self.participants.video(&owner);
                    video.packets += 1;
                    video.bytes += bytes as u64;
                    continue;
                }
                What::Audio { bytes, data } => {
                    if self.participants.audio_packet(&owner, bytes, since_bound) {
                        self.first_audio.get_or_insert(at);
                        self.events.push_back(Event::FirstAudio { participant: participant.clone() });
                    }
                    (Kind::Audio, true, data)
                }
                What::Frame(frame) => {
                    if self.participants.frame(&owner, at, frame.keyframe, since_bound) {
                        self.first_frame.get_or_insert(at);
                        self.events.push_back(Event::FirstFrame { participant: participant.clone() });
                    }
                    (Kind::Video, frame.keyframe, frame.data)
                }
            };
            if self.keep_data {
                let frame = ReceivedFrame { mid, kind, participant, timestamp, keyframe, data };
                self.events.push_back(Event::Frame(frame));
            }
        }
    }
}
