//! One participant of the load: a full ICE agent and DTLS client on a socket of its own, which publishes frames as a
//! browser splits them, and checks what it receives.

use super::adapter::Connection;
use super::publisher::Publisher;
use packet::demux::{Protocol, classify};
use packet::ext::{ExtensionMap, Values};
use packet::rtcp::{Compound, FeedbackBuilder, Packet, ReceiverReport, ReceptionReport};
use packet::rtp::RtpHeader;
use packet::{PayloadType, SeqNo, Ssrc};
use sfu::Socket;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{Certificate, Config, DtlsConfig, Event, IceMode, Incoming, Output, Profile, Transport};

/// As browsers: transport-wide feedback ten times a second, a receiver report every one.
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// More than any delay that is not an error.
const LATENCY_CREDIBLE: Duration = Duration::from_secs(10);

pub struct Client {
    transport: Transport,
    socket: Socket,
    extensions: ExtensionMap,
    /// Payload types that count: of media, not of retransmissions.
    media: [PayloadType; 2],
    publisher: Option<Publisher>,
    /// Decrypts what it receives and measures its age; the others look at the header only.
    decrypts: bool,
    /// A handful, and the usual one is found first.
    streams: Vec<Stream>,
    feedback: Feedback,
    next_timeout: Instant,
    next_report: Instant,
    profile: Option<Profile>,
    made: Instant,
    connected_after: Duration,
    pub counts: Counts,
}

struct Stream {
    ssrc: Ssrc,
    highest: SeqNo,
    cycles: u16,
}

#[derive(Default)]
struct Feedback {
    arrivals: Vec<(SeqNo, i64)>,
    sent: u8,
    due: Option<Instant>,
}

#[derive(Default)]
pub struct Counts {
    pub packets: u64,
    /// UDP payload of the media packets.
    pub datagram_bytes: u64,
    pub lost: u64,
    pub late: u64,
    /// Publisher's send call to the kernel's arrival stamp, in microseconds.
    pub latency_us: Vec<f64>,
    /// Datagrams that this client's socket had no room for: the bench was too slow.
    pub overflowed: u64,
    /// Datagrams that the transport refused.
    pub refused: u64,
}

/// What all clients of one run share.
pub struct Common {
    pub certificate: Arc<Certificate>,
    /// Of this machine, where the server is reached, too.
    pub address: IpAddr,
    pub epoch: Instant,
    pub checks_every: Duration,
}

impl Client {
    pub fn new(
        common: &Common,
        connection: Connection,
        publisher: Option<Publisher>,
        decrypts: bool,
        now: Instant,
    ) -> anyhow::Result<Self> {
        let socket = Socket::bind(SocketAddr::new(common.address, 0), false)?;
        socket.stamp_arrivals()?;
        let Connection { peer, local, remote, extensions, video, audio, streams, .. } = connection;
        let config = Config {
            ice: IceMode::Full { tie_breaker: peer as u64 + 1 },
            local,
            certificate: common.certificate.clone(),
            local_addresses: vec![socket.bound()],
            dtls: DtlsConfig::default(),
        };
        let mut transport = Transport::new(config, Some(remote), now)?;
        transport.keep_alive_every(common.checks_every);
        let mut client = Self {
            transport,
            socket,
            extensions,
            media: [video, audio],
            publisher,
            decrypts,
            streams: Vec::with_capacity(streams),
            feedback: Feedback::default(),
            next_timeout: now,
            next_report: now + REPORT_INTERVAL,
            profile: None,
            made: now,
            connected_after: Duration::ZERO,
            counts: Counts::default(),
        };
        client.drain();
        Ok(client)
    }

    /// Says goodbye.
    pub fn leave(&mut self, now: Instant) {
        self.transport.close(now);
        self.drain();
        self.profile = None;
    }

    /// From its making to its keys.
    pub fn connected_after(&self) -> Duration {
        self.connected_after
    }

    /// Streams that something was received of.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    pub fn is_connected(&self) -> bool {
        self.profile.is_some()
    }

    pub fn profile(&self) -> Option<Profile> {
        self.profile
    }

    /// Reads everything that waits at the socket.
    pub fn receive(&mut self, buffer: &mut [u8]) {
        loop {
            match self.socket.receive(buffer) {
                Ok(received) => {
                    let now = Instant::now();
                    self.counts.overflowed += u64::from(received.overflowed);
                    for datagram in buffer[..received.len].chunks_mut(received.segment_size) {
                        self.handle_datagram(now, received.local, received.from, received.arrived, datagram);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => continue,
            }
        }
        self.drain();
    }

    /// Does everything that is due, and returns when the next will be.
    pub fn act(&mut self, now: Instant) -> Instant {
        if now >= self.next_timeout {
            self.transport.handle_timeout(now);
            self.drain();
        }
        if self.is_connected() {
            if self.feedback.due.is_some_and(|due| now >= due) {
                self.send_feedback();
            }
            if now >= self.next_report {
                self.next_report = now + REPORT_INTERVAL;
                self.send_report();
            }
            if let Some(publisher) = &mut self.publisher {
                publisher.act(now, &self.extensions, |packets| {
                    send_media(&mut self.transport, &self.socket, packets);
                });
            }
        }
        self.due()
    }

    /// When to call [`Self::act`].
    pub fn due(&self) -> Instant {
        if !self.is_connected() {
            return self.next_timeout;
        }
        let media = [self.feedback.due, self.publisher.as_ref().map(Publisher::due)];
        media.into_iter().flatten().fold(self.next_timeout.min(self.next_report), Instant::min)
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        arrived: Option<Duration>,
        datagram: &mut [u8],
    ) {
        if !self.decrypts && classify(datagram) == Some(Protocol::Rtp) {
            // The length of the padding is encrypted, so leave padding in.
            datagram[0] &= !0x20;
            self.count(now, datagram, arrived);
            return;
        }
        match self.transport.handle_datagram(now, local, from, datagram) {
            Ok(Incoming::Handled) => {}
            Ok(Incoming::Rtp { packet, .. }) => {
                let packet = &*packet;
                self.count(now, packet, arrived);
                self.measure(packet, arrived);
            }
            Ok(Incoming::Rtcp(compound)) => {
                let wants_keyframe = Compound::iter(compound)
                    .any(|packet| matches!(packet, Ok(Packet::Pli(_) | Packet::Fir(_))));
                if wants_keyframe && let Some(publisher) = &mut self.publisher {
                    publisher.want_keyframe();
                }
            }
            Err(_) => self.counts.refused += 1,
        }
    }

    fn count(&mut self, now: Instant, packet: &[u8], arrived: Option<Duration>) {
        let Ok(header) = RtpHeader::parse(packet) else { return };
        if let Some(sequence) = Values::read(&header, packet, &self.extensions).transport_sequence
            && let Some(arrived) = arrived
        {
            // The kernel's time: when this thread comes to read it says more of the bench than of the network.
            self.feedback.arrivals.push((SeqNo(sequence.0), arrived.as_micros() as i64));
            self.feedback.due.get_or_insert(now + FEEDBACK_INTERVAL);
        }
        if !self.media.contains(&header.pt) {
            return;
        }
        self.counts.packets += 1;
        // Decrypted ones are shorter by the tag.
        let tag = if self.decrypts { self.transport.srtp_overhead() } else { 0 };
        self.counts.datagram_bytes += (packet.len() + tag) as u64;
        match self.streams.iter_mut().find(|stream| stream.ssrc == header.ssrc) {
            Some(stream) if header.seq.is_newer_than(stream.highest) => {
                self.counts.lost += header.seq.since(stream.highest) as u64 - 1;
                stream.cycles += u16::from(header.seq.0 < stream.highest.0);
                stream.highest = header.seq;
            }
            Some(_) => self.counts.late += 1,
            None => self.streams.push(Stream { ssrc: header.ssrc, highest: header.seq, cycles: 0 }),
        }
    }

    /// The delay of a decrypted packet.
    fn measure(&mut self, packet: &[u8], arrived: Option<Duration>) {
        let Ok(header) = RtpHeader::parse(packet) else { return };
        if !self.media.contains(&header.pt) {
            return;
        }
        if let Some(arrived) = arrived
            && let Some(sent) = Publisher::sent_at(header.payload(packet))
            && let Some(latency) = arrived.checked_sub(sent)
            && latency < LATENCY_CREDIBLE
        {
            self.counts.latency_us.push(latency.as_nanos() as f64 / 1000.0);
        }
    }

    fn send_feedback(&mut self) {
        self.feedback.due = None;
        let mut arrivals = std::mem::take(&mut self.feedback.arrivals);
        let Some(&(any, _)) = arrivals.first() else { return };
        // Retransmissions and padding come in between; the builder wants ascending numbers.
        arrivals.sort_by_key(|(seq, _)| seq.since(any));
        let (base, first) = arrivals[0];
        let media = self.streams.first().map_or(Ssrc(1), |stream| stream.ssrc);
        let mut builder = FeedbackBuilder::new(Ssrc(1), media, self.feedback.sent, base, first);
        self.feedback.sent = self.feedback.sent.wrapping_add(1);
        for &(seq, at) in &arrivals {
            builder.push(seq, at);
        }
        arrivals.clear();
        self.feedback.arrivals = arrivals;
        self.send_rtcp(&[Packet::TransportFeedback(builder.finish())]);
    }

    fn send_report(&mut self) {
        let reports = self.streams.iter().map(|stream| ReceptionReport {
            ssrc: stream.ssrc,
            fraction_lost: 0,
            total_lost: 0,
            highest_seq: u32::from(stream.cycles) << 16 | u32::from(stream.highest.0),
            jitter: 0,
            last_sr: 0,
            delay_since_last_sr: 0,
        });
        // 31 reports fill one packet.
        let reports = reports.take(31).collect();
        self.send_rtcp(&[Packet::ReceiverReport(ReceiverReport { ssrc: Ssrc(1), reports })]);
    }

    fn send_rtcp(&mut self, packets: &[Packet]) {
        let mut buffer = Vec::with_capacity(1500);
        packets.iter().for_each(|packet| packet.write(&mut buffer));
        let len = buffer.len();
        buffer.resize(len + self.transport.srtcp_overhead(), 0);
        if let Ok(len) = self.transport.protect_rtcp(&mut buffer, len)
            && let Some(to) = self.transport.remote_address()
        {
            let _ = self.socket.send(self.socket.bound().ip(), to, &buffer[..len], None);
        }
    }

    fn drain(&mut self) {
        loop {
            match self.transport.poll_output() {
                Output::Transmit(transmit) | Output::Data(transmit) => {
                    let _ = self.socket.send(transmit.from.ip(), transmit.to, &transmit.bytes, None);
                }
                Output::Event(Event::Connected(stages)) => {
                    self.profile = Some(stages.profile);
                    self.connected_after = self.made.elapsed();
                }
                Output::Event(_) => {}
                Output::Timeout(at, _) => {
                    self.next_timeout = at;
                    return;
                }
            }
        }
    }
}

/// Encrypts and sends packets of any sizes, one call each, as browsers do.
fn send_media(transport: &mut Transport, socket: &Socket, packets: &mut [Vec<u8>]) {
    let Some(to) = transport.remote_address() else { return };
    for packet in packets {
        let len = packet.len();
        packet.resize(len + transport.srtp_overhead(), 0);
        if let Ok(len) = transport.protect_rtp(packet, len) {
            let _ = socket.send(socket.bound().ip(), to, &packet[..len], None);
        }
    }
}

impl AsRawFd for Client {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
