/** When to try again: doubling waits with jitter, so that a thousand pages do not return in the same instant. */

/** The first retry comes soon: a server that is restarted is back in under a second. */
export const FIRST_WAIT_MS = 250;
/** A person who watches the page should not wait longer than this after the server is back. */
export const LONGEST_WAIT_MS = 8_000;

export class Backoff {
  #tries = 0;
  #random;

  /** @param {() => number} random in 0..1 */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** How often it was tried since it last worked. */
  get tries() {
    return this.#tries;
  }

  /** The next wait in milliseconds, between half of the doubling ceiling and all of it. */
  next() {
    const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#tries);
    this.#tries += 1;
    return ceiling / 2 + (this.#random() * ceiling) / 2;
  }

  /** It worked. */
  reset() {
    this.#tries = 0;
  }
}
