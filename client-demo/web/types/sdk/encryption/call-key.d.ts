/** @import {SlotView} from '../view.js' */
/** @import {ParticipantInfo, Share} from '../wire.js' */
/** @import {EncryptionProblem} from './index.js' */
/** @import {SharedKey} from './passphrase.js' */
/** @typedef {{participant: string, share: Share, problem: EncryptionProblem | null}} EncryptionChange */
export class CallKey {
    /**
     * @param {{views: () => readonly SlotView[], participants: () => readonly ParticipantInfo[], changed: (change: EncryptionChange) => void}} hooks
     *   who is in the call, and where; `changed`: something of somebody can be played, or not
     */
    constructor(hooks: {
        views: () => readonly SlotView[];
        participants: () => readonly ParticipantInfo[];
        changed: (change: EncryptionChange) => void;
    });
    get isSet(): boolean;
    /** @param {SharedKey | null} key @throws {CallError} `bad_key` */
    set(key: SharedKey | null): void;
    /** What a PeerConnection is to be given: null where the call is not encrypted. @returns {Encryption | null} */
    get encryption(): Encryption | null;
    /** Whether what was asked for is possible here. */
    get isPossible(): boolean;
    /** The room is known: makes its key, for which the first frames wait. @param {string} room @returns {Promise<void>} @throws {CallError} `no_encryption`, at once */
    enter(room: string): Promise<void>;
    /** Another key in the place of the one before. @param {SharedKey} key @param {string} room */
    change(key: SharedKey, room: string): Promise<void>;
    /** Whether what comes on a slot can be played. @param {SlotView} view */
    judge(view: SlotView): void;
    close(): void;
    #private;
}
export type EncryptionChange = {
    participant: string;
    share: Share;
    problem: EncryptionProblem | null;
};
import type { SharedKey } from './passphrase.js';
import { Encryption } from './index.js';
import type { SlotView } from '../view.js';
import type { ParticipantInfo } from '../wire.js';
import type { Share } from '../wire.js';
import type { EncryptionProblem } from './index.js';
