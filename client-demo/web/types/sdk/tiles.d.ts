/**
 * The size in which a picture is drawn in a box, in device pixels.
 * @param {{width: number, height: number}} box in CSS pixels
 * @param {{width: number, height: number}} picture zeros: not known yet
 * @param {string} fit the element's `object-fit` @param {number} ratio device pixels per CSS pixel
 */
export function drawnSize(box: {
    width: number;
    height: number;
}, picture: {
    width: number;
    height: number;
}, fit: string, ratio: number): {
    width: number;
    height: number;
};
/** Whether `b` is worth telling after `a`, and how soon. @param {Preference | undefined} a @param {Preference} b @returns {number | null} null: not at all */
export function settlesAfter_ms(a: Preference | undefined, b: Preference): number | null;
export class TileWatcher {
    /** @param {(slots: Preference[]) => boolean} tell false: not now, ask again with `retell` */
    constructor(tell: (slots: Preference[]) => boolean);
    /** @param {SlotView} view @param {HTMLVideoElement} element */
    watch(view: SlotView, element: HTMLVideoElement): void;
    /** Everything again: the server is a new one. */
    retell(): void;
    /** The elements of an earlier connection. */
    clear(): void;
    close(): void;
    #private;
}
import type { Preference } from './wire.js';
import type { SlotView } from './view.js';
