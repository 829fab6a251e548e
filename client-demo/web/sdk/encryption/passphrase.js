/** The shared key of a call from what people share: a passphrase, or bytes that are random already. */

import { CallError } from '../errors.js';

/** PBKDF2 with HMAC-SHA-256: some tenths of a second for us, and for whoever guesses, with each guess. */
const ITERATIONS = 600_000;
const KEY_BYTES = 32;
const RANDOM_BYTES_MIN = 16;

/** @typedef {string | Uint8Array} SharedKey  A passphrase, or at least 16 random bytes. */

/** @param {SharedKey} key @throws {CallError} `bad_key` */
export function checkKey(key) {
  if (typeof key === 'string' ? key.trim() === '' : key.length < RANDOM_BYTES_MIN) {
    throw new CallError('bad_key', `A key is a passphrase, or at least ${RANDOM_BYTES_MIN} random bytes.`);
  }
}

/**
 * The same passphrase is another key in another room.
 * @param {SharedKey} key @param {string} room @returns {Promise<Uint8Array>}
 */
export async function baseKey(key, room) {
  if (typeof key !== 'string') return key.slice();
  const encoder = new TextEncoder();
  const passphrase = await crypto.subtle.importKey('raw', encoder.encode(key.normalize('NFKC')), 'PBKDF2', false, ['deriveBits']);
  const how = { name: 'PBKDF2', hash: 'SHA-256', salt: encoder.encode(`sampan call ${room}`), iterations: ITERATIONS };
  return new Uint8Array(await crypto.subtle.deriveBits(how, passphrase, 8 * KEY_BYTES));
}
