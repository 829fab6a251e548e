//! Our own client as a participant.

use crate::encoder::LAYERS;
use crate::media::{Budget, Frame};
use crate::participant::{Output, Participant, Seen};
use client_core::{Client, Config, Event};
use packet::data::Channel;
use packet::ext::AudioLevel;
use packet::media::MediaKind;
use packet::{Bitrate, Ssrc};
use std::net::SocketAddr;
use std::time::Instant;
use wire::{Kind, ServerMessage, Source};

pub struct Native {
    client: Client,
    local: SocketAddr,
    sends_layers: bool,
    watch: Option<Watch>,
}

/// Sees every event of the client before the world does.
type Watch = Box<dyn FnMut(Instant, &Event)>;

impl Native {
    /// Its first output is the join message. Received frames are handed out whatever `config` says.
    pub fn new(config: Config, now: Instant) -> Self {
        let local = config.local_addresses[0];
        let sends_layers = config.publish.iter().any(|publish| publish.layers > 1);
        let client =
            Client::new(Config { deliver_frames: true, ..config }, now).expect("a valid configuration");
        Self { client, local, sends_layers, watch: None }
    }

    /// `watch` sees every event of the client, with the moment at which it came out.
    pub fn watched(config: Config, now: Instant, watch: impl FnMut(Instant, &Event) + 'static) -> Self {
        Self { watch: Some(Box::new(watch)), ..Self::new(config, now) }
    }

    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Participant for Native {
    fn handle_message(&mut self, now: Instant, message: ServerMessage) {
        self.client.handle_message(now, message);
    }

    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        self.client.handle_datagram(now, self.local, from, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
    }

    fn poll_output(&mut self, now: Instant) -> Output {
        loop {
            match self.client.poll_output() {
                client_core::Output::Message(message) => return Output::Message(message),
                client_core::Output::Transmit(datagram) => {
                    return Output::Transmit { to: datagram.to, bytes: datagram.bytes };
                }
                client_core::Output::Timeout(at, _) => return Output::Timeout(Some(at)),
                client_core::Output::Event(event) => {
                    if let Some(watch) = &mut self.watch {
                        watch(now, &event);
                    }
                    if let Some(seen) = seen(event) {
                        return Output::Seen(seen);
                    }
                }
            }
        }
    }

    fn send_frame(&mut self, now: Instant, frame: &Frame) {
        let (source, audio_level) = match frame.stamp.kind {
            MediaKind::Audio => (Source::Microphone, Some(AudioLevel { voice: true, minus_dbov: 30 })),
            MediaKind::Video => (Source::Camera, None),
        };
        let Some(mid) = self.client.mid(source) else { return };
        let frame = client_core::Frame {
            audio_level,
            layer: frame.stamp.layer,
            temporal: frame.temporal,
            ..client_core::Frame::new(frame.timestamp, &frame.data)
        };
        if self.sends_layers {
            let wanted = LAYERS.iter().map(|layer| layer.max.0).sum();
            self.client.set_video_wanted(now, Bitrate(wanted));
        }
        // Refused before the connection is there and after it is gone: a person would see nothing in both cases.
        let _ = self.client.send_frame(now, mid, frame);
    }

    fn sends_layers(&self) -> bool {
        self.sends_layers
    }

    fn video_budget(&self) -> Option<Budget> {
        let budget = || Budget { rate: self.client.video_budget(), behind: self.client.is_behind() };
        self.sends_layers.then(budget)
    }

    fn show(&mut self, width: u16, height: u16) {
        let video = self.client.slots().filter(|slot| slot.kind == MediaKind::Video);
        let preference = |slot: &packet::media::Slot| wire::Preference {
            mid: slot.mid.to_string(),
            width,
            height,
            visible: width > 0,
            pinned: false,
            priority: 0,
        };
        let preferences = video.map(preference).collect();
        self.client.prefer(preferences);
    }

    fn send_data(&mut self, now: Instant, channel: Channel, payload: &[u8]) -> bool {
        self.client.send_data(now, channel, &[], payload).is_ok()
    }

    fn send_rtcp(&mut self, now: Instant, compound: &[u8]) {
        self.client.send_rtcp(now, compound);
    }

    fn video_slots(&self) -> Vec<Ssrc> {
        let video = self.client.slots().filter(|slot| slot.kind == MediaKind::Video);
        video.map(|slot| slot.ssrc).collect()
    }

    fn enter(&mut self, now: Instant) {
        self.client.enter(now);
    }

    fn restart_ice(&mut self) {
        self.client.restart_ice();
    }

    fn explain(&mut self) -> String {
        let bwe::Estimate {
            rate, source, usage, loss, inherent_loss, loss_limit, acknowledged, queue, ..
        } = self.client.estimate();
        let stats = self.client.stats();
        let again: u64 = stats.sent.iter().map(|track| track.retransmitted).sum();
        let heard = stats.received.iter().map(|of| {
            let audio = &of.audio;
            format!("{} after {} ms, {} lost", of.name, audio.target.as_millis(), audio.lost)
        });
        let heard = heard.collect::<Vec<_>>().join(", ");
        format!(
            "{} kb/s {source:?} {usage:?} acked {:?} queue {} ms, loss {loss:.2}/{inherent_loss:.2} limit {:?}, {again} again; hears {heard}",
            rate.as_kbps(),
            acknowledged.map(Bitrate::as_kbps),
            queue.as_millis(),
            loss_limit.map(Bitrate::as_kbps),
        )
    }

    fn describe(&self) -> String {
        format!("{:#?}", self.client.stats())
    }
}

fn seen(event: Event) -> Option<Seen> {
    match event {
        Event::Joined { participant, .. } => Some(Seen::Joined(participant)),
        Event::Connected => Some(Seen::Connected),
        Event::KeyframeWanted { layer, .. } => Some(Seen::KeyframeWanted { layer }),
        Event::ParticipantLeft(who) => Some(Seen::PersonLeft(who)),
        Event::Frame(frame) => {
            let kind = match frame.kind {
                Kind::Audio => MediaKind::Audio,
                Kind::Video => MediaKind::Video,
            };
            Some(Seen::Frame { kind, of: frame.participant, data: frame.data })
        }
        Event::Layers { active, .. } => {
            let rids = ["l", "m", "h"];
            let number =
                |rid: &str| (0u8..).zip(rids).find(|(_, name)| *name == rid).map(|(number, _)| number);
            let watched = active.iter().filter(|encoding| encoding.active);
            let layers = watched.filter_map(|encoding| encoding.rid.as_deref().map_or(Some(0), number));
            Some(Seen::LayersWanted(layers.collect()))
        }
        Event::Refused { code, message } => Some(Seen::Ended(format!("{code:?}: {message}"))),
        Event::BadAnswer(why) => Some(Seen::Ended(why)),
        Event::Closed(reason) => Some(Seen::Ended(reason.name().to_owned())),
        Event::ParticipantJoined(_)
        | Event::TrackChanged { .. }
        | Event::Bound { .. }
        | Event::FirstAudio { .. }
        | Event::FirstFrame { .. }
        | Event::Sound(_)
        | Event::DataOpened
        | Event::DataClosed
        | Event::Data { .. }
        | Event::Speakers(_) => None,
    }
}
