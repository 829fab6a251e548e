/** @param {Uint8Array} bytes @returns {Block[] | null} the newest last; null: malformed */
export function splitRed(bytes: Uint8Array): Block[] | null;
/** Copies that are too long for their header are left out. @param {Block[]} blocks the newest last @returns {Uint8Array} */
export function joinRed(blocks: Block[]): Uint8Array;
/**
 * `offset`: ticks before the packet's own timestamp.
 */
export type Block = {
    pt: number;
    offset: number;
    payload: Uint8Array;
};
