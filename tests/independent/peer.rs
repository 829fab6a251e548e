//! `str0m` as a participant.

use packet::media::MediaKind;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaTime, Mid};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::{Candidate, Event, IceConnectionState, Input, Rtc};
use tests::Participant;
use tests::media::Frame;
use tests::participant::{Output, Seen};
use wire::{Binding, ClientMessage, Kind, ServerMessage, SlotPair, Source, TrackInfo};

pub struct Peer {
    rtc: Rtc,
    home: SocketAddr,
    pending: Option<SdpPendingOffer>,
    microphone: Mid,
    camera: Mid,
    tracks: Vec<TrackInfo>,
    slots: Vec<SlotPair>,
    /// Whose media a receive-only m-line carries.
    bound: BTreeMap<String, String>,
    outputs: VecDeque<Output>,
}

/// As many others as the scenarios have, and a spare one.
const SLOT_PAIRS: usize = 4;

impl Peer {
    pub fn new(name: &str, home: SocketAddr, now: Instant) -> Self {
        let config = Rtc::builder().clear_codecs().enable_opus(true, false).enable_vp8(true);
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(home, "udp").expect("a host candidate"));
        let mut changes = rtc.sdp_api();
        let mut add = |kind, direction| changes.add_media(kind, direction, None, None, None);
        let microphone = add(str0m::media::MediaKind::Audio, Direction::SendOnly);
        let camera = add(str0m::media::MediaKind::Video, Direction::SendOnly);
        let slots: Vec<SlotPair> = (0..SLOT_PAIRS)
            .map(|_| SlotPair {
                audio: add(str0m::media::MediaKind::Audio, Direction::RecvOnly).to_string(),
                video: add(str0m::media::MediaKind::Video, Direction::RecvOnly).to_string(),
            })
            .collect();
        let (offer, pending) = changes.apply().expect("an offer");
        let track = |mid: Mid, kind, source| TrackInfo {
            mid: mid.to_string(),
            kind,
            source,
            muted: false,
            active: true,
            encrypted: false,
        };
        let tracks = vec![
            track(microphone, Kind::Audio, Source::Microphone),
            track(camera, Kind::Video, Source::Camera),
        ];
        let join = ClientMessage::Join {
            id: 1,
            room: tests::script::ROOM.to_owned(),
            name: name.to_owned(),
            offer: offer.to_sdp_string(),
            tracks: tracks.clone(),
            slots: slots.clone(),
            token: None,
            history: None,
            role: None,
        };
        Self {
            rtc,
            home,
            pending: Some(pending),
            microphone,
            camera,
            tracks,
            slots,
            bound: BTreeMap::new(),
            outputs: VecDeque::from([Output::Message(join)]),
        }
    }

    fn input(&mut self, input: Input<'_>) {
        if let Err(error) = self.rtc.handle_input(input) {
            self.outputs.push_back(Output::Seen(Seen::Ended(error.to_string())));
        }
    }

    fn accept(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).expect("an answer that str0m can read");
        let pending = self.pending.take().expect("one answer to one offer");
        self.rtc.sdp_api().accept_answer(pending, answer).expect("an answer that str0m accepts");
    }

    fn bind(&mut self, bindings: Vec<Binding>) {
        for Binding { slot, participant, .. } in bindings {
            for mid in [slot.audio, slot.video] {
                match &participant {
                    Some(participant) => self.bound.insert(mid, participant.clone()),
                    None => self.bound.remove(&mid),
                };
            }
        }
    }

    fn see(&mut self, event: Event) -> Option<Seen> {
        match event {
            Event::Connected => Some(Seen::Connected),
            Event::KeyframeRequest(_) => Some(Seen::KeyframeWanted { layer: 0 }),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                Some(Seen::Ended("the path is gone".to_owned()))
            }
            Event::MediaData(frame) => {
                let kind = if frame.params.spec().codec == Codec::Opus {
                    MediaKind::Audio
                } else {
                    MediaKind::Video
                };
                let of = self.bound.get(&frame.mid.to_string()).cloned().unwrap_or_default();
                Some(Seen::Frame { kind, of, data: frame.data.to_vec() })
            }
            _ => None,
        }
    }
}

impl Participant for Peer {
    fn handle_message(&mut self, _now: Instant, message: ServerMessage) {
        match message {
            ServerMessage::Joined { participant, answer: Some(answer), bindings, .. } => {
                self.accept(&answer);
                self.bind(bindings);
                self.outputs.push_back(Output::Seen(Seen::Joined(participant)));
            }
            ServerMessage::Answer { answer, .. } => self.accept(&answer),
            ServerMessage::Bindings { bindings } => self.bind(bindings),
            ServerMessage::ParticipantLeft { participant } => {
                self.outputs.push_back(Output::Seen(Seen::PersonLeft(participant)));
            }
            ServerMessage::Error { code, message, .. } => {
                self.outputs.push_back(Output::Seen(Seen::Ended(format!("{code:?}: {message}"))));
            }
            _ => {}
        }
    }

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        let Ok(contents) = DatagramRecv::try_from(&*datagram) else { return };
        let receive = Receive { proto: Protocol::Udp, source: from, destination: self.home, contents };
        self.input(Input::Receive(now, receive));
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.input(Input::Timeout(now));
    }

    fn poll_output(&mut self, now: Instant) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        loop {
            match self.rtc.poll_output() {
                Ok(str0m::Output::Transmit(datagram)) => {
                    return Output::Transmit { to: datagram.destination, bytes: datagram.contents.to_vec() };
                }
                // It names the past when it has something to do at once; nobody else waits for less than this.
                Ok(str0m::Output::Timeout(at)) => {
                    return Output::Timeout(Some(at.max(now + std::time::Duration::from_micros(100))));
                }
                Ok(str0m::Output::Event(event)) => {
                    if let Some(seen) = self.see(event) {
                        return Output::Seen(seen);
                    }
                }
                Err(error) => return Output::Seen(Seen::Ended(error.to_string())),
            }
        }
    }

    fn send_frame(&mut self, now: Instant, frame: &Frame) {
        let (mid, codec, clock) = match frame.stamp.kind {
            MediaKind::Audio => (self.microphone, Codec::Opus, Frequency::FORTY_EIGHT_KHZ),
            MediaKind::Video => (self.camera, Codec::Vp8, Frequency::NINETY_KHZ),
        };
        let Some(writer) = self.rtc.writer(mid) else { return };
        let pt =
            writer.payload_params().find(|params| params.spec().codec == codec).map(|params| params.pt());
        let pt = pt.expect("the answer took the codec");
        let time = MediaTime::new(frame.timestamp.0.into(), clock);
        writer.write(pt, now, time, frame.data.clone()).expect("a frame of a negotiated codec");
    }

    fn restart_ice(&mut self) {
        let mut changes = self.rtc.sdp_api();
        changes.ice_restart(true);
        let (offer, pending) = changes.apply().expect("an offer");
        self.pending = Some(pending);
        let offer = ClientMessage::Offer {
            id: 2,
            offer: offer.to_sdp_string(),
            tracks: self.tracks.clone(),
            slots: self.slots.clone(),
        };
        self.outputs.push_back(Output::Message(offer));
    }

    fn describe(&self) -> String {
        format!("str0m, connected: {}, slots {:?}", self.rtc.is_connected(), self.bound)
    }
}
