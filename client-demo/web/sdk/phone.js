/**
 * A device that rings: it waits for calls, and makes them. A call that is accepted is a room; join it with a `Call`.
 *
 *   new Phone -> ready <-> lost (comes back by itself)        invite() or 'incoming' -> Ring: ringing -> accepted -> ended, ...
 */

import { Backoff } from './backoff.js';
import { CallError, isPassing } from './errors.js';
import { Emitter } from './events.js';
import { Reach } from './reach.js';

/** @import {Link} from './link.js' */
/** @import {CallInfo, RingState} from './wire.js' */

/** Ringing or talking: anything else is how a call ended. @param {RingState} state */
export const goesOn = (state) => state === 'ringing' || state === 'accepted';

/** One call, from this side. @extends {Emitter<{state: RingState}>} */
export class Ring extends Emitter {
  #phone;
  #info;
  /** @type {RingState} */ #state;

  /** @param {Phone} phone @param {CallInfo} info */
  constructor(phone, info) {
    super();
    this.#phone = phone;
    this.#info = info;
    this.#state = info.state;
  }

  get id() {
    return this.#info.call;
  }

  get role() {
    return this.#info.role;
  }

  /** Identity of the other one. */
  get other() {
    return this.#info.other;
  }

  /** What they go by. */
  get name() {
    return this.#info.name ?? this.#info.other;
  }

  /** Where the two meet, and what opens it: give both to `Call.join`. */
  get room() {
    return this.#info.room;
  }

  get token() {
    return this.#info.token;
  }

  get state() {
    return this.#state;
  }

  /** @throws {CallError} `unknown_call` where it is over already */
  accept() {
    return this.#phone.respond(this, 'accept');
  }

  reject() {
    return this.#phone.respond(this, 'reject');
  }

  /** Gives up while it rings, hangs up afterwards. */
  end() {
    return this.#phone.respond(this, 'end');
  }

  /** For the phone. @param {RingState} state */
  become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.emit('state', state);
  }
}

/**
 * @typedef {object} PhoneEvents
 * @property {'connecting' | 'ready' | 'lost' | 'closed'} state
 * @property {Ring} incoming   somebody calls
 * @property {CallError} error   it cannot be registered, and does not try again
 */

/** @extends {Emitter<PhoneEvents>} */
export class Phone extends Emitter {
  #options;
  /** @type {PhoneEvents['state']} */ #state = 'connecting';
  /** @type {Link | null} */ #link = null;
  /** @type {Reach | null} */ #reach = null;
  #backoff = new Backoff();
  /** @type {Map<string, Ring>} */ #rings = new Map();

  /**
   * @param {{url: string, identity: string, name: string, device?: string, token?: string}} options `url` of the WebSocket; `device`: kept by
   *   this device, so that it is known again; `token`: on a server that asks for one
   */
  constructor(options) {
    super();
    this.#options = { ...options, device: options.device ?? randomId() };
    this.#connect();
  }

  get state() {
    return this.#state;
  }

  get identity() {
    return this.#options.identity;
  }

  /** Calls that ring or go on. */
  get rings() {
    return [...this.#rings.values()];
  }

  /** @param {string} to identity @param {{room?: string}} [options] `room`: the one we talk in, to bring somebody else there @returns {Promise<Ring>} @throws {CallError} */
  async invite(to, { room } = {}) {
    if (!this.#link || this.#state !== 'ready') throw new CallError('gone', 'There is no connection to the server at the moment.');
    const { call } = await this.#link.request({ type: 'invite', to, ...(room !== undefined && { room }) });
    const early = this.#early.get(call.call);
    const ring = this.#keep(call);
    if (early) this.#change(call.call, early);
    return ring;
  }

  close() {
    this.#reach?.stop();
    this.#reach = null;
    this.#link?.finish();
    this.#link = null;
    this.#become('closed');
  }

  /** For `Ring`. @param {Ring} ring @param {'accept' | 'reject' | 'end'} act */
  async respond(ring, act) {
    if (!this.#link) throw new CallError('gone', 'There is no connection to the server at the moment.');
    await this.#link.request({ type: 'respond', call: ring.id, act });
    if (act !== 'accept') this.#change(ring.id, act === 'reject' ? 'rejected' : ring.state === 'ringing' ? 'cancelled' : 'ended');
  }

  #connect() {
    this.#reach = new Reach(this.#options.url, this.#backoff, async (link) => {
      this.#reach = null;
      this.#link = link;
      link.on('message', (message) => {
        if (message.type === 'incoming') {
          const known = this.#rings.has(message.call.call);
          const ring = this.#keep(message.call);
          if (!known) this.emit('incoming', ring);
        }
        if (message.type === 'call_changed') this.#change(message.call, message.state);
      });
      link.on('closed', () => this.#lost(link));
      try {
        const { identity, name, device, token } = this.#options;
        const { calls } = await link.request({ type: 'register', identity, name, device, ...(token !== undefined && { token }) });
        this.#backoff.reset();
        this.#catchUp(calls);
        this.#become('ready');
      } catch (error) {
        if (isPassing(error)) return link.close('could not register');
        this.close();
        this.emit('error', error instanceof CallError ? error : new CallError('broken', String(error)));
      }
    });
    this.#reach.hurry();
  }

  /** @param {Link} link */
  #lost(link) {
    if (link !== this.#link || this.#state === 'closed') return;
    this.#link = null;
    this.#become('lost');
    this.#connect();
  }

  /** What has changed while we were away. @param {CallInfo[]} calls */
  #catchUp(calls) {
    const there = new Set(calls.map(({ call }) => call));
    for (const id of [...this.#rings.keys()]) if (!there.has(id)) this.#change(id, 'ended');
    for (const info of calls) {
      const known = this.#rings.has(info.call);
      const ring = this.#keep(info);
      ring.become(info.state);
      if (!known && info.role === 'callee' && info.state === 'ringing') this.emit('incoming', ring);
    }
  }

  /** @type {Map<string, RingState>} What was told of a call before the answer to its invitation. */ #early = new Map();

  /** @param {CallInfo} info */
  #keep(info) {
    const known = this.#rings.get(info.call);
    if (known) return known;
    const ring = new Ring(this, info);
    this.#rings.set(info.call, ring);
    return ring;
  }

  /** @param {string} id @param {RingState} state */
  #change(id, state) {
    const ring = this.#rings.get(id);
    if (!ring) return void this.#early.set(id, state);
    this.#early.delete(id);
    if (!goesOn(state)) this.#rings.delete(id);
    ring.become(state);
  }

  /** @param {PhoneEvents['state']} state */
  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.emit('state', state);
  }
}

function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
