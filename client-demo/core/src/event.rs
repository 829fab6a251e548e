//! What comes out of a client.

use jitter::audio::Rungs;
use packet::data::Channel;
use packet::{Mid, NtpTime, RtpTime};
use std::time::{Duration, Instant};
use transport::{CloseReason, Transmit};
use wire::{ClientMessage, ErrorCode, Kind, ParticipantId, ParticipantInfo, Share, TrackInfo};

/// One step of draining. Call until `Timeout`.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// For the WebSocket.
    Message(ClientMessage),
    /// For the UDP socket.
    Transmit(Transmit),
    Event(Event),
    /// Nothing more now; call `handle_timeout` at this instant.
    Timeout(Instant, Reason),
}

/// Every timer of a client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// The transport's own: connectivity checks, DTLS flights, consent.
    Transport,
    /// 10 ms of sound are played, and what is missing of it is asked for (again).
    Play,
    /// A picture is due, or what is missing of one is asked for (again).
    Picture,
    /// A packet that waited may leave, or feedback is late.
    Pace,
    /// Transport-wide feedback.
    Feedback,
    /// Sender and receiver reports.
    Report,
    /// A message that keeps the WebSocket alive.
    Ping,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The server took us in; who else is there.
    Joined {
        participant: ParticipantId,
        others: Vec<ParticipantInfo>,
    },
    /// Media can flow both ways: frames given to `send_frame` leave from now on.
    Connected,
    ParticipantJoined(ParticipantInfo),
    ParticipantLeft(ParticipantId),
    TrackChanged {
        participant: ParticipantId,
        track: TrackInfo,
    },
    /// A slot pair changed hands; None: it is free.
    Bound {
        audio: Mid,
        video: Mid,
        participant: Option<ParticipantId>,
        share: Share,
    },
    /// The first packet of this participant's sound. In a slot that nobody had before it may come before it is told whose it is: then
    /// this is `?` and the slot's mid, here and in all that follows until [`Event::Bound`].
    FirstAudio {
        participant: ParticipantId,
    },
    /// The first picture of this participant is shown.
    FirstFrame {
        participant: ParticipantId,
    },
    /// Somebody needs a keyframe of this layer of the track we send on this m-line.
    KeyframeWanted {
        mid: Mid,
        layer: u8,
    },
    /// With [`crate::Config::deliver_frames`].
    Frame(ReceivedFrame),
    /// With [`crate::Config::deliver_sound`]: every 10 ms of every slot in which somebody is heard.
    Sound(Sound),
    /// Data messages can be sent, with [`crate::Config::data`].
    DataOpened,
    /// They cannot any more.
    DataClosed,
    /// A data message of somebody.
    Data {
        participant: ParticipantId,
        channel: Channel,
        payload: Vec<u8>,
    },
    /// Who speaks, loudest first.
    Speakers(Vec<ParticipantId>),
    /// Which encodings of our own track somebody watches: the others need not be sent.
    Layers {
        mid: String,
        active: Vec<wire::EncodingActive>,
    },
    /// The server refused something; before `Joined` it is the end.
    Refused {
        code: ErrorCode,
        message: String,
    },
    /// The server's answer cannot be used. The end.
    BadAnswer(String),
    /// The media path is gone. The end.
    Closed(CloseReason),
}

/// One frame at the moment at which a decoder takes it, in order: an Opus packet that is heard, or a picture that is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceivedFrame {
    pub mid: Mid,
    pub kind: Kind,
    pub participant: ParticipantId,
    /// As in RTP; of sound that of the first sample of the 10 ms in which it was decoded.
    pub timestamp: RtpTime,
    /// When it was captured, on the clock of the server's reports; None before the first report.
    pub captured: Option<NtpTime>,
    /// When it belongs on screen or into the ear.
    pub render_at: Instant,
    pub keyframe: bool,
    /// Without RTP and payload descriptors.
    pub data: Vec<u8>,
}

/// 10 ms of one participant's sound, as it is played.
#[derive(Clone, PartialEq, Debug)]
pub struct Sound {
    pub mid: Mid,
    pub participant: ParticipantId,
    /// When it is played: a multiple of 10 ms after the first one.
    pub at: Instant,
    /// Media time of the first sample (48 kHz), as far as media time passed evenly; None while the buffer fills.
    pub timestamp: Option<RtpTime>,
    /// When that was captured, on the clock of the server's reports; None before the first report.
    pub captured: Option<NtpTime>,
    /// 480 for each channel of the decoder, interleaved, -1.0 to 1.0.
    pub samples: Vec<f32>,
    /// Samples that were decoded for this, by what they were made from: a frame of 20 ms counts in the first of its two.
    pub heard: Rungs,
    /// The playout delay of this sample: how long after the fastest packet it is played. What it aims at.
    pub delay: Duration,
    pub target: Duration,
}
