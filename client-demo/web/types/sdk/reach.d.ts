export class Reach {
    /** @param {string} url @param {Backoff} backoff @param {(link: Link) => void} opened called once, with a link that is open */
    constructor(url: string, backoff: Backoff, opened: (link: Link) => void);
    /** Now, not at the next turn: the network says that it is back. */
    hurry(): void;
    stop(): void;
    #private;
}
import type { Backoff } from './backoff.js';
import { Link } from './link.js';
