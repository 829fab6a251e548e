/**
 * Getting a WebSocket on a network that may be gone: attempts start at the pace of a back-off and overlap, since one whose
 * first packet was lost hangs for seconds after the network is back. The first that opens wins.
 */

import { Link } from './link.js';

/** @import {Backoff} from './backoff.js' */

/** More at once would only be more to close. */
const ATTEMPTS_MAX = 4;
/** TCP, TLS and the upgrade over a slow mobile link with a lost packet. */
const ATTEMPT_FOR_MS = 6_000;

export class Reach {
  /** @type {Set<Link>} */ #attempts = new Set();
  /** @type {any} */ #timer = null;
  #over = false;
  #url;
  #backoff;
  #opened;

  /** @param {string} url @param {Backoff} backoff @param {(link: Link) => void} opened called once, with a link that is open */
  constructor(url, backoff, opened) {
    this.#url = url;
    this.#backoff = backoff;
    this.#opened = opened;
    this.#next();
  }

  /** Now, not at the next turn: the network says that it is back. */
  hurry() {
    if (this.#over) return;
    clearTimeout(this.#timer);
    this.#try();
    this.#next();
  }

  stop() {
    this.#over = true;
    clearTimeout(this.#timer);
    for (const link of this.#attempts) link.close('another attempt was first');
    this.#attempts.clear();
  }

  #next() {
    this.#timer = setTimeout(() => {
      this.#try();
      this.#next();
    }, this.#backoff.next());
  }

  #try() {
    if (this.#attempts.size >= ATTEMPTS_MAX) {
      const [oldest] = this.#attempts;
      this.#attempts.delete(oldest);
      oldest.close('it took too long');
    }
    const link = new Link(this.#url);
    this.#attempts.add(link);
    const timer = setTimeout(() => link.close('it took too long'), ATTEMPT_FOR_MS);
    link.opened().then(() => {
      clearTimeout(timer);
      if (this.#over) return;
      this.#attempts.delete(link);
      this.stop();
      this.#opened(link);
    }, () => {
      clearTimeout(timer);
      this.#attempts.delete(link);
    });
  }
}
