/** @param {bigint} kid below 2^64 @param {bigint} ctr below 2^64 @returns {Uint8Array} */
export function writeHeader(kid: bigint, ctr: bigint): Uint8Array;
/** @param {Uint8Array} bytes an SFrame object @returns {Header | null} null: cut */
export function parseHeader(bytes: Uint8Array): Header | null;
/** Section 4.4.2. @param {Uint8Array} baseKey @param {bigint} kid @returns {Promise<Secret>} */
export function deriveSecret(baseKey: Uint8Array, kid: bigint): Promise<Secret>;
/**
 * @param {Secret} secret of `kid` @param {bigint} kid @param {bigint} ctr never twice with one secret
 * @param {Uint8Array} metadata is authenticated with it @param {Uint8Array} plaintext
 * @returns {Promise<Uint8Array>} an SFrame object
 */
export function seal(secret: Secret, kid: bigint, ctr: bigint, metadata: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array>;
/**
 * @param {Secret} secret of the header's KID @param {Header} header @param {Uint8Array} metadata
 * @param {Uint8Array} bytes an SFrame object @returns {Promise<Uint8Array | null>} null: another key, or altered
 */
export function open(secret: Secret, header: Header, metadata: Uint8Array, bytes: Uint8Array): Promise<Uint8Array | null>;
/** @param {...Uint8Array} parts */
export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer>;
export const TAG_BYTES: 16;
/**
 * For one KID.
 */
export type Secret = {
    key: CryptoKey;
    salt: Uint8Array;
};
/**
 * `length` in bytes.
 */
export type Header = {
    kid: bigint;
    ctr: bigint;
    length: number;
};
