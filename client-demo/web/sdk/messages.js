/**
 * What is said in the room: kept by the server in one order for everybody, across lost connections and reloads.
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
  /** @type {Message[]} */ #list = [];
  #log = '';
  #seq = 0;
  /** @type {Map<string, Draft & {resolve: (seq: number) => void, reject: (error: CallError) => void, sentOn: Link | null}>} In their order. */
  #waiting = new Map();
  /** @type {any} */ #telling = null;
  /** @type {any} */ #again = null;

  /** Everything that was said, as far as it is kept here, oldest first. @returns {readonly Message[]} */
  get list() {
    return this.#list;
  }

  /** What was said here and is not stored yet, oldest first. @returns {readonly Draft[]} */
  get waiting() {
    return [...this.#waiting.values()];
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
      this.#waiting.set(key, { key, topic, body, resolve, reject, sentOn: null });
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
    return this.#log === '' ? { newest: NEWEST } : { log: this.#log, after: this.#seq };
  }

  /** We are in the room. @param {Link} link */
  attach(link) {
    this.#link = link;
    this.#flush();
  }

  /** @param {Batch} batch */
  receive({ log, messages }) {
    if (log !== this.#log) {
      this.#log = log;
      this.#seq = 0;
      this.#list = [];
    }
    for (const message of messages) {
      if (message.seq <= this.#seq) continue;
      this.#seq = message.seq;
      this.#list.push(message);
      this.emit('message', message);
    }
    if (this.#list.length > KEPT) this.#list = this.#list.slice(-KEPT);
    this.#telling ??= setTimeout(() => {
      this.#telling = null;
      this.#link?.send({ type: 'received', seq: this.#seq });
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
      if (draft.sentOn === link) continue;
      if (++underWay > UNDER_WAY_MAX) return;
      draft.sentOn = link;
      const { key, topic, body } = draft;
      link.request({ type: 'post', key, topic, body }).then(({ seq }) => {
        this.#waiting.delete(key);
        draft.resolve(seq);
        this.emit('changed', undefined);
        this.#flush();
      }, (error) => {
        if (error.code === 'gone') return; // Nobody knows whether it arrived: the next link asks.
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
