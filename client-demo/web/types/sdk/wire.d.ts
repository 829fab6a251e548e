/**
 * One text frame from the server, checked field by field.
 * @param {string} frame @returns {ServerMessage} @throws {WireError} naming the field that does not fit
 */
export function parseServerMessage(frame: string): ServerMessage;
/** @param {ClientMessage} message @returns {string} @throws {WireError} when the caller built it wrong */
export function writeClientMessage(message: ClientMessage): string;
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 *
 * @typedef {'audio' | 'video'} Kind
 * @typedef {'microphone' | 'camera' | 'screen' | 'screen_audio'} Source
 * @typedef {'person' | 'screen'} Share
 *
 * @typedef {object} TrackInfo  A published track; `mid` is the publisher's m-line.
 * @property {string} mid
 * @property {Kind} kind
 * @property {Source} source
 * @property {boolean} muted    still published, nothing to hear or see
 * @property {boolean} active   false: the m-line is there ahead of need and takes nobody's slot
 * @property {boolean} [encrypted]   end to end: without the key of the call there is nothing to play
 *
 * @typedef {'teacher' | 'assistant' | 'student' | 'audience'} Role  A name for what somebody may do.
 *
 * @typedef {object} Attribute  What the application keeps with a room or a participant.
 * @property {string} [key]         left out: the metadata
 * @property {string | null} value  null: there is none any more
 * @property {number} version       greater with every change
 *
 * @typedef {object} ParticipantInfo
 * @property {string} id
 * @property {string} name
 * @property {string} [identity]
 * @property {Role} [role]
 * @property {TrackInfo[]} tracks
 * @property {Attribute[]} [attributes]
 * @property {boolean} connected   false: the room waits for them
 *
 * @typedef {{id: string, name: string, identity?: string, role?: Role}} Member
 * @typedef {{group: string | null, people: Member[]}} Group  A group of the room and who is in it; null: the room itself.
 * @typedef {{audio: string, video: string}} SlotPair  Two receive-only m-lines that share a media stream.
 * @typedef {{slot: SlotPair, participant: string | null, share: Share}} Binding
 *
 * @typedef {object} Preference  How a slot is shown; `width` and `height` in device pixels, 0: unknown.
 * @property {string} mid
 * @property {number} width
 * @property {number} height
 * @property {boolean} visible   false: nothing of it is on screen, and nothing is sent
 * @property {boolean} pinned
 * @property {number} priority   0-3; each step doubles the share
 *
 * @typedef {'hidden' | 'bandwidth' | 'last_n' | 'quiet'} PauseReason
 * @typedef {{rid?: string, active: boolean}} EncodingActive
 *
 * @typedef {object} SlotQuality  What is sent in one slot's m-line.
 * @property {string} mid
 * @property {number | null} encoding   index of the simulcast encoding, lowest first; null: nothing is sent
 * @property {number} spatial
 * @property {number} temporal
 * @property {number} kbps
 * @property {number} width
 * @property {number} height
 * @property {PauseReason | null} paused   why nothing is sent; null: something is, or nobody sends anything
 *
 * @typedef {'nothing' | {layer: {encoding: number, spatial: number, temporal: number}} | {paused: PauseReason}} Change
 * @typedef {'began' | 'room' | 'congestion' | 'asked' | 'tile_size' | 'others' | 'layer_gone' | 'contradiction' | 'limit' | 'loudness'} Reason
 *
 * @typedef {object} Decision  What was changed in a slot, and why.
 * @property {string} mid
 * @property {string} text           a line for people, in English
 * @property {Change} from
 * @property {Change} to
 * @property {Reason} why
 * @property {number} estimate_kbps  what the link carries
 * @property {number} budget_kbps    what of it is for video
 * @property {number} needed_kbps    by what was given up or taken
 * @property {number} width          of the tile, in device pixels; 0: unknown
 * @property {number} height
 *
 * @typedef {object} Stages  Milliseconds since the click on Join; absent: did not happen.
 * @property {number} [signaling_ms]
 * @property {number} [ice_ms]
 * @property {number} [dtls_ms]
 * @property {number} [first_packet_ms]
 * @property {number} [first_audio_ms]
 * @property {number} [first_frame_ms]
 *
 * @typedef {object} Grants  What a participant may do.
 * @property {Source[]} publish
 * @property {boolean} subscribe
 * @property {boolean} data       send messages
 * @property {boolean} moderate
 * @property {boolean} hidden
 * @property {boolean} record
 *
 * @typedef {{do: 'grant', participant: string, grants: Grants}
 *   | {do: 'stop', participant?: string, sources: Source[]}
 *   | {do: 'role', participant: string, role: Role}
 *   | {do: 'publishing', sources: Source[]}
 *   | {do: 'lock', locked: boolean}
 *   | {do: 'wait', waiting: boolean}
 *   | {do: 'admit', participant?: string}
 *   | {do: 'refuse', participant?: string}
 *   | {do: 'groups', groups: string[]}
 *   | {do: 'move', participants: string[], group: string | null}
 *   | {do: 'recall'}
 *   | {do: 'spotlight', participant: string | null}
 *   | {do: 'remove', participant: string, keep_out?: boolean}} Action  What a moderator can do.
 *
 * @typedef {'ringing' | 'accepted' | 'rejected' | 'busy' | 'cancelled' | 'missed' | 'answered_elsewhere'
 *   | 'rejected_elsewhere' | 'ended'} RingState  The first two go on, the others are how it ended.
 *
 * @typedef {object} CallInfo  A call that rings or goes on, as one side sees it.
 * @property {string} call
 * @property {'caller' | 'callee'} role
 * @property {RingState} state
 * @property {string} other     identity of the other one
 * @property {string} [name]    what they go by
 * @property {string} room      where the two meet
 * @property {string} token     what opens it
 *
 * @typedef {{newest: number} | {log: string, after: number}} HistoryFrom  Where to begin reading the room's messages.
 *
 * @typedef {object} Message  Something that was said in the room.
 * @property {number} seq           from 1 on, in the order in which everybody gets them
 * @property {number} at_ms         since 1970, of the server's clock
 * @property {string} participant   who said it: they may have left
 * @property {string} [identity]
 * @property {string} name          as it was then
 * @property {string} topic
 * @property {string} body
 *
 * @typedef {{offer: string, tracks: TrackInfo[], slots: SlotPair[]}} MediaOffer
 * @typedef {{token: string, grace_ms: number}} ResumeTicket  A secret: whoever has it is this participant.
 *
 * @typedef {'bad_message' | 'unknown_message' | 'message_too_large' | 'wrong_state' | 'bad_name' | 'bad_room'
 *   | 'bad_sdp' | 'bad_tracks' | 'access_denied' | 'not_allowed' | 'unknown_participant' | 'bad_identity' | 'too_many_devices' | 'in_call' | 'unknown_call' | 'bad_post' | 'not_stored' | 'busy' | 'removed' | 'not_admitted' | 'wait_timeout' | 'moved' | 'unknown_group' | 'bad_groups' | 'conflict' | 'bad_attribute' | 'room_locked' | 'room_full' | 'too_many_rooms' | 'too_many_joins' | 'too_many_messages'
 *   | 'hold_lost' | 'resume_refused' | 'replaced' | 'join_timeout' | 'media_lost' | 'slow_consumer' | 'shutting_down' | 'internal'} ErrorCode
 *
 * @typedef {{type: 'join', id: number, room: string, name: string, offer: string, tracks: TrackInfo[], slots: SlotPair[], token?: string, history?: HistoryFrom, role?: Role}
 *   | {type: 'hold', id: number, room: string, name: string, offer: string, tracks: TrackInfo[], slots: SlotPair[], token?: string, history?: HistoryFrom, role?: Role}
 *   | {type: 'enter'}
 *   | {type: 'resume', id: number, token: string, media?: MediaOffer, history?: HistoryFrom}
 *   | {type: 'offer', id: number, offer: string, tracks: TrackInfo[], slots: SlotPair[]}
 *   | {type: 'track', track: TrackInfo}
 *   | {type: 'prefer', slots: Preference[]}
 *   | {type: 'stages', stages: Stages}
 *   | {type: 'register', id: number, identity: string, name: string, device: string, token?: string}
 *   | {type: 'invite', id: number, to: string, room?: string}
 *   | {type: 'respond', id: number, call: string, act: 'accept' | 'reject' | 'end'}
 *   | {type: 'post', id: number, key: string, topic: string, body: string, room?: string}
 *   | {type: 'history', history: HistoryFrom}
 *   | {type: 'set', id: number, participant?: string, key?: string, value: string | null, version?: number}
 *   | {type: 'received', seq: number}
 *   | {type: 'state', key: string, value: string}
 *   | {type: 'moderate', id: number, action: Action}
 *   | {type: 'ping', id: number}
 *   | {type: 'leave'}} ClientMessage
 *
 * @typedef {{type: 'joined', re: number, participant: string, room: string, answer: string | null,
 *   participants: ParticipantInfo[], bindings: Binding[], resume: ResumeTicket, grants: Grants, role?: Role, attributes?: Attribute[], server_ms: number}} Joined
 * @typedef {{type: 'resumed', re: number, participant: string, room: string, answer: string | null, media: boolean,
 *   participants: ParticipantInfo[], bindings: Binding[], grants: Grants, role?: Role, attributes?: Attribute[], group?: string}} Resumed
 * @typedef {{type: 'held', re: number, answer: string | null}} Held
 * @typedef {{type: 'waiting', re: number, timeout_ms: number}} Waiting
 * @typedef {{type: 'moved', room: string, group: string | null, participants: ParticipantInfo[], bindings: Binding[], attributes: Attribute[],
 *   locked: boolean, waiting: boolean, publish: Source[], spotlight: string | null}} Moved
 * @typedef {{type: 'value_set', re: number, version: number}} ValueSet
 * @typedef {{type: 'answer', re: number, answer: string}} Answer
 * @typedef {{type: 'done', re: number}} Done
 * @typedef {{type: 'registered', re: number, calls: CallInfo[]}} Registered
 * @typedef {{type: 'invited', re: number, call: CallInfo}} Invited
 * @typedef {{type: 'posted', re: number, seq: number}} Posted
 * @typedef {{type: 'messages', log: string, messages: Message[], gap: boolean}} Messages
 * @typedef {{type: 'pong', re: number}} Pong
 * @typedef {{type: 'error', re?: number, code: ErrorCode, message: string, present?: {value: string | null, version: number}}} ErrorMessage
 * @typedef {{type: 'layers', mid: string, active: EncodingActive[]}} Layers
 * @typedef {{type: 'quality', estimate_kbps: number | null, wanted_kbps: number, slots: SlotQuality[], decisions: Decision[]}} Quality
 * @typedef {Joined | Held | Resumed | Waiting | Moved | ValueSet | Answer | Done | Registered | Invited | Posted | Messages | Pong | ErrorMessage | Layers | Quality
 *   | {type: 'participant_joined', participant: ParticipantInfo}
 *   | {type: 'participant_left', participant: string}
 *   | {type: 'track_changed', participant: string, track: TrackInfo}
 *   | {type: 'incoming', call: CallInfo}
 *   | {type: 'call_changed', call: string, state: RingState}
 *   | {type: 'state', participant: string, key: string, value: string}
 *   | {type: 'stopped', sources: Source[]}
 *   | {type: 'data_cut'}
 *   | {type: 'room_changed', locked: boolean, waiting?: boolean, publish?: Source[], spotlight: string | null}
 *   | {type: 'waiting_room', people: Member[]}
 *   | {type: 'groups', groups: Group[]}
 *   | {type: 'role_changed', participant: string, role: Role | null}
 *   | {type: 'attribute_changed', participant?: string, attribute: Attribute}
 *   | {type: 'permissions', grants: Grants, role?: Role}
 *   | {type: 'presence', participant: string, connected: boolean}
 *   | {type: 'bindings', bindings: Binding[]}
 *   | {type: 'first_frame', mid: string, participant: string, rtp_timestamp: number}
 *   | {type: 'need_slots', wanted: number}
 *   | {type: 'speakers', participants: string[]}} ServerMessage
 */
/** @type {readonly ErrorCode[]} Every code the server can answer with; what people read about each is in the page. */
export const ERROR_CODES: readonly ErrorCode[];
export class WireError extends Error {
}
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Kind = "audio" | "video";
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Source = "microphone" | "camera" | "screen" | "screen_audio";
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Share = "person" | "screen";
/**
 * A published track; `mid` is the publisher's m-line.
 */
export type TrackInfo = {
    mid: string;
    kind: Kind;
    source: Source;
    /**
     * still published, nothing to hear or see
     */
    muted: boolean;
    /**
     * false: the m-line is there ahead of need and takes nobody's slot
     */
    active: boolean;
    /**
     * end to end: without the key of the call there is nothing to play
     */
    encrypted?: boolean | undefined;
};
/**
 * A name for what somebody may do.
 */
export type Role = "teacher" | "assistant" | "student" | "audience";
/**
 * What the application keeps with a room or a participant.
 */
export type Attribute = {
    /**
     * left out: the metadata
     */
    key?: string | undefined;
    /**
     * null: there is none any more
     */
    value: string | null;
    /**
     * greater with every change
     */
    version: number;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type ParticipantInfo = {
    id: string;
    name: string;
    identity?: string | undefined;
    role?: Role | undefined;
    tracks: TrackInfo[];
    attributes?: Attribute[] | undefined;
    /**
     * false: the room waits for them
     */
    connected: boolean;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Member = {
    id: string;
    name: string;
    identity?: string;
    role?: Role;
};
/**
 * A group of the room and who is in it; null: the room itself.
 */
export type Group = {
    group: string | null;
    people: Member[];
};
/**
 * Two receive-only m-lines that share a media stream.
 */
export type SlotPair = {
    audio: string;
    video: string;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Binding = {
    slot: SlotPair;
    participant: string | null;
    share: Share;
};
/**
 * How a slot is shown; `width` and `height` in device pixels, 0: unknown.
 */
export type Preference = {
    mid: string;
    width: number;
    height: number;
    /**
     * false: nothing of it is on screen, and nothing is sent
     */
    visible: boolean;
    pinned: boolean;
    /**
     * 0-3; each step doubles the share
     */
    priority: number;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type PauseReason = "hidden" | "bandwidth" | "last_n" | "quiet";
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type EncodingActive = {
    rid?: string;
    active: boolean;
};
/**
 * What is sent in one slot's m-line.
 */
export type SlotQuality = {
    mid: string;
    /**
     * index of the simulcast encoding, lowest first; null: nothing is sent
     */
    encoding: number | null;
    spatial: number;
    temporal: number;
    kbps: number;
    width: number;
    height: number;
    /**
     * why nothing is sent; null: something is, or nobody sends anything
     */
    paused: PauseReason | null;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Change = "nothing" | {
    layer: {
        encoding: number;
        spatial: number;
        temporal: number;
    };
} | {
    paused: PauseReason;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Reason = "began" | "room" | "congestion" | "asked" | "tile_size" | "others" | "layer_gone" | "contradiction" | "limit" | "loudness";
/**
 * What was changed in a slot, and why.
 */
export type Decision = {
    mid: string;
    /**
     * a line for people, in English
     */
    text: string;
    from: Change;
    to: Change;
    why: Reason;
    /**
     * what the link carries
     */
    estimate_kbps: number;
    /**
     * what of it is for video
     */
    budget_kbps: number;
    /**
     * by what was given up or taken
     */
    needed_kbps: number;
    /**
     * of the tile, in device pixels; 0: unknown
     */
    width: number;
    height: number;
};
/**
 * Milliseconds since the click on Join; absent: did not happen.
 */
export type Stages = {
    signaling_ms?: number | undefined;
    ice_ms?: number | undefined;
    dtls_ms?: number | undefined;
    first_packet_ms?: number | undefined;
    first_audio_ms?: number | undefined;
    first_frame_ms?: number | undefined;
};
/**
 * What a participant may do.
 */
export type Grants = {
    publish: Source[];
    subscribe: boolean;
    /**
     * send messages
     */
    data: boolean;
    moderate: boolean;
    hidden: boolean;
    record: boolean;
};
/**
 * What a moderator can do.
 */
export type Action = {
    do: "grant";
    participant: string;
    grants: Grants;
} | {
    do: "stop";
    participant?: string;
    sources: Source[];
} | {
    do: "role";
    participant: string;
    role: Role;
} | {
    do: "publishing";
    sources: Source[];
} | {
    do: "lock";
    locked: boolean;
} | {
    do: "wait";
    waiting: boolean;
} | {
    do: "admit";
    participant?: string;
} | {
    do: "refuse";
    participant?: string;
} | {
    do: "groups";
    groups: string[];
} | {
    do: "move";
    participants: string[];
    group: string | null;
} | {
    do: "recall";
} | {
    do: "spotlight";
    participant: string | null;
} | {
    do: "remove";
    participant: string;
    keep_out?: boolean;
};
/**
 * The first two go on, the others are how it ended.
 */
export type RingState = "ringing" | "accepted" | "rejected" | "busy" | "cancelled" | "missed" | "answered_elsewhere" | "rejected_elsewhere" | "ended";
/**
 * A call that rings or goes on, as one side sees it.
 */
export type CallInfo = {
    call: string;
    role: "caller" | "callee";
    state: RingState;
    /**
     * identity of the other one
     */
    other: string;
    /**
     * what they go by
     */
    name?: string | undefined;
    /**
     * where the two meet
     */
    room: string;
    /**
     * what opens it
     */
    token: string;
};
/**
 * Where to begin reading the room's messages.
 */
export type HistoryFrom = {
    newest: number;
} | {
    log: string;
    after: number;
};
/**
 * Something that was said in the room.
 */
export type Message = {
    /**
     * from 1 on, in the order in which everybody gets them
     */
    seq: number;
    /**
     * since 1970, of the server's clock
     */
    at_ms: number;
    /**
     * who said it: they may have left
     */
    participant: string;
    identity?: string | undefined;
    /**
     * as it was then
     */
    name: string;
    topic: string;
    body: string;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type MediaOffer = {
    offer: string;
    tracks: TrackInfo[];
    slots: SlotPair[];
};
/**
 * A secret: whoever has it is this participant.
 */
export type ResumeTicket = {
    token: string;
    grace_ms: number;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type ErrorCode = "bad_message" | "unknown_message" | "message_too_large" | "wrong_state" | "bad_name" | "bad_room" | "bad_sdp" | "bad_tracks" | "access_denied" | "not_allowed" | "unknown_participant" | "bad_identity" | "too_many_devices" | "in_call" | "unknown_call" | "bad_post" | "not_stored" | "busy" | "removed" | "not_admitted" | "wait_timeout" | "moved" | "unknown_group" | "bad_groups" | "conflict" | "bad_attribute" | "room_locked" | "room_full" | "too_many_rooms" | "too_many_joins" | "too_many_messages" | "hold_lost" | "resume_refused" | "replaced" | "join_timeout" | "media_lost" | "slow_consumer" | "shutting_down" | "internal";
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type ClientMessage = {
    type: "join";
    id: number;
    room: string;
    name: string;
    offer: string;
    tracks: TrackInfo[];
    slots: SlotPair[];
    token?: string;
    history?: HistoryFrom;
    role?: Role;
} | {
    type: "hold";
    id: number;
    room: string;
    name: string;
    offer: string;
    tracks: TrackInfo[];
    slots: SlotPair[];
    token?: string;
    history?: HistoryFrom;
    role?: Role;
} | {
    type: "enter";
} | {
    type: "resume";
    id: number;
    token: string;
    media?: MediaOffer;
    history?: HistoryFrom;
} | {
    type: "offer";
    id: number;
    offer: string;
    tracks: TrackInfo[];
    slots: SlotPair[];
} | {
    type: "track";
    track: TrackInfo;
} | {
    type: "prefer";
    slots: Preference[];
} | {
    type: "stages";
    stages: Stages;
} | {
    type: "register";
    id: number;
    identity: string;
    name: string;
    device: string;
    token?: string;
} | {
    type: "invite";
    id: number;
    to: string;
    room?: string;
} | {
    type: "respond";
    id: number;
    call: string;
    act: "accept" | "reject" | "end";
} | {
    type: "post";
    id: number;
    key: string;
    topic: string;
    body: string;
    room?: string;
} | {
    type: "history";
    history: HistoryFrom;
} | {
    type: "set";
    id: number;
    participant?: string;
    key?: string;
    value: string | null;
    version?: number;
} | {
    type: "received";
    seq: number;
} | {
    type: "state";
    key: string;
    value: string;
} | {
    type: "moderate";
    id: number;
    action: Action;
} | {
    type: "ping";
    id: number;
} | {
    type: "leave";
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Joined = {
    type: "joined";
    re: number;
    participant: string;
    room: string;
    answer: string | null;
    participants: ParticipantInfo[];
    bindings: Binding[];
    resume: ResumeTicket;
    grants: Grants;
    role?: Role;
    attributes?: Attribute[];
    server_ms: number;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Resumed = {
    type: "resumed";
    re: number;
    participant: string;
    room: string;
    answer: string | null;
    media: boolean;
    participants: ParticipantInfo[];
    bindings: Binding[];
    grants: Grants;
    role?: Role;
    attributes?: Attribute[];
    group?: string;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Held = {
    type: "held";
    re: number;
    answer: string | null;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Waiting = {
    type: "waiting";
    re: number;
    timeout_ms: number;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Moved = {
    type: "moved";
    room: string;
    group: string | null;
    participants: ParticipantInfo[];
    bindings: Binding[];
    attributes: Attribute[];
    locked: boolean;
    waiting: boolean;
    publish: Source[];
    spotlight: string | null;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type ValueSet = {
    type: "value_set";
    re: number;
    version: number;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Answer = {
    type: "answer";
    re: number;
    answer: string;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Done = {
    type: "done";
    re: number;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Registered = {
    type: "registered";
    re: number;
    calls: CallInfo[];
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Invited = {
    type: "invited";
    re: number;
    call: CallInfo;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Posted = {
    type: "posted";
    re: number;
    seq: number;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Messages = {
    type: "messages";
    log: string;
    messages: Message[];
    gap: boolean;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Pong = {
    type: "pong";
    re: number;
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type ErrorMessage = {
    type: "error";
    re?: number;
    code: ErrorCode;
    message: string;
    present?: {
        value: string | null;
        version: number;
    };
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Layers = {
    type: "layers";
    mid: string;
    active: EncodingActive[];
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type Quality = {
    type: "quality";
    estimate_kbps: number | null;
    wanted_kbps: number;
    slots: SlotQuality[];
    decisions: Decision[];
};
/**
 * The JSON messages between a client and the server, as `signaling/wire` types them. The golden fixtures there are read
 * by the Rust tests and by the tests of this file. Never any logic but checking the shape.
 */
export type ServerMessage = Joined | Held | Resumed | Waiting | Moved | ValueSet | Answer | Done | Registered | Invited | Posted | Messages | Pong | ErrorMessage | Layers | Quality | {
    type: "participant_joined";
    participant: ParticipantInfo;
} | {
    type: "participant_left";
    participant: string;
} | {
    type: "track_changed";
    participant: string;
    track: TrackInfo;
} | {
    type: "incoming";
    call: CallInfo;
} | {
    type: "call_changed";
    call: string;
    state: RingState;
} | {
    type: "state";
    participant: string;
    key: string;
    value: string;
} | {
    type: "stopped";
    sources: Source[];
} | {
    type: "data_cut";
} | {
    type: "room_changed";
    locked: boolean;
    waiting?: boolean;
    publish?: Source[];
    spotlight: string | null;
} | {
    type: "waiting_room";
    people: Member[];
} | {
    type: "groups";
    groups: Group[];
} | {
    type: "role_changed";
    participant: string;
    role: Role | null;
} | {
    type: "attribute_changed";
    participant?: string;
    attribute: Attribute;
} | {
    type: "permissions";
    grants: Grants;
    role?: Role;
} | {
    type: "presence";
    participant: string;
    connected: boolean;
} | {
    type: "bindings";
    bindings: Binding[];
} | {
    type: "first_frame";
    mid: string;
    participant: string;
    rtp_timestamp: number;
} | {
    type: "need_slots";
    wanted: number;
} | {
    type: "speakers";
    participants: string[];
};
/**
 * A check of one value: undefined when it fits, else what is wrong with it.
 */
export type Check = (value: unknown) => string | undefined;
