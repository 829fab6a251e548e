//! The SCTP association inside DTLS (RFC 8261): messages of two channels that need no opening.
//!
//! `dcsctp` does the protocol; this file sets its bounds, and lets through only what belongs to a channel of ours.

mod check;

use crate::{DataCloseReason, DropReason};
use check::{Contents, check};
use dcsctp::api::{DcSctpSocket, Options, PpId, SendOptions, Socket, SocketEvent, SocketTime, StreamId};
use packet::data::{Channel, MESSAGE_BYTES_MAX};
use std::time::{Duration, Instant};

/// Ours; the one that everybody uses.
pub(crate) const PORT: u16 = 5000;
/// What a peer may have under way to us: a few of the largest messages, which an application reads at once.
const RECEIVE_BYTES_MAX: usize = 128 * 1024;
/// What waits for its peer inside: whoever sends looks at [`Association::unsent`] first.
const SEND_BYTES_MAX: usize = 64 * 1024;
/// Both ends know two; implementations that count differently find room.
const STREAMS: u16 = 16;
/// A whole message of the largest size: what leaves is paced behind this.
const BURST_PACKETS: i32 = 18;
/// Of SCTP, without DTLS, UDP and IP: fits the smallest path of IPv6 (1280) with either version of DTLS.
const PACKET_BYTES_MAX: usize = 1188;
/// For the first answers; twice as long each time. With a second, three that are lost cost seven.
const ANSWER_TIME: Duration = Duration::from_millis(400);
/// A path that was away for longer is tried this often.
const BACKOFF_MAX: Duration = Duration::from_secs(3);

/// RFC 8831 section 8: what a message is. An empty one carries one byte that is not its own.
const STRING: PpId = PpId(51);
const BINARY: PpId = PpId(53);
const STRING_EMPTY: PpId = PpId(56);
const BINARY_EMPTY: PpId = PpId(57);

/// What a peer said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub channel: Channel,
    pub bytes: Vec<u8>,
}

/// What an association has to say.
pub enum Step {
    /// Through DTLS.
    Send {
        packet: Vec<u8>,
        /// It may wait behind sound and pictures.
        has_data: bool,
    },
    Opened,
    Closed(DataCloseReason),
}

pub struct Association {
    socket: Socket,
    /// Its time counts from here.
    start: Instant,
    is_closing: bool,
    /// A message that is no message; the drop of the packet that completed it.
    refused: Option<DropReason>,
}

impl Association {
    /// `packet` must ask for an association: nothing is made for anything else.
    pub fn accept(now: Instant, remote_port: u16, packet: &[u8]) -> Result<Self, DropReason> {
        if !check(packet)?.is_init {
            return Err(DropReason::SctpNotExpected);
        }
        Ok(Self::new(now, remote_port))
    }

    /// Begins the association.
    pub fn connect(now: Instant, remote_port: u16) -> Self {
        let mut association = Self::new(now, remote_port);
        association.socket.connect();
        association
    }

    fn new(now: Instant, remote_port: u16) -> Self {
        let options = Options {
            local_port: PORT,
            remote_port,
            announced_maximum_incoming_streams: STREAMS,
            announced_maximum_outgoing_streams: STREAMS,
            mtu: PACKET_BYTES_MAX,
            max_message_size: MESSAGE_BYTES_MAX,
            max_receiver_window_buffer_size: RECEIVE_BYTES_MAX,
            max_send_buffer_size: SEND_BYTES_MAX,
            per_stream_send_queue_limit: SEND_BYTES_MAX,
            // ICE asks for consent every few seconds and knows best when a peer is gone.
            heartbeat_interval: Duration::ZERO,
            t1_init_timeout: ANSWER_TIME,
            t1_cookie_timeout: ANSWER_TIME,
            max_retransmissions: None,
            max_init_retransmits: None,
            max_timer_backoff_duration: Some(BACKOFF_MAX),
            max_burst: BURST_PACKETS,
            ..Options::default()
        };
        Self { socket: Socket::new("", &options), start: now, is_closing: false, refused: None }
    }

    pub fn handle(&mut self, now: Instant, packet: &[u8]) -> Result<(), DropReason> {
        check(packet)?;
        self.handle_timeout(now);
        self.socket.handle_input(packet);
        Ok(())
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.socket.advance_time(SocketTime::zero() + now.saturating_duration_since(self.start));
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let at = self.socket.poll_timeout();
        let is_never = at == SocketTime::infinite_future();
        (!is_never).then(|| self.start.checked_add(at - SocketTime::zero())).flatten()
    }

    /// What happened, until there is nothing more.
    pub fn poll(&mut self) -> Option<Step> {
        while let Some(event) = self.socket.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) => {
                    let Contents { has_data, .. } = check(&packet).unwrap_or_default();
                    return Some(Step::Send { packet, has_data });
                }
                SocketEvent::OnConnected() => return Some(Step::Opened),
                SocketEvent::OnClosed() | SocketEvent::OnAborted(..) => {
                    let ours = std::mem::take(&mut self.is_closing);
                    return Some(Step::Closed(if ours {
                        DataCloseReason::Local
                    } else {
                        DataCloseReason::Peer
                    }));
                }
                // A channel is closed when both directions are (RFC 8831 section 6.7).
                SocketEvent::OnIncomingStreamReset(streams) => {
                    let _ = self.socket.reset_streams(&streams);
                }
                _ => {}
            }
        }
        None
    }

    pub fn next_message(&mut self) -> Option<Message> {
        loop {
            let message = self.socket.get_next_message()?;
            let channel = Channel::from_stream(message.stream_id.0);
            let bytes = match message.ppid {
                BINARY | STRING => Some(message.payload),
                BINARY_EMPTY | STRING_EMPTY => Some(Vec::new()),
                _ => None,
            };
            match (channel, bytes) {
                (Some(channel), Some(bytes)) => return Some(Message { channel, bytes }),
                _ => self.refused = Some(DropReason::SctpNoMessage),
            }
        }
    }

    /// Of a message that was left out since this was last asked.
    pub fn take_refused(&mut self) -> Option<DropReason> {
        self.refused.take()
    }

    /// False: it is too large, or too much waits.
    pub fn send(&mut self, now: Instant, channel: Channel, bytes: &[u8]) -> bool {
        self.handle_timeout(now);
        let (ppid, payload) = match bytes {
            [] => (BINARY_EMPTY, vec![0]),
            _ => (BINARY, bytes.to_vec()),
        };
        let options = SendOptions {
            unordered: channel == Channel::Lossy,
            max_retransmissions: (channel == Channel::Lossy).then_some(0),
            ..SendOptions::default()
        };
        let message = dcsctp::api::Message::new(StreamId(channel.stream()), ppid, payload);
        self.socket.send(message, &options).is_ok()
    }

    /// Bytes that were not sent even once: more would only wait behind them.
    pub fn unsent(&self) -> usize {
        Channel::ALL.iter().map(|channel| self.socket.buffered_amount(StreamId(channel.stream()))).sum()
    }

    /// The peer is told.
    pub fn close(&mut self) {
        self.is_closing = true;
        self.socket.close();
    }
}
