/** How long each stage of connecting took, counted from the click on Join. */
/** @import {Stages} from './wire.js' */
/** @typedef {'signaling' | 'ice' | 'dtls' | 'first_packet' | 'first_audio' | 'first_frame'} Stage */
/** @type {readonly Stage[]} In the order in which they happen. */
export const STAGES: readonly Stage[];
export class StageClock {
    /** @param {number} start_ms when the click happened, on the clock of all later times */
    constructor(start_ms: number);
    /** Only the first time counts. @param {Stage} stage @param {number} at_ms @returns {boolean} whether this was the first */
    reach(stage: Stage, at_ms: number): boolean;
    /** @param {Stage} stage */
    reached(stage: Stage): boolean;
    get complete(): boolean;
    /** Milliseconds, to a tenth. @returns {Stages} */
    stages(): Stages;
    #private;
}
export type Stage = "signaling" | "ice" | "dtls" | "first_packet" | "first_audio" | "first_frame";
import type { Stages } from './wire.js';
