/** How long each stage of connecting took, counted from the click on Join. */

/** @import {Stages} from './wire.js' */
/** @typedef {'signaling' | 'ice' | 'dtls' | 'first_packet' | 'first_audio' | 'first_frame'} Stage */

/** @type {readonly Stage[]} In the order in which they happen. */
export const STAGES = ['signaling', 'ice', 'dtls', 'first_packet', 'first_audio', 'first_frame'];

export class StageClock {
  /** @type {Map<Stage, number>} */
  #at = new Map();
  #start;

  /** @param {number} start_ms when the click happened, on the clock of all later times */
  constructor(start_ms) {
    this.#start = start_ms;
  }

  /** Only the first time counts. @param {Stage} stage @param {number} at_ms @returns {boolean} whether this was the first */
  reach(stage, at_ms) {
    if (this.#at.has(stage)) return false;
    this.#at.set(stage, Math.max(0, at_ms - this.#start));
    return true;
  }

  /** @param {Stage} stage */
  reached(stage) {
    return this.#at.has(stage);
  }

  get complete() {
    return STAGES.every((stage) => this.#at.has(stage));
  }

  /** Milliseconds, to a tenth. @returns {Stages} */
  stages() {
    /** @type {Stages} */
    const stages = {};
    for (const [stage, ms] of this.#at) stages[`${stage}_ms`] = Math.round(ms * 10) / 10;
    // What a stage rests on was there before it, even where the browser told of it later.
    let latest = Math.min(stages.first_audio_ms ?? Infinity, stages.first_frame_ms ?? Infinity);
    for (const stage of /** @type {const} */ (['first_packet_ms', 'dtls_ms', 'ice_ms'])) {
      const ms = stages[stage];
      if (ms !== undefined) latest = stages[stage] = Math.min(ms, latest);
    }
    return stages;
  }
}
