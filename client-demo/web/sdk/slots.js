/**
 * Who is on which pair of receive-only m-lines. The server decides; this keeps what it said, in a form a page can ask:
 * "where is Ada's screen?", "may the picture on this slot be shown yet?", "is there a spare?".
 */

import { FrameGate } from './gate.js';

/** @import {Binding, Share, SlotPair} from './wire.js' */

/** Free pairs that are kept on offer, so that a newcomer costs no new offer. */
export const SPARE_SLOTS = 1;
/** Pairs are added in steps of this many: each step is one renegotiation. */
export const SLOT_STEP = 4;
/** What the server takes from one participant at most; a class of 20 and a screen need 21. */
export const SLOTS_MAX = 24;

export class Slot {
  /** @type {string | null} */ participant = null;
  /** @type {Share} */ share = 'person';
  gate = new FrameGate();

  /** @param {SlotPair} mids */
  constructor(mids) {
    this.mids = mids;
  }
}

export class SlotTable {
  /** @type {Slot[]} In order of use. */
  slots = [];

  /** @param {SlotPair} mids */
  add(mids) {
    const slot = new Slot(mids);
    this.slots.push(slot);
    return slot;
  }

  /** @param {Binding} binding @returns {Slot | undefined} undefined: no such pair was offered */
  bind(binding) {
    const slot = this.slots.find((one) => one.mids.audio === binding.slot.audio && one.mids.video === binding.slot.video);
    if (!slot) return undefined;
    slot.participant = binding.participant ?? null;
    slot.share = binding.share;
    slot.gate.bind(slot.participant === null ? null : `${slot.participant}/${slot.share}`);
    return slot;
  }

  /**
   * @param {string} mid @param {string} participant @param {number} rtpTimestamp
   * @returns {Slot | undefined} undefined: an audio m-line, or the slot has changed hands since
   */
  firstFrame(mid, participant, rtpTimestamp) {
    const slot = this.slots.find((one) => one.mids.video === mid);
    if (!slot || slot.participant !== participant) return undefined;
    slot.gate.firstFrame(rtpTimestamp);
    return slot;
  }

  /** @param {string} participant @param {Share} share */
  find(participant, share) {
    return this.slots.find((slot) => slot.participant === participant && slot.share === share);
  }

  /** Everything a participant was on is free again; the server's message says the same a moment later. @param {string} participant */
  release(participant) {
    for (const slot of this.slots) {
      if (slot.participant !== participant) continue;
      slot.participant = null;
      slot.gate.bind(null);
    }
  }

  /**
   * How many pairs to offer in all.
   * @param {number} wanted what the server asked for; 0: nothing in particular
   */
  target(wanted) {
    const used = this.slots.filter((slot) => slot.participant !== null).length;
    const needed = Math.max(wanted, used + SPARE_SLOTS, this.slots.length);
    const steps = Math.ceil((needed - this.slots.length) / SLOT_STEP);
    return Math.min(SLOTS_MAX, this.slots.length + steps * SLOT_STEP);
  }
}
