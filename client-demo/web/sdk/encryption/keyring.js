/**
 * The keys of a call. Everybody seals with a KID of their own, chosen at random, so that one shared key never meets the same nonce twice;
 * whoever receives derives what belongs to a KID when it comes.
 *
 *   shared key --HKDF(KID)--> key and salt of one sender
 */

import { deriveSecret, open, parseHeader, seal } from './sframe.js';

/** @import {Secret} from './sframe.js' */

/** Shared keys that are tried: the newest, and the one before while not everybody has changed yet. */
const BASES = 2;
/** Senders whose secrets are kept, those of earlier connections among them. */
const SENDERS_MAX = 512;
/** Frames under one KID; AES-GCM should not see more under one key (RFC 9605 section 9.1 leaves this to the suite). */
const FRAMES_MAX = 2n ** 32n;

export class KeyRing {
  /** @type {Uint8Array[]} Newest first. */ #bases = [];
  /** @type {Promise<{kid: bigint, secret: Secret}> | null} */ #own = null;
  #ctr = 0n;
  /** @type {Map<bigint, Promise<Secret>[]>} By KID; one for each shared key. */ #senders = new Map();
  /** @type {() => void} */ #ready = () => {};
  #begun = new Promise((resolve) => (this.#ready = () => resolve(undefined)));

  /** Seals with this from now on, and still opens what was sealed with the one before. @param {Uint8Array} base */
  use(base) {
    this.#bases = [base, ...this.#bases].slice(0, BASES);
    this.#senders.clear();
    this.#renew();
    this.#ready();
  }

  /** Waits for the first key. @param {Uint8Array} metadata @param {Uint8Array} plaintext @returns {Promise<Uint8Array>} an SFrame object */
  async seal(metadata, plaintext) {
    await this.#begun;
    if (this.#ctr >= FRAMES_MAX) this.#renew();
    const [own, ctr] = [/** @type {Promise<{kid: bigint, secret: Secret}>} */ (this.#own), this.#ctr];
    this.#ctr += 1n;
    const { kid, secret } = await own;
    return seal(secret, kid, ctr, metadata, plaintext);
  }

  /** Waits for the first key. @param {Uint8Array} metadata @param {Uint8Array} bytes @returns {Promise<Uint8Array | null>} null: no key of ours fits */
  async open(metadata, bytes) {
    await this.#begun;
    const header = parseHeader(bytes);
    if (!header) return null;
    for (const secret of this.#secrets(header.kid)) {
      const plaintext = await open(await secret, header, metadata, bytes);
      if (plaintext) return plaintext;
    }
    return null;
  }

  #renew() {
    const kid = randomKid();
    this.#ctr = 0n;
    this.#own = deriveSecret(this.#bases[0], kid).then((secret) => ({ kid, secret }));
  }

  /** @param {bigint} kid */
  #secrets(kid) {
    let secrets = this.#senders.get(kid);
    if (!secrets) {
      secrets = this.#bases.map((base) => deriveSecret(base, kid));
      this.#senders.set(kid, secrets);
      const [oldest] = this.#senders.keys();
      if (this.#senders.size > SENDERS_MAX) this.#senders.delete(oldest);
    }
    return secrets;
  }
}

/** 63 random bits: the highest is set, so every header has the same length. */
function randomKid() {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return BigInt(high) << 32n | BigInt(low) | 1n << 63n;
}
