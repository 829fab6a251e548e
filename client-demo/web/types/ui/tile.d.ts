/**
 * @typedef {object} Look  What a tile shows.
 * @property {string} name        of the person: colour and initials come from it
 * @property {string} who         as it is written
 * @property {boolean} picture
 * @property {boolean} muted
 * @property {boolean} speaking
 * @property {string} status      why there is nothing to see; empty: no reason
 * @property {string} [paused]    the same, where the picture is paused
 * @property {boolean} [hand]     raised
 * @property {string} [role]      of those who lead
 */
export class Tile {
    /** @param {string} key participant and share @param {Words} words @param {() => void} togglePin */
    constructor(key: string, words: Words, togglePin: () => void);
    picture: HTMLDivElement;
    pin: HTMLButtonElement;
    root: HTMLLIElement;
    /** As it is written. */
    get who(): string;
    /** @param {Look} look */
    show({ name, who, picture, muted, speaking, status, paused, hand, role }: Look): void;
    /** @param {string} who @param {boolean} pinned */
    showPin(who: string, pinned: boolean): void;
    /**
     * What a moderator can do to somebody, or with themselves.
     * @param {{id: string, name: string}} participant @param {((action: Action) => void) | null} moderate null: we cannot @param {boolean} [own]
     */
    showMenu({ id, name }: {
        id: string;
        name: string;
    }, moderate: ((action: Action) => void) | null, own?: boolean): undefined;
    #private;
}
/**
 * What a tile shows.
 */
export type Look = {
    /**
     * of the person: colour and initials come from it
     */
    name: string;
    /**
     * as it is written
     */
    who: string;
    picture: boolean;
    muted: boolean;
    speaking: boolean;
    /**
     * why there is nothing to see; empty: no reason
     */
    status: string;
    /**
     * the same, where the picture is paused
     */
    paused?: string | undefined;
    /**
     * raised
     */
    hand?: boolean | undefined;
    /**
     * of those who lead
     */
    role?: string | undefined;
};
import type { Action } from '../sdk/index.js';
import type { Words } from './words/index.js';
