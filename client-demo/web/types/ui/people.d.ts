/** @typedef {{id: string, name: string, role: Role | null, group: string | null}} Person */
export class People {
    /** @param {Surface} surface @param {() => void} opened */
    constructor(surface: Surface, opened: () => void);
    /** @param {Call | null} call */
    use(call: Call | null): void;
    /** @param {boolean} open */
    open(open: boolean): void;
    #private;
}
export type Person = {
    id: string;
    name: string;
    role: Role | null;
    group: string | null;
};
import type { Call } from '../sdk/index.js';
import type { Surface } from './dom.js';
import type { Role } from '../sdk/index.js';
