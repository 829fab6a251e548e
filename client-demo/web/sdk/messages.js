/**
 * What is said in the room: kept by the server in one order for everybody, across lost connections and reloads.
 *
 * Each room has a log of its own, and so has each group of it: what was written in one is not said in another.
 *
 * A message goes out at once, and again whenever a connection is back, until the server says that it is stored. It carries a key by
 * which the server knows it, so it is said once however often it is sent. What arrives is told apart by its number.
 */

import { CallError } from './errors.js';
import { Emitter } from './events.js';

/** @import {Link} from './link.js' */
/** @import {HistoryFrom, Message, Messages as Batch} from './wire.js' */

/** @typedef {{key: string, topic: string, body: string}} Draft  Said here, and not stored yet. */

/**
 * @typedef {object} MessageEvents
 * @property {Message} message   somebody said something; in order, each once
 * @property {void} changed      the list or what waits has changed
 * @property {{participant: string, key: string, value: string}} state   what somebody says is true of them now
 */

/** @typedef {{id: string, seq: number, list: Message[]}} Log  Of one room; without an id nothing was heard yet. */

/** How much a newcomer reads of what was said before. */
const NEWEST = 100;
/** Messages kept here. */
const KEPT = 2_000;
/** The server is told this often how far we are. */
const RECEIVED_EVERY_MS = 250;
/** Posts that wait for their answer; the server takes a hundred messages at once, of any kind. */
const UNDER_WAY_MAX = 16;
/** The store is busy: once more after a while. */
const AGAIN_AFTER_MS = 1_000;

/** @extends {Emitter<MessageEvents>} */
export class MessageLog extends Emitter {
  /** @type {Link | null} */ #link = null;
  /** @type {Map<string, Log>} By room. */ #logs = new Map();
  #room = '';
  /** @type {Map<string, Draft & {resolve: (seq: number) => void, reject: (error: CallError) => void, room: string, sentOn: Link | null}>} In their order. */
  #waiting = new Map();
  /** @type {any} */ #telling = null;
  /** @type {any} */ #again = null;

  /** Everything that was said, as far as it is kept here, oldest first. @returns {readonly Message[]} */
  get list() {
    return this.#here.list;
  }

  /** What was said here and is not stored yet, oldest first. @returns {readonly Draft[]} */
  get waiting() {
    return [...this.#waiting.values()].filter(({ room }) => room === this.#room);
  }

  /**
   * Says something. While the connection is lost it waits, and goes out when it is back.
   * @param {string} topic `chat`, or what the application likes @param {string} body
   * @returns {Promise<number>} its number, once it is stored
   * @throws {CallError} `not_allowed`, `bad_post`, `not_stored`: then nobody has seen it
   */
  post(topic, body) {
    const key = randomKey();
    return new Promise((resolve, reject) => {
      this.#waiting.set(key, { key, topic, body, resolve, reject, room: this.#room, sentOn: null });
      this.emit('changed', undefined);
      this.#flush();
    });
  }

  /** Told to whoever is there, kept nowhere; lost while there is no connection. @param {string} key @param {string} value */
  setState(key, value) {
    this.#link?.send({ type: 'state', key, value });
  }

  // --- for the call -------------------------------------------------------------------------------------------------

  /** What to ask for when joining or coming back. @returns {HistoryFrom} */
  get from() {
    const { id, seq } = this.#here;
    return id === '' ? { newest: NEWEST } : { log: id, after: seq };
  }

  /** @returns {Log} */
  get #here() {
    const known = this.#logs.get(this.#room) ?? { id: '', seq: 0, list: [] };
    this.#logs.set(this.#room, known);
    return known;
  }

  /** Which room we are in. Whatever was written before we were in any is for this one. @param {string} room */
  enter(room) {
    if (room === this.#room) return;
    if (this.#room === '') for (const draft of this.#waiting.values()) draft.room = room;
    this.#room = room;
    this.emit('changed', undefined);
  }

  /** We were moved: what was said in the other room is asked for. @param {string} room */
  move(room) {
    this.enter(room);
    this.#link?.send({ type: 'history', history: this.from });
    this.#flush();
  }

  /** We are in the room. @param {Link} link */
  attach(link) {
    this.#link = link;
    this.#flush();
  }

  /** @param {Batch} batch */
  receive({ log, messages }) {
    const here = this.#here;
    if (log !== here.id) Object.assign(here, { id: log, seq: 0, list: [] });
    for (const message of messages) {
      if (message.seq <= here.seq) continue;
      here.seq = message.seq;
      here.list.push(message);
      this.emit('message', message);
    }
    if (here.list.length > KEPT) here.list = here.list.slice(-KEPT);
    this.#telling ??= setTimeout(() => {
      this.#telling = null;
      this.#link?.send({ type: 'received', seq: this.#here.seq });
    }, RECEIVED_EVERY_MS);
    this.emit('changed', undefined);
  }

  /** The call is over: what waits will not be said. */
  close() {
    clearTimeout(this.#telling);
    clearTimeout(this.#again);
    this.#link = null;
    for (const { reject } of this.#waiting.values()) reject(new CallError('gone', 'The call ended before the message was stored.'));
    this.#waiting.clear();
  }

  #flush() {
    const link = this.#link;
    if (!link?.isOpen) return;
    let underWay = [...this.#waiting.values()].filter(({ sentOn }) => sentOn === link).length;
    for (const draft of this.#waiting.values()) {
      if (draft.sentOn === link || draft.room !== this.#room) continue;
      if (++underWay > UNDER_WAY_MAX) return;
      draft.sentOn = link;
      const { key, topic, body } = draft;
      link.request({ type: 'post', key, topic, body, ...(draft.room && { room: draft.room }) }).then(({ seq }) => {
        this.#waiting.delete(key);
        draft.resolve(seq);
        this.emit('changed', undefined);
        this.#flush();
      }, (error) => {
        if (error.code === 'gone') return; // Nobody knows whether it arrived: the next link asks.
        if (error.code === 'moved') return void (draft.sentOn = null); // It waits until we are there again.
        if (error.code === 'busy') {
          draft.sentOn = null;
          this.#again ??= setTimeout(() => {
            this.#again = null;
            this.#flush();
          }, AGAIN_AFTER_MS);
          return;
        }
        this.#waiting.delete(key);
        draft.reject(error);
        this.emit('changed', undefined);
        this.#flush();
      });
    }
  }
}

/** 128 bits; `crypto.randomUUID` is missing on pages from plain HTTP. */
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
