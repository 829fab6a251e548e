/** @import {Pair} from './peer.js' */
/** @import {EncryptionProblem} from './encryption/index.js' */
/** @import {Kind, SlotQuality} from './wire.js' */
/** @import {Slot} from './slots.js' */
/**
 * @typedef {object} ViewEvents
 * @property {boolean} shown   the picture is the owner's (true) or must be hidden (false)
 * @property {number} frame    a frame was presented, at this time in ms of `performance.now()`
 * @property {HTMLVideoElement} attached    an element shows the picture
 * @property {void} preference    `pinned`, `priority` or `problem` changed
 */
/** @extends {Emitter<ViewEvents>} */
export class SlotView extends Emitter<ViewEvents> {
    /** @param {Slot} slot @param {Pair} pair */
    constructor(slot: Slot, pair: Pair);
    /** Frames that come cannot be opened. */ failing: boolean;
    /** @type {SlotQuality | null} What the server sends of the picture, and why not more. */ quality: SlotQuality | null;
    slot: Slot;
    audio: MediaStream;
    video: MediaStream;
    get participant(): string | null;
    get share(): import("./wire.js").Share;
    /** A pinned picture has a larger share of the link, and is paused last. */
    set pinned(on: boolean);
    get pinned(): boolean;
    /** 0-3; each step doubles the share. */
    set priority(steps: number);
    get priority(): number;
    /** Undecodable sound would be noise, and pictures are not asked for meanwhile. */
    set problem(problem: EncryptionProblem | null);
    /** Why what comes cannot be played; null: it can. */
    get problem(): EncryptionProblem | null;
    /** @param {RTCRtpReceiver} receiver */
    receives(receiver: RTCRtpReceiver): boolean;
    /** Whether the picture is the owner's. */
    get shown(): boolean;
    /**
     * What was played or shown last: its RTP timestamp, when, and how loud. The browser may know nothing yet.
     * @param {Kind} kind @returns {RTCRtpSynchronizationSource | undefined}
     */
    newest(kind: Kind): RTCRtpSynchronizationSource | undefined;
    /** When the newest sound or picture was delivered, in ms of `performance.now()`; null: never. @param {Kind} kind */
    delivered_ms(kind: Kind): number | null;
    /**
     * Shows this slot's picture in an element. The page hides the element while `shown` is false.
     * @param {HTMLVideoElement} element one for the slot's whole life
     */
    attach(element: HTMLVideoElement): void;
    /** After the slot changed hands, or `first_frame` came. */
    update(): void;
    #private;
}
export type ViewEvents = {
    /**
     * the picture is the owner's (true) or must be hidden (false)
     */
    shown: boolean;
    /**
     * a frame was presented, at this time in ms of `performance.now()`
     */
    frame: number;
    /**
     * an element shows the picture
     */
    attached: HTMLVideoElement;
    /**
     * `pinned`, `priority` or `problem` changed
     */
    preference: void;
};
import { Emitter } from './events.js';
import type { SlotQuality } from './wire.js';
import type { Slot } from './slots.js';
import type { EncryptionProblem } from './encryption/index.js';
import type { Kind } from './wire.js';
import type { Pair } from './peer.js';
