//! The participant: signaling and media under one clock.
//!
//! ```text
//!   new ── join sent ──> joined ── ICE, DTLS ──> connected ──> closed
//!    │                     └── refused / bad answer (the end)
//!    └─ with a lobby ── hold sent ──> held ── ICE, DTLS ── enter ──> connected at once, joined when that is told
//! ```

use crate::config::Config;
use crate::event::{Event, Output, Reason};
use crate::media::{Media, ms};
use crate::publish::Frame;
use crate::random::Random;
use crate::session::{Answered, Session};
use crate::stats::Stats;
use jitter::audio::SenderAdvice;
use packet::data::{Channel, DataError};
use packet::{Bitrate, Mid, RtpTime};
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use transport::{IceMode, Transport, TransportError};
use wire::{Binding, ClientMessage, ParticipantId, ServerMessage, Share, SlotPair, Source};

/// Below the minute after which proxies cut quiet connections.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// The connect stages are reported then, even if no frame came (nobody else is there).
const STAGES_AFTER: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    #[error("not connected")]
    NotConnected,
    #[error("no such track, or the server refused it")]
    UnknownTrack,
    #[error("no such layer was negotiated")]
    UnknownLayer,
    #[error(transparent)]
    Data(DataError),
}

pub struct Client {
    session: Session,
    media: Media,
    random: Random,
    start: Instant,
    /// Until [`Self::enter`].
    in_lobby: bool,
    participant: Option<ParticipantId>,
    ping_at: Instant,
    stages_sent: bool,
    out: VecDeque<Output>,
}

impl Client {
    /// Its first output is the join message, or in the lobby the one that asks for a place.
    pub fn new(config: Config, now: Instant) -> Result<Self, TransportError> {
        let mut random = Random(config.seed);
        let mut taken = BTreeSet::new();
        let mut session = Session::new(&config, &mut random, &mut taken);
        let transport = Transport::new(
            transport::Config {
                ice: IceMode::Full { tie_breaker: random.next() },
                local: session.ice.clone(),
                certificate: config.certificate.clone(),
                local_addresses: config.local_addresses.clone(),
                dtls: config.dtls,
            },
            None,
            now,
        )?;
        let mut media = Media::new(&config, transport, random.ssrc(&mut taken), now);
        media.cname = session.cname.clone();
        let first = if config.lobby { session.hold() } else { session.join() };
        Ok(Self {
            session,
            media,
            random,
            start: now,
            in_lobby: config.lobby,
            participant: None,
            ping_at: now + PING_INTERVAL,
            stages_sent: false,
            out: VecDeque::from([Output::Message(first)]),
        })
    }

    /// Out of the lobby and into the room, where the times of connecting begin. What is sent from now on says the same as the
    /// message, and does not wait for TCP: begin to speak.
    pub fn enter(&mut self, now: Instant) {
        if std::mem::take(&mut self.in_lobby) {
            self.start = now;
            self.out.push_back(Output::Message(ClientMessage::Enter {}));
            self.media.enter(now);
            self.report_stages(now);
        }
    }

    /// The m-line to send `source` on.
    pub fn mid(&self, source: Source) -> Option<Mid> {
        self.session.infos.iter().find(|t| t.source == source).and_then(|t| Mid::new(&t.mid))
    }

    /// Sends one frame: sound at once, a picture at the pace of the estimate if encoders follow it.
    pub fn send_frame(&mut self, now: Instant, mid: Mid, frame: Frame<'_>) -> Result<(), SendError> {
        self.media.send_frame(now, mid, frame)
    }

    /// Says something over a data channel, with [`Config::data`] and after [`Event::DataOpened`]: to the participants named, or
    /// to everybody else.
    pub fn send_data(
        &mut self,
        now: Instant,
        channel: Channel,
        to: &[&str],
        payload: &[u8],
    ) -> Result<(), SendError> {
        self.media.send_data(now, channel, to, payload)
    }

    /// What the encoders of all tracks could use for video together, and that they follow [`Self::video_budget`]. Without
    /// it nothing is paced or probed: a file that is played cannot adapt, and would only wait.
    pub fn set_video_wanted(&mut self, now: Instant, wanted: Bitrate) {
        self.media.sender.set_video_wanted(now, wanted);
    }

    /// What congestion control leaves for video now, without headers.
    pub fn video_budget(&self) -> Bitrate {
        self.media.sender.video_budget()
    }

    /// The next picture is better left out, before it is encoded: it would only wait behind others that are late already. What congestion
    /// control allows can become less at once, an encoder's rate cannot.
    pub fn is_behind(&self) -> bool {
        self.media.sender.is_behind()
    }

    /// What the encoder of this track's sound should do about the network: how much redundancy, at which rate. Changes as reports and
    /// requests come; look at it with every frame. None: no such track, or a picture's.
    pub fn sound_advice(&self, now: Instant, mid: Mid) -> Option<SenderAdvice> {
        let track = self.media.sender.tracks.iter().find(|track| track.mid == mid)?;
        track.sound.as_ref().map(|sound| sound.advice(now))
    }

    /// The sender's estimate, and why it is what it is.
    pub fn estimate(&self) -> bwe::Estimate {
        self.media.sender.controller.estimate()
    }

    /// Sends a compound RTCP packet of the caller's making, encrypted but otherwise as it is: for peers under test.
    pub fn send_rtcp(&mut self, now: Instant, compound: &[u8]) {
        if self.media.connected {
            self.media.send_rtcp(compound.to_vec());
            self.media.drain_transport(now);
        }
    }

    /// The m-lines on which something may arrive.
    pub fn slots(&self) -> impl Iterator<Item = &packet::media::Slot> {
        self.media.reception.slots.iter().map(|receive| &receive.slot)
    }

    /// What is shown of whom, and how large: the server shares the link out by it. Names m-lines of slots; those left out
    /// are taken as of any size and visible.
    pub fn prefer(&mut self, slots: Vec<wire::Preference>) {
        self.out.push_back(Output::Message(ClientMessage::Prefer { slots }));
    }

    /// Tells the room that a track is muted or not, or starts or ends.
    pub fn set_track(&mut self, source: Source, muted: bool, active: bool) {
        if let Some(track) = self.session.infos.iter_mut().find(|t| t.source == source) {
            (track.muted, track.active) = (muted, active);
            let track = track.clone();
            self.out.push_back(Output::Message(ClientMessage::Track { track }));
        }
    }

    /// Our addresses changed: goes on from the new ones.
    pub fn set_local_addresses(&mut self, now: Instant, addresses: &[SocketAddr]) {
        self.media.transport.set_local_addresses(now, addresses);
        self.media.drain_transport(now);
    }

    /// Asks for new ICE credentials on both sides; media goes on meanwhile.
    pub fn restart_ice(&mut self) {
        self.session.restart_ice();
        self.offer_again();
    }

    /// Asks the server to let us go; it then closes the WebSocket.
    pub fn leave(&mut self) {
        self.out.push_back(Output::Message(ClientMessage::Leave {}));
    }

    /// Ends the media path at once, and tells the other end on it.
    pub fn close(&mut self, now: Instant) {
        self.media.transport.close(now);
        self.media.drain_transport(now);
    }

    pub fn is_connected(&self) -> bool {
        self.media.connected
    }

    pub fn is_closed(&self) -> bool {
        self.media.closed
    }

    pub fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        datagram: &mut [u8],
    ) {
        self.media.handle_datagram(now, local, from, datagram);
        self.report_stages(now);
    }

    pub fn handle_message(&mut self, now: Instant, message: ServerMessage) {
        match message {
            ServerMessage::Held { re, answer: Some(answer) } => {
                if self.answered(now, re, &answer) {
                    self.media.stages.signaling_ms.get_or_insert(ms(self.start, now));
                }
            }
            // There is nobody yet: the answer comes with `joined`.
            ServerMessage::Held { answer: None, .. } => {}
            ServerMessage::Joined { re, participant, answer, participants, bindings, .. } => {
                self.media.stages.signaling_ms.get_or_insert(ms(self.start, now));
                self.participant = Some(participant.clone());
                participants.iter().for_each(|p| self.media.reception.met(p));
                // Without one it was answered when the place was held.
                if answer.is_none_or(|answer| self.answered(now, re, &answer)) {
                    self.event(Event::Joined { participant, others: participants });
                    self.media.reception.bind(now, bindings);
                }
            }
            ServerMessage::Answer { re, answer } => {
                self.answered(now, re, &answer);
                self.offer_again();
            }
            ServerMessage::ParticipantJoined { participant } => {
                self.media.reception.met(&participant);
                self.event(Event::ParticipantJoined(participant));
            }
            ServerMessage::ParticipantLeft { participant } => {
                self.event(Event::ParticipantLeft(participant));
            }
            ServerMessage::TrackChanged { participant, track } => {
                self.media.reception.track_changed(&participant, &track);
                self.event(Event::TrackChanged { participant, track });
            }
            ServerMessage::Moved { participants, bindings, .. } => {
                let is_taken = |slot: &SlotPair| bindings.iter().any(|binding| binding.slot == *slot);
                let free = self.session.slots().into_iter().filter(|slot| !is_taken(slot));
                let free = free.map(|slot| Binding { slot, participant: None, share: Share::Person });
                let all: Vec<_> = free.chain(bindings.iter().cloned()).collect();
                for participant in participants {
                    self.media.reception.met(&participant);
                    self.event(Event::ParticipantJoined(participant));
                }
                self.media.reception.bind(now, all);
            }
            ServerMessage::Bindings { bindings } => self.media.reception.bind(now, bindings),
            ServerMessage::FirstFrame { mid, participant, rtp_timestamp } => {
                self.media.reception.begins(&mid, &participant, RtpTime(rtp_timestamp));
            }
            ServerMessage::NeedSlots { wanted } => {
                self.session.need_slots(wanted);
                self.offer_again();
            }
            ServerMessage::Speakers { participants } => self.event(Event::Speakers(participants)),
            ServerMessage::Layers { mid, active } => self.event(Event::Layers { mid, active }),
            ServerMessage::SoundLost { mid, lost_percent } => {
                self.media.sender.sound_lost(&mid, f32::from(lost_percent) / 100.0);
            }
            ServerMessage::Quality { .. }
            | ServerMessage::Pong { .. }
            | ServerMessage::Presence { .. }
            | ServerMessage::Permissions { .. }
            | ServerMessage::Stopped { .. }
            | ServerMessage::DataCut {}
            | ServerMessage::RoomChanged { .. }
            | ServerMessage::Registered { .. }
            | ServerMessage::Invited { .. }
            | ServerMessage::Incoming { .. }
            | ServerMessage::CallChanged { .. }
            | ServerMessage::Posted { .. }
            | ServerMessage::Messages { .. }
            | ServerMessage::State { .. }
            | ServerMessage::Waiting { .. }
            | ServerMessage::WaitingRoom { .. }
            | ServerMessage::Groups { .. }
            | ServerMessage::ValueSet { .. }
            | ServerMessage::AttributeChanged { .. }
            | ServerMessage::RoleChanged { .. }
            | ServerMessage::Done { .. }
            | ServerMessage::Resumed { .. } => {}
            ServerMessage::Error { re, code, message, .. } => {
                re.into_iter().for_each(|re| self.session.refused(re));
                self.event(Event::Refused { code, message });
            }
        }
        self.report_stages(now);
    }

    /// True if the answer is of use.
    fn answered(&mut self, now: Instant, re: u64, answer: &str) -> bool {
        let Some(result) = self.session.answered(re, answer) else { return false };
        let Answered { media, remote, restart } = match result {
            Ok(negotiated) => negotiated,
            Err(error) => {
                self.event(Event::BadAnswer(error.to_string()));
                return false;
            }
        };
        self.media.negotiated(now, media, &mut self.random);
        let result = self.media.remote(now, restart, remote);
        if let Err(error) = &result {
            self.event(Event::BadAnswer(error.to_string()));
        }
        result.is_ok()
    }

    fn offer_again(&mut self) {
        if let Some(message) = self.session.next_offer(&mut self.random) {
            self.out.push_back(Output::Message(message));
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.media.handle_timeout(now);
        if self.ping_at <= now {
            self.ping_at = now + PING_INTERVAL;
            let id = self.session.request();
            self.out.push_back(Output::Message(ClientMessage::Ping { id }));
        }
        self.report_stages(now);
    }

    fn report_stages(&mut self, now: Instant) {
        let complete = self.media.reception.first_frame_at().is_some();
        let late = self.participant.is_some() && now >= self.start + STAGES_AFTER;
        if !self.stages_sent && (complete || late) {
            self.stages_sent = true;
            let stages = self.media.stages();
            self.out.push_back(Output::Message(ClientMessage::Stages { stages }));
        }
    }

    /// Call until `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.out.pop_front().or_else(|| self.media.out.pop_front()) {
            return output;
        }
        if let Some(event) = self.media.reception.next_event() {
            return Output::Event(event);
        }
        let ping = (self.ping_at, Reason::Ping);
        let (at, reason) = self.media.next_timeout().map_or(ping, |media| media.min(ping));
        Output::Timeout(at, reason)
    }

    pub fn stats(&self) -> Stats {
        let media = &self.media;
        let mut dropped: Vec<_> = media.dropped.iter().map(|(name, count)| (*name, *count)).collect();
        if media.reception.undecodable() > 0 {
            dropped.push(("undecodable_frame", media.reception.undecodable()));
        }
        Stats {
            participant: self.participant.clone(),
            connected: media.connected,
            stages: media.stages(),
            round_trip: media.round_trip,
            slot_pairs: self.session.pairs(),
            sent: media.sender.tracks.iter().map(|t| t.sent.clone()).collect(),
            received: media.reception.received(),
            feedbacks_sent: media.feedbacks_sent,
            feedbacks_received: media.feedbacks_received,
            feedback_lost: media.feedback_lost,
            keyframes_asked: media.keyframes_asked,
            dropped,
        }
    }

    fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }
}
