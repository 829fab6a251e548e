/** The interface as a page of its own: what it knows from the address, and what it says in the address and the title. */

import { App } from '../ui/app.js';
import { Surface } from '../ui/dom.js';
import { markup } from '../ui/markup.js';
import { wordsFor } from '../ui/words/index.js';

/** @import {Call, Phone, Role} from '../sdk/index.js' */

/** @type {readonly Role[]} For people who try, on a server without tokens: ?role=student */
const ROLES = ['teacher', 'assistant', 'student', 'audience'];

/** Behind the `#`, which browsers send to no server. */
const keyOfAddress = () => new URLSearchParams(location.hash.slice(1)).get('key');

/** @param {{createCall: (key: string | null) => Call, createPhone?: (identity: string, name: string) => Phone | null}} options where calls come from */
export function start(options) {
  const asked = new URLSearchParams(location.search);
  const words = wordsFor([asked.get('lang'), ...navigator.languages]);
  document.documentElement.lang = words.locale;
  const frame = /** @type {HTMLElement} */ (document.getElementById('app'));
  frame.append(markup(words, 'main'));
  const app = new App(new Surface(frame, words), {
    ...options, given: { name: asked.get('name'), room: asked.get('room'), remember: true }, token: asked.get('token'), key: keyOfAddress(),
    role: ROLES.find((role) => role === asked.get('role')),
  });
  addEventListener('hashchange', () => void app.setKey(keyOfAddress()));
  app.on('joined', ({ room, title, ring }) => {
    document.title = `${title} · Sampan`;
    if (ring) return;
    const address = new URL(location.href);
    address.searchParams.set('room', room);
    history.replaceState(null, '', address);
  });
  app.on('left', () => (document.title = 'Sampan'));
  // A page that comes back from the browser's memory has lost its call.
  addEventListener('pageshow', (event) => event.persisted && location.reload());
}
