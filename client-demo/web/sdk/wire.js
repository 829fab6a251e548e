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
 * @typedef {{rid?: string, active: boolean, spatial?: number}} EncodingActive  `spatial`: the largest of the sizes inside it that is watched; left out: all
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
 *   | {type: 'sound_lost', mid: string, lost_percent: number}
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
export const ERROR_CODES = [
  'bad_message', 'unknown_message', 'message_too_large', 'too_many_messages', 'wrong_state', 'bad_name', 'bad_room',
  'bad_sdp', 'bad_tracks', 'access_denied', 'not_allowed', 'unknown_participant', 'bad_identity', 'too_many_devices', 'in_call', 'unknown_call', 'bad_post', 'not_stored', 'busy', 'removed', 'not_admitted', 'wait_timeout', 'moved', 'unknown_group', 'bad_groups', 'conflict', 'bad_attribute', 'room_locked', 'room_full', 'too_many_rooms', 'too_many_joins', 'hold_lost', 'resume_refused', 'replaced', 'join_timeout', 'media_lost',
  'slow_consumer', 'shutting_down', 'internal',
];

/** A check of one value: undefined when it fits, else what is wrong with it. @typedef {(value: unknown) => string | undefined} Check */

/** @type {Check} */
const text = (value) => (typeof value === 'string' ? undefined : 'is not a string');
/** @type {Check} */
const number = (value) => (typeof value === 'number' && Number.isFinite(value) ? undefined : 'is not a number');
/** @type {Check} */
const flag = (value) => (typeof value === 'boolean' ? undefined : 'is not true or false');
/** @param {Check} inner @returns {Check} */
const optional = (inner) => (value) => (value === undefined || value === null ? undefined : inner(value));
/** @param {...string} names @returns {Check} */
const oneOf = (...names) => (value) =>
  typeof value === 'string' && names.includes(value) ? undefined : `is not one of ${names.join(', ')}`;
/** @param {Check} inner @returns {Check} */
const list = (inner) => (value) => {
  if (!Array.isArray(value)) return 'is not a list';
  for (const [index, item] of value.entries()) {
    const wrong = inner(item);
    if (wrong) return `[${index}] ${wrong}`;
  }
  return undefined;
};
/** Unknown fields are ignored, as the server ignores them. @param {Record<string, Check>} fields @returns {Check} */
const object = (fields) => (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is not an object';
  for (const [name, check] of Object.entries(fields)) {
    const wrong = check(/** @type {Record<string, unknown>} */ (value)[name]);
    if (wrong) return `.${name} ${wrong}`;
  }
  return undefined;
};

const track = object({
  mid: text,
  kind: oneOf('audio', 'video'),
  source: oneOf('microphone', 'camera', 'screen', 'screen_audio'),
  muted: optional(flag),
  active: optional(flag),
  encrypted: optional(flag),
});
const role = oneOf('teacher', 'assistant', 'student', 'audience');
const sources = list(oneOf('microphone', 'camera', 'screen', 'screen_audio'));
const attribute = object({ key: optional(text), value: optional(text), version: number });
const member = object({ id: text, name: text, identity: optional(text), role: optional(role) });
const participant = object({ id: text, name: text, identity: optional(text), role: optional(role), attributes: optional(list(attribute)), tracks: list(track), connected: optional(flag) });
const slot = object({ audio: text, video: text });
const grants = object({
  publish: sources,
  subscribe: flag, data: flag, moderate: flag, hidden: flag, record: flag,
});
const ringState = oneOf(
  'ringing', 'accepted', 'rejected', 'busy', 'cancelled', 'missed', 'answered_elsewhere', 'rejected_elsewhere', 'ended',
);
const ring = object({ call: text, role: oneOf('caller', 'callee'), state: ringState, other: text, name: optional(text), room: text, token: text });
const message = object({ seq: number, at_ms: number, participant: text, identity: optional(text), name: text, topic: text, body: text });
/** @type {Check} */
const from = (value) => object({ newest: number })(value) && object({ log: text, after: number })(value);
const ticket = object({ token: text, grace_ms: number });
const binding = object({ slot, participant: optional(text), share: oneOf('person', 'screen') });
const encoding = object({ rid: optional(text), active: flag, spatial: optional(number) });
const slotQuality = object({
  mid: text, encoding: optional(number), spatial: number, temporal: number, kbps: number, width: number, height: number,
  paused: optional(oneOf('hidden', 'bandwidth', 'last_n', 'quiet')),
});
/** @type {Check} What a newer server says is not known here: `text` says it, too. */
const change = (value) => text(value) && object({})(value);
const decision = object({
  mid: text, text, from: change, to: change, why: text,
  estimate_kbps: number, budget_kbps: number, needed_kbps: number, width: number, height: number,
});
const preference = object({ mid: text, width: number, height: number, visible: flag, pinned: flag, priority: number });
const stages = object({
  signaling_ms: optional(number), ice_ms: optional(number), dtls_ms: optional(number),
  first_packet_ms: optional(number), first_audio_ms: optional(number), first_frame_ms: optional(number),
});

/** @type {Record<ServerMessage['type'], Check>} */
const SERVER = {
  joined: object({
    re: number, participant: text, room: text, answer: optional(text), participants: list(participant), bindings: list(binding),
    resume: ticket, grants, role: optional(role), attributes: optional(list(attribute)), server_ms: number,
  }),
  resumed: object({
    re: number, participant: text, room: text, answer: optional(text), media: flag, participants: list(participant),
    bindings: list(binding), grants, role: optional(role), attributes: optional(list(attribute)), group: optional(text),
  }),
  held: object({ re: number, answer: optional(text) }),
  waiting: object({ re: number, timeout_ms: number }),
  waiting_room: object({ people: list(member) }),
  moved: object({
    room: text, group: optional(text), participants: list(participant), bindings: list(binding), attributes: list(attribute),
    locked: flag, waiting: flag, publish: sources, spotlight: optional(text),
  }),
  groups: object({ groups: list(object({ group: optional(text), people: list(member) })) }),
  value_set: object({ re: number, version: number }),
  attribute_changed: object({ participant: optional(text), attribute }),
  role_changed: object({ participant: text, role: optional(role) }),
  done: object({ re: number }),
  registered: object({ re: number, calls: list(ring) }),
  invited: object({ re: number, call: ring }),
  incoming: object({ call: ring }),
  call_changed: object({ call: text, state: ringState }),
  posted: object({ re: number, seq: number }),
  messages: object({ log: text, messages: list(message), gap: optional(flag) }),
  state: object({ participant: text, key: text, value: text }),
  data_cut: object({}),
  sound_lost: object({ mid: text, lost_percent: number }),
  stopped: object({ sources }),
  room_changed: object({ locked: flag, waiting: optional(flag), publish: optional(sources), spotlight: optional(text) }),
  permissions: object({ grants, role: optional(role) }),
  answer: object({ re: number, answer: text }),
  participant_joined: object({ participant }),
  participant_left: object({ participant: text }),
  track_changed: object({ participant: text, track }),
  presence: object({ participant: text, connected: flag }),
  bindings: object({ bindings: list(binding) }),
  first_frame: object({ mid: text, participant: text, rtp_timestamp: number }),
  need_slots: object({ wanted: number }),
  speakers: object({ participants: list(text) }),
  layers: object({ mid: text, active: list(encoding) }),
  quality: object({ estimate_kbps: optional(number), wanted_kbps: number, slots: list(slotQuality), decisions: list(decision) }),
  pong: object({ re: number }),
  error: object({ re: optional(number), code: text, message: text, present: optional(object({ value: optional(text), version: number })) }),
};

const join = object({
  id: number, room: text, name: text, offer: text, tracks: list(track), slots: list(slot), token: optional(text), history: optional(from), role: optional(role),
});
/** @type {Record<ClientMessage['type'], Check>} */
const CLIENT = {
  join,
  hold: join,
  enter: object({}),
  resume: object({
    id: number, token: text, media: optional(object({ offer: text, tracks: list(track), slots: list(slot) })), history: optional(from),
  }),
  offer: object({ id: number, offer: text, tracks: list(track), slots: list(slot) }),
  track: object({ track }),
  prefer: object({ slots: list(preference) }),
  stages: object({ stages }),
  register: object({ id: number, identity: text, name: text, device: text, token: optional(text) }),
  invite: object({ id: number, to: text, room: optional(text) }),
  respond: object({ id: number, call: text, act: oneOf('accept', 'reject', 'end') }),
  post: object({ id: number, key: text, topic: text, body: text, room: optional(text) }),
  history: object({ history: from }),
  set: object({ id: number, participant: optional(text), key: optional(text), value: optional(text), version: optional(number) }),
  received: object({ seq: number }),
  state: object({ key: text, value: text }),
  moderate: object({ id: number, action: object({ do: text }) }),
  ping: object({ id: number }),
  leave: object({}),
};

export class WireError extends Error {}

/** @param {Record<string, Check>} messages @param {unknown} value */
function check(messages, value) {
  const type = /** @type {{type?: unknown} | null} */ (value)?.type;
  if (typeof type !== 'string') throw new WireError('a message without a type');
  const message = Object.hasOwn(messages, type) ? messages[type] : undefined;
  if (!message) throw new WireError(`unknown message ${type}`);
  const wrong = message(value);
  if (wrong) throw new WireError(`${type}: ${wrong}`);
}

/** What `muted` and `active` mean when they are absent. @param {TrackInfo} info @returns {TrackInfo} */
const withDefaults = (info) => ({ ...info, muted: info.muted ?? false, active: info.active ?? true });

/** @param {ParticipantInfo} info @returns {ParticipantInfo} */
const whole = (info) => ({ ...info, tracks: info.tracks.map(withDefaults), connected: info.connected ?? true });

/**
 * One text frame from the server, checked field by field.
 * @param {string} frame @returns {ServerMessage} @throws {WireError} naming the field that does not fit
 */
export function parseServerMessage(frame) {
  let value;
  try {
    value = JSON.parse(frame);
  } catch {
    throw new WireError('not JSON');
  }
  check(SERVER, value);
  if (value.type === 'participant_joined') value.participant = whole(value.participant);
  if (value.type === 'track_changed') value.track = withDefaults(value.track);
  if (value.type === 'joined' || value.type === 'resumed' || value.type === 'moved') value.participants = value.participants.map(whole);
  return value;
}

/** @param {ClientMessage} message @returns {string} @throws {WireError} when the caller built it wrong */
export function writeClientMessage(message) {
  check(CLIENT, message);
  return JSON.stringify(message);
}
