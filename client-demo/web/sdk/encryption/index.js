/**
 * End-to-end encryption of sound and pictures with a key that everybody in the call shares and the server never sees.
 *
 *   camera -> encoder -> [worker: seal] -> RTP, SRTP -> server -> SRTP, RTP -> [worker: open] -> decoder -> screen
 *
 * Every sender and receiver of a call has its transform from the beginning: there is no moment at which something leaves in clear.
 */

import { baseKey } from './passphrase.js';

/** @import {SharedKey} from './passphrase.js' */

/**
 * Why there is nothing to see or hear of somebody:
 * - `encrypted`: they encrypt, and we have no key
 * - `key_differs`: they encrypt with another key
 * - `not_encrypted`: they do not encrypt; what anybody on the way could have made up is not played
 * @typedef {'encrypted' | 'key_differs' | 'not_encrypted'} EncryptionProblem
 */

/** @param {boolean} ours we encrypt @param {boolean} theirs @param {boolean} failing what comes from them cannot be opened @returns {EncryptionProblem | null} */
export function problemOf(ours, theirs, failing) {
  if (!ours) return theirs ? 'encrypted' : null;
  if (!theirs) return 'not_encrypted';
  return failing ? 'key_differs' : null;
}

/** Whether this browser can, on this page. @param {any} [scope] the window; a test gives another */
export const canEncrypt = (scope = globalThis) => typeof scope.RTCRtpScriptTransform === 'function' && scope.crypto?.subtle !== undefined;

export class Encryption {
  #worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  /** @type {Map<RTCRtpReceiver, number>} */ #receivers = new Map();
  #transforms = 0;
  /** The newest key counts, whichever is derived first. */
  #keys = 0;

  /** @param {(receiver: RTCRtpReceiver, failing: boolean) => void} told frames of a receiver cannot be opened; or can be, again */
  constructor(told) {
    this.#worker.onmessage = ({ data: { id, failing } }) => {
      for (const [receiver, one] of this.#receivers) if (one === id) told(receiver, failing);
    };
  }

  /** Until the first key nothing leaves, and nothing is played. @param {SharedKey} key @param {string} room */
  async use(key, room) {
    const turn = ++this.#keys;
    const base = await baseKey(key, room);
    if (turn === this.#keys) this.#worker.postMessage({ base });
  }

  /** What leaves by it is sealed. @param {RTCRtpSender} sender */
  seal(sender) {
    sender.transform = new RTCRtpScriptTransform(this.#worker, { side: 'seal', id: this.#transforms++ });
  }

  /** What comes by it is opened. @param {RTCRtpReceiver} receiver */
  open(receiver) {
    const id = this.#transforms++;
    this.#receivers.set(receiver, id);
    receiver.transform = new RTCRtpScriptTransform(this.#worker, { side: 'open', id });
  }

  /** Nothing comes by it any more. @param {RTCRtpReceiver} receiver */
  release(receiver) {
    this.#receivers.delete(receiver);
  }

  /** What the payload types mean. @param {string} offer SDP */
  learn(offer) {
    const found = [...offer.matchAll(/^a=rtpmap:(\d+) ([\w-]+)\//gm)].map(([, type, name]) => [type, name.toLowerCase()]);
    this.#worker.postMessage({ codecs: Object.fromEntries(found) });
  }

  close() {
    this.#worker.terminate();
    this.#receivers.clear();
  }
}
