//! The JSON messages between a client and the server, typed once.
//!
//! One WebSocket (`/ws`), one JSON object a text frame, tagged by `type`. Golden fixtures in `fixtures/` are read by
//! the Rust tests and by the web SDK's tests. Unknown fields are ignored, an unknown `type` is an error with a code.
//! The protocol as a document for people is `PROTOCOL.md` beside this crate. Never any logic here.

mod error;
pub mod limits;
mod parse;

pub use error::ErrorCode;
pub use parse::{Refusal, parse};

use serde::{Deserialize, Serialize};

/// Chosen by the server, unique in its life; opaque to clients.
pub type ParticipantId = String;

/// From client to server. A request carries `id`, chosen by the client; its answer or error repeats it as `re`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// First message. Join and offer travel together; the answer is `joined`.
    Join {
        id: u64,
        room: String,
        name: String,
        /// SDP offer: the tracks to publish, and pairs of receive-only audio and video m-lines (slots).
        offer: String,
        /// What the m-lines to send on carry.
        tracks: Vec<TrackInfo>,
        /// In order of use: which receive-only m-lines belong together.
        slots: Vec<SlotPair>,
    },
    /// A new offer in an ongoing session: more slots, or an ICE restart (new ufrag in the offer). Answer: `answer`.
    Offer {
        id: u64,
        offer: String,
        tracks: Vec<TrackInfo>,
        slots: Vec<SlotPair>,
    },
    /// A published track changed: muted, active (something is sent on it at all), source.
    Track {
        track: TrackInfo,
    },
    /// The connect stages as measured by the client, once per join; for logs, metrics and the quality panel.
    Stages {
        stages: Stages,
    },
    /// Keeps the connection alive; the answer is `pong` with the same id.
    Ping {
        id: u64,
    },
    Leave {},
}

/// From server to client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    Joined {
        re: u64,
        participant: ParticipantId,
        room: String,
        /// SDP answer with every candidate.
        answer: String,
        /// Everybody else in the room, in order of arrival.
        participants: Vec<ParticipantInfo>,
        /// Slots that are bound from the start.
        bindings: Vec<Binding>,
        /// Milliseconds the server spent between reading the join and writing this. Where nobody measures: 0.
        #[serde(default)]
        server_ms: f64,
    },
    Answer {
        re: u64,
        answer: String,
    },
    ParticipantJoined {
        participant: ParticipantInfo,
    },
    ParticipantLeft {
        participant: ParticipantId,
    },
    TrackChanged {
        participant: ParticipantId,
        track: TrackInfo,
    },
    /// Slots that changed hands. Keep a tile hidden until `first_frame` of its video m-line.
    Bindings {
        bindings: Vec<Binding>,
    },
    /// The first packet of a newly bound participant has been sent on `mid`; `rtp_timestamp` is the one the client will see
    /// (`requestVideoFrameCallback`'s `rtpTimestamp`): frames from it on are the new participant's.
    FirstFrame {
        mid: String,
        participant: ParticipantId,
        rtp_timestamp: u32,
    },
    /// The client should offer more slots: `wanted` pairs in all. Sent while there is still one spare.
    NeedSlots {
        wanted: u32,
    },
    /// Who is speaking now, loudest first. Empty: nobody.
    Speakers {
        participants: Vec<ParticipantId>,
    },
    Pong {
        re: u64,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        re: Option<u64>,
        code: ErrorCode,
        /// For people: what happened and what to do.
        message: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Audio,
    Video,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Microphone,
    Camera,
    Screen,
    ScreenAudio,
}

/// A track somebody publishes. `mid` is the publisher's m-line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackInfo {
    pub mid: String,
    pub kind: Kind,
    pub source: Source,
    /// Still published, nothing to hear or see.
    #[serde(default)]
    pub muted: bool,
    /// False: the m-line is there ahead of need (a screen share not yet started) and takes nobody's slot.
    #[serde(default = "yes")]
    pub active: bool,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParticipantInfo {
    pub id: ParticipantId,
    pub name: String,
    pub tracks: Vec<TrackInfo>,
}

/// Receive-only m-lines of one client that share a media stream, so that lip-sync works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotPair {
    pub audio: String,
    pub video: String,
}

/// The pair of m-lines `slot` now carries what `participant` sends as `share`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    pub slot: SlotPair,
    /// None: the slot is free again.
    pub participant: Option<ParticipantId>,
    pub share: Share,
}

/// What a slot pair carries of a participant: microphone and camera, or screen and its sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    Person,
    Screen,
}

/// Milliseconds since the click on Join (or the call of `join`); absent: did not happen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stages {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signaling_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtls_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_packet_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_audio_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_frame_ms: Option<f64>,
}
