/**
 * Data channels of the room: bytes that must be fast rather than kept, to everybody else or to some.
 *
 *   reliable   everything arrives, in order           a drawing, a vote, a move in a game
 *   lossy      nothing is sent twice or waited for    a pointer, a position
 *
 * Nobody who comes later hears of it; what is to be kept is a message (`messages`). The channels are opened when somebody first
 * listens or sends, and cost nothing until then.
 */

import { CallError } from './errors.js';
import { Emitter } from './events.js';

/**
 * @typedef {object} DataEvents
 * @property {{participant: string, bytes: Uint8Array, reliable: boolean}} data   somebody said something
 * @property {void} open      it can be sent, now or again
 * @property {{slow: boolean}} closed   it cannot any more; `slow`: the server gave up on us, since we did not read what must not be lost
 */

/** @typedef {{reliable: RTCDataChannel, lossy: RTCDataChannel}} Channels */

/** @typedef {{reliable?: boolean, to?: readonly string[]}} SendOptions `to`: participants; left out: everybody else */

/** The most in one message. Larger things belong to files. */
export const DATA_BYTES_MAX = 16 * 1024;
/** Participants that one message names. */
const RECIPIENTS_MAX = 64;
/** What may wait in the browser: what is lossy is better dropped than late. */
const BUFFERED_MAX = { reliable: 1024 * 1024, lossy: 16 * 1024 };
/** Reliable messages that wait for the channels to open. */
const WAITING_MAX = 64;

/** @extends {Emitter<DataEvents>} */
export class Data extends Emitter {
  #hooks;
  #wanted = false;
  #slow = false;
  /** @type {Channels | null} */ #channels = null;
  /** @type {Uint8Array<ArrayBuffer>[]} */ #waiting = [];

  /** @param {{open: () => void, reopen: () => void, may: () => boolean}} hooks */
  constructor(hooks) {
    super();
    this.#hooks = hooks;
  }

  /** It can be sent right now. */
  get isOpen() {
    return this.#channels?.reliable.readyState === 'open' && this.#channels.lossy.readyState === 'open';
  }

  /**
   * To listen for `data` opens the channels.
   * @template {keyof DataEvents} Name
   * @param {Name} name @param {(detail: DataEvents[Name]) => void} listener
   * @returns {() => void} ends the listening
   */
  on(name, listener) {
    if (name === 'data') this.#open();
    return super.on(name, listener);
  }

  /**
   * @param {Uint8Array | ArrayBuffer | string} data text goes as UTF-8
   * @param {SendOptions} [options]
   * @returns {boolean} false: not sent, since too much waits, or (lossy) the channel is not open
   * @throws {CallError} `not_allowed`  @throws {RangeError} more than 16 KiB, or more than 64 participants
   */
  send(data, { reliable = true, to = [] } = {}) {
    const payload = typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data);
    if (payload.length > DATA_BYTES_MAX) throw new RangeError(`A message holds ${DATA_BYTES_MAX} bytes at most.`);
    if (to.length > RECIPIENTS_MAX) throw new RangeError(`A message names ${RECIPIENTS_MAX} participants at most.`);
    if (!this.#hooks.may()) throw new CallError('not_allowed', 'You may not send data here.');
    this.#open();
    const message = addressed(payload, to);
    const kind = reliable ? 'reliable' : 'lossy';
    const channel = this.#channels?.[kind];
    if (channel?.readyState === 'open') {
      if (channel.bufferedAmount > BUFFERED_MAX[kind]) return false;
      channel.send(message);
      return true;
    }
    const opens = !channel || channel.readyState === 'connecting';
    if (!reliable || !opens || this.#waiting.length >= WAITING_MAX) return false;
    this.#waiting.push(message);
    return true;
  }

  /** After `closed`: once more, over a new connection for media. */
  reopen() {
    if (!this.isOpen) this.#hooks.reopen();
  }

  // --- for the call -------------------------------------------------------------------------------------------------

  /** Every connection is to have channels. */
  get isWanted() {
    return this.#wanted;
  }

  /** The channels of the connection that counts from now on. @param {Channels} channels */
  attach(channels) {
    if (channels === this.#channels) return;
    this.#channels = channels;
    this.#slow = false;
    const mine = () => channels === this.#channels;
    for (const [kind, channel] of Object.entries(channels)) {
      channel.onopen = () => mine() && this.isOpen && this.#opened(channels);
      channel.onclose = () => mine() && this.#closed();
      channel.onmessage = ({ data }) => mine() && this.#receive(new Uint8Array(data), kind === 'reliable');
    }
  }

  /** The server has said that it closes them. */
  cut() {
    this.#slow = true;
  }

  /** The call is over. */
  close() {
    this.#channels = null;
    this.#waiting = [];
  }

  #open() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#hooks.open();
  }

  /** @param {Channels} channels */
  #opened({ reliable }) {
    for (const message of this.#waiting.splice(0)) reliable.send(message);
    this.emit('open', undefined);
  }

  #closed() {
    const channels = this.#channels;
    if (!channels) return;
    channels.reliable.onclose = channels.lossy.onclose = null; // Once for both.
    this.#waiting = [];
    // The word why may come a moment later, on another path.
    setTimeout(() => channels === this.#channels && this.emit('closed', { slow: this.#slow }), 100);
  }

  /** @param {Uint8Array} message @param {boolean} reliable */
  #receive(message, reliable) {
    const end = 1 + (message[0] ?? 0);
    if (end > message.length) return;
    const participant = new TextDecoder().decode(message.subarray(1, end));
    this.emit('data', { participant, bytes: message.subarray(end), reliable });
  }
}

/** A count, and every id behind its length; then what is said. @param {Uint8Array} payload @param {readonly string[]} to */
function addressed(payload, to) {
  const ids = to.map((id) => new TextEncoder().encode(id));
  const message = new Uint8Array(ids.reduce((length, id) => length + 1 + id.length, 1) + payload.length);
  message[0] = ids.length;
  let at = 1;
  for (const id of ids) {
    message[at] = id.length;
    message.set(id, at + 1);
    at += 1 + id.length;
  }
  message.set(payload, at);
  return message;
}
