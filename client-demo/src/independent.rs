//! The same participant on the `webrtc` crate: its ICE, DTLS, SRTP, RTCP and packetizers share no code with ours. What
//! we add is the signaling, the files and the statistics.

mod keyframes;

use crate::own::{Options, random_bytes};
use crate::playback::{AudioPlayback, VideoPlayback};
use crate::report::{Received, Report, Sent};
use crate::websocket;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use client_core::{Deliver, Reception, Via};
use keyframes::KeyframeRequests;
use packet::ext::ExtensionMap;
use packet::media::{MediaKind, Slot};
use packet::rtp::Outgoing;
use packet::{Mid, PayloadType, RtpTime, SeqNo, Ssrc};
use rtc::media::Sample;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{Registry, register_default_interceptors};
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpRtxParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::static_sample::TrackLocalStaticSample;
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceConnectionState, RTCPeerConnectionState,
};
use wire::{ClientMessage, ServerMessage, SlotPair, Source, TrackInfo};

const OPUS: PayloadType = PayloadType(111);
const VP8: PayloadType = PayloadType(96);
const VP8_RTX: PayloadType = PayloadType(97);

/// What the crate's tasks tell ours.
enum Happening {
    Ice(RTCIceConnectionState),
    Connection(RTCPeerConnectionState),
    /// On the m-line of this name.
    Track(String, Arc<dyn TrackRemote>),
    Packet(String, rtc::rtp::Packet),
    KeyframeWanted,
}

type Happenings = mpsc::UnboundedSender<Happening>;

struct Handler(Happenings);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        let _ = self.0.send(Happening::Ice(state));
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let _ = self.0.send(Happening::Connection(state));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let happenings = self.0.clone();
        tokio::spawn(async move {
            // Our server names a slot's track after its m-line.
            let mid = track.track_id().await;
            let _ = happenings.send(Happening::Track(mid.clone(), track.clone()));
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event
                    && happenings.send(Happening::Packet(mid.clone(), packet)).is_err()
                {
                    return;
                }
            }
        });
    }
}

/// Takes part until `stop` is ready or the server ends it.
pub async fn run(options: &Options, stop: impl Future<Output = ()>) -> Result<Report> {
    let start = Instant::now();
    let mut connection = websocket::connect(&options.server, options.insecure).await?;
    let (happenings, mut happened) = mpsc::unbounded_channel();
    let mut peer = Peer::new(options, connection.local, happenings).await?;
    let mut report = Report {
        engine: "webrtc",
        room: options.room.clone(),
        name: options.name.clone(),
        ..Report::default()
    };
    let joining = Instant::now();
    let ms = |at: Instant| at.saturating_duration_since(joining).as_secs_f64() * 1000.0;
    let (offer, tracks, slots) = peer.offer(options.slot_pairs).await?;
    let (room, name) = (options.room.clone(), options.name.clone());
    connection.sender.send(ClientMessage::Join {
        id: 1,
        room,
        name,
        offer,
        tracks,
        slots,
        token: None,
        history: None,
        role: None,
    })?;

    let mut stop = pin!(stop);
    let mut request = 1;
    loop {
        let due = peer.due();
        let sleep = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = &mut stop => break,
            message = connection.receiver.recv() => {
                let Some(message) = message else {
                    report.errors.push("the server closed the connection".to_owned());
                    break;
                };
                let now = Instant::now();
                match message {
                    ServerMessage::Joined { participant, answer: Some(answer), participants, bindings, .. } => {
                        report.stages.signaling_ms = Some(ms(now));
                        report.participant = Some(participant);
                        participants.iter().for_each(|p| peer.reception.met(p));
                        peer.answered(answer).await?;
                        peer.reception.bind(now, bindings);
                    }
                    ServerMessage::Answer { answer, .. } => peer.answered(answer).await?,
                    ServerMessage::ParticipantJoined { participant } => peer.reception.met(&participant),
                    ServerMessage::Bindings { bindings } => peer.reception.bind(now, bindings),
                    ServerMessage::FirstFrame { mid, participant, rtp_timestamp } => {
                        peer.reception.begins(&mid, &participant, RtpTime(rtp_timestamp));
                    }
                    ServerMessage::TrackChanged { participant, track } => {
                        peer.reception.track_changed(&participant, &track);
                    }
                    ServerMessage::NeedSlots { wanted } if !peer.offering => {
                        request += 1;
                        let (offer, tracks, slots) = peer.offer(wanted).await?;
                        connection.sender.send(ClientMessage::Offer { id: request, offer, tracks, slots })?;
                    }
                    ServerMessage::Error { code, message, .. } => {
                        report.errors.push(format!("{code:?}: {message}"));
                        if report.participant.is_none() {
                            break;
                        }
                    }
                    _ => {}
                }
            }
            Some(happening) = happened.recv() => {
                let now = Instant::now();
                match happening {
                    Happening::Ice(RTCIceConnectionState::Connected) => {
                        report.stages.ice_ms.get_or_insert(ms(now));
                    }
                    Happening::Connection(RTCPeerConnectionState::Connected) => {
                        report.stages.dtls_ms.get_or_insert(ms(now));
                        peer.play_from(now);
                    }
                    Happening::Connection(RTCPeerConnectionState::Failed) => {
                        report.errors.push("the media path ended".to_owned());
                        break;
                    }
                    Happening::Packet(mid, packet) => {
                        report.stages.first_packet_ms.get_or_insert(ms(now));
                        peer.packet(now, &mid, &packet);
                    }
                    Happening::Track(mid, track) => drop(peer.remote.insert(mid, track)),
                    Happening::KeyframeWanted => peer.keyframe_wanted(now),
                    Happening::Ice(_) | Happening::Connection(_) => {}
                }
            }
            () = sleep => {}
        }
        let now = Instant::now();
        peer.listen(now).await;
        peer.play(now).await;
    }
    report.connected = peer.playing;
    report.stages.first_audio_ms = peer.reception.first_audio_at().map(ms);
    report.stages.first_frame_ms = peer.reception.first_frame_at().map(ms);
    report.slot_pairs = peer.pairs;
    report.received = peer.reception.received().into_iter().map(Received::from).collect();
    report.sent = peer.sent();
    report.seconds = start.elapsed().as_secs_f64();
    let _ = connection.sender.send(ClientMessage::Leave {});
    connection.ended().await;
    peer.connection.close().await?;
    Ok(report)
}

struct Peer {
    connection: Box<dyn PeerConnection>,
    audio: Option<Sending<AudioPlayback>>,
    video: Option<Sending<VideoPlayback>>,
    pairs: usize,
    /// An offer waits for its answer.
    offering: bool,
    playing: bool,
    reception: Reception,
    /// By m-line.
    remote: BTreeMap<String, Arc<dyn TrackRemote>>,
    /// Sources seen, by position of the slot.
    sources: BTreeMap<usize, u32>,
}

struct Sending<P> {
    playback: P,
    track: Arc<TrackLocalStaticSample>,
    ssrc: u32,
    frames: u64,
    bytes: u64,
    keyframes_wanted: u64,
}

impl Peer {
    async fn new(options: &Options, local: std::net::SocketAddr, happenings: Happenings) -> Result<Self> {
        let mut engine = media_engine()?;
        let registry = register_default_interceptors(Registry::new(), &mut engine)?;
        let registry = registry.with(keyframes::slot(), KeyframeRequests::default());
        let settings = SettingEngineBuilder::new().with_include_loopback_candidate(true).build();
        let connection = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(engine)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(Handler(happenings.clone())))
            .with_udp_addrs(vec![std::net::SocketAddr::new(local.ip(), 0)])
            .build()
            .await?;
        let connection: Box<dyn PeerConnection> = Box::new(connection);
        let now = Instant::now();
        let mut audio = None;
        if let Some(file) = &options.audio {
            let (track, ssrc) = add_track(&*connection, RtpCodecKind::Audio, opus(), None).await?;
            audio = Some(Sending::new(AudioPlayback::new(file, now)?, track, ssrc));
        }
        let mut video = None;
        if let Some(file) = &options.video {
            let rtx = u32::from_ne_bytes(random_bytes()?);
            let (track, ssrc) = add_track(&*connection, RtpCodecKind::Video, vp8(), Some(rtx)).await?;
            let asked = track.clone();
            tokio::spawn(async move {
                loop {
                    match asked.poll().await {
                        Some(TrackLocalEvent::OnRtcpPacket(_)) => {
                            if happenings.send(Happening::KeyframeWanted).is_err() {
                                return;
                            }
                        }
                        Some(_) => {}
                        // Not bound yet, or not any more.
                        None if happenings.is_closed() => return,
                        None => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
            });
            video = Some(Sending::new(VideoPlayback::new(file, now)?, track, ssrc));
        }
        Ok(Self {
            connection,
            audio,
            video,
            pairs: 0,
            offering: false,
            playing: false,
            reception: reception(now),
            remote: BTreeMap::new(),
            sources: BTreeMap::new(),
        })
    }

    /// An offer with `pairs` pairs of slots in all, and what its m-lines are.
    async fn offer(&mut self, pairs: u32) -> Result<(String, Vec<TrackInfo>, Vec<SlotPair>)> {
        while self.pairs < pairs as usize {
            for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
                let direction = RTCRtpTransceiverDirection::Recvonly;
                let init = RTCRtpTransceiverInit { direction, ..Default::default() };
                self.connection.add_transceiver_from_kind(kind, Some(init)).await?;
            }
            self.pairs += 1;
        }
        let offer = self.connection.create_offer(None).await?;
        self.connection.set_local_description(offer).await?;
        let offer = self.connection.local_description().await.context("no local description")?.sdp;
        self.offering = true;
        let parsed = sdp::Offer::parse(&offer).context("the offer of the webrtc crate")?;
        let (mut tracks, mut audio, mut video) = (Vec::new(), Vec::new(), Vec::new());
        let now = Instant::now();
        for media in parsed.media() {
            let mid = media.mid.to_string();
            if media.direction != sdp::Direction::RecvOnly {
                let (kind, source) = match media.kind {
                    MediaKind::Audio => (wire::Kind::Audio, Source::Microphone),
                    MediaKind::Video => (wire::Kind::Video, Source::Camera),
                };
                tracks.push(TrackInfo { mid, kind, source, muted: false, active: true, encrypted: false });
                continue;
            }
            // The crate knows the SSRCs; for counting, the m-line is enough.
            self.reception.add_slot(
                now,
                Slot { mid: media.mid, kind: media.kind, ssrc: Ssrc(0), rtx: None, fec: None },
            );
            match media.kind {
                MediaKind::Audio => audio.push(mid),
                MediaKind::Video => video.push(mid),
            }
        }
        let slots = audio.into_iter().zip(video).map(|(audio, video)| SlotPair { audio, video }).collect();
        Ok((offer, tracks, slots))
    }

    async fn answered(&mut self, answer: String) -> Result<()> {
        self.offering = false;
        let answer = RTCSessionDescription::answer(answer)?;
        self.connection.set_remote_description(answer).await.context("the answer was refused")
    }

    fn packet(&mut self, now: Instant, mid: &str, packet: &rtc::rtp::Packet) {
        let Some(index) = Mid::new(mid).and_then(|mid| self.reception.index(mid.as_str())) else { return };
        let header = &packet.header;
        self.sources.insert(index, header.ssrc);
        let outgoing = Outgoing {
            marker: header.marker,
            pt: PayloadType(header.payload_type),
            seq: SeqNo(header.sequence_number),
            timestamp: RtpTime(header.timestamp),
            ssrc: Ssrc(header.ssrc),
            payload: &packet.payload,
            ..Outgoing::default()
        };
        let mut bytes = vec![0; packet::rtp::FIXED_HEADER_LEN + packet.payload.len()];
        if outgoing.write(&ExtensionMap::default(), &mut bytes).is_ok() {
            // What is of no use is not counted here.
            let _ = self.reception.packet(now, index, &bytes, Via::Media);
        }
    }

    /// Plays and shows what is due.
    async fn listen(&mut self, now: Instant) {
        self.reception.handle_timeout(now);
        for (&index, &media_ssrc) in &self.sources {
            // The crate asks for what is missing by itself.
            let _ = self.reception.ask(now, index);
            if self.reception.wants_keyframe(now, index)
                && let Some(track) = self.reception.mid(index).and_then(|mid| self.remote.get(mid.as_str()))
            {
                let pli = PictureLossIndication { sender_ssrc: 0, media_ssrc };
                let _ = track.write_rtcp(vec![Box::new(pli)]).await;
            }
        }
        while self.reception.next_event().is_some() {}
    }

    fn keyframe_wanted(&mut self, now: Instant) {
        if let Some(video) = &mut self.video {
            video.keyframes_wanted += 1;
            video.playback.keyframe_wanted(now);
        }
    }

    fn play_from(&mut self, now: Instant) {
        self.playing = true;
        if let Some(audio) = &mut self.audio {
            audio.playback.start_at(now);
        }
        if let Some(video) = &mut self.video {
            video.playback.start_at(now);
        }
    }

    fn due(&self) -> Option<Instant> {
        let audio = self.audio.as_ref().map(|a| a.playback.due());
        let video = self.video.as_ref().map(|v| v.playback.due());
        let playback = audio.into_iter().chain(video).min().filter(|_| self.playing);
        let reception = self.reception.next_timeout().map(|(at, _)| at);
        playback.into_iter().chain(reception).min()
    }

    async fn play(&mut self, now: Instant) {
        if !self.playing {
            return;
        }
        if let Some(audio) = &mut self.audio {
            while let Some(frame) = audio.playback.take(now) {
                let duration = Duration::from_micros(u64::from(frame.ticks) * 1000 / 48);
                let sample =
                    Sample { data: Bytes::copy_from_slice(frame.data), duration, ..Sample::new(now) };
                audio.frames += 1;
                audio.bytes += sample.data.len() as u64;
                let _ = audio.track.sample_writer(audio.ssrc, OPUS.0).write_sample(&sample).await;
            }
        }
        if let Some(video) = &mut self.video {
            let duration = video.playback.interval();
            while let Some(frame) = video.playback.take(now) {
                let sample =
                    Sample { data: Bytes::copy_from_slice(frame.data), duration, ..Sample::new(now) };
                video.frames += 1;
                video.bytes += sample.data.len() as u64;
                let _ = video.track.sample_writer(video.ssrc, VP8.0).write_sample(&sample).await;
            }
        }
    }

    /// Packets and retransmissions are the crate's business; it is not asked.
    fn sent(&self) -> Vec<Sent> {
        let audio = self.audio.as_ref().map(|a| (wire::Kind::Audio, a.frames, a.bytes, 0));
        let video = self.video.as_ref().map(|v| (wire::Kind::Video, v.frames, v.bytes, v.keyframes_wanted));
        audio
            .into_iter()
            .chain(video)
            .map(|(kind, frames, bytes, keyframes_wanted)| Sent {
                kind,
                frames,
                packets: None,
                bytes,
                nacked: None,
                retransmitted: None,
                keyframes_wanted,
            })
            .collect()
    }
}

impl<P> Sending<P> {
    fn new(playback: P, track: Arc<TrackLocalStaticSample>, ssrc: u32) -> Self {
        Self { playback, track, ssrc, frames: 0, bytes: 0, keyframes_wanted: 0 }
    }
}

/// For the statistics: payload types are fixed here, and the crate keeps header extensions to itself.
fn reception(now: Instant) -> Reception {
    let mut reception = Reception::new(now, Deliver::default());
    reception.negotiated(sdp::native_codecs(), ExtensionMap::default());
    reception
}

async fn add_track(
    connection: &dyn PeerConnection,
    kind: RtpCodecKind,
    codec: RTCRtpCodec,
    rtx: Option<u32>,
) -> Result<(Arc<TrackLocalStaticSample>, u32)> {
    let ssrc = u32::from_ne_bytes(random_bytes()?);
    if Some(ssrc) == rtx {
        bail!("the same random number twice");
    }
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            rtx: rtx.map(|ssrc| RTCRtpRtxParameters { ssrc }),
            ..Default::default()
        },
        codec,
        ..Default::default()
    };
    let label = kind.to_string();
    let track = MediaStreamTrack::new("bot".to_owned(), label.clone(), label, kind, vec![encoding]);
    let track = Arc::new(TrackLocalStaticSample::new(Instant::now(), track)?);
    let init =
        RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Sendonly, ..Default::default() };
    connection.add_transceiver_from_track(track.clone() as Arc<dyn TrackLocal>, Some(init)).await?;
    Ok((track, ssrc))
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: vec![],
    }
}

fn vp8() -> RTCRtpCodec {
    let feedback =
        |typ: &str, parameter: &str| RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() };
    RTCRtpCodec {
        mime_type: MIME_TYPE_VP8.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: vec![feedback("ccm", "fir"), feedback("nack", ""), feedback("nack", "pli")],
    }
}

fn media_engine() -> Result<MediaEngine> {
    let mut engine = MediaEngine::default();
    let rtx = RTCRtpCodec {
        mime_type: MIME_TYPE_RTX.to_owned(),
        sdp_fmtp_line: format!("apt={}", VP8.0),
        rtcp_feedback: vec![],
        ..vp8()
    };
    for (rtp_codec, pt, kind) in [
        (opus(), OPUS, RtpCodecKind::Audio),
        (vp8(), VP8, RtpCodecKind::Video),
        (rtx, VP8_RTX, RtpCodecKind::Video),
    ] {
        engine.register_codec(RTCRtpCodecParameters { rtp_codec, payload_type: pt.0 }, kind)?;
    }
    Ok(engine)
}
