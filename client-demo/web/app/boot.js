/** Starts the page on the server it came from. */

import { Call } from '../sdk/index.js';
import { start } from './main.js';

const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
// How the camera is sent, for people who try: ?codec=vp9, ?codec=av1, ?fec
const asked = new URLSearchParams(location.search);
const codec = /** @type {const} */ (['vp8', 'vp9', 'av1']).find((one) => one === asked.get('codec'));
const camera = { codec, fec: asked.has('fec') };
start({
  createCall: () => {
    const call = new Call({ url: `${scheme}://${location.host}/ws`, camera });
    // For whoever looks at the console.
    return Object.assign(globalThis, { sampanCall: call }).sampanCall;
  },
});
