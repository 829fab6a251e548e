/** @param {Asked} wish @returns {Asked} and nothing else */
export function asking({ room, name, token, role }: Asked): Asked;
/** One attempt. */
export class Hold {
    /** @param {Link} link that is open @param {Asked} asked @param {MediaOffer & {history: HistoryFrom}} offered */
    constructor(link: Link, asked: Asked, offered: MediaOffer & {
        history: HistoryFrom;
    });
    link: Link;
    /** @type {Promise<Joined>} */ joined: Promise<Joined>;
    /** SDP; null: it comes with `joined`; undefined: nothing is held. @type {string | null | undefined} */ answer: string | null | undefined;
    /** The server has said what it holds, or that it does not. @type {Promise<unknown>} */ settled: Promise<unknown>;
}
export class Place {
    /**
     * @param {{wish: Asked, peer: Peer, offered: MediaOffer & {history: HistoryFrom}, link: Link, another: () => Link}} options `peer`: whose offer it is;
     *   `link`: to begin with; `another`: makes the next
     */
    constructor({ wish, peer, offered, link, another }: {
        wish: Asked;
        peer: Peer;
        offered: MediaOffer & {
            history: HistoryFrom;
        };
        link: Link;
        another: () => Link;
    });
    /** The first attempt that the server has settled. @type {Promise<Hold>} */ held: Promise<Hold>;
    /** It is, or will be, what somebody wants who joins with this now. @param {Peer | null} peer @param {Asked | null} asked */
    fits(peer: Peer | null, asked: Asked | null): boolean;
    /** @param {Link | null} except stays as it is */
    stop(except: Link | null): void;
    #private;
}
/**
 * What somebody joins with.
 */
export type Asked = {
    room: string;
    name: string;
    token?: string;
    role?: Role;
};
import type { Link } from './link.js';
import type { Joined } from './wire.js';
import type { MediaOffer } from './wire.js';
import type { HistoryFrom } from './wire.js';
import type { Peer } from './peer.js';
import type { Role } from './wire.js';
