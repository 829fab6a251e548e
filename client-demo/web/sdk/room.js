/** The room as the server told us: who is here, what they publish, who speaks, how it is set, and what we may do. */

/** @import {CallEvents} from './call.js' */
/** @import {Grants, Joined, ParticipantInfo, Resumed, ServerMessage} from './wire.js' */

/** @typedef {{locked: boolean, spotlight: string | null}} Setting  Whether it is locked, and whom everybody should look at. */

/** @type {Setting} */
const OPEN = { locked: false, spotlight: null };

export class Room {
  /** @type {Map<string, ParticipantInfo>} In order of arrival. */ #participants = new Map();
  /** @type {string[]} */ #speakers = [];
  /** @type {string | null} */ #self = null;
  /** @type {Grants | null} */ #grants = null;
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

  /** @param {Joined} joined */
  begin({ participant, participants }) {
    this.#self = participant;
    for (const one of participants) this.#arrive(one);
    this.#emit('participants', undefined);
  }

  /** What has changed while we were away. @param {Resumed} resumed */
  catchUp({ participants }) {
    const before = this.#participants;
    this.#participants = new Map(participants.map((participant) => [participant.id, participant]));
    for (const [id, participant] of before) if (!this.#participants.has(id)) this.#emit('departed', participant);
    for (const [id, participant] of this.#participants) if (!before.has(id)) this.#emit('arrived', participant);
  }

  /** @param {Grants} grants */
  permit(grants) {
    this.#grants = grants;
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
        this.#setting = { locked: message.locked, spotlight: message.spotlight };
        this.#emit('room', this.#setting);
        break;
      default:
        return false;
    }
    this.#emit('participants', undefined);
    return true;
  }

  clear() {
    this.#self = null;
    this.#grants = null;
    this.#setting = OPEN;
    this.#speakers = [];
    this.#participants.clear();
    this.#emit('participants', undefined);
  }

  /** @param {ParticipantInfo} participant */
  #arrive(participant) {
    this.#participants.set(participant.id, participant);
    this.#emit('arrived', participant);
  }
}
