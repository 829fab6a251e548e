//! The JSON messages between a client and the server, typed once.
//!
//! One WebSocket (`/ws`), one JSON object a text frame, tagged by `type`, or compressed in a binary one ([`deflate`]). Golden fixtures in `fixtures/` are read by
//! the Rust tests and by the web SDK's tests. Unknown fields are ignored, an unknown `type` is an error with a code.
//! The protocol as a document for people is `PROTOCOL.md` beside this crate. Never any logic here.

mod action;
mod class;
pub mod deflate;
mod error;
pub mod limits;
mod parse;
mod schema;

pub use action::Action;
pub use class::{Attribute, Change, Group, Member, Present, Reason, Role};
pub use error::ErrorCode;
pub use parse::{Refusal, parse};
pub use schema::schema;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Chosen by the server, unique in its life; opaque to clients.
pub type ParticipantId = String;

/// From client to server. A request carries `id`, chosen by the client; its answer or error repeats it as `re`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
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
        /// What lets the client in; left out where the server asks for none.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        token: Option<String>,
        /// From where the room's messages are wanted; left out: none are.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        history: Option<HistoryFrom>,
        /// What the client wants to be on a server without tokens; a token says it for itself.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        role: Option<Role>,
    },
    /// As `join`, but not yet: a place is to be held. Answered with `held`, and with `joined` once the client says `enter` or its first
    /// ICE check has come. Another `hold` or a `join` on the same connection takes its place, and it is not answered any more.
    Hold {
        id: u64,
        room: String,
        name: String,
        offer: String,
        tracks: Vec<TrackInfo>,
        slots: Vec<SlotPair>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        token: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        history: Option<HistoryFrom>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        role: Option<Role>,
    },
    /// Now: what `hold` has asked for. No answer of its own.
    Enter {},
    /// First message of a connection that takes over a session whose own connection was lost. Answer: `resumed`.
    Resume {
        id: u64,
        /// As `joined` gave it.
        token: String,
        /// Where the media path was lost, too: an ICE restart, or the offer of a new PeerConnection.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        media: Option<MediaOffer>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        history: Option<HistoryFrom>,
    },
    /// A new offer in an ongoing session: more slots, an ICE restart (new ufrag in the offer), or a new PeerConnection (new
    /// DTLS fingerprint), which takes the place of the old one. Answer: `answer`.
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
    /// How the page shows these slots; slots that are not named stay as they were. No answer.
    Prefer {
        slots: Vec<Preference>,
    },
    /// The connect stages as measured by the client, once per join; for logs, metrics and the quality panel.
    Stages {
        stages: Stages,
    },
    /// This connection is a device of somebody who can be called, and can call. Answer: `registered`.
    Register {
        id: u64,
        /// On a server with tokens the one of the token.
        identity: String,
        /// What others read.
        name: String,
        /// Kept by the device: who comes back with the same is the same.
        device: String,
        /// A token for the room `*`.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        token: Option<String>,
    },
    /// Rings at somebody. Answer: `invited`.
    Invite {
        id: u64,
        to: String,
        /// The room one is in, to invite somebody else there; left out: a new one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        room: Option<String>,
    },
    /// Something done to a call. Answer: `done`.
    Respond {
        id: u64,
        call: String,
        act: CallAct,
    },
    /// Says something in the room. Answer: `posted`, once it is stored. Send it again with the same key when in doubt.
    Post {
        id: u64,
        /// 16 to 64 characters, chosen at random: what is posted twice is said once. Shown to nobody.
        key: String,
        /// What it is about: `chat`, `hand`, or what the application likes.
        topic: String,
        body: String,
        /// The room that it is meant for, as `joined`, `resumed` or `moved` named it; left out: whatever room one is in.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        room: Option<String>,
    },
    /// From where the messages are wanted of the room that one was moved to. No answer; `messages` follow.
    History {
        history: HistoryFrom,
    },
    /// Everything up to `seq` was received: more may come. No answer.
    Received {
        seq: u64,
    },
    /// What is true only now (typing, a pointer): told to whoever is there, kept nowhere. No answer.
    State {
        key: String,
        value: String,
    },
    /// Sets an attribute of the room or of somebody. Answer: `value_set`.
    Set {
        id: u64,
        /// Whose it is; left out: the room's.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        participant: Option<ParticipantId>,
        /// Left out: the metadata.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        key: Option<String>,
        /// Null: removed.
        value: Option<String>,
        /// That is to be there, 0 for none; left out: whatever is there.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        version: Option<u64>,
    },
    /// Something done to the room or to others in it. Answer: `done`.
    Moderate {
        id: u64,
        action: Action,
    },
    /// Keeps the connection alive; the answer is `pong` with the same id.
    Ping {
        id: u64,
    },
    Leave {},
}

/// From server to client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    Joined {
        re: u64,
        participant: ParticipantId,
        room: String,
        /// SDP answer with every candidate. Null: `held` has given it.
        answer: Option<String>,
        /// Everybody else in the room, in order of arrival.
        participants: Vec<ParticipantInfo>,
        /// Slots that are bound from the start.
        bindings: Vec<Binding>,
        /// How to come back when this connection is lost.
        resume: ResumeTicket,
        /// What the client may do.
        grants: Grants,
        /// And what that is called, if it has a name.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        role: Option<Role>,
        /// Of the room.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        attributes: Vec<Attribute>,
        /// Milliseconds the server spent between reading the join and writing this. Where nobody measures: 0.
        #[serde(default)]
        server_ms: f64,
    },
    /// To `hold`, which waits for `enter`.
    Held {
        re: u64,
        /// SDP: applying it brings the media path up, and the client into the room. Null: `joined` will give it (there is nobody
        /// in the room yet, or a moderator will have to let the client in).
        answer: Option<String>,
    },
    /// To `resume`: the room as it is now. What was told on the lost connection and may have been missed follows.
    Resumed {
        re: u64,
        participant: ParticipantId,
        room: String,
        /// To the offer, if there was one.
        answer: Option<String>,
        /// False: the server has no media session any more; make a new PeerConnection and `offer` it.
        media: bool,
        participants: Vec<ParticipantInfo>,
        /// Every slot that is taken.
        bindings: Vec<Binding>,
        grants: Grants,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        role: Option<Role>,
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        attributes: Vec<Attribute>,
        /// Of the room that one is in; left out: none, it is the room that was joined.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        group: Option<String>,
    },
    /// A moderator has to let the client in: `joined` or an error follows to the same request. Nothing else is told meanwhile.
    Waiting {
        re: u64,
        /// Then it is over.
        timeout_ms: u64,
    },
    /// All who wait to be let in. For those who moderate.
    WaitingRoom {
        people: Vec<Member>,
    },
    /// The client is in another room now, as it is: its own tracks, its slots and what it may do stay. Ask for its messages.
    Moved {
        room: String,
        /// Null: the room that was joined.
        group: Option<String>,
        participants: Vec<ParticipantInfo>,
        /// Every slot that is taken.
        bindings: Vec<Binding>,
        attributes: Vec<Attribute>,
        locked: bool,
        waiting: bool,
        publish: Vec<Source>,
        spotlight: Option<ParticipantId>,
    },
    /// Who is where, the room itself first; empty: there are no groups. For those who moderate.
    Groups {
        groups: Vec<Group>,
    },
    /// To `set`.
    ValueSet {
        re: u64,
        version: u64,
    },
    AttributeChanged {
        /// Left out: the room's.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        participant: Option<ParticipantId>,
        attribute: Attribute,
    },
    RoleChanged {
        participant: ParticipantId,
        role: Option<Role>,
    },
    Answer {
        re: u64,
        answer: String,
    },
    /// What was asked for has been done.
    Done {
        re: u64,
    },
    /// To `register`, with the calls that ring or go on.
    Registered {
        re: u64,
        calls: Vec<CallInfo>,
    },
    Invited {
        re: u64,
        call: CallInfo,
    },
    /// Somebody calls.
    Incoming {
        call: CallInfo,
    },
    CallChanged {
        call: String,
        state: CallState,
    },
    /// It is stored, and everybody who wants messages gets it.
    Posted {
        re: u64,
        seq: u64,
    },
    /// Messages of the room, in their order, one's own among them.
    Messages {
        /// Id of the room's log; another one begins anew.
        log: String,
        messages: Vec<Message>,
        /// True: some before these are not kept any more.
        #[serde(default)]
        gap: bool,
    },
    /// What somebody says is true of them now.
    State {
        participant: ParticipantId,
        key: String,
        value: String,
    },
    /// A moderator has stopped what the client publishes; the person may switch it on again.
    Stopped {
        sources: Vec<Source>,
    },
    /// The client did not read its reliable data messages, and more wait than are kept: its data channels are closed.
    DataCut {},
    /// How the room is set; also after `joined` and `resumed`, if it is not as rooms begin.
    RoomChanged {
        locked: bool,
        /// Who comes in waits until a moderator says so.
        #[serde(default)]
        waiting: bool,
        /// What people may publish who do not moderate, of what they are granted.
        #[serde(default = "every_source")]
        publish: Vec<Source>,
        /// Whom everybody should look at.
        spotlight: Option<ParticipantId>,
    },
    /// What the client may do has changed. What it may not publish any more is already heard and seen by nobody.
    Permissions {
        grants: Grants,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        role: Option<Role>,
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
    /// The connection of somebody was lost, or is back. Whoever is not back in time leaves.
    Presence {
        participant: ParticipantId,
        connected: bool,
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
    /// Which encodings of one's own track somebody watches: send those alone. A change, and only of this track.
    Layers {
        mid: String,
        /// Every encoding, in the order of the offer; `rid` is left out for the one encoding of a track without simulcast.
        active: Vec<EncodingActive>,
    },
    /// What is lost of one's own sound on the way to those who hear it, to one in four of them at least: an encoder that can make up for it inside
    /// its packets should. Nothing is when a track begins.
    SoundLost {
        mid: String,
        /// In tens.
        lost_percent: u8,
    },
    /// What this client gets over its link, and why: when that changes, and when the estimate moves.
    Quality {
        /// What the link to the client carries; null: it has sent no feedback yet.
        estimate_kbps: Option<u32>,
        /// For everything that is shown, at its best.
        wanted_kbps: u32,
        /// Every slot that is taken.
        slots: Vec<SlotQuality>,
        /// What changed just now, oldest first.
        decisions: Vec<Decision>,
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
        /// With `conflict`: what is there.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        present: Option<Present>,
    },
}

/// How one slot is shown. What is left out is the default: any size, visible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preference {
    /// Either m-line of the slot: video by its tile, audio only by `priority` and `pinned`.
    pub mid: String,
    /// Size of the tile in device pixels; 0: unknown, nothing is too large.
    #[serde(default)]
    pub width: u16,
    #[serde(default)]
    pub height: u16,
    /// False: nothing of it is on screen, and nothing is sent.
    #[serde(default = "yes")]
    pub visible: bool,
    #[serde(default)]
    pub pinned: bool,
    /// 0-3; each step doubles the share.
    #[serde(default)]
    pub priority: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EncodingActive {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rid: Option<String>,
    pub active: bool,
    /// Of an encoding with several sizes inside it (SVC): the largest that somebody watches, 0 the smallest. Left out: all of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spatial: Option<u8>,
}

/// What is sent in one slot's m-line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlotQuality {
    pub mid: String,
    /// Index of the simulcast encoding, lowest first; null: nothing is sent.
    pub encoding: Option<u8>,
    /// Highest spatial and temporal layer inside it.
    pub spatial: u8,
    pub temporal: u8,
    /// Of the layer; 0: unknown.
    pub kbps: u32,
    pub width: u16,
    pub height: u16,
    /// Why nothing is sent; null: something is, or nobody sends anything.
    pub paused: Option<PauseReason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// The client said that it does not show it.
    Hidden,
    /// Not even the smallest layer fits beside the audio.
    Bandwidth,
    /// More people have video than the room shows at once.
    LastN,
    /// Audio: others are louder, and the room lets only so many be heard.
    Quiet,
}

/// One line of the log of decisions, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    pub mid: String,
    pub text: String,
    /// The same, to be said in other words.
    pub from: Change,
    pub to: Change,
    pub why: Reason,
    /// What the link carries, what of it is for video, and what was given up or taken.
    pub estimate_kbps: u32,
    pub budget_kbps: u32,
    pub needed_kbps: u32,
    /// Of the tile, in device pixels; 0: unknown.
    pub width: u16,
    pub height: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Audio,
    Video,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Microphone,
    Camera,
    Screen,
    ScreenAudio,
}

/// A track somebody publishes. `mid` is the publisher's m-line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// Sound and pictures are encrypted end to end: without the key of the call there is nothing to hear or see.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
}

fn yes() -> bool {
    true
}

fn every_source() -> Vec<Source> {
    vec![Source::Microphone, Source::Camera, Source::Screen, Source::ScreenAudio]
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParticipantInfo {
    pub id: ParticipantId,
    pub name: String,
    /// Who that is beyond this room, if a token said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<Role>,
    pub tracks: Vec<TrackInfo>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub attributes: Vec<Attribute>,
    /// False: their connection is lost, and the room waits for them.
    #[serde(default = "yes")]
    pub connected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallAct {
    Accept,
    Reject,
    /// Gives up while it rings, hangs up afterwards.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallRole {
    Caller,
    Callee,
}

/// The first two go on, the others are how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    Ringing,
    Accepted,
    Rejected,
    Busy,
    Cancelled,
    Missed,
    AnsweredElsewhere,
    RejectedElsewhere,
    Ended,
}

/// A call, as one side sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallInfo {
    pub call: String,
    pub role: CallRole,
    pub state: CallState,
    /// Identity of the other one, and the name they go by.
    pub other: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Where the two meet: `join` it with this token, the callee once it is accepted.
    pub room: String,
    pub token: String,
}

/// Where to begin reading the room's messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum HistoryFrom {
    /// After this one: as `messages` told.
    After { log: String, after: u64 },
    /// With the newest so many.
    Newest { newest: u32 },
}

/// Something that was said in the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// From 1 on, in the order in which everybody gets them.
    pub seq: u64,
    /// Milliseconds since 1970, of the server's clock.
    pub at_ms: u64,
    /// Who said it: they may have left.
    pub participant: ParticipantId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity: Option<String>,
    /// As it was then.
    pub name: String,
    pub topic: String,
    pub body: String,
}

/// What a participant may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Grants {
    pub publish: Vec<Source>,
    pub subscribe: bool,
    /// Send messages.
    pub data: bool,
    /// Everything of [`Action`].
    pub moderate: bool,
    pub hidden: bool,
    pub record: bool,
}

impl Default for Grants {
    /// Nothing.
    fn default() -> Self {
        Self {
            publish: Vec::new(),
            subscribe: false,
            data: false,
            moderate: false,
            hidden: false,
            record: false,
        }
    }
}

/// A description of media, and what its m-lines are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MediaOffer {
    pub offer: String,
    pub tracks: Vec<TrackInfo>,
    pub slots: Vec<SlotPair>,
}

/// A secret: whoever has it is this participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResumeTicket {
    pub token: String,
    /// How long the room waits after the last sign of life.
    pub grace_ms: u64,
}

/// Receive-only m-lines of one client that share a media stream, so that lip-sync works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlotPair {
    pub audio: String,
    pub video: String,
}

/// The pair of m-lines `slot` now carries what `participant` sends as `share`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Binding {
    pub slot: SlotPair,
    /// None: the slot is free again.
    pub participant: Option<ParticipantId>,
    pub share: Share,
}

/// What a slot pair carries of a participant: microphone and camera, or screen and its sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    Person,
    Screen,
}

/// Milliseconds since the click on Join (or the call of `join`); absent: did not happen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
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
