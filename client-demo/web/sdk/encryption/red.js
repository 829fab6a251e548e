/**
 * Redundant sound (RFC 2198), taken apart and put together: older packets in front of the newest.
 *
 *   |1| PT, 7 bits | offset in ticks, 14 | length, 10 |  a block that repeats an older packet
 *   |0| PT, 7 bits |                                     the newest, up to the end; then the blocks themselves
 */

/** @typedef {{pt: number, offset: number, payload: Uint8Array}} Block  `offset`: ticks before the packet's own timestamp. */

const LENGTH_MAX = 1023;

/** @param {Uint8Array} bytes @returns {Block[] | null} the newest last; null: malformed */
export function splitRed(bytes) {
  /** @type {{pt: number, offset: number, length: number}[]} */
  const headers = [];
  let at = 0;
  while (bytes[at] & 0x80) {
    if (at + 4 > bytes.length) return null;
    headers.push({
      pt: bytes[at] & 0x7f, offset: bytes[at + 1] << 6 | bytes[at + 2] >> 2, length: (bytes[at + 2] & 3) << 8 | bytes[at + 3],
    });
    at += 4;
  }
  if (at >= bytes.length) return null;
  const newest = bytes[at++] & 0x7f;
  /** @type {Block[]} */
  const blocks = [];
  for (const { pt, offset, length } of headers) {
    if (at + length > bytes.length) return null;
    blocks.push({ pt, offset, payload: bytes.subarray(at, at + length) });
    at += length;
  }
  return [...blocks, { pt: newest, offset: 0, payload: bytes.subarray(at) }];
}

/** Copies that are too long for their header are left out. @param {Block[]} blocks the newest last @returns {Uint8Array} */
export function joinRed(blocks) {
  const newest = blocks[blocks.length - 1];
  const copies = blocks.slice(0, -1).filter(({ payload }) => payload.length <= LENGTH_MAX);
  const headers = copies.flatMap(({ pt, offset, payload: { length } }) => [0x80 | pt, offset >> 6, (offset & 0x3f) << 2 | length >> 8, length & 0xff]);
  const whole = new Uint8Array(headers.length + 1 + [...copies, newest].reduce((sum, { payload }) => sum + payload.length, 0));
  whole.set([...headers, newest.pt]);
  let at = headers.length + 1;
  for (const { payload } of [...copies, newest]) {
    whole.set(payload, at);
    at += payload.length;
  }
  return whole;
}
