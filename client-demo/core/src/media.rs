//! The media half: the transport, tracks going out, slots coming in, RTCP both ways.

use crate::config::{Config, Counters};
use crate::event::{Event, Output, Reason};
use crate::publish::{Frame, Track};
use crate::random::Random;
use crate::reception::{Deliver, Reception};
use crate::sender::Sender;
use crate::stream::Unprotected;
use crate::transport_feedback::Arrivals;
use crate::{SendError, reports};
use jitter::video::Via;
use packet::data::{Addressed, Channel, Delivered};
use packet::ext::{ExtensionMap, Values};
use packet::media::{Codec, CodecConfig, PeerMedia};
use packet::rtcp::{Compound, Nack, Packet, Pli, ReceptionReport};
use packet::rtp::{RtpHeader, rtx};
use packet::{Mid, NtpTime, Ssrc};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use transport::{IceCredentials, Incoming, Remote, Transmit, Transport, TransportError};
use wire::Stages;

const REPORT_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) struct Media {
    pub transport: Transport,
    clock: (Instant, NtpTime),
    start: Instant,
    pub sender: Sender,
    counters: Counters,
    pub reception: Reception,
    /// Media and retransmission SSRCs of the slots: position and whether it is the latter.
    by_ssrc: BTreeMap<Ssrc, (usize, bool)>,
    codecs: Vec<CodecConfig>,
    extensions: ExtensionMap,
    own_ssrc: Ssrc,
    pub cname: String,
    arrivals: Arrivals,
    report_at: Instant,
    transport_at: Option<Instant>,
    /// Keys are there; in the lobby nothing is sent with them.
    secured: bool,
    in_lobby: bool,
    /// Media may flow.
    pub connected: bool,
    pub closed: bool,
    data_begun: bool,
    pub stages: Stages,
    pub round_trip: Option<Duration>,
    pub feedbacks_sent: u64,
    pub feedbacks_received: u64,
    pub feedback_lost: u64,
    pub keyframes_asked: u64,
    pub dropped: BTreeMap<&'static str, u64>,
    pub out: VecDeque<Output>,
}

impl Media {
    pub fn new(config: &Config, transport: Transport, own_ssrc: Ssrc, now: Instant) -> Self {
        Self {
            transport,
            clock: config.clock,
            start: now,
            sender: Sender::new(
                now,
                match config.counters {
                    Counters::Random => 1,
                    Counters::AboutToWrap => u16::MAX - 500,
                },
            ),
            counters: config.counters,
            reception: Reception::new(
                now,
                Deliver {
                    frames: config.deliver_frames,
                    sound: config.deliver_sound,
                    decoders: config.decoders.clone(),
                    seed: config.seed,
                },
            ),
            by_ssrc: BTreeMap::new(),
            codecs: Vec::new(),
            extensions: ExtensionMap::default(),
            own_ssrc,
            cname: String::new(),
            arrivals: Arrivals::new(now),
            report_at: now + REPORT_INTERVAL,
            transport_at: None,
            secured: false,
            in_lobby: config.lobby,
            connected: false,
            closed: false,
            data_begun: false,
            stages: Stages::default(),
            round_trip: None,
            feedbacks_sent: 0,
            feedbacks_received: 0,
            feedback_lost: 0,
            keyframes_asked: 0,
            dropped: BTreeMap::new(),
            out: VecDeque::new(),
        }
    }

    /// What was negotiated; tracks and slots that are there already keep their state.
    pub fn negotiated(&mut self, now: Instant, media: PeerMedia, random: &mut Random) {
        if let Some(port) = media.sctp_port
            && !std::mem::replace(&mut self.data_begun, true)
        {
            self.transport.open_data(now, port);
        }
        self.extensions = media.extensions;
        self.codecs = media.codecs;
        let flexfec = self.codecs.iter().find(|c| c.codec == Codec::Flexfec);
        self.sender.flexfec = flexfec.map(|c| c.pt);
        for track in &media.tracks {
            // RED only wraps frames of the codec.
            let plain = |c: &&CodecConfig| c.codec.kind() == track.kind && c.codec.is_media();
            let codec = self.codecs.iter().find(plain);
            let red = self.codecs.iter().find(|c| c.codec == Codec::Red).map(|c| c.pt);
            if let Some(codec) = codec
                && !self.sender.tracks.iter().any(|t| t.mid == track.mid)
            {
                self.sender.tracks.extend(Track::new(track, codec.clone(), red, self.counters, random));
            }
        }
        self.reception.negotiated(self.codecs.clone(), self.extensions);
        for slot in media.slots {
            if self.reception.index(slot.mid.as_str()).is_none() {
                let index = self.reception.slots.len();
                self.by_ssrc.insert(slot.ssrc, (index, false));
                if let Some(rtx) = slot.rtx {
                    self.by_ssrc.insert(rtx, (index, true));
                }
                self.reception.add_slot(now, slot);
            }
        }
    }

    /// `restart`: our own new credentials, when the offer carried some.
    pub fn remote(
        &mut self,
        now: Instant,
        restart: Option<IceCredentials>,
        remote: Remote,
    ) -> Result<(), TransportError> {
        match restart {
            Some(local) => self.transport.restart_ice(now, local, Some(remote))?,
            None => self.transport.set_remote(now, remote)?,
        }
        self.drain_transport(now);
        Ok(())
    }

    /// What is there already took no time.
    pub fn enter(&mut self, now: Instant) {
        (self.start, self.in_lobby) = (now, false);
        let stages = &mut self.stages;
        for stage in [&mut stages.signaling_ms, &mut stages.ice_ms, &mut stages.dtls_ms] {
            *stage = stage.map(|_| 0.0);
        }
        stages.first_packet_ms = None;
        self.begin(now);
    }

    fn begin(&mut self, now: Instant) {
        if self.secured && !self.in_lobby {
            self.connected = true;
            self.report_at = now + REPORT_INTERVAL;
            self.out.push_back(Output::Event(Event::Connected));
        }
    }

    pub fn send_frame(&mut self, now: Instant, mid: Mid, frame: Frame<'_>) -> Result<(), SendError> {
        if !self.connected {
            return Err(SendError::NotConnected);
        }
        self.sender.frame(now, mid, frame)?;
        self.send_media(now);
        Ok(())
    }

    /// Everything that may leave now.
    fn send_media(&mut self, now: Instant) {
        let ntp = self.ntp(now);
        while let Some(packet) = self.sender.poll(now, ntp, &self.extensions) {
            if let Some(bytes) = protect(&mut self.transport, packet, &mut self.dropped) {
                self.transmit(bytes);
            }
        }
    }

    pub fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        datagram: &mut [u8],
    ) {
        match self.transport.handle_datagram(now, local, from, datagram) {
            Ok(Incoming::Handled) => {
                if let Some(round_trip) = self.transport.take_round_trip() {
                    self.set_round_trip(now, round_trip);
                }
                self.read_data();
            }
            Ok(Incoming::Rtp { packet, .. }) => self.handle_rtp(now, packet),
            Ok(Incoming::Rtcp(compound)) => self.handle_rtcp(now, compound),
            Err(reason) => self.drop(reason.name()),
        }
        self.drain_transport(now);
    }

    fn handle_rtp(&mut self, now: Instant, packet: &mut [u8]) {
        let Ok(header) = RtpHeader::parse(packet) else { return self.drop("rtp_malformed") };
        let values = Values::read(&header, packet, &self.extensions);
        if let Some(sequence) = values.transport_sequence {
            self.arrivals.arrived(now, sequence.as_seq());
        }
        let is_fec = self.codecs.iter().any(|c| c.codec == Codec::Flexfec && c.pt == header.pt);
        // Of repair packets, the one that they repair.
        let ssrc = if is_fec { header.first_csrc(packet) } else { Some(header.ssrc) };
        let Some(&(index, repeated)) = ssrc.and_then(|ssrc| self.by_ssrc.get(&ssrc)) else {
            return self.drop("unknown_ssrc");
        };
        self.stages.first_packet_ms.get_or_insert(ms(self.start, now));
        let received = if repeated {
            let codec = self.codecs.iter().find(|c| c.rtx == Some(header.pt));
            let Some(pt) = codec.map(|c| c.pt) else { return self.drop("unknown_payload_type") };
            let ssrc = self.reception.slots[index].slot.ssrc;
            match rtx::restore(&header, packet, pt, ssrc) {
                Ok(original) => self.reception.packet(now, index, original, Via::Rtx),
                // Padding alone on the retransmission SSRC probes the path; it carries nothing.
                Err(rtx::RtxError::OnlyPadding) => return,
                Err(rtx::RtxError::Short) => Err("rtx_malformed"),
            }
        } else {
            let via = if is_fec { Via::Fec } else { Via::Media };
            self.reception.packet(now, index, packet, via)
        };
        if let Err(reason) = received {
            self.drop(reason);
        }
    }

    fn handle_rtcp(&mut self, now: Instant, compound: &[u8]) {
        for packet in Compound::iter(compound) {
            match packet {
                Ok(Packet::SenderReport(report)) => {
                    if let Some(&(index, false)) = self.by_ssrc.get(&report.ssrc) {
                        self.reception.sender_report(now, index, report.ntp, report.rtp);
                    }
                    self.handle_reports(now, &report.reports);
                }
                Ok(Packet::ReceiverReport(report)) => self.handle_reports(now, &report.reports),
                Ok(Packet::Nack(nack)) => {
                    self.sender.repeat(now, &nack);
                    self.send_media(now);
                }
                Ok(Packet::Pli(pli)) => self.keyframe_wanted(pli.media),
                Ok(Packet::Fir(fir)) => {
                    fir.entries.iter().for_each(|entry| self.keyframe_wanted(entry.media));
                }
                Ok(Packet::TransportFeedback(feedback)) => {
                    self.feedbacks_received += 1;
                    self.feedback_lost += feedback.arrivals().filter(|(_, at)| at.is_none()).count() as u64;
                    self.sender.feedback(now, &feedback);
                }
                Ok(Packet::Remb(remb)) => self.sender.controller.on_remb(now, remb.bitrate),
                Ok(_) => {}
                Err(_) => self.drop("rtcp_malformed"),
            }
        }
    }

    fn handle_reports(&mut self, now: Instant, reports: &[ReceptionReport]) {
        let ntp = self.ntp(now);
        for report in reports {
            if !self.sender.sends(report.ssrc) {
                continue;
            }
            let round_trip = report.round_trip(ntp);
            self.sender.report(report, round_trip);
            if let Some(round_trip) = round_trip {
                self.set_round_trip(now, round_trip);
            }
        }
    }

    /// From a report about what we send, or from a check of the path, which is there sooner and also for who sends nothing.
    fn set_round_trip(&mut self, now: Instant, round_trip: Duration) {
        self.round_trip = Some(round_trip);
        self.sender.controller.on_rtt(now, round_trip);
        self.reception.set_round_trip(round_trip);
    }

    fn keyframe_wanted(&mut self, ssrc: Ssrc) {
        if let Some((track, layer)) = self.sender.find(ssrc) {
            track.sent.keyframes_wanted += 1;
            let event = Event::KeyframeWanted { mid: track.mid, layer: layer as u8 };
            self.out.push_back(Output::Event(event));
        }
    }

    /// The stages so far, in milliseconds since the client was made.
    pub fn stages(&self) -> Stages {
        let since_start = |at| ms(self.start, at);
        Stages {
            first_audio_ms: self.reception.first_audio_at().map(since_start),
            first_frame_ms: self.reception.first_frame_at().map(since_start),
            ..self.stages.clone()
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.transport_at.is_some_and(|at| at <= now) {
            self.transport.handle_timeout(now);
        }
        self.drain_transport(now);
        if self.secured {
            self.report_arrivals(now);
        }
        if !self.connected {
            return;
        }
        self.sender.handle_timeout(now);
        self.send_media(now);
        self.reception.handle_timeout(now);
        let mut bytes = Vec::new();
        for index in 0..self.reception.slots.len() {
            let ask = self.reception.ask(now, index);
            let media = self.reception.slots[index].slot.ssrc;
            Nack::new(self.own_ssrc, media, ask).write(&mut bytes);
            if self.reception.wants_keyframe(now, index) {
                Pli { sender: self.own_ssrc, media }.write(&mut bytes);
                self.keyframes_asked += 1;
            }
        }
        self.send_rtcp(bytes);
        if self.report_at <= now {
            self.report_at = now + REPORT_INTERVAL;
            let ntp = self.ntp(now);
            let (tracks, slots) = (self.sender.tracks.iter(), self.reception.slots.iter_mut());
            for compound in reports::write(now, ntp, self.own_ssrc, &self.cname, tracks, slots) {
                self.send_rtcp(compound);
            }
        }
    }

    /// Also in the lobby, where the path is measured.
    fn report_arrivals(&mut self, now: Instant) {
        let media = self.reception.slots.first().map_or(Ssrc(0), |r| r.slot.ssrc);
        for feedback in self.arrivals.take(now, self.own_ssrc, media) {
            self.feedbacks_sent += 1;
            let mut bytes = Vec::new();
            feedback.write(&mut bytes);
            self.send_rtcp(bytes);
        }
    }

    pub fn next_timeout(&self) -> Option<(Instant, Reason)> {
        let transport = self.transport_at.map(|at| (at, Reason::Transport));
        let feedback = self.arrivals.next_timeout().map(|at| (at, Reason::Feedback));
        if !self.connected {
            return transport.into_iter().chain(feedback).min();
        }
        let reception = self.reception.next_timeout();
        let pace = self.sender.poll_timeout().map(|at| (at, Reason::Pace));
        let report = [(self.report_at, Reason::Report)];
        report.into_iter().chain(reception).chain(transport).chain(feedback).chain(pace).min()
    }

    pub fn drain_transport(&mut self, now: Instant) {
        loop {
            match self.transport.poll_output() {
                transport::Output::Transmit(transmit) | transport::Output::Data(transmit) => {
                    self.out.push_back(Output::Transmit(transmit));
                }
                transport::Output::Event(event) => self.transport_event(now, event),
                transport::Output::Timeout(at, _) => {
                    self.transport_at = Some(at).filter(|_| !self.closed);
                    return;
                }
            }
        }
    }

    /// A data message to those named, or to everybody else.
    pub fn send_data(
        &mut self,
        now: Instant,
        channel: Channel,
        to: &[&str],
        payload: &[u8],
    ) -> Result<(), SendError> {
        let to: Vec<&[u8]> = to.iter().map(|id| id.as_bytes()).collect();
        let message = Addressed::write(&to, payload).map_err(SendError::Data)?;
        let sent = self.transport.send_message(now, channel, &message);
        self.drain_transport(now);
        if sent { Ok(()) } else { Err(SendError::NotConnected) }
    }

    fn read_data(&mut self) {
        while let Some(transport::Message { channel, bytes }) = self.transport.next_message() {
            let read = Delivered::parse(&bytes).ok();
            let from = read.and_then(|data| String::from_utf8(data.sender.to_vec()).ok());
            match (read, from) {
                (Some(data), Some(participant)) => {
                    let payload = data.payload.to_vec();
                    self.out.push_back(Output::Event(Event::Data { participant, channel, payload }));
                }
                _ => self.drop("data_malformed"),
            }
        }
    }

    fn transport_event(&mut self, now: Instant, event: transport::Event) {
        match event {
            transport::Event::IceConnected { .. } => {
                self.stages.ice_ms.get_or_insert(ms(self.start, now));
            }
            transport::Event::Connected(_) => {
                self.stages.dtls_ms.get_or_insert(ms(self.start, now));
                self.secured = true;
                self.begin(now);
            }
            transport::Event::Closed(reason) => {
                (self.secured, self.connected) = (false, false);
                self.closed = true;
                self.out.push_back(Output::Event(Event::Closed(reason)));
            }
            transport::Event::DataOpened => self.out.push_back(Output::Event(Event::DataOpened)),
            transport::Event::DataClosed(_) => self.out.push_back(Output::Event(Event::DataClosed)),
            transport::Event::PathChanged { .. } => {}
        }
    }

    pub fn send_rtcp(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        let mut buffer = bytes;
        buffer.resize(len + self.transport.srtcp_overhead(), 0);
        match self.transport.protect_rtcp(&mut buffer, len) {
            Ok(len) => {
                buffer.truncate(len);
                self.transmit(buffer);
            }
            Err(_) => self.drop("rtcp_not_protected"),
        }
    }

    fn transmit(&mut self, bytes: Vec<u8>) {
        if let (Some(from), Some(to)) = (self.transport.local_address(), self.transport.remote_address()) {
            self.out.push_back(Output::Transmit(Transmit { from, to, bytes }));
        }
    }

    fn ntp(&self, now: Instant) -> NtpTime {
        self.clock.1.plus(now.saturating_duration_since(self.clock.0))
    }

    fn drop(&mut self, reason: &'static str) {
        *self.dropped.entry(reason).or_default() += 1;
    }
}

fn protect(
    transport: &mut Transport,
    packet: Unprotected,
    dropped: &mut BTreeMap<&'static str, u64>,
) -> Option<Vec<u8>> {
    let Unprotected { mut buffer, len } = packet;
    match transport.protect_rtp(&mut buffer, len) {
        Ok(len) => {
            buffer.truncate(len);
            Some(buffer)
        }
        Err(_) => {
            *dropped.entry("rtp_not_protected").or_default() += 1;
            None
        }
    }
}

pub(crate) fn ms(start: Instant, now: Instant) -> f64 {
    now.saturating_duration_since(start).as_secs_f64() * 1000.0
}
