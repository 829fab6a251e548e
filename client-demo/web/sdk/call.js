/**
 * A call: one room, one identity, the tracks that are published, and everybody else.
 *
 *   new Call -> prepare() -> join() -> [waiting ->] joined <-> reconnecting -> leave() or failed
 *
 * `prepare` opens the WebSocket and makes the offer ahead of the click, so that Join is one message. The parts: `Connection` gets in
 * and stays in, `MediaPath` negotiates, `Publications` is what we send, `Reception` what we receive, `Room` who is there.
 */

import { Connection } from './connection.js';
import { Data } from './data.js';
import { CallError } from './errors.js';
import { CallKey } from './encryption/call-key.js';
import { Emitter } from './events.js';
import { asking } from './hold.js';
import { MessageLog } from './messages.js';
import { watchNetwork } from './network.js';
import { MediaPath } from './path.js';
import { Publications } from './publications.js';
import { Reception } from './reception.js';
import { Room } from './room.js';
import { SLOT_STEP } from './slots.js';

/** @import {CameraOptions} from './codecs.js' */
/** @import {CallState} from './connection.js' */
/** @import {EncryptionChange} from './encryption/call-key.js' */
/** @import {SharedKey} from './encryption/passphrase.js' */
/** @import {Asked} from './hold.js' */
/** @import {Published} from './publications.js' */
/** @import {LinkQuality} from './reception.js' */
/** @import {Setting} from './room.js' */
/** @import {CallStats} from './stats.js' */
/** @import {SlotView} from './view.js' */
/** @import {Kept} from './attributes.js' */
/** @import {Action, Attribute, Grants, Group, Member, ParticipantInfo, Role, ServerMessage, Share, Source, Stages} from './wire.js' */

/**
 * @typedef {object} CallEvents
 * @property {CallState} state
 * @property {ParticipantInfo} arrived    somebody came, or was there when we joined
 * @property {ParticipantInfo} departed
 * @property {void} participants          who is there, what they publish, or who speaks has changed
 * @property {SlotView} opened            sound may come in this slot before it is told whose it is: play it
 * @property {SlotView} bound             a slot changed hands
 * @property {Stages} stages              how long connecting has taken so far
 * @property {LinkQuality} quality        what the link carries, and what is sent over it
 * @property {Grants} grants               what we may do has changed, or our role
 * @property {string | null} moved         we are in this group now; null: in the room itself
 * @property {readonly Member[]} waiting   who waits to be let in, if it is ours to say
 * @property {readonly Group[]} groups     who is in which group, likewise
 * @property {{participant: string | null} & Attribute} attribute   one has changed; null: of the room
 * @property {Source[]} stopped            a moderator has stopped what we publish; we may begin again
 * @property {Setting} room               how the room is set has changed
 * @property {EncryptionChange} encryption   why nothing is to be seen or heard of somebody (`problem`); null: it is, again
 * @property {boolean} reachable          whether the server answers (before the join, too)
 * @property {CallError} error            the call ended and will not come back by itself
 */

/** @extends {Emitter<CallEvents>} */
export class Call extends Emitter {
  /** What is said in the room. */ messages = new MessageLog();
  /** What must be fast rather than kept. */ data = new Data({
    open: () => this.#path.openData(),
    reopen: () => this.#path.renew(),
    may: () => this.grants?.data ?? true,
  });
  #publications = new Publications();
  #room = new Room((name, detail) => {
    this.emit(name, detail);
    if (name === 'participants') for (const view of this.views) this.#key.judge(view);
  });
  /** @type {Reception} */ #reception = new Reception((slots) => this.#connection.tell({ type: 'prefer', slots }), (view) => {
    view.failing = false;
    this.#key.judge(view);
    this.emit('bound', view);
  });
  #key = new CallKey({
    views: () => this.views,
    participants: () => this.participants,
    changed: (change) => {
      this.emit('encryption', change);
      this.emit('participants', undefined);
    },
  });
  /** @type {MediaPath} */ #path;
  /** @type {Connection} */ #connection;
  #unwatch;

  /**
   * @param {{url: string, slots?: number, camera?: CameraOptions, key?: SharedKey | null}} options `url` of the WebSocket; `slots` receive-only
   *   pairs to begin with; `camera` how it is sent; `key` as for `setKey`
   * @throws {CallError} `bad_key`
   */
  constructor({ url, slots = SLOT_STEP, camera = {}, key = null }) {
    super();
    this.#keep(key);
    const encryption = () => this.#key.encryption;
    this.#path = new MediaPath({ pairs: slots, camera, publications: this.#publications, reception: this.#reception, data: this.data, encryption }, {
      secured: () => this.#connection.secured(),
      disturbed: () => this.#connection.doubt(),
      replaced: () => {
        this.#connection.replaced();
        this.emit('participants', undefined);
      },
    });
    this.#connection = new Connection(url, this.#path, {
      state: (state) => this.#become(state),
      reachable: (reachable) => this.emit('reachable', reachable),
      joined: (joined) => {
        this.messages.enter(joined.room);
        this.#room.begin(joined);
        this.#permit(joined.grants, joined.role);
        this.#reception.bind(joined.bindings);
      },
      resumed: (resumed) => {
        this.messages.enter(resumed.room);
        this.#room.catchUp(resumed);
        this.#reception.rebind(resumed.bindings);
        this.#permit(resumed.grants, resumed.role);
      },
      entered: (link) => {
        this.messages.attach(link);
        this.#reception.retell();
        for (const source of this.#publications.untold) this.#announce(source);
      },
      cleared: () => {
        this.#reception.clear();
        this.#room.clear();
      },
      message: (message) => this.#receive(message),
      opened: () => {
        // What is sealed is not played before it is known by whom.
        if (!this.encrypted) for (const view of this.views) this.emit('opened', view);
      },
      failed: (error) => this.emit('error', error),
      stages: (stages) => this.emit('stages', stages),
      views: () => this.#reception.views,
      history: () => this.messages.from,
    });
    this.#unwatch = watchNetwork(() => this.#connection.doubt());
  }

  get state() {
    return this.#connection.state;
  }

  /** Sound and pictures go on, whatever the WebSocket does. */
  get mediaAlive() {
    return this.#path.isConnected;
  }

  /** Our own id in the room; null outside. */
  get self() {
    return this.#room.self;
  }

  get room() {
    return this.#connection.asked.room;
  }

  get name() {
    return this.#connection.asked.name;
  }

  /** Why the call is reconnecting, where the server gave a reason before it closed. @returns {CallError | null} */
  get reason() {
    return this.#connection.reason;
  }

  /** How the room is set. @returns {Readonly<Setting>} */
  get setting() {
    return this.#room.setting;
  }

  /** What we may do; null outside. @returns {Readonly<Grants> | null} */
  get grants() {
    return this.#room.grants;
  }

  /** What that is called, if it has a name. @returns {Role | null} */
  get role() {
    return this.#room.role;
  }

  /** The group of the room that we are in; null: the room itself. @returns {string | null} */
  get group() {
    return this.#room.group;
  }

  /** Who waits to be let in; told to those who moderate. @returns {readonly Member[]} */
  get waiting() {
    return this.#room.waiting;
  }

  /** Who is where, the room itself first; empty where there are no groups. Told to those who moderate. @returns {readonly Group[]} */
  get groups() {
    return this.#room.groups;
  }

  /**
   * What the application keeps with the room or with somebody.
   * @param {string} [key] left out: the metadata @param {string | null} [participant] left out: of the room
   * @returns {Kept | null} null: nothing
   */
  attribute(key, participant = null) {
    return this.#room.attribute(key, participant);
  }

  /** Everybody else, in order of arrival. @returns {ParticipantInfo[]} */
  get participants() {
    return this.#room.participants;
  }

  /** Who speaks, loudest first; may hold our own id. @returns {readonly string[]} */
  get speakers() {
    return this.#room.speakers;
  }

  /** Every slot that is on offer, used or not. @returns {readonly SlotView[]} */
  get views() {
    return this.#reception.views;
  }

  /** @param {string} participant @param {Share} share @returns {SlotView | undefined} */
  view(participant, share) {
    return this.#reception.find(participant, share);
  }

  /** How long connecting has taken so far. @returns {Readonly<Stages>} */
  get stages() {
    return this.#connection.stages;
  }

  /** @returns {Readonly<LinkQuality>} */
  get quality() {
    return this.#reception.quality;
  }

  /** Sound and pictures are encrypted end to end. Messages are not. */
  get encrypted() {
    return this.#key.isSet;
  }

  /** @param {Source} source @returns {Readonly<Published>} */
  published(source) {
    return this.#publications.of(source);
  }

  /**
   * Opens the WebSocket and makes the offer, ahead of the click. Where it is known what will be joined, the server holds a place: nothing stands
   * between the click and the media then, and nobody hears of it before. Call it again when it changes. Never throws: `join` tells what is wrong.
   * @param {Asked} [wish] what will be given to `join`
   */
  prepare(wish) {
    if (this.#key.isPossible) this.#connection.prepare(wish && asking(wish)); // Else `join` says so.
  }

  /**
   * The key of the call, which everybody in it has to give, and the server never learns: before joining, whether the call is encrypted at
   * all; later another key in its place. What others seal with the key before it is still opened.
   * @param {SharedKey | null} key a passphrase, or at least 16 random bytes; null: not encrypted
   * @throws {CallError} `bad_key`; `wrong_state`: to begin or to end encryption, leave first
   */
  async setKey(key) {
    if (this.state === 'idle') {
      const [before, prepared] = [this.encrypted, this.#path.peer !== null];
      this.#keep(key);
      if (before === this.encrypted || !prepared) return;
      // What is prepared was made for the other.
      this.#path.clear();
      return this.prepare();
    }
    if (!this.encrypted || key === null) throw new CallError('wrong_state', 'Whether a call is encrypted is settled before it is joined.');
    await this.#key.change(key, this.room);
  }

  /**
   * Where a moderator has to let us in, `state` is `waiting` until they do.
   * @param {{room: string, name: string, token?: string, role?: Role, start_ms?: number}} options `token`: what lets us in; `role`: what to be on a
   *   server without tokens; `start_ms`: when the click happened, on `performance.now()`
   * @returns {Promise<void>} @throws {CallError} among others `not_admitted`, `wait_timeout`
   */
  async join({ room, name, token, role, start_ms = performance.now() }) {
    void this.#key.enter(room); // Made while the call is joined.
    await this.#connection.join(asking({ room, name, token, role }), start_ms);
  }

  leave() {
    this.#connection.leave();
  }

  /**
   * What is sent as a source. A new track takes over without a new offer.
   * @param {Source} source @param {MediaStreamTrack | null} track
   * @param {{muted?: boolean, active?: boolean}} [change] told to everybody else
   */
  async publish(source, track, change = {}) {
    // What we may not publish is not announced as if we did.
    if (change.active && this.grants && !this.grants.publish.includes(source)) change = { ...change, active: false };
    this.#publications.change(source, { ...change, track });
    await this.#path.setTrack(source, track);
    if (change.muted !== undefined || change.active !== undefined) this.#announce(source);
  }

  /** @param {Source} source @param {boolean} muted nothing to hear or see, and everybody is told */
  setMuted(source, muted) {
    const { track } = this.published(source);
    this.#publications.change(source, { muted });
    if (track) track.enabled = !muted;
    this.#announce(source);
  }

  /**
   * Needs the grant `moderate`.
   * @param {Action} action @returns {Promise<void>} @throws {CallError} `not_allowed`, `unknown_participant`, `gone`
   */
  async moderate(action) {
    const { link } = this.#connection;
    if (!link) throw new CallError('gone', 'There is no connection to the server at the moment.');
    await link.request({ type: 'moderate', action });
  }

  /**
   * Keeps something with the room (which needs the grant `moderate`), with ourselves (`data`), or with somebody else (`moderate`).
   * @param {{key?: string, value: string | null, version?: number, participant?: string | null}} change `key` left out: the metadata; `value`
   *   null: removed; `version` that has to be there, 0 for none, left out: whatever is there; `participant` left out: of the room
   * @returns {Promise<number>} its version from now on
   * @throws {CallError} `conflict`, with what is there in `present`; `not_allowed`, `bad_attribute`, `unknown_participant`, `gone`
   */
  async setAttribute({ key, value, version, participant }) {
    const { link } = this.#connection;
    if (!link) throw new CallError('gone', 'There is no connection to the server at the moment.');
    const set = await link.request({
      type: 'set', value, ...(key !== undefined && { key }), ...(version !== undefined && { version }), ...(participant && { participant }),
    });
    return set.version;
  }

  /** Rates are since the last call of this. @returns {Promise<CallStats | null>} null outside a call */
  async stats() {
    return this.self === null ? null : this.#path.stats();
  }

  /** @param {CallState} state */
  #become(state) {
    if (state === 'left' || state === 'failed') {
      this.#reception.close();
      this.messages.close();
      this.#key.close();
      this.data.close();
      this.#unwatch();
    }
    this.emit('state', state);
  }

  /** @param {SharedKey | null} key */
  #keep(key) {
    this.#key.set(key);
    this.#publications.encrypted = key !== null;
  }

  /** @param {Grants} grants @param {Role | null} [role] */
  #permit(grants, role = null) {
    this.#publications.permit(grants);
    this.#room.permit(grants, role);
  }

  /** @param {Source} source */
  #announce(source) {
    const { peer } = this.#path;
    const { listener } = this.#connection;
    if (peer && listener) listener.send({ type: 'track', track: this.#publications.describe(source, peer) });
    this.emit('participants', undefined);
  }

  /** @param {ServerMessage} message that is no answer */
  #receive(message) {
    if (message.type === 'participant_left') this.#reception.release(message.participant);
    if (this.#room.receive(message)) return;
    switch (message.type) {
      case 'stopped':
        this.#publications.stop(message.sources);
        this.emit('stopped', message.sources);
        return this.emit('participants', undefined);
      case 'permissions':
        return this.#permit(message.grants, message.role);
      case 'moved':
        this.messages.move(message.room);
        this.#reception.rebind(message.bindings);
        this.#room.move(message);
        return this.#path.grow(0);
      case 'data_cut':
        return this.data.cut();
      case 'messages':
        return this.messages.receive(message);
      case 'state':
        return this.messages.emit('state', message);
      case 'bindings':
        this.#reception.bind(message.bindings);
        return this.#path.grow(0);
      case 'first_frame':
        return this.#reception.firstFrame(message);
      case 'need_slots':
        return this.#path.grow(message.wanted);
      case 'layers':
        return this.#path.peer?.setActive(message.mid, message.active);
      case 'quality':
        this.#reception.hear(message);
        return this.emit('quality', this.quality);
      case 'error':
        // After an error that ends the session the server closes the connection.
        this.#connection.warn(new CallError(message.code, message.message));
        return console.warn(`The server says: ${message.message} (${message.code})`);
    }
  }
}
