/**
 * A place that the server holds while the lobby is open: everything of a join is settled before the click, and what the click
 * needs is the answer, which is here already. Applying it sends the first ICE check, and that is as good as the word `enter`.
 */

/** @import {Link} from './link.js' */
/** @import {Peer} from './peer.js' */
/** @import {HistoryFrom, Joined, MediaOffer, Role} from './wire.js' */

/** @typedef {{room: string, name: string, token?: string, role?: Role}} Asked  What somebody joins with. */

/** @param {Asked} wish @returns {Asked} and nothing else */
export function asking({ room, name, token, role }) {
  return { room, name, ...(token !== undefined && { token }), ...(role && { role }) };
}

export class Hold {
  #link;
  #peer;
  #asked;
  #refused = false;
  /** @type {(answer: string | null) => void} */ #answered = () => {};
  /** SDP; null: it comes with `joined`. @type {Promise<string | null>} */ answer = new Promise((resolve) => (this.#answered = resolve));
  /** @type {Promise<Joined>} */ joined;

  /** @param {Link} link @param {Peer} peer whose offer it is @param {Asked} asked @param {MediaOffer & {history: HistoryFrom}} offered */
  constructor(link, peer, asked, offered) {
    this.#link = link;
    this.#peer = peer;
    this.#asked = JSON.stringify(asked);
    this.joined = link.request({ type: 'join', hold: true, ...asked, ...offered }, ({ type, answer }) => type === 'held' && this.#answered(answer));
    // Nobody has asked to come in yet: whoever does hears the same from an ordinary join.
    this.joined.catch(() => (this.#refused = true));
  }

  get link() {
    return this.#link;
  }

  /** It is what somebody wants who joins with this now. @param {Link | null} link @param {Peer | null} peer @param {Asked} asked */
  fits(link, peer, asked) {
    return !this.#refused && link === this.#link && link.isOpen && peer === this.#peer && JSON.stringify(asked) === this.#asked;
  }
}
