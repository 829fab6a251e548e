/** Starts the page on the server it came from. */

import { Call } from '../sdk/index.js';
import { start } from './main.js';

const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
start({
  createCall: () => {
    const call = new Call({ url: `${scheme}://${location.host}/ws` });
    // For whoever looks at the console.
    return Object.assign(globalThis, { sampanCall: call }).sampanCall;
  },
});
