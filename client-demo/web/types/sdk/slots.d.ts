/** @import {Binding, Share, SlotPair} from './wire.js' */
/** Free pairs that are kept on offer, so that a newcomer costs no new offer. */
export const SPARE_SLOTS: 1;
/** Pairs are added in steps of this many: each step is one renegotiation. */
export const SLOT_STEP: 4;
/** What the server takes from one participant at most; a class of 20 and a screen need 21. */
export const SLOTS_MAX: 24;
export class Slot {
    /** @param {SlotPair} mids */
    constructor(mids: SlotPair);
    /** @type {string | null} */ participant: string | null;
    /** @type {Share} */ share: Share;
    gate: FrameGate;
    mids: SlotPair;
}
export class SlotTable {
    /** @type {Slot[]} In order of use. */
    slots: Slot[];
    /** @param {SlotPair} mids */
    add(mids: SlotPair): Slot;
    /** @param {Binding} binding @returns {Slot | undefined} undefined: no such pair was offered */
    bind(binding: Binding): Slot | undefined;
    /**
     * @param {string} mid @param {string} participant @param {number} rtpTimestamp
     * @returns {Slot | undefined} undefined: an audio m-line, or the slot has changed hands since
     */
    firstFrame(mid: string, participant: string, rtpTimestamp: number): Slot | undefined;
    /** @param {string} participant @param {Share} share */
    find(participant: string, share: Share): Slot | undefined;
    /** Everything a participant was on is free again; the server's message says the same a moment later. @param {string} participant */
    release(participant: string): void;
    /**
     * How many pairs to offer in all.
     * @param {number} wanted what the server asked for; 0: nothing in particular
     */
    target(wanted: number): number;
}
import type { Share } from './wire.js';
import { FrameGate } from './gate.js';
import type { SlotPair } from './wire.js';
import type { Binding } from './wire.js';
