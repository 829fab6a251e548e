/**
 * When to try again. A loss that is fresh is tried often: most are over in seconds, and whoever comes back should not wait
 * for a timer. One that lasts is tried seldom. With jitter, so that a thousand pages do not return in the same instant.
 */
/** The first retry comes soon: a server that is restarted is back in under a second. */
export const FIRST_WAIT_MS: 250;
/** While the loss is fresh nobody waits longer than this after the server is back. */
export const FRESH_WAIT_MS: 500;
/** The way through a tunnel or a lift. */
export const FRESH_FOR_MS: 60000;
/** A person who watches the page should not wait longer than this after the server is back. */
export const LONGEST_WAIT_MS: 8000;
export class Backoff {
    /** @param {() => number} random in 0..1 @param {() => number} now in milliseconds */
    constructor(random?: () => number, now?: () => number);
    /** How often it was tried since it last worked. */
    get tries(): number;
    /** The next wait in milliseconds, between half of the ceiling and all of it. */
    next(): number;
    /** It worked. */
    reset(): void;
    #private;
}
