//! The golden fixtures: what is written here in Rust and what stands in `fixtures/*.json` is the same message, in both
//! directions. The web SDK's tests read the same files. And the protocol document names every message and code.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use wire::{
    Action, Attribute, Binding, CallAct, CallInfo, CallRole, CallState, Change, ClientMessage,
    EncodingActive, ErrorCode, Grants, Group, HistoryFrom, Kind, MediaOffer, Member, ParticipantInfo,
    PauseReason, Preference, Present, Reason, ResumeTicket, Role, ServerMessage, Share, SlotPair,
    SlotQuality, Source, Stages, TrackInfo,
};

fn track(mid: &str, kind: Kind, source: Source) -> TrackInfo {
    TrackInfo { mid: mid.into(), kind, source, muted: false, active: true, encrypted: false }
}

fn pair(audio: &str, video: &str) -> SlotPair {
    SlotPair { audio: audio.into(), video: video.into() }
}

fn tracks() -> Vec<TrackInfo> {
    let screen = TrackInfo { active: false, ..track("2", Kind::Video, Source::Screen) };
    vec![track("0", Kind::Audio, Source::Microphone), track("1", Kind::Video, Source::Camera), screen]
}

const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n";
const ANSWER: &str = "v=0\r\no=- 3 4 IN IP4 127.0.0.1\r\na=ice-lite\r\n";

const TOKEN: &str = "r4yq8mk2zt7wc9xh3npd5uvb6e";

/// File name and message; the name starts with the `type`.
fn client_messages() -> Vec<(&'static str, ClientMessage)> {
    let stages = Stages {
        signaling_ms: Some(12.5),
        ice_ms: Some(20.0),
        dtls_ms: Some(31.25),
        first_packet_ms: Some(40.0),
        first_audio_ms: None,
        first_frame_ms: Some(96.5),
    };
    vec![
        (
            "join",
            ClientMessage::Join {
                id: 1,
                room: "demo".into(),
                name: "Zoë".into(),
                offer: OFFER.into(),
                tracks: tracks(),
                slots: vec![pair("3", "4"), pair("5", "6")],
                token: None,
                history: None,
                role: Some(Role::Student),
            },
        ),
        (
            "join_token",
            ClientMessage::Join {
                id: 1,
                room: "demo".into(),
                name: "Zoë".into(),
                offer: OFFER.into(),
                tracks: tracks(),
                slots: Vec::new(),
                history: Some(HistoryFrom::Newest { newest: 100 }),
                role: None,
                token: Some("eyJhbGciOiJIUzI1NiJ9.eyJyb29tIjoiZGVtbyJ9.c2lnbmF0dXJl".into()),
            },
        ),
        (
            "hold",
            ClientMessage::Hold {
                id: 1,
                room: "demo".into(),
                name: "Zoë".into(),
                offer: OFFER.into(),
                tracks: tracks(),
                slots: vec![pair("3", "4")],
                token: None,
                history: None,
                role: None,
            },
        ),
        ("enter", ClientMessage::Enter {}),
        (
            "offer",
            ClientMessage::Offer {
                id: 2,
                offer: OFFER.into(),
                tracks: tracks(),
                slots: vec![pair("3", "4"), pair("5", "6"), pair("7", "8")],
            },
        ),
        ("resume", ClientMessage::Resume { id: 3, token: TOKEN.into(), media: None, history: None }),
        (
            "resume_media",
            ClientMessage::Resume {
                id: 4,
                token: TOKEN.into(),
                media: Some(MediaOffer {
                    offer: OFFER.into(),
                    tracks: tracks(),
                    slots: vec![pair("3", "4"), pair("5", "6")],
                }),
                history: Some(HistoryFrom::After { log: "h3kq9".into(), after: 17 }),
            },
        ),
        (
            "track",
            ClientMessage::Track {
                track: TrackInfo { muted: true, encrypted: true, ..track("1", Kind::Video, Source::Camera) },
            },
        ),
        (
            "prefer",
            ClientMessage::Prefer {
                slots: vec![
                    Preference {
                        mid: "4".into(),
                        width: 1280,
                        height: 720,
                        visible: true,
                        pinned: true,
                        priority: 1,
                    },
                    Preference {
                        mid: "6".into(),
                        width: 0,
                        height: 0,
                        visible: false,
                        pinned: false,
                        priority: 0,
                    },
                ],
            },
        ),
        ("stages", ClientMessage::Stages { stages }),
        (
            "register",
            ClientMessage::Register {
                id: 8,
                identity: "user-17".into(),
                name: "Zoë".into(),
                device: "d5t2wq8zr1yd7mbh".into(),
                token: None,
            },
        ),
        ("invite", ClientMessage::Invite { id: 9, to: "user-18".into(), room: None }),
        ("respond", ClientMessage::Respond { id: 10, call: "c12".into(), act: CallAct::Accept }),
        (
            "post",
            ClientMessage::Post {
                id: 7,
                key: "k5t2wq8zr1yd7mbh".into(),
                topic: "chat".into(),
                body: "Good morning".into(),
                room: Some("demo".into()),
            },
        ),
        ("history", ClientMessage::History { history: HistoryFrom::Newest { newest: 100 } }),
        (
            "set",
            ClientMessage::Set {
                id: 14,
                participant: None,
                key: Some("topic".into()),
                value: Some("fractions".into()),
                version: Some(0),
            },
        ),
        (
            "set_metadata",
            ClientMessage::Set {
                id: 15,
                participant: Some("p7kq2m9xw3".into()),
                key: None,
                value: None,
                version: None,
            },
        ),
        ("received", ClientMessage::Received { seq: 17 }),
        ("state", ClientMessage::State { key: "typing".into(), value: "true".into() }),
        (
            "moderate_grant",
            ClientMessage::Moderate {
                id: 5,
                action: Action::Grant { participant: "p7kq2m9xw3".into(), grants: listener() },
            },
        ),
        (
            "moderate_stop",
            ClientMessage::Moderate {
                id: 11,
                action: Action::Stop { participant: None, sources: vec![Source::Microphone] },
            },
        ),
        (
            "moderate_role",
            ClientMessage::Moderate {
                id: 16,
                action: Action::Role { participant: "p7kq2m9xw3".into(), role: Role::Assistant },
            },
        ),
        (
            "moderate_publishing",
            ClientMessage::Moderate { id: 17, action: Action::Publishing { sources: vec![Source::Camera] } },
        ),
        ("moderate_wait", ClientMessage::Moderate { id: 18, action: Action::Wait { waiting: true } }),
        (
            "moderate_admit",
            ClientMessage::Moderate {
                id: 19,
                action: Action::Admit { participant: Some("p7kq2m9xw3".into()) },
            },
        ),
        ("moderate_refuse", ClientMessage::Moderate { id: 20, action: Action::Refuse { participant: None } }),
        (
            "moderate_groups",
            ClientMessage::Moderate {
                id: 21,
                action: Action::Groups { groups: vec!["one".into(), "two".into()] },
            },
        ),
        (
            "moderate_move",
            ClientMessage::Moderate {
                id: 22,
                action: Action::Move { participants: vec!["p7kq2m9xw3".into()], group: Some("one".into()) },
            },
        ),
        ("moderate_recall", ClientMessage::Moderate { id: 23, action: Action::Recall {} }),
        ("moderate_lock", ClientMessage::Moderate { id: 12, action: Action::Lock { locked: true } }),
        (
            "moderate_spotlight",
            ClientMessage::Moderate { id: 13, action: Action::Spotlight { participant: None } },
        ),
        (
            "moderate_remove",
            ClientMessage::Moderate {
                id: 6,
                action: Action::Remove { participant: "p7kq2m9xw3".into(), keep_out: true },
            },
        ),
        ("ping", ClientMessage::Ping { id: 9 }),
        ("leave", ClientMessage::Leave {}),
    ]
}

/// Sees, hears and writes.
fn listener() -> Grants {
    Grants { subscribe: true, data: true, ..Grants::default() }
}

fn call(role: CallRole) -> CallInfo {
    CallInfo {
        call: "c12".into(),
        role,
        state: CallState::Ringing,
        other: "user-18".into(),
        name: Some("Ben".into()),
        room: "call h3kq9mv2xw4a".into(),
        token: TOKEN.into(),
    }
}

fn server_messages() -> Vec<(&'static str, ServerMessage)> {
    let (id, name) = ("p7kq2m9xw3".to_owned(), "Ann".to_owned());
    let ann = ParticipantInfo {
        id,
        name,
        identity: None,
        role: None,
        tracks: tracks(),
        attributes: Vec::new(),
        connected: true,
    };
    let topic = Attribute { key: Some("topic".into()), value: Some("fractions".into()), version: 1 };
    let away = ParticipantInfo {
        connected: false,
        identity: Some("user-17".into()),
        role: Some(Role::Teacher),
        attributes: vec![Attribute { key: None, value: Some("{}".into()), version: 3 }],
        ..ann.clone()
    };
    let bound = Binding { slot: pair("3", "4"), participant: Some(ann.id.clone()), share: Share::Person };
    let free = Binding { slot: pair("5", "6"), participant: None, share: Share::Screen };
    vec![
        (
            "joined",
            ServerMessage::Joined {
                re: 1,
                participant: "pc4t8zr1yd".into(),
                room: "demo".into(),
                answer: Some(ANSWER.into()),
                participants: vec![ann.clone()],
                bindings: vec![bound.clone()],
                resume: ResumeTicket { token: TOKEN.into(), grace_ms: 30_000 },
                grants: Grants { publish: vec![Source::Microphone, Source::Camera], ..listener() },
                role: Some(Role::Student),
                attributes: vec![topic.clone()],
                server_ms: 1.75,
            },
        ),
        (
            "resumed",
            ServerMessage::Resumed {
                re: 3,
                participant: "pc4t8zr1yd".into(),
                room: "demo".into(),
                answer: None,
                media: true,
                participants: vec![away.clone()],
                bindings: vec![bound.clone()],
                grants: listener(),
                role: None,
                attributes: Vec::new(),
                group: None,
            },
        ),
        (
            "resumed_media",
            ServerMessage::Resumed {
                re: 4,
                participant: "pc4t8zr1yd".into(),
                room: "demo".into(),
                answer: Some(ANSWER.into()),
                media: true,
                participants: Vec::new(),
                bindings: Vec::new(),
                grants: listener(),
                role: Some(Role::Audience),
                attributes: vec![topic.clone()],
                group: Some("one".into()),
            },
        ),
        ("held", ServerMessage::Held { re: 1, answer: Some(ANSWER.into()) }),
        ("held_later", ServerMessage::Held { re: 1, answer: None }),
        ("waiting", ServerMessage::Waiting { re: 1, timeout_ms: 900_000 }),
        (
            "waiting_room",
            ServerMessage::WaitingRoom {
                people: vec![Member {
                    id: "p7kq2m9xw3".into(),
                    name: "Ann".into(),
                    identity: Some("user-17".into()),
                    role: None,
                }],
            },
        ),
        (
            "moved",
            ServerMessage::Moved {
                room: "demo\u{1f}one".into(),
                group: Some("one".into()),
                participants: vec![away],
                bindings: vec![bound.clone()],
                attributes: vec![topic.clone()],
                locked: false,
                waiting: false,
                publish: vec![Source::Microphone, Source::Camera],
                spotlight: None,
            },
        ),
        (
            "groups",
            ServerMessage::Groups {
                groups: vec![
                    Group { group: None, people: Vec::new() },
                    Group {
                        group: Some("one".into()),
                        people: vec![Member {
 id: "p7kq2m9xw3".into(), name: "Ann".into(), identity: None, role: Some(Role::Student) }],
                    },
                ],
            },
        ),
        ("value_set", ServerMessage::ValueSet { re: 14, version: 4 }),
        ("attribute_changed", ServerMessage::AttributeChanged { participant: None, attribute: topic }),
        (
            "attribute_changed_away",
            ServerMessage::AttributeChanged {
                participant: Some("p7kq2m9xw3".into()),
                attribute: Attribute { key: None, value: None, version: 5 },
            },
        ),
        (
            "role_changed",
            ServerMessage::RoleChanged { participant: "p7kq2m9xw3".into(), role: Some(Role::Assistant) },
        ),
        ("presence", ServerMessage::Presence { participant: ann.id.clone(), connected: false }),
        ("done", ServerMessage::Done { re: 5 }),
        (
            "registered",
            ServerMessage::Registered {
                re: 8,
                calls: vec![CallInfo { state: CallState::Accepted, ..call(CallRole::Callee) }],
            },
        ),
        ("invited", ServerMessage::Invited { re: 9, call: call(CallRole::Caller) }),
        ("incoming", ServerMessage::Incoming { call: call(CallRole::Callee) }),
        (
            "call_changed",
            ServerMessage::CallChanged { call: "c12".into(), state: CallState::AnsweredElsewhere },
        ),
        ("posted", ServerMessage::Posted { re: 7, seq: 18 }),
        (
            "messages",
            ServerMessage::Messages {
                log: "h3kq9".into(),
                messages: vec![wire::Message {
                    seq: 18,
                    at_ms: 1_800_000_000_123,
                    participant: ann.id.clone(),
                    identity: Some("user-17".into()),
                    name: "Ann".into(),
                    topic: "chat".into(),
                    body: "Good morning".into(),
                }],
                gap: false,
            },
        ),
        (
            "state",
            ServerMessage::State {
                participant: ann.id.clone(),
                key: "typing".into(),
                value: "true".into(),
            },
        ),
        ("data_cut", ServerMessage::DataCut {}),
        ("sound_lost", ServerMessage::SoundLost { mid: "0".into(), lost_percent: 70 }),
        ("stopped", ServerMessage::Stopped { sources: vec![Source::Microphone] }),
        (
            "room_changed",
            ServerMessage::RoomChanged {
                locked: true,
                waiting: true,
                publish: vec![Source::Camera],
                spotlight: Some("p7kq2m9xw3".into()),
            },
        ),
        ("permissions", ServerMessage::Permissions { grants: listener(), role: Some(Role::Audience) }),
        ("answer", ServerMessage::Answer { re: 2, answer: ANSWER.into() }),
        ("participant_joined", ServerMessage::ParticipantJoined { participant: ann.clone() }),
        ("participant_left", ServerMessage::ParticipantLeft { participant: ann.id.clone() }),
        (
            "track_changed",
            ServerMessage::TrackChanged {
                participant: ann.id.clone(),
                track: TrackInfo {
                    source: Source::ScreenAudio,
                    encrypted: true,
                    ..track("0", Kind::Audio, Source::Microphone)
                },
            },
        ),
        ("bindings", ServerMessage::Bindings { bindings: vec![bound, free] }),
        (
            "first_frame",
            ServerMessage::FirstFrame {
                mid: "4".into(),
                participant: ann.id.clone(),
                rtp_timestamp: 4_294_967_295,
            },
        ),
        ("need_slots", ServerMessage::NeedSlots { wanted: 8 }),
        ("speakers", ServerMessage::Speakers { participants: vec![ann.id] }),
        (
            "layers",
            ServerMessage::Layers {
                mid: "1".into(),
                active: [("l", true), ("m", false), ("h", false)]
                    .map(|(rid, active)| EncodingActive { rid: Some(rid.into()), active, spatial: None })
                    .into(),
            },
        ),
        (
            "layers_plain",
            ServerMessage::Layers {
                mid: "2".into(),
                active: vec![EncodingActive { rid: None, active: false, spatial: None }],
            },
        ),
        (
            "layers_svc",
            ServerMessage::Layers {
                mid: "1".into(),
                active: vec![EncodingActive { rid: None, active: true, spatial: Some(1) }],
            },
        ),
        (
            "quality",
            ServerMessage::Quality {
                estimate_kbps: Some(740),
                wanted_kbps: 2990,
                slots: vec![
                    SlotQuality {
                        mid: "4".into(),
                        encoding: Some(1),
                        spatial: 0,
                        temporal: 2,
                        kbps: 400,
                        width: 480,
                        height: 270,
                        paused: None,
                    },
                    SlotQuality {
                        mid: "6".into(),
                        encoding: None,
                        spatial: 0,
                        temporal: 0,
                        kbps: 0,
                        width: 0,
                        height: 0,
                        paused: Some(PauseReason::Bandwidth),
                    },
                ],
                decisions: vec![wire::Decision {
                    mid: "4".into(),
                    text: "layer 2.0.2 to layer 1.0.2: the link carries 740 kb/s; the layer before took 1300 kb/s"
                        .into(),
                    from: Change::Layer { encoding: 2, spatial: 0, temporal: 2 },
                    to: Change::Layer { encoding: 1, spatial: 0, temporal: 2 },
                    why: Reason::Congestion,
                    estimate_kbps: 740,
                    budget_kbps: 700,
                    needed_kbps: 1300,
                    width: 960,
                    height: 540,
                }],
            },
        ),
        ("pong", ServerMessage::Pong { re: 9 }),
        (
            "error",
            ServerMessage::Error {
                re: Some(1),
                code: ErrorCode::RoomFull,
                message: "the room is full: it holds 24 people".into(),
                present: None,
            },
        ),
        (
            "error_unasked",
            ServerMessage::Error {
                re: None,
                code: ErrorCode::ShuttingDown,
                message: "the server is going down".into(),
                present: None,
            },
        ),
        (
            "error_conflict",
            ServerMessage::Error {
                re: Some(14),
                code: ErrorCode::Conflict,
                message: "it is not the version that was expected".into(),
                present: Some(Present { value: Some("decimals".into()), version: 2 }),
            },
        ),
    ]
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
}

/// With `WRITE_FIXTURES=1` the files are written from the values above; look at the difference before committing.
fn fixture(name: &str, ours: &Value) -> String {
    let path = folder().join(format!("{name}.json"));
    if std::env::var_os("WRITE_FIXTURES").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(ours).unwrap() + "\n").unwrap();
    }
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_client_message_reads_and_writes_as_its_fixture() {
    for (name, message) in client_messages() {
        let ours = serde_json::to_value(&message).unwrap();
        let text = fixture(&format!("client_{name}"), &ours);
        assert_eq!(ours, serde_json::from_str::<Value>(&text).unwrap(), "{name} is written differently");
        assert_eq!(wire::parse(&text).unwrap(), message, "{name} is read differently");
    }
}

#[test]
fn every_server_message_reads_and_writes_as_its_fixture() {
    for (name, message) in server_messages() {
        let ours = serde_json::to_value(&message).unwrap();
        let text = fixture(&format!("server_{name}"), &ours);
        assert_eq!(ours, serde_json::from_str::<Value>(&text).unwrap(), "{name} is written differently");
        assert_eq!(
            serde_json::from_str::<ServerMessage>(&text).unwrap(),
            message,
            "{name} is read differently"
        );
    }
}

#[test]
fn there_is_no_fixture_without_a_test() {
    let ours: BTreeSet<String> = client_messages()
        .iter()
        .map(|(name, _)| format!("client_{name}.json"))
        .chain(server_messages().iter().map(|(name, _)| format!("server_{name}.json")))
        .collect();
    let files = std::fs::read_dir(folder()).unwrap();
    let files: BTreeSet<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|f| f.ends_with(".json"))
        .collect();
    assert_eq!(files, ours);
}

/// Fails to compile when a message is added: add it to the fixtures, to `PROTOCOL.md` and here.
fn client_type(message: &ClientMessage) -> &'static str {
    match message {
        ClientMessage::Join { .. } => "join",
        ClientMessage::Hold { .. } => "hold",
        ClientMessage::Enter {} => "enter",
        ClientMessage::Resume { .. } => "resume",
        ClientMessage::Offer { .. } => "offer",
        ClientMessage::Track { .. } => "track",
        ClientMessage::Prefer { .. } => "prefer",
        ClientMessage::Stages { .. } => "stages",
        ClientMessage::Register { .. } => "register",
        ClientMessage::Invite { .. } => "invite",
        ClientMessage::Respond { .. } => "respond",
        ClientMessage::Post { .. } => "post",
        ClientMessage::Received { .. } => "received",
        ClientMessage::History { .. } => "history",
        ClientMessage::Set { .. } => "set",
        ClientMessage::State { .. } => "state",
        ClientMessage::Moderate { .. } => "moderate",
        ClientMessage::Ping { .. } => "ping",
        ClientMessage::Leave {} => "leave",
    }
}

fn server_type(message: &ServerMessage) -> &'static str {
    match message {
        ServerMessage::Joined { .. } => "joined",
        ServerMessage::Held { .. } => "held",
        ServerMessage::Resumed { .. } => "resumed",
        ServerMessage::Waiting { .. } => "waiting",
        ServerMessage::WaitingRoom { .. } => "waiting_room",
        ServerMessage::Moved { .. } => "moved",
        ServerMessage::Groups { .. } => "groups",
        ServerMessage::ValueSet { .. } => "value_set",
        ServerMessage::AttributeChanged { .. } => "attribute_changed",
        ServerMessage::RoleChanged { .. } => "role_changed",
        ServerMessage::Answer { .. } => "answer",
        ServerMessage::Done { .. } => "done",
        ServerMessage::Registered { .. } => "registered",
        ServerMessage::Invited { .. } => "invited",
        ServerMessage::Incoming { .. } => "incoming",
        ServerMessage::CallChanged { .. } => "call_changed",
        ServerMessage::Posted { .. } => "posted",
        ServerMessage::Messages { .. } => "messages",
        ServerMessage::State { .. } => "state",
        ServerMessage::DataCut { .. } => "data_cut",
        ServerMessage::SoundLost { .. } => "sound_lost",
        ServerMessage::Stopped { .. } => "stopped",
        ServerMessage::RoomChanged { .. } => "room_changed",
        ServerMessage::Permissions { .. } => "permissions",
        ServerMessage::ParticipantJoined { .. } => "participant_joined",
        ServerMessage::ParticipantLeft { .. } => "participant_left",
        ServerMessage::TrackChanged { .. } => "track_changed",
        ServerMessage::Presence { .. } => "presence",
        ServerMessage::Bindings { .. } => "bindings",
        ServerMessage::FirstFrame { .. } => "first_frame",
        ServerMessage::NeedSlots { .. } => "need_slots",
        ServerMessage::Speakers { .. } => "speakers",
        ServerMessage::Layers { .. } => "layers",
        ServerMessage::Quality { .. } => "quality",
        ServerMessage::Pong { .. } => "pong",
        ServerMessage::Error { .. } => "error",
    }
}

#[test]
fn fixtures_cover_every_message_and_the_document_describes_it() {
    let document = include_str!("../PROTOCOL.md");
    let client: BTreeSet<_> = client_messages().iter().map(|(_, m)| client_type(m)).collect();
    let server: BTreeSet<_> = server_messages().iter().map(|(_, m)| server_type(m)).collect();
    assert_eq!((client.len(), server.len()), (19, 36), "one of the message types has no fixture");
    for (_, message) in client_messages() {
        assert_eq!(serde_json::to_value(&message).unwrap()["type"], client_type(&message));
    }
    for (_, message) in server_messages() {
        assert_eq!(serde_json::to_value(&message).unwrap()["type"], server_type(&message));
    }
    for kind in client.iter().chain(&server) {
        assert!(document.contains(&format!("### `{kind}`")), "PROTOCOL.md has no section for `{kind}`");
    }
}

#[test]
fn the_document_has_a_row_for_every_error_code_and_no_other() {
    let document = include_str!("../PROTOCOL.md");
    let (_, table) = document.split_once("## Error codes").expect("a section on error codes");
    let table = table.split("\n## ").next().unwrap();
    let rows =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(code, _)| code));
    let documented: BTreeSet<&str> = rows.collect();
    let known: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(documented, known);
    for code in ErrorCode::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        let row = format!("| `{}` | {} |", code.name(), code.close_code());
        assert!(document.contains(&row), "PROTOCOL.md should have a row starting {row}");
    }
}

#[test]
fn the_document_states_the_limits() {
    let document = include_str!("../PROTOCOL.md");
    let limits = [
        format!("{} KiB", wire::limits::MESSAGE_BYTES_MAX / 1024),
        format!("{} messages at once", wire::limits::MESSAGES_BURST),
        format!("{} a second", wire::limits::MESSAGES_PER_SECOND),
        format!("{} refused messages", wire::limits::REFUSALS_MAX),
        format!("{} s", wire::limits::JOIN_TIMEOUT_S),
        format!("{} s", wire::limits::WAIT_TIMEOUT_S),
        format!("| body of a message | {} KiB |", wire::limits::POST_BODY_BYTES_MAX / 1024),
        format!("| topic of a message | {} bytes |", wire::limits::POST_TOPIC_BYTES_MAX),
        format!("| value of a state | {} bytes |", wire::limits::STATE_VALUE_BYTES_MAX),
    ];
    for limit in limits {
        assert!(document.contains(&limit), "PROTOCOL.md does not say `{limit}`");
    }
}
