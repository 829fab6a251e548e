/** What people read, in their language: what happened, and what they can do. */

import { en } from './en.js';
import { zh } from './zh.js';

/** @import {CallError, Change, Decision, Environment, MediaProblem} from '../../sdk/index.js' */
/** @typedef {typeof en} Words */

/** @type {Record<string, Words>} By primary subtag. */
const LANGUAGES = { en, zh };

/**
 * The first language that there is; English where none is.
 * @param {readonly (string | null | undefined)[]} wanted BCP 47, the best first @returns {Words}
 */
export function wordsFor(wanted) {
  for (const tag of wanted) {
    const words = tag && LANGUAGES[tag.toLowerCase().split('-')[0]];
    if (words) return words;
  }
  return en;
}

/** @param {Words} words @param {CallError} error */
export function callWords(words, error) {
  return words.errors[error.code]?.(error.message) ?? words.otherError(error.message, error.code);
}

/**
 * @param {Words} words @param {CallError | null} reason what the server said before it closed the connection
 * @param {boolean} mediaAlive sound and pictures go on
 */
export function reconnectWords({ reconnect }, reason, mediaAlive) {
  switch (reason?.code) {
    case 'media_lost': return reconnect.mediaLost;
    case 'shutting_down': return reconnect.restarting;
    default: return mediaAlive ? reconnect.alive : reconnect.lost;
  }
}

/**
 * @param {Words} words @param {MediaProblem | null} camera @param {MediaProblem | null} microphone
 * @returns {string} empty when both are there
 */
export function mediaWords({ devices }, camera, microphone) {
  const problem = camera ?? microphone;
  if (!problem) return '';
  if (problem.reason === 'insecure') return devices.insecure;
  const of = camera !== null && microphone !== null && camera.reason === microphone.reason ? 'both' : camera ? 'camera' : 'microphone';
  return devices[problem.reason](of, devices.instead[of], problem.message);
}

/** @param {Words} words @param {Environment} environment @param {boolean} encrypted a key was given @returns {string} empty when calls are possible */
export function environmentWords(words, environment, encrypted) {
  if (!environment.webrtc) return words.noWebrtc;
  return encrypted && !environment.encryption ? words.errors.no_encryption('') : '';
}

/** What was changed in a slot, and why; what a newer server says in its own words. @param {Words} words @param {Decision} decision */
export function decisionWords({ quality }, decision) {
  const [from, to, why] = [changeWords(quality, decision.from), changeWords(quality, decision.to), quality.why[decision.why]];
  if (!from || !to || !why) return decision.text;
  const paused = typeof decision.to === 'object' && 'paused' in decision.to ? decision.to.paused : null;
  return quality.changed(from, to, why({ ...decision, paused }));
}

/** @param {Words['quality']} quality @param {Change} change */
function changeWords(quality, change) {
  if (change === 'nothing') return quality.nothing;
  if (typeof change !== 'object') return '';
  if ('paused' in change) return quality.paused(quality.pauses[change.paused] ?? change.paused);
  return 'layer' in change ? quality.layerOf(change.layer.encoding + change.layer.spatial + 1, change.layer.temporal) : '';
}
