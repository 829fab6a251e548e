/** @import {CameraOptions} from './codecs.js' */
/** @import {Channels} from './data.js' */
/** @import {Encryption} from './encryption/index.js' */
/** @import {EncodingActive, Kind, SlotPair, Source} from './wire.js' */
/** @type {readonly {source: Source, kind: Kind}[]} In the order of their m-lines. */
export const SENDERS: readonly {
    source: Source;
    kind: Kind;
}[];
/** @typedef {{audio: RTCRtpTransceiver, video: RTCRtpTransceiver}} Pair */
/**
 * @typedef {object} PeerEvents
 * @property {number} ice          when ICE connected, in ms of `performance.now()`
 * @property {number} dtls         when the DTLS handshake was done
 * @property {number} packet       when the first RTP packet of some slot arrived
 * @property {void} disturbed      nothing comes over the path at the moment; it may be lost
 */
/** @extends {Emitter<PeerEvents>} */
export class Peer extends Emitter<PeerEvents> {
    /** @param {number} pairs receive-only pairs to begin with @param {CameraOptions} [camera] @param {Encryption | null} [encryption] null: none */
    constructor(pairs: number, camera?: CameraOptions, encryption?: Encryption | null);
    /** @param {number} count more receive-only pairs, from the next offer on */
    addPairs(count: number): void;
    /**
     * The two data channels, from the next offer on. Both ends know them by their numbers, so nothing is opened in band.
     * @returns {Channels}
     */
    openData(): Channels;
    /** There is something that no offer has told yet. */
    get hasUntold(): boolean;
    get isConnected(): boolean;
    get isClosed(): boolean;
    /** No offer of ours waits for its answer. */
    get isStable(): boolean;
    get pairs(): Pair[];
    /** In the order of their m-lines. @returns {Source[]} */
    get sources(): Source[];
    /** @param {Pair} pair @returns {SlotPair} only after an offer */
    mids(pair: Pair): SlotPair;
    /** @param {Source} source @returns {string} only after an offer */
    mid(source: Source): string;
    /**
     * Without candidates: the server is ICE-lite and learns our address from the first check, so nobody waits for gathering.
     * @param {{restart?: boolean}} [options] `restart`: new ICE credentials, after the path was lost
     * @returns {Promise<string>} SDP
     */
    offer({ restart }?: {
        restart?: boolean;
    }): Promise<string>;
    /** @param {string} answer SDP */
    accept(answer: string): Promise<void>;
    /** @param {Source} source @param {MediaStreamTrack | null} track null: nothing is sent */
    setTrack(source: Source, track: MediaStreamTrack | null): Promise<void>;
    /**
     * Sends those encodings of a track alone that somebody watches. One change after the other: each has to be made to what
     * the last one left.
     * @param {string} mid @param {EncodingActive[]} active
     */
    setActive(mid: string, active: EncodingActive[]): void;
    /** @returns {Promise<Map<string, any>>} */
    stats(): Promise<Map<string, any>>;
    close(): void;
    #private;
}
export type Pair = {
    audio: RTCRtpTransceiver;
    video: RTCRtpTransceiver;
};
export type PeerEvents = {
    /**
     * when ICE connected, in ms of `performance.now()`
     */
    ice: number;
    /**
     * when the DTLS handshake was done
     */
    dtls: number;
    /**
     * when the first RTP packet of some slot arrived
     */
    packet: number;
    /**
     * nothing comes over the path at the moment; it may be lost
     */
    disturbed: void;
};
import type { Source } from './wire.js';
import type { Kind } from './wire.js';
import { Emitter } from './events.js';
import type { Channels } from './data.js';
import type { SlotPair } from './wire.js';
import type { EncodingActive } from './wire.js';
import type { CameraOptions } from './codecs.js';
import type { Encryption } from './encryption/index.js';
