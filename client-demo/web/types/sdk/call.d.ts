/** @import {CameraOptions} from './codecs.js' */
/** @import {CallState} from './connection.js' */
/** @import {EncryptionChange} from './encryption/call-key.js' */
/** @import {SharedKey} from './encryption/passphrase.js' */
/** @import {Asked} from './hold.js' */
/** @import {Published} from './publications.js' */
/** @import {LinkQuality} from './reception.js' */
/** @import {Setting} from './room.js' */
/** @import {CallStats} from './stats.js' */
/** @import {SlotView} from './view.js' */
/** @import {Kept} from './attributes.js' */
/** @import {Action, Attribute, Grants, Group, Member, ParticipantInfo, Role, ServerMessage, Share, Source, Stages} from './wire.js' */
/**
 * @typedef {object} CallEvents
 * @property {CallState} state
 * @property {ParticipantInfo} arrived    somebody came, or was there when we joined
 * @property {ParticipantInfo} departed
 * @property {void} participants          who is there, what they publish, or who speaks has changed
 * @property {SlotView} bound             a slot changed hands
 * @property {Stages} stages              how long connecting has taken so far
 * @property {LinkQuality} quality        what the link carries, and what is sent over it
 * @property {Grants} grants               what we may do has changed, or our role
 * @property {string | null} moved         we are in this group now; null: in the room itself
 * @property {readonly Member[]} waiting   who waits to be let in, if it is ours to say
 * @property {readonly Group[]} groups     who is in which group, likewise
 * @property {{participant: string | null} & Attribute} attribute   one has changed; null: of the room
 * @property {Source[]} stopped            a moderator has stopped what we publish; we may begin again
 * @property {Setting} room               how the room is set has changed
 * @property {EncryptionChange} encryption   why nothing is to be seen or heard of somebody (`problem`); null: it is, again
 * @property {boolean} reachable          whether the server answers (before the join, too)
 * @property {CallError} error            the call ended and will not come back by itself
 */
/** @extends {Emitter<CallEvents>} */
export class Call extends Emitter<CallEvents> {
    /**
     * @param {{url: string, slots?: number, camera?: CameraOptions, key?: SharedKey | null}} options `url` of the WebSocket; `slots` receive-only
     *   pairs to begin with; `camera` how it is sent; `key` as for `setKey`
     * @throws {CallError} `bad_key`
     */
    constructor({ url, slots, camera, key }: {
        url: string;
        slots?: number;
        camera?: CameraOptions;
        key?: SharedKey | null;
    });
    /** What is said in the room. */ messages: MessageLog;
    /** What must be fast rather than kept. */ data: Data;
    get state(): CallState;
    /** Sound and pictures go on, whatever the WebSocket does. */
    get mediaAlive(): boolean;
    /** Our own id in the room; null outside. */
    get self(): string | null;
    get room(): string;
    get name(): string;
    /** Why the call is reconnecting, where the server gave a reason before it closed. @returns {CallError | null} */
    get reason(): CallError | null;
    /** How the room is set. @returns {Readonly<Setting>} */
    get setting(): Readonly<Setting>;
    /** What we may do; null outside. @returns {Readonly<Grants> | null} */
    get grants(): Readonly<Grants> | null;
    /** What that is called, if it has a name. @returns {Role | null} */
    get role(): Role | null;
    /** The group of the room that we are in; null: the room itself. @returns {string | null} */
    get group(): string | null;
    /** Who waits to be let in; told to those who moderate. @returns {readonly Member[]} */
    get waiting(): readonly Member[];
    /** Who is where, the room itself first; empty where there are no groups. Told to those who moderate. @returns {readonly Group[]} */
    get groups(): readonly Group[];
    /**
     * What the application keeps with the room or with somebody.
     * @param {string} [key] left out: the metadata @param {string | null} [participant] left out: of the room
     * @returns {Kept | null} null: nothing
     */
    attribute(key?: string, participant?: string | null): Kept | null;
    /** Everybody else, in order of arrival. @returns {ParticipantInfo[]} */
    get participants(): ParticipantInfo[];
    /** Who speaks, loudest first; may hold our own id. @returns {readonly string[]} */
    get speakers(): readonly string[];
    /** Every slot that is on offer, used or not. @returns {readonly SlotView[]} */
    get views(): readonly SlotView[];
    /** @param {string} participant @param {Share} share @returns {SlotView | undefined} */
    view(participant: string, share: Share): SlotView | undefined;
    /** How long connecting has taken so far. @returns {Readonly<Stages>} */
    get stages(): Readonly<Stages>;
    /** @returns {Readonly<LinkQuality>} */
    get quality(): Readonly<LinkQuality>;
    /** Sound and pictures are encrypted end to end. Messages are not. */
    get encrypted(): boolean;
    /** @param {Source} source @returns {Readonly<Published>} */
    published(source: Source): Readonly<Published>;
    /**
     * Opens the WebSocket and makes the offer, ahead of the click. Where it is known what will be joined, the server holds a place: nothing stands
     * between the click and the media then, and nobody hears of it before. Call it again when it changes. Never throws: `join` tells what is wrong.
     * @param {Asked} [wish] what will be given to `join`
     */
    prepare(wish?: Asked): void;
    /**
     * The key of the call, which everybody in it has to give, and the server never learns: before joining, whether the call is encrypted at
     * all; later another key in its place. What others seal with the key before it is still opened.
     * @param {SharedKey | null} key a passphrase, or at least 16 random bytes; null: not encrypted
     * @throws {CallError} `bad_key`; `wrong_state`: to begin or to end encryption, leave first
     */
    setKey(key: SharedKey | null): Promise<void>;
    /**
     * Where a moderator has to let us in, `state` is `waiting` until they do.
     * @param {{room: string, name: string, token?: string, role?: Role, start_ms?: number}} options `token`: what lets us in; `role`: what to be on a
     *   server without tokens; `start_ms`: when the click happened, on `performance.now()`
     * @returns {Promise<void>} @throws {CallError} among others `not_admitted`, `wait_timeout`
     */
    join({ room, name, token, role, start_ms }: {
        room: string;
        name: string;
        token?: string;
        role?: Role;
        start_ms?: number;
    }): Promise<void>;
    leave(): void;
    /**
     * What is sent as a source. A new track takes over without a new offer.
     * @param {Source} source @param {MediaStreamTrack | null} track
     * @param {{muted?: boolean, active?: boolean}} [change] told to everybody else
     */
    publish(source: Source, track: MediaStreamTrack | null, change?: {
        muted?: boolean;
        active?: boolean;
    }): Promise<void>;
    /** @param {Source} source @param {boolean} muted nothing to hear or see, and everybody is told */
    setMuted(source: Source, muted: boolean): void;
    /**
     * Needs the grant `moderate`.
     * @param {Action} action @returns {Promise<void>} @throws {CallError} `not_allowed`, `unknown_participant`, `gone`
     */
    moderate(action: Action): Promise<void>;
    /**
     * Keeps something with the room (which needs the grant `moderate`), with ourselves (`data`), or with somebody else (`moderate`).
     * @param {{key?: string, value: string | null, version?: number, participant?: string | null}} change `key` left out: the metadata; `value`
     *   null: removed; `version` that has to be there, 0 for none, left out: whatever is there; `participant` left out: of the room
     * @returns {Promise<number>} its version from now on
     * @throws {CallError} `conflict`, with what is there in `present`; `not_allowed`, `bad_attribute`, `unknown_participant`, `gone`
     */
    setAttribute({ key, value, version, participant }: {
        key?: string;
        value: string | null;
        version?: number;
        participant?: string | null;
    }): Promise<number>;
    /** Rates are since the last call of this. @returns {Promise<CallStats | null>} null outside a call */
    stats(): Promise<CallStats | null>;
    #private;
}
export type CallEvents = {
    state: CallState;
    /**
     * somebody came, or was there when we joined
     */
    arrived: ParticipantInfo;
    departed: ParticipantInfo;
    /**
     * who is there, what they publish, or who speaks has changed
     */
    participants: void;
    /**
     * a slot changed hands
     */
    bound: SlotView;
    /**
     * how long connecting has taken so far
     */
    stages: Stages;
    /**
     * what the link carries, and what is sent over it
     */
    quality: LinkQuality;
    /**
     * what we may do has changed, or our role
     */
    grants: Grants;
    /**
     * we are in this group now; null: in the room itself
     */
    moved: string | null;
    /**
     * who waits to be let in, if it is ours to say
     */
    waiting: readonly Member[];
    /**
     * who is in which group, likewise
     */
    groups: readonly Group[];
    /**
     * one has changed; null: of the room
     */
    attribute: {
        participant: string | null;
    } & Attribute;
    /**
     * a moderator has stopped what we publish; we may begin again
     */
    stopped: Source[];
    /**
     * how the room is set has changed
     */
    room: Setting;
    /**
     * why nothing is to be seen or heard of somebody (`problem`); null: it is, again
     */
    encryption: EncryptionChange;
    /**
     * whether the server answers (before the join, too)
     */
    reachable: boolean;
    /**
     * the call ended and will not come back by itself
     */
    error: CallError;
};
import { Emitter } from './events.js';
import { MessageLog } from './messages.js';
import { Data } from './data.js';
import type { CallState } from './connection.js';
import { CallError } from './errors.js';
import type { Setting } from './room.js';
import type { Grants } from './wire.js';
import type { Role } from './wire.js';
import type { Member } from './wire.js';
import type { Group } from './wire.js';
import type { Kept } from './attributes.js';
import type { ParticipantInfo } from './wire.js';
import type { SlotView } from './view.js';
import type { Share } from './wire.js';
import type { Stages } from './wire.js';
import type { LinkQuality } from './reception.js';
import type { Source } from './wire.js';
import type { Published } from './publications.js';
import type { Asked } from './hold.js';
import type { SharedKey } from './encryption/passphrase.js';
import type { Action } from './wire.js';
import type { CallStats } from './stats.js';
import type { CameraOptions } from './codecs.js';
import type { Attribute } from './wire.js';
import type { EncryptionChange } from './encryption/call-key.js';
