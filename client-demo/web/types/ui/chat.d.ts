export class Chat {
    /** @param {Surface} surface @param {() => void} handsChanged */
    constructor(surface: Surface, handsChanged: () => void);
    /** @param {Call | null} call from its making on, so that nothing is missed */
    use(call: Call | null): void;
    /** @param {string} participant */
    handOf(participant: string): boolean;
    /** @param {boolean} open */
    open(open: boolean): void;
    #private;
}
import type { Call } from '../sdk/index.js';
import type { Surface } from './dom.js';
