/** @import {Ring, RingState} from '../sdk/index.js' */
/** @import {Surface} from './dom.js' */
export class Ringing {
    /**
     * @param {Surface} surface
     * @param {(identity: string, name: string) => Phone | null} createPhone null: calls do not ring here
     * @param {(ring: Ring) => void} enter the call was accepted
     */
    constructor(surface: Surface, createPhone: (identity: string, name: string) => Phone | null, enter: (ring: Ring) => void);
    /** People reach us under this name from now on. @param {string} name */
    listen(name: string): void;
    /** We have left the room of a call. */
    hangUp(): void;
    /** Nobody rings here any more. */
    close(): void;
    /** @param {string} to */
    invite(to: string): Promise<void>;
    #private;
}
import type { Surface } from './dom.js';
import { Phone } from '../sdk/index.js';
import type { Ring } from '../sdk/index.js';
