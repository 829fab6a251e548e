/** @import {SharedKey} from './passphrase.js' */
/**
 * Why there is nothing to see or hear of somebody:
 * - `encrypted`: they encrypt, and we have no key
 * - `key_differs`: they encrypt with another key
 * - `not_encrypted`: they do not encrypt; what anybody on the way could have made up is not played
 * @typedef {'encrypted' | 'key_differs' | 'not_encrypted'} EncryptionProblem
 */
/** @param {boolean} ours we encrypt @param {boolean} theirs @param {boolean} failing what comes from them cannot be opened @returns {EncryptionProblem | null} */
export function problemOf(ours: boolean, theirs: boolean, failing: boolean): EncryptionProblem | null;
export function canEncrypt(scope?: any): boolean;
export class Encryption {
    /** @param {(receiver: RTCRtpReceiver, failing: boolean) => void} told frames of a receiver cannot be opened; or can be, again */
    constructor(told: (receiver: RTCRtpReceiver, failing: boolean) => void);
    /** Until the first key nothing leaves, and nothing is played. @param {SharedKey} key @param {string} room */
    use(key: SharedKey, room: string): Promise<void>;
    /** What leaves by it is sealed. @param {RTCRtpSender} sender */
    seal(sender: RTCRtpSender): void;
    /** What comes by it is opened. @param {RTCRtpReceiver} receiver */
    open(receiver: RTCRtpReceiver): void;
    /** Nothing comes by it any more. @param {RTCRtpReceiver} receiver */
    release(receiver: RTCRtpReceiver): void;
    /** What the payload types mean. @param {string} offer SDP */
    learn(offer: string): void;
    close(): void;
    #private;
}
/**
 * Why there is nothing to see or hear of somebody:
 * - `encrypted`: they encrypt, and we have no key
 * - `key_differs`: they encrypt with another key
 * - `not_encrypted`: they do not encrypt; what anybody on the way could have made up is not played
 */
export type EncryptionProblem = "encrypted" | "key_differs" | "not_encrypted";
import type { SharedKey } from './passphrase.js';
