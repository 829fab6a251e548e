export class Quality {
    /** @param {Surface} surface */
    constructor(surface: Surface);
    /** @param {Call | null} call */
    use(call: Call | null): void;
    /** @param {boolean} open */
    open(open: boolean): void;
    #private;
}
import type { Call } from '../sdk/index.js';
import type { Surface } from './dom.js';
