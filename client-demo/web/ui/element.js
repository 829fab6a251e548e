/**
 * `<sampan-call>`: a whole call in one element, built on the headless core alone.
 *
 *   <script type="module" src="https://calls.example.org/ui/element.js"></script>
 *   <sampan-call room="class 7b" name="Ann"></sampan-call>
 *
 * It asks for what it is not given, shows the camera, and joins. See README for its attributes, events and how it is themed.
 */

import { Call, Phone } from '../sdk/index.js';
import { App } from './app.js';
import { Surface } from './dom.js';
import { markup } from './markup.js';
import { wordsFor } from './words/index.js';

/** @import {CallError, Role} from '../sdk/index.js' */

const STYLES = ['base.css', 'lobby.css', 'call.css', 'panels.css'];
/** The server that this file came from. */
const HOME = new URL('/ws', import.meta.url);

/** Where pages are rendered without a browser the file can be imported, and does nothing. */
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (/** @type {unknown} */ (class {}));

/**
 * Attributes, all of them optional, read when the element is put into the document:
 * - `server`  URL of the WebSocket; the server that the script came from
 * - `room`, `name`  what is missing is asked for
 * - `token`   what lets us in, on a server that asks for one
 * - `key`     a passphrase that everybody in the call has: sound and pictures are encrypted with it, end to end
 * - `class-role`   `teacher`, `assistant`, `student` or `audience`, on a server without tokens; a token says it for itself
 * - `join`    joins at once, without a click
 * - `identity`, `phone-token`   others can ring here, and `ring()` rings at them
 * - `lang`    `en` or `zh`; else what the document is in, else what the person reads
 *
 * Events bubble: `sampan-joined` (`{room}`), `sampan-left`, `sampan-error` (a `CallError`).
 */
export class SampanCall extends Base {
  /** @type {App | null} */ #app = null;

  /** The headless call that is prepared or goes on. @returns {Call | null} */
  get call() {
    return this.#app?.call ?? null;
  }

  /** As a click on Join. */
  async join() {
    await this.#app?.join();
  }

  leave() {
    this.#app?.leave();
  }

  /** Rings at somebody. @param {string} identity */
  async ring(identity) {
    await this.#app?.ring(identity);
  }

  /** Another key: in a call in the place of the one before, else for the next. @param {string | null} key */
  async setKey(key) {
    await this.#app?.setKey(key);
  }

  connectedCallback() {
    const shadow = this.shadowRoot ?? this.attachShadow({ mode: 'open', delegatesFocus: true });
    shadow.replaceChildren(); // It may have been elsewhere before.
    const words = wordsFor([this.#language(), ...navigator.languages]);
    const frame = Object.assign(document.createElement('div'), { className: 'sampan', lang: words.locale });
    frame.append(markup(words, 'section'));
    frame.style.visibility = 'hidden'; // Until it is dressed.
    const dressed = STYLES.map((file) => {
      const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: String(new URL(file, import.meta.url)) });
      shadow.append(link);
      return new Promise((resolve) => link.addEventListener('load', resolve));
    });
    shadow.append(frame);
    void Promise.all(dressed).then(() => frame.style.removeProperty('visibility'));
    this.#app = new App(new Surface(frame, words), {
      createCall: (key) => new Call({ url: this.#url(), key }),
      createPhone: (_, name) => this.#createPhone(name),
      given: { name: this.getAttribute('name'), room: this.getAttribute('room'), fixed: true },
      token: this.getAttribute('token'),
      key: this.getAttribute('key'),
      role: /** @type {Role | null} */ (this.getAttribute('class-role')),
    });
    this.#app.on('joined', ({ room }) => this.#tell('sampan-joined', { room }));
    this.#app.on('left', ({ reason }) => {
      if (reason) this.#tell('sampan-error', reason);
      this.#tell('sampan-left', { reason });
    });
    if (this.hasAttribute('join')) void this.join();
  }

  disconnectedCallback() {
    this.#app?.close();
    this.#app = null;
  }

  #url() {
    const url = new URL(this.getAttribute('server') ?? HOME, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    return String(url);
  }

  /** @param {string} name */
  #createPhone(name) {
    const [identity, token] = [this.getAttribute('identity'), this.getAttribute('phone-token')];
    return identity === null ? null : new Phone({ url: this.#url(), identity, name, ...(token !== null && { token }) });
  }

  /** Of this element, or of what it stands in. */
  #language() {
    return this.closest('[lang]')?.getAttribute('lang');
  }

  /** @param {string} type @param {{room: string} | {reason: CallError | null} | CallError} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

globalThis.customElements?.define('sampan-call', SampanCall);
