/**
 * What of an encoded frame stays readable, since whoever forwards or puts frames together reads it, and what is sealed.
 *
 *   frame:   | readable | rest |          sealed:   | readable | SFrame: header, rest, tag |
 *
 *   Opus   1 byte    TOC: how long the packet is
 *   RED    its block headers; each block is sealed by itself, as the server takes it apart and makes others from it
 *   VP8    1 byte    key frame or not; of a key frame 10, with the size of the picture
 *   VP9    nothing   all of it stands in the RTP payload descriptor, which is made afterwards
 */

import { concat } from './sframe.js';
import { joinRed, splitRed } from './red.js';

/** @import {KeyRing} from './keyring.js' */
/** @typedef {'opus' | 'red' | 'vp8' | 'vp9'} SealedCodec */

/** Packetizers of the others (H264, AV1) look into the frame, so it cannot be sealed as a whole. @type {readonly string[]} */
export const SEALED_CODECS = ['opus', 'red', 'vp8', 'vp9'];

const VP8_KEY_FRAME_BYTES = 10;
/** Packets whose sealed form is kept for their copies, deeper than browsers repeat. */
const COPIES_KEPT = 8;

/** @param {string} codec @param {Uint8Array} frame sealed or not @returns {number} bytes at its front */
export function readableBytes(codec, frame) {
  switch (codec) {
    case 'opus': return Math.min(1, frame.length);
    case 'vp8': return Math.min(frame.length, frame[0] & 1 ? 1 : VP8_KEY_FRAME_BYTES);
    default: return 0;
  }
}

/** Seals the frames of one track. */
export class Sealer {
  #ring;
  /** @type {Map<number, {plain: Uint8Array, sealed: Uint8Array}>} By RTP timestamp, for copies in RED. */ #kept = new Map();

  /** @param {KeyRing} ring */
  constructor(ring) {
    this.#ring = ring;
  }

  /** @param {string} codec @param {Uint8Array} frame @param {number} [timestamp] RTP @returns {Promise<Uint8Array | null>} null: it must not leave */
  async seal(codec, frame, timestamp) {
    if (frame.length === 0) return frame; // Padding, by which browsers measure.
    if (!SEALED_CODECS.includes(codec)) return null;
    if (codec !== 'red') return this.#whole(codec, frame);
    const blocks = splitRed(frame);
    if (!blocks) return null;
    for (const block of blocks) block.payload = await this.#block(block.payload, timestamp === undefined ? undefined : (timestamp - block.offset) >>> 0);
    return joinRed(blocks);
  }

  /** The copy of a packet is the same bytes again. @param {Uint8Array} plain @param {number} [timestamp] */
  async #block(plain, timestamp) {
    const known = timestamp === undefined ? undefined : this.#kept.get(timestamp);
    if (known && known.plain.length === plain.length && known.plain.every((byte, at) => byte === plain[at])) return known.sealed;
    const sealed = await this.#whole('opus', plain);
    if (timestamp === undefined) return sealed;
    this.#kept.set(timestamp, { plain, sealed });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > COPIES_KEPT) this.#kept.delete(oldest);
    return sealed;
  }

  /** @param {string} codec @param {Uint8Array} frame */
  async #whole(codec, frame) {
    const readable = frame.subarray(0, readableBytes(codec, frame));
    return concat(readable, await this.#ring.seal(readable, frame.subarray(readable.length)));
  }
}

/**
 * @param {KeyRing} ring @param {string} codec @param {Uint8Array} frame as it was sealed
 * @returns {Promise<Uint8Array | null>} null: it is not sealed with a key of ours
 */
export async function openFrame(ring, codec, frame) {
  if (frame.length === 0) return frame;
  if (codec === 'red') {
    const blocks = splitRed(frame) ?? [];
    const opened = await Promise.all(blocks.map(async (block) => ({ ...block, payload: await openFrame(ring, 'opus', block.payload) })));
    // Without its newest block there is nothing to play; a copy that cannot be opened is as if lost.
    if (!opened.at(-1)?.payload) return null;
    return joinRed(opened.flatMap(({ payload, ...block }) => (payload ? [{ ...block, payload }] : [])));
  }
  const readable = frame.subarray(0, readableBytes(codec, frame));
  const plain = await ring.open(readable, frame.subarray(readable.length));
  return plain && concat(readable, plain);
}
