export class Reception {
    /**
     * @param {(slots: Preference[]) => boolean} prefer tells the server how slots are shown; false: not now
     * @param {(view: SlotView) => void} bound a slot changed hands
     */
    constructor(prefer: (slots: Preference[]) => boolean, bound: (view: SlotView) => void);
    get views(): SlotView[];
    get quality(): LinkQuality;
    /** @param {string} participant @param {Share} share @returns {SlotView | undefined} */
    find(participant: string, share: Share): SlotView | undefined;
    /** The pairs that an offer has just given their m-lines. @param {Peer} peer */
    add(peer: Peer): void;
    /** @param {number} wanted pairs in all, as the server asks for them; 0: as many as keep a spare @returns {number} to add */
    lacking(wanted: number): number;
    /** @param {Binding[]} bindings */
    bind(bindings: Binding[]): void;
    /** All bindings there are: whoever is not among them is on no slot any more. @param {Binding[]} bindings */
    rebind(bindings: Binding[]): void;
    /** @param {string} participant who has left */
    release(participant: string): void;
    /** @param {Extract<ServerMessage, {type: 'first_frame'}>} message */
    firstFrame({ mid, participant, rtp_timestamp }: Extract<ServerMessage, {
        type: "first_frame";
    }>): void;
    /** @param {Quality} message */
    hear({ estimate_kbps, wanted_kbps, slots, decisions }: Quality): void;
    /** Everything that is shown is told again: the server is a new one. */
    retell(): void;
    /** The slots of an earlier connection are gone. */
    forget(): void;
    clear(): void;
    close(): void;
    #private;
}
export type LinkQuality = {
    /**
     * what the server believes the link to us carries; null: not known yet
     */
    estimate_kbps: number | null;
    /**
     * for everything that is shown, at its best
     */
    wanted_kbps: number;
    /**
     * newest last, of `performance.now()`
     */
    decisions: ({
        at_ms: number;
        participant: string | null;
    } & Decision)[];
};
import { SlotView } from './view.js';
import type { Share } from './wire.js';
import type { Peer } from './peer.js';
import type { Binding } from './wire.js';
import type { ServerMessage } from './wire.js';
import type { Quality } from './wire.js';
import type { Preference } from './wire.js';
import type { Decision } from './wire.js';
