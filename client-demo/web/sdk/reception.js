/** What we receive: the slots on offer, who is on them, how they are shown, and what the link carries of them. */

import { SlotTable } from './slots.js';
import { TileWatcher } from './tiles.js';
import { SlotView } from './view.js';

/** @import {Peer} from './peer.js' */
/** @import {Binding, Decision, Preference, Quality, ServerMessage, Share, SlotPair} from './wire.js' */

/**
 * @typedef {object} LinkQuality
 * @property {number | null} estimate_kbps   what the server believes the link to us carries; null: not known yet
 * @property {number} wanted_kbps            for everything that is shown, at its best
 * @property {({at_ms: number, participant: string | null} & Decision)[]} decisions   newest last, of `performance.now()`
 */

/** Decisions that are kept for people to read. */
const DECISIONS_KEPT = 50;

/** @type {LinkQuality} */
const UNKNOWN = { estimate_kbps: null, wanted_kbps: 0, decisions: [] };

export class Reception {
  #slots = new SlotTable();
  /** @type {SlotView[]} */ #views = [];
  #tiles;
  #bound;
  #quality = UNKNOWN;

  /**
   * @param {(slots: Preference[]) => boolean} prefer tells the server how slots are shown; false: not now
   * @param {(view: SlotView) => void} bound a slot changed hands
   */
  constructor(prefer, bound) {
    this.#tiles = new TileWatcher(prefer);
    this.#bound = bound;
  }

  get views() {
    return this.#views;
  }

  get quality() {
    return this.#quality;
  }

  /** @param {string} participant @param {Share} share @returns {SlotView | undefined} */
  find(participant, share) {
    return this.#views.find((view) => view.participant === participant && view.share === share);
  }

  /** The pairs that an offer has just given their m-lines. @param {Peer} peer */
  add(peer) {
    for (const pair of peer.pairs.slice(this.#views.length)) {
      const view = new SlotView(this.#slots.add(peer.mids(pair)), pair);
      view.on('attached', (element) => this.#tiles.watch(view, element));
      this.#views.push(view);
    }
  }

  /** @param {number} wanted pairs in all, as the server asks for them; 0: as many as keep a spare @returns {number} to add */
  lacking(wanted) {
    return Math.max(0, this.#slots.target(wanted) - this.#views.length);
  }

  /** @param {Binding[]} bindings */
  bind(bindings) {
    // Leavers before newcomers, so that nobody is on two slots in between.
    for (const binding of [...bindings].sort((a, b) => Number(a.participant !== null) - Number(b.participant !== null))) {
      const slot = this.#slots.bind(binding);
      const view = this.#views.find((one) => one.slot === slot);
      if (!view) continue;
      view.update();
      this.#bound(view);
    }
  }

  /** All bindings there are: whoever is not among them is on no slot any more. @param {Binding[]} bindings */
  rebind(bindings) {
    const key = (/** @type {SlotPair} */ slot) => `${slot.audio}/${slot.video}`;
    const taken = new Set(bindings.map(({ slot }) => key(slot)));
    const free = this.#views.filter(({ slot }) => slot.participant !== null && !taken.has(key(slot.mids)));
    this.bind([...free.map(({ slot, share }) => ({ slot: slot.mids, participant: null, share })), ...bindings]);
    for (const view of this.#views) view.update();
  }

  /** @param {string} participant who has left */
  release(participant) {
    this.#slots.release(participant);
    for (const view of this.#views) view.update();
  }

  /** @param {Extract<ServerMessage, {type: 'first_frame'}>} message */
  firstFrame({ mid, participant, rtp_timestamp }) {
    const slot = this.#slots.firstFrame(mid, participant, rtp_timestamp);
    this.#views.find((view) => view.slot === slot)?.update();
  }

  /** @param {Quality} message */
  hear({ estimate_kbps, wanted_kbps, slots, decisions }) {
    const of = (/** @type {string} */ mid) => this.#views.find(({ slot }) => slot.mids.video === mid || slot.mids.audio === mid);
    for (const view of this.#views) view.quality = slots.find(({ mid }) => mid === view.slot.mids.video) ?? null;
    const at_ms = performance.now();
    const news = decisions.map((decision) => ({ ...decision, at_ms, participant: of(decision.mid)?.participant ?? null }));
    this.#quality = { estimate_kbps, wanted_kbps, decisions: [...this.#quality.decisions, ...news].slice(-DECISIONS_KEPT) };
  }

  /** Everything that is shown is told again: the server is a new one. */
  retell() {
    this.#tiles.retell();
  }

  /** The slots of an earlier connection are gone. */
  forget() {
    this.#slots = new SlotTable();
    this.#views = [];
    this.#tiles.clear();
  }

  clear() {
    this.forget();
    this.#quality = UNKNOWN;
  }

  close() {
    this.#tiles.close();
  }
}
