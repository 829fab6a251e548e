/**
 * The first language that there is; English where none is.
 * @param {readonly (string | null | undefined)[]} wanted BCP 47, the best first @returns {Words}
 */
export function wordsFor(wanted: readonly (string | null | undefined)[]): Words;
/** @param {Words} words @param {CallError} error */
export function callWords(words: Words, error: CallError): string;
/**
 * @param {Words} words @param {CallError | null} reason what the server said before it closed the connection
 * @param {boolean} mediaAlive sound and pictures go on
 */
export function reconnectWords({ reconnect }: Words, reason: CallError | null, mediaAlive: boolean): string;
/**
 * @param {Words} words @param {MediaProblem | null} camera @param {MediaProblem | null} microphone
 * @returns {string} empty when both are there
 */
export function mediaWords({ devices }: Words, camera: MediaProblem | null, microphone: MediaProblem | null): string;
/** @param {Words} words @param {Environment} environment @param {boolean} encrypted a key was given @returns {string} empty when calls are possible */
export function environmentWords(words: Words, environment: Environment, encrypted: boolean): string;
/** What was changed in a slot, and why; what a newer server says in its own words. @param {Words} words @param {Decision} decision */
export function decisionWords({ quality }: Words, decision: Decision): string;
export type Words = typeof en;
import type { CallError } from '../../sdk/index.js';
import type { MediaProblem } from '../../sdk/index.js';
import type { Environment } from '../../sdk/index.js';
import type { Decision } from '../../sdk/index.js';
import { en } from './en.js';
