/** @param {string} codec @param {Uint8Array} frame sealed or not @returns {number} bytes at its front */
export function readableBytes(codec: string, frame: Uint8Array): number;
/**
 * @param {KeyRing} ring @param {string} codec @param {Uint8Array} frame as it was sealed
 * @returns {Promise<Uint8Array | null>} null: it is not sealed with a key of ours
 */
export function openFrame(ring: KeyRing, codec: string, frame: Uint8Array): Promise<Uint8Array | null>;
/** @import {KeyRing} from './keyring.js' */
/** @typedef {'opus' | 'red' | 'vp8' | 'vp9'} SealedCodec */
/** Packetizers of the others (H264, AV1) look into the frame, so it cannot be sealed as a whole. @type {readonly string[]} */
export const SEALED_CODECS: readonly string[];
/** Seals the frames of one track. */
export class Sealer {
    /** @param {KeyRing} ring */
    constructor(ring: KeyRing);
    /** @param {string} codec @param {Uint8Array} frame @param {number} [timestamp] RTP @returns {Promise<Uint8Array | null>} null: it must not leave */
    seal(codec: string, frame: Uint8Array, timestamp?: number): Promise<Uint8Array | null>;
    #private;
}
export type SealedCodec = "opus" | "red" | "vp8" | "vp9";
import type { KeyRing } from './keyring.js';
