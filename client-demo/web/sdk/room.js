/** The room as the server told us: who is here, what they publish, who speaks, how it is set, and what we may do. */

import * as attributes from './attributes.js';

/** @import {CallEvents} from './call.js' */
/** @import {Attribute, Grants, Group, Joined, Member, Moved, ParticipantInfo, Resumed, Role, ServerMessage, Source} from './wire.js' */

/**
 * @typedef {object} Setting
 * @property {boolean} locked           nobody but moderators comes in
 * @property {boolean} waiting          who comes in waits until a moderator says so
 * @property {Source[]} publish         what people may publish who do not moderate, of what they are granted
 * @property {string | null} spotlight  whom everybody should look at
 */

/** @type {Setting} */
const OPEN = { locked: false, waiting: false, publish: ['microphone', 'camera', 'screen', 'screen_audio'], spotlight: null };

export class Room {
  /** @type {Map<string, ParticipantInfo>} In order of arrival. */ #participants = new Map();
  /** @type {string[]} */ #speakers = [];
  /** @type {string | null} */ #self = null;
  /** @type {Grants | null} */ #grants = null;
  /** @type {Role | null} */ #role = null;
  /** @type {string | null} */ #group = null;
  /** @type {Attribute[]} Of the room. */ #attributes = [];
  /** @type {Attribute[]} Our own. */ #own = [];
  /** @type {readonly Member[]} */ #waiting = [];
  /** @type {readonly Group[]} */ #groups = [];
  #setting = OPEN;
  #emit;

  /** @param {<Name extends keyof CallEvents>(name: Name, detail: CallEvents[Name]) => void} emit */
  constructor(emit) {
    this.#emit = emit;
  }

  get participants() {
    return [...this.#participants.values()];
  }

  get speakers() {
    return this.#speakers;
  }

  get self() {
    return this.#self;
  }

  get grants() {
    return this.#grants;
  }

  get setting() {
    return this.#setting;
  }

  get role() {
    return this.#role;
  }

  get group() {
    return this.#group;
  }

  get waiting() {
    return this.#waiting;
  }

  get groups() {
    return this.#groups;
  }

  /** @param {string | undefined} key @param {string | null} participant null: of the room */
  attribute(key, participant) {
    const of = participant === null ? this.#attributes
      : participant === this.#self ? this.#own : (this.#participants.get(participant)?.attributes ?? []);
    return attributes.find(of, key);
  }

  /** @param {Joined} joined */
  begin({ participant, participants, attributes = [] }) {
    this.#self = participant;
    this.#attributes = attributes;
    for (const one of participants) this.#arrive(one);
    this.#emit('participants', undefined);
  }

  /** What has changed while we were away. @param {Resumed} resumed */
  catchUp({ participants, attributes = [], group }) {
    this.#attributes = attributes;
    this.#goTo(group ?? null);
    const before = this.#participants;
    this.#participants = new Map(participants.map((participant) => [participant.id, participant]));
    for (const [id, participant] of before) if (!this.#participants.has(id)) this.#emit('departed', participant);
    for (const [id, participant] of this.#participants) if (!before.has(id)) this.#emit('arrived', participant);
  }

  /** Nobody has come or gone: we have. @param {Moved} moved */
  move({ participants, attributes, group, locked, waiting, publish, spotlight }) {
    this.#participants = new Map(participants.map((participant) => [participant.id, participant]));
    this.#speakers = [];
    this.#attributes = attributes;
    this.#setting = { locked, waiting, publish, spotlight };
    this.#goTo(group);
    this.#emit('room', this.#setting);
    this.#emit('participants', undefined);
  }

  /** @param {string | null} group */
  #goTo(group) {
    if (group === this.#group) return;
    this.#group = group;
    this.#emit('moved', group);
  }

  /** @param {Grants} grants @param {Role | null} role */
  permit(grants, role) {
    this.#grants = grants;
    this.#role = role;
    this.#emit('grants', grants);
    this.#emit('participants', undefined);
  }

  /** @param {ServerMessage} message @returns {boolean} false: it is not about who is here */
  receive(message) {
    switch (message.type) {
      case 'participant_joined':
        this.#arrive(message.participant);
        break;
      case 'participant_left': {
        const participant = this.#participants.get(message.participant);
        this.#participants.delete(message.participant);
        if (participant) this.#emit('departed', participant);
        break;
      }
      case 'track_changed': {
        const participant = this.#participants.get(message.participant);
        if (!participant) return true;
        participant.tracks = [...participant.tracks.filter((track) => track.mid !== message.track.mid), message.track];
        break;
      }
      case 'presence': {
        const participant = this.#participants.get(message.participant);
        if (!participant) return true;
        participant.connected = message.connected;
        break;
      }
      case 'speakers':
        this.#speakers = message.participants;
        break;
      case 'room_changed':
        this.#setting = {
          locked: message.locked, waiting: message.waiting ?? OPEN.waiting, publish: message.publish ?? OPEN.publish, spotlight: message.spotlight ?? null,
        };
        this.#emit('room', this.#setting);
        break;
      case 'role_changed': {
        const participant = this.#participants.get(message.participant);
        if (!participant) return true;
        participant.role = message.role ?? undefined;
        break;
      }
      case 'attribute_changed':
        this.#keep(message.participant ?? null, message.attribute);
        break;
      case 'waiting_room':
        this.#waiting = message.people;
        this.#emit('waiting', this.#waiting);
        return true;
      case 'groups':
        this.#groups = message.groups;
        this.#emit('groups', this.#groups);
        return true;
      default:
        return false;
    }
    this.#emit('participants', undefined);
    return true;
  }

  clear() {
    this.#self = null;
    this.#grants = null;
    this.#role = null;
    this.#group = null;
    this.#attributes = [];
    this.#own = [];
    this.#waiting = [];
    this.#groups = [];
    this.#setting = OPEN;
    this.#speakers = [];
    this.#participants.clear();
    this.#emit('participants', undefined);
  }

  /** @param {string | null} of @param {Attribute} attribute */
  #keep(of, attribute) {
    const participant = this.#participants.get(of ?? '');
    if (of === null) this.#attributes = attributes.changed(this.#attributes, attribute);
    else if (of === this.#self) this.#own = attributes.changed(this.#own, attribute);
    else if (participant) participant.attributes = attributes.changed(participant.attributes ?? [], attribute);
    this.#emit('attribute', { participant: of, ...attribute });
  }

  /** @param {ParticipantInfo} participant */
  #arrive(participant) {
    this.#participants.set(participant.id, participant);
    this.#emit('arrived', participant);
  }
}
