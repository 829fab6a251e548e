/** @param {readonly Attribute[]} list @param {string} [key] left out: the metadata @returns {Kept | null} */
export function find(list: readonly Attribute[], key?: string): Kept | null;
/** @param {readonly Attribute[]} list @param {Attribute} change @returns {Attribute[]} */
export function changed(list: readonly Attribute[], change: Attribute): Attribute[];
/**
 * `version` is what a change of it is compared with.
 */
export type Kept = {
    value: string;
    version: number;
};
import type { Attribute } from './wire.js';
