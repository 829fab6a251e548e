/** The WebSocket: typed messages, requests with their answers, and a connection that is dead is known to be dead. */

import { Turns, WORTH_LENGTH, canDeflate, deflate, inflate } from './deflate.js';
import { CallError } from './errors.js';
import { Emitter } from './events.js';
import { parseServerMessage, writeClientMessage } from './wire.js';

/** @import {Answer, ClientMessage, Done, Held, Invited, Joined, Pong, Posted, Registered, Resumed, ServerMessage, ValueSet} from './wire.js' */
/** @typedef {Extract<ClientMessage, {id: number}>} Request */
/** Without its id, which the link chooses. @typedef {Request extends infer R ? R extends Request ? Omit<R, 'id'> : never : never} NewRequest */

/** A dead connection is known after this and the time for an answer; it also keeps proxies from closing a silent one. */
const PING_EVERY_MS = 5_000;
/**
 * A connection that is not open by then is begun anew: where the first packet is lost TCP waits for 1, 2, 4 s between its attempts, and a
 * browser makes no other meanwhile. Longer than three round trips to anywhere.
 */
const OPEN_WITHIN_MS = [2_000, 3_000];
/** Close code: not wanted, so the server waits for us to come back. */
const LOST = 4000;
/** An answer that takes longer will not come: the server answers a ping at once and a join in milliseconds. */
const ANSWER_WITHIN_MS = 10_000;

/**
 * @typedef {object} LinkEvents
 * @property {ServerMessage} message  that is no answer to a request
 * @property {string} closed          why; the last event of a link
 */

/** One connection. When it is closed it stays closed: make a new one. @extends {Emitter<LinkEvents>} */
export class Link extends Emitter {
  /** @type {WebSocket} */ #socket;
  #url;
  #attempts = 0;
  /** @type {any} */ #opening;
  /** @type {() => void} */ #isOpened = () => {};
  /** @type {Promise<void>} */ #opened;
  /** @type {Map<number, {resolve: (message: any) => void, reject: (error: CallError) => void, meanwhile?: (message: any) => void, timer: any, entered?: boolean}>} */
  #waiting = new Map();
  /** @type {number | null} The join that the server answers: the newest. */ #joining = null;
  #nextId = 1;
  /** @type {any} */ #pinging;
  #closed = false;
  #wasOpen = false;
  #finished = false;
  /** The server has shown that it reads binary frames. */
  #serverInflates = false;
  /** @type {Uint8Array<ArrayBuffer> | null} Our first long message, which answers may refer to. */ #said = null;
  #outgoing = new Turns();
  #incoming = new Turns();

  /** @param {string} url `wss://host/ws` */
  constructor(url) {
    super();
    this.#url = canDeflate ? `${url}${url.includes('?') ? '&' : '?'}deflate=2` : url;
    this.#opened = new Promise((resolve, reject) => {
      this.#isOpened = resolve;
      this.on('closed', () => reject(new CallError('unreachable', 'The server cannot be reached.')));
    });
    this.#opened.catch(() => {}); // Whoever waits hears of it; nobody has to wait.
    this.#socket = this.#connect();
    this.#pinging = setInterval(() => this.#ping(), PING_EVERY_MS);
  }

  #connect() {
    const socket = new WebSocket(this.#url);
    socket.binaryType = 'arraybuffer';
    const patience = OPEN_WITHIN_MS[this.#attempts++];
    if (patience !== undefined) {
      this.#opening = setTimeout(() => {
        socket.onclose = null;
        socket.close();
        this.#socket = this.#connect();
      }, patience);
    }
    socket.onopen = () => {
      clearTimeout(this.#opening);
      this.#wasOpen = true;
      this.#isOpened();
    };
    socket.onmessage = ({ data }) => {
      if (data.byteLength === 0) this.#serverInflates = true;
      else this.#incoming.take(typeof data === 'string' ? data : inflate(data, this.#said).catch(String), (text) => this.#receive(text));
    };
    socket.onclose = ({ reason, code }) => this.#incoming.take(reason || `the connection closed (${code})`, (why) => this.#end(why));
    return socket;
  }

  get isOpen() {
    return !this.#closed && this.#socket.readyState === WebSocket.OPEN;
  }

  get isClosed() {
    return this.#closed;
  }

  /** The server answered at some time. */
  get wasOpen() {
    return this.#wasOpen;
  }

  /** @returns {Promise<void>} rejects with `unreachable` */
  opened() {
    return this.#opened;
  }

  /** @param {ClientMessage} message lost when the connection is: the state is told again on the next join */
  send(message) {
    if (!this.isOpen) return;
    const text = writeClientMessage(message);
    if (this.#said === null && text.length * 3 > WORTH_LENGTH) {
      const bytes = new TextEncoder().encode(text);
      if (bytes.length > WORTH_LENGTH) this.#said = bytes;
    }
    // Right after opening, the server's word may come while this is being compressed.
    const data = canDeflate && text.length > WORTH_LENGTH ? deflate(text).then((bytes) => (this.#serverInflates ? bytes : text), () => text) : text;
    this.#outgoing.take(data, (frame) => {
      if (this.isOpen) this.#socket.send(frame);
    });
  }

  /**
   * @overload @param {Extract<NewRequest, {type: 'join' | 'hold'}>} message @param {(held: Held) => void} [meanwhile] @returns {Promise<Joined>}
   * @overload @param {Extract<NewRequest, {type: 'resume'}>} message @returns {Promise<Resumed>}
   * @overload @param {Extract<NewRequest, {type: 'register'}>} message @returns {Promise<Registered>}
   * @overload @param {Extract<NewRequest, {type: 'invite'}>} message @returns {Promise<Invited>}
   * @overload @param {Extract<NewRequest, {type: 'respond'}>} message @returns {Promise<Done>}
   * @overload @param {Extract<NewRequest, {type: 'post'}>} message @returns {Promise<Posted>}
   * @overload @param {Extract<NewRequest, {type: 'moderate'}>} message @returns {Promise<Done>}
   * @overload @param {Extract<NewRequest, {type: 'set'}>} message @returns {Promise<ValueSet>}
   * @overload @param {Extract<NewRequest, {type: 'offer'}>} message @returns {Promise<Answer>}
   * @overload @param {Extract<NewRequest, {type: 'ping'}>} message @returns {Promise<Pong>}
   * @param {NewRequest} message @param {(message: any) => void} [meanwhile] hears what is not the answer yet @returns {Promise<any>} rejects with the server's error, `gone`, or `broken`
   */
  request(message, meanwhile) {
    const id = this.#nextId++;
    if (message.type === 'join' || message.type === 'hold') {
      this.#settle(this.#joining, (join) => join.reject(new CallError('replaced', 'Another join has taken the place of this one.')));
      this.#joining = id;
    }
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(new CallError('gone', 'The connection to the server is closed.'));
      const timer = setTimeout(() => this.#end(`no answer to ${message.type}`), ANSWER_WITHIN_MS);
      this.#waiting.set(id, { resolve, reject, timer, meanwhile });
      this.send(/** @type {ClientMessage} */ ({ ...message, id }));
    });
  }

  /** Now: what `hold` has asked for. Its answer has to come like any other. */
  enter() {
    const join = this.#joining === null ? undefined : this.#waiting.get(this.#joining);
    if (!join) return;
    clearTimeout(join.timer);
    join.entered = true;
    join.timer = setTimeout(() => this.#end('no answer to enter'), ANSWER_WITHIN_MS);
    this.send({ type: 'enter' });
  }

  /** Whether the connection is alive: it is closed if no answer comes in time. @param {number} within_ms */
  async probe(within_ms) {
    if (!this.isOpen) return;
    const timer = setTimeout(() => this.#end('no sign of life'), within_ms);
    await this.request({ type: 'ping' }).catch(() => {});
    clearTimeout(timer);
  }

  /** The call is over: the server need not wait for us. */
  finish() {
    this.#finished = true;
    this.#end('the call is over');
  }

  /** @param {string} [why] */
  close(why = 'closed here') {
    this.#end(why);
  }

  /** @param {string} text */
  #receive(text) {
    if (this.#closed) return;
    /** @type {ServerMessage} */
    let message;
    try {
      message = parseServerMessage(text);
    } catch (error) {
      // A newer server may say more than this page knows; the call goes on without it.
      console.warn('A message of the server was not understood:', error);
      return;
    }
    if (!('re' in message) || message.re === undefined || message.re === null) return this.emit('message', message);
    const waiting = this.#waiting.get(message.re);
    if (!waiting) return;
    if (message.type === 'waiting' || message.type === 'held') {
      // A person answers, in their own time.
      if (message.type === 'waiting' || !waiting.entered) clearTimeout(waiting.timer);
      waiting.meanwhile?.(message);
      return this.emit('message', message);
    }
    this.#settle(message.re, ({ resolve, reject }) => {
      if (message.type === 'error') reject(new CallError(message.code, message.message, message.present));
      else resolve(message);
    });
  }

  /** @param {number | null} id @param {(request: {resolve: (message: any) => void, reject: (error: CallError) => void}) => void} answer */
  #settle(id, answer) {
    const waiting = id === null ? undefined : this.#waiting.get(id);
    if (id === null || !waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    answer(waiting);
  }

  #ping() {
    if (this.isOpen) this.request({ type: 'ping' }).catch(() => {});
  }

  /** @param {string} why */
  #end(why) {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#pinging);
    clearTimeout(this.#opening);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new CallError('gone', `The connection to the server ended: ${why}.`));
    }
    this.#waiting.clear();
    this.#socket.close(this.#finished ? 1000 : LOST);
    this.emit('closed', why);
  }
}
