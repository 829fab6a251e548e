/** The demo page: the whole interface, on the server it came from. */

import { Call, Phone } from '../sdk/index.js';
import { start } from './page.js';

const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
const URL_OF_SERVER = `${scheme}://${location.host}/ws`;
const asked = new URLSearchParams(location.search);
/** With tokens, who we are is not what we say. */
const TOKEN = asked.get('phone_token');
// How the camera is sent, for people who try: ?codec=vp9, ?codec=av1, ?fec
const codec = /** @type {const} */ (['vp8', 'vp9', 'av1']).find((one) => one === asked.get('codec'));
const camera = { codec, fec: asked.has('fec') };

start({
  createCall: (key) => {
    const call = new Call({ url: URL_OF_SERVER, camera, key });
    // For whoever looks at the console.
    return Object.assign(globalThis, { sampanCall: call }).sampanCall;
  },
  createPhone: (identity, name) => new Phone({
    url: URL_OF_SERVER, identity: asked.get('identity') ?? identity, name, device: deviceId(), ...(TOKEN && { token: TOKEN }),
  }),
});

/** The same after a reload, another one in another tab. */
function deviceId() {
  try {
    const known = sessionStorage.getItem('sampan-device');
    if (known) return known;
    const fresh = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    sessionStorage.setItem('sampan-device', fresh);
    return fresh;
  } catch {
    return undefined; // Private windows refuse storage: then it is another device after a reload.
  }
}
