export class Lobby {
    /**
     * @param {Surface} surface @param {LocalMedia} local @param {Given} given
     * @param {(room: string, name: string) => void} join called on Join with both filled in
     * @param {(name: string) => void} changed called when another name or room was given
     * @param {() => void} gaveUp called when nobody is to be waited for any more
     */
    constructor(surface: Surface, local: LocalMedia, given: Given, join: (room: string, name: string) => void, changed: (name: string) => void, gaveUp: () => void);
    get name(): string;
    get room(): string;
    get environment(): import("../sdk/environment.js").Environment;
    /** @param {boolean} encrypted a key was given */
    encrypt(encrypted: boolean): void;
    /** Calls are not possible. @param {string} why empty: they are */
    refuse(why: string): void;
    /** @param {string} words empty: nothing is wrong */
    fail(words: string): void;
    /** @param {boolean} joining */
    busy(joining: boolean): void;
    /** A moderator has to let us in. @param {boolean} waiting */
    waits(waiting: boolean): void;
    /** @param {boolean} reachable */
    reachable(reachable: boolean): void;
    /** @param {boolean} shown */
    show(shown: boolean): void;
    render(): void;
    #private;
}
/**
 * What need not be asked for.
 */
export type Given = {
    name?: string | null | undefined;
    room?: string | null | undefined;
    /**
     * it cannot be changed here
     */
    fixed?: boolean | undefined;
    /**
     * a key was given
     */
    encrypted?: boolean | undefined;
    /**
     * what is entered is there again after a reload
     */
    remember?: boolean | undefined;
};
import type { Surface } from './dom.js';
import type { LocalMedia } from './local.js';
