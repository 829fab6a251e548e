/**
 * SFrame (RFC 9605) with AES_128_GCM_SHA256_128, on WebCrypto. Pure: keys, numbers and bytes in, bytes out.
 *
 *   | X K K K Y C C C | KID, 0-8 bytes | CTR, 0-8 bytes | ciphertext | tag, 16 bytes |
 *      X: K is the length of KID - 1, else K is KID itself; Y and C say the same of CTR
 *
 * Header and metadata are authenticated, and stay readable.
 */

/** @typedef {{key: CryptoKey, salt: Uint8Array}} Secret  For one KID. */
/** @typedef {{kid: bigint, ctr: bigint, length: number}} Header  `length` in bytes. */

const CIPHER_SUITE = 0x0004;
const KEY_BYTES = 16;
const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

/** @param {bigint} kid below 2^64 @param {bigint} ctr below 2^64 @returns {Uint8Array} */
export function writeHeader(kid, ctr) {
  const [k, c] = [field(kid), field(ctr)];
  return Uint8Array.of(k.bits << 4 | c.bits, ...k.bytes, ...c.bytes);
}

/** @param {Uint8Array} bytes an SFrame object @returns {Header | null} null: cut */
export function parseHeader(bytes) {
  if (bytes.length === 0) return null;
  const [k, c] = [bytes[0] >> 4, bytes[0] & 0x0f];
  const [kidBytes, ctrBytes] = [k, c].map((bits) => (bits & 8 ? (bits & 7) + 1 : 0));
  const length = 1 + kidBytes + ctrBytes;
  if (bytes.length < length) return null;
  return {
    kid: k & 8 ? bigEndian(bytes.subarray(1, 1 + kidBytes)) : BigInt(k),
    ctr: c & 8 ? bigEndian(bytes.subarray(1 + kidBytes, length)) : BigInt(c),
    length,
  };
}

/** Section 4.4.2. @param {Uint8Array} baseKey @param {bigint} kid @returns {Promise<Secret>} */
export async function deriveSecret(baseKey, kid) {
  const base = await crypto.subtle.importKey('raw', exact(baseKey), 'HKDF', false, ['deriveBits']);
  const expand = async (/** @type {string} */ what, /** @type {number} */ length) => {
    const label = new TextEncoder().encode(`SFrame 1.0 Secret ${what} `);
    const info = new Uint8Array([...label, ...toBytes(kid, 8), CIPHER_SUITE >> 8, CIPHER_SUITE & 0xff]);
    const how = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info };
    return new Uint8Array(await crypto.subtle.deriveBits(how, base, 8 * length));
  };
  const [key, salt] = await Promise.all([expand('key', KEY_BYTES), expand('salt', NONCE_BYTES)]);
  return { key: await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']), salt };
}

/**
 * @param {Secret} secret of `kid` @param {bigint} kid @param {bigint} ctr never twice with one secret
 * @param {Uint8Array} metadata is authenticated with it @param {Uint8Array} plaintext
 * @returns {Promise<Uint8Array>} an SFrame object
 */
export async function seal(secret, kid, ctr, metadata, plaintext) {
  const header = writeHeader(kid, ctr);
  const sealed = await crypto.subtle.encrypt(cipher(secret, ctr, header, metadata), secret.key, exact(plaintext));
  return concat(header, new Uint8Array(sealed));
}

/**
 * @param {Secret} secret of the header's KID @param {Header} header @param {Uint8Array} metadata
 * @param {Uint8Array} bytes an SFrame object @returns {Promise<Uint8Array | null>} null: another key, or altered
 */
export async function open(secret, header, metadata, bytes) {
  const how = cipher(secret, header.ctr, bytes.subarray(0, header.length), metadata);
  try {
    return new Uint8Array(await crypto.subtle.decrypt(how, secret.key, exact(bytes.subarray(header.length))));
  } catch {
    return null;
  }
}

/** @param {...Uint8Array} parts */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param {Secret} secret @param {bigint} ctr @param {Uint8Array} header @param {Uint8Array} metadata */
function cipher({ salt }, ctr, header, metadata) {
  const counter = toBytes(ctr, NONCE_BYTES);
  const iv = Uint8Array.from(salt, (byte, at) => byte ^ counter[at]);
  return { name: 'AES-GCM', iv, additionalData: concat(header, metadata), tagLength: 8 * TAG_BYTES };
}

/** A number as the header has it: below 8 in the three bits themselves, else behind them. @param {bigint} value */
function field(value) {
  if (value < 8n) return { bits: Number(value), bytes: [] };
  const length = Math.ceil(value.toString(16).length / 2);
  return { bits: 8 | (length - 1), bytes: toBytes(value, length) };
}

/** Big endian. @param {bigint} value @param {number} length in bytes */
function toBytes(value, length) {
  return Uint8Array.from({ length }, (_, at) => Number(value >> BigInt(8 * (length - 1 - at)) & 0xffn));
}

/** @param {Uint8Array} bytes */
const bigEndian = (bytes) => bytes.reduce((value, byte) => value << 8n | BigInt(byte), 0n);

/** For WebCrypto's types, which take no shared memory. @param {Uint8Array} bytes */
const exact = (bytes) => /** @type {Uint8Array<ArrayBuffer>} */ (bytes);
