/**
 * @typedef {object} DataEvents
 * @property {{participant: string, bytes: Uint8Array, reliable: boolean}} data   somebody said something
 * @property {void} open      it can be sent, now or again
 * @property {{slow: boolean}} closed   it cannot any more; `slow`: the server gave up on us, since we did not read what must not be lost
 */
/** @typedef {{reliable: RTCDataChannel, lossy: RTCDataChannel}} Channels */
/** @typedef {{reliable?: boolean, to?: readonly string[]}} SendOptions `to`: participants; left out: everybody else */
/** The most in one message. Larger things belong to files. */
export const DATA_BYTES_MAX: number;
/** @extends {Emitter<DataEvents>} */
export class Data extends Emitter<DataEvents> {
    /** @param {{open: () => void, reopen: () => void, may: () => boolean}} hooks */
    constructor(hooks: {
        open: () => void;
        reopen: () => void;
        may: () => boolean;
    });
    /** It can be sent right now. */
    get isOpen(): boolean;
    /**
     * @param {Uint8Array | ArrayBuffer | string} data text goes as UTF-8
     * @param {SendOptions} [options]
     * @returns {boolean} false: not sent, since too much waits, or (lossy) the channel is not open
     * @throws {CallError} `not_allowed`  @throws {RangeError} more than 16 KiB, or more than 64 participants
     */
    send(data: Uint8Array | ArrayBuffer | string, { reliable, to }?: SendOptions): boolean;
    /** After `closed`: once more, over a new connection for media. */
    reopen(): void;
    /** Every connection is to have channels. */
    get isWanted(): boolean;
    /** The channels of the connection that counts from now on. @param {Channels} channels */
    attach(channels: Channels): void;
    /** The server has said that it closes them. */
    cut(): void;
    /** The call is over. */
    close(): void;
    #private;
}
export type DataEvents = {
    /**
     * somebody said something
     */
    data: {
        participant: string;
        bytes: Uint8Array;
        reliable: boolean;
    };
    /**
     * it can be sent, now or again
     */
    open: void;
    /**
     * it cannot any more; `slow`: the server gave up on us, since we did not read what must not be lost
     */
    closed: {
        slow: boolean;
    };
};
export type Channels = {
    reliable: RTCDataChannel;
    lossy: RTCDataChannel;
};
/**
 * `to`: participants; left out: everybody else
 */
export type SendOptions = {
    reliable?: boolean;
    to?: readonly string[];
};
import { Emitter } from './events.js';
