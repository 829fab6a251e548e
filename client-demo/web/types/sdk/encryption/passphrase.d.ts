/** @typedef {string | Uint8Array} SharedKey  A passphrase, or at least 16 random bytes. */
/** @param {SharedKey} key @throws {CallError} `bad_key` */
export function checkKey(key: SharedKey): void;
/**
 * The same passphrase is another key in another room.
 * @param {SharedKey} key @param {string} room @returns {Promise<Uint8Array>}
 */
export function baseKey(key: SharedKey, room: string): Promise<Uint8Array>;
/**
 * A passphrase, or at least 16 random bytes.
 */
export type SharedKey = string | Uint8Array;
