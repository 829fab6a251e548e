/**
 * The worker through which every encoded frame of an encrypted call goes, on its way out and in.
 *
 *   told:   {base}            the shared key from now on
 *           {codecs}          payload type -> codec, as offered
 *   given:  RTCRtpScriptTransform with {side: 'seal' | 'open', id}
 *   tells:  {id, failing}     frames of a receiver cannot be opened; or can be, again
 */

import { Sealer, openFrame } from './frames.js';
import { KeyRing } from './keyring.js';

/** A few may be left over from before a key was changed, or of who was on a slot before. */
const FAILURES_TOLD = 5;
/** Told again while it lasts: the slot may have changed hands. */
const TOLD_AGAIN_AFTER_MS = 1_000;
/** A key frame is asked for no oftener. */
const KEY_FRAME_AFTER_MS = 1_000;

const ring = new KeyRing();
/** @type {Record<number, string>} */
let codecs = {};
/** A dedicated worker's global. @type {any} */
const scope = globalThis;

/** @param {any} frame RTCEncodedAudioFrame or RTCEncodedVideoFrame */
function codecOf(frame) {
  const { payloadType, mimeType = '' } = frame.getMetadata();
  return codecs[payloadType] ?? mimeType.split('/').pop().toLowerCase();
}

function sealing() {
  const sealer = new Sealer(ring);
  return async (/** @type {any} */ frame, /** @type {TransformStreamDefaultController} */ controller) => {
    const timestamp = frame.getMetadata().rtpTimestamp;
    const sealed = await sealer.seal(codecOf(frame), new Uint8Array(frame.data), timestamp);
    if (!sealed) return; // Rather nothing than something that everybody can read.
    frame.data = sealed.buffer;
    controller.enqueue(frame);
  };
}

/** @param {any} transformer RTCRtpScriptTransformer @param {number} id */
function opening(transformer, id) {
  let [failures, told_ms, asked_ms] = [0, -Infinity, -Infinity];
  let failing = false;
  const tell = (/** @type {boolean} */ now) => {
    if (now === failing && (!now || performance.now() < told_ms + TOLD_AGAIN_AFTER_MS)) return;
    scope.postMessage({ id, failing: now });
    [failing, told_ms] = [now, performance.now()];
  };
  return async (/** @type {any} */ frame, /** @type {TransformStreamDefaultController} */ controller) => {
    const opened = await openFrame(ring, codecOf(frame), new Uint8Array(frame.data));
    if (!opened) {
      failures += 1;
      if (failures >= FAILURES_TOLD) tell(true);
      return;
    }
    // What is missing is not missing on the network, so nobody else asks for it.
    if (failures > 0 && frame.type === 'delta' && performance.now() > asked_ms + KEY_FRAME_AFTER_MS) {
      asked_ms = performance.now();
      transformer.sendKeyFrameRequest?.().catch(() => {});
    }
    failures = 0;
    tell(false);
    frame.data = opened.buffer;
    controller.enqueue(frame);
  };
}

scope.onmessage = (/** @type {MessageEvent} */ { data }) => {
  if (data.base) ring.use(data.base);
  if (data.codecs) codecs = { ...codecs, ...data.codecs };
};

scope.onrtctransform = (/** @type {any} */ { transformer }) => {
  const { side, id } = transformer.options;
  const transform = side === 'seal' ? sealing() : opening(transformer, id);
  // The pipe ends with its track.
  transformer.readable.pipeThrough(new TransformStream({ transform })).pipeTo(transformer.writable).catch(() => {});
};
