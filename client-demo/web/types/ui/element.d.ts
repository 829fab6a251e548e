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
export class SampanCall extends HTMLElement {
    /** The headless call that is prepared or goes on. @returns {Call | null} */
    get call(): Call | null;
    /** As a click on Join. */
    join(): Promise<void>;
    leave(): void;
    /** Rings at somebody. @param {string} identity */
    ring(identity: string): Promise<void>;
    /** Another key: in a call in the place of the one before, else for the next. @param {string | null} key */
    setKey(key: string | null): Promise<void>;
    connectedCallback(): void;
    disconnectedCallback(): void;
    #private;
}
import { Call } from '../sdk/index.js';
