/** What this browser and this address allow, found out before anybody clicks. */

import { canEncrypt } from './encryption/index.js';

/**
 * @typedef {object} Environment
 * @property {boolean} webrtc    calls are possible at all
 * @property {boolean} capture   camera and microphone can be asked for
 * @property {boolean} insecure  they cannot, because the page came over plain HTTP from another host
 * @property {boolean} screen    the screen can be shared
 * @property {boolean} encryption   calls can be encrypted end to end
 */

/** @param {any} [scope] the window; a test gives another @returns {Environment} */
export function checkEnvironment(scope = globalThis) {
  const media = scope.navigator?.mediaDevices;
  const webrtc = typeof scope.RTCPeerConnection === 'function'
    && typeof scope.RTCPeerConnection.prototype?.addTransceiver === 'function'
    && typeof scope.WebSocket === 'function';
  return {
    webrtc,
    capture: typeof media?.getUserMedia === 'function',
    insecure: scope.isSecureContext === false,
    screen: typeof media?.getDisplayMedia === 'function',
    encryption: canEncrypt(scope),
  };
}
