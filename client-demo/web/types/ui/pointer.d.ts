export class Pointers {
    /** @param {Surface} surface */
    constructor(surface: Surface);
    /** @param {Call | null} call from its making on */
    use(call: Call | null): void;
    #private;
}
/**
 * Whose screen, and where: 0 to 1 across and down; left out: nowhere any more.
 */
export type Pointing = {
    screen: string;
    at?: [number, number];
};
import type { Call } from '../sdk/index.js';
import type { Surface } from './dom.js';
