/** The server or the network went away, or is about to come back: trying again can help. @param {unknown} error */
export function isPassing(error: unknown): boolean;
/** @import {ErrorCode} from './wire.js' */
/**
 * What can go wrong besides what the server answers:
 * - `unreachable`: no connection to the server could be made in time
 * - `gone`: the connection ended while something was asked
 * - `unsupported`: this browser cannot do WebRTC
 * - `broken`: the server's answer does not fit
 * - `bad_key`: the key of an encrypted call is empty, or too short
 * - `no_encryption`: a key was given, and this browser cannot encrypt, or not on a page from plain HTTP
 * @typedef {ErrorCode | 'unreachable' | 'gone' | 'unsupported' | 'broken' | 'bad_key' | 'no_encryption'} CallErrorCode
 */
export class CallError extends Error {
    /**
     * @param {CallErrorCode} code @param {string} message for people
     * @param {{value: string | null, version: number}} [present] with `conflict`: what is there
     */
    constructor(code: CallErrorCode, message: string, present?: {
        value: string | null;
        version: number;
    });
    present: {
        value: string | null;
        version: number;
    } | undefined;
    code: CallErrorCode;
}
/**
 * What can go wrong besides what the server answers:
 * - `unreachable`: no connection to the server could be made in time
 * - `gone`: the connection ended while something was asked
 * - `unsupported`: this browser cannot do WebRTC
 * - `broken`: the server's answer does not fit
 * - `bad_key`: the key of an encrypted call is empty, or too short
 * - `no_encryption`: a key was given, and this browser cannot encrypt, or not on a page from plain HTTP
 */
export type CallErrorCode = ErrorCode | "unreachable" | "gone" | "unsupported" | "broken" | "bad_key" | "no_encryption";
import type { ErrorCode } from './wire.js';
