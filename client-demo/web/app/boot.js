/** Starts the page on the server it came from. */

import { Call, Phone } from '../sdk/index.js';
import { start } from './main.js';

const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
const URL_OF_SERVER = `${scheme}://${location.host}/ws`;
/** With tokens, who we are is not what we say. */
const TOKEN = new URLSearchParams(location.search).get('phone_token');

start({
  createCall: () => {
    const call = new Call({ url: URL_OF_SERVER });
    // For whoever looks at the console.
    return Object.assign(globalThis, { sampanCall: call }).sampanCall;
  },
  createPhone: (identity, name) => new Phone({
    url: URL_OF_SERVER, identity: new URLSearchParams(location.search).get('identity') ?? identity, name, device: deviceId(), ...(TOKEN && { token: TOKEN }),
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
