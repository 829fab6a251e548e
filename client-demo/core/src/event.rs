//! What comes out of a client.

use packet::{Mid, RtpTime};
use std::time::Instant;
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
    /// Missing packets are asked for (again) or given up.
    Nack,
    /// A keyframe is asked for (again).
    Keyframe,
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
    /// The first packet of this participant's sound.
    FirstAudio {
        participant: ParticipantId,
    },
    /// The first picture of this participant that a decoder could show.
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

/// One frame that a decoder could take: an Opus packet or a VP8 picture, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceivedFrame {
    pub mid: Mid,
    pub kind: Kind,
    pub participant: ParticipantId,
    pub timestamp: RtpTime,
    pub keyframe: bool,
    /// Without RTP and payload descriptors.
    pub data: Vec<u8>,
}
