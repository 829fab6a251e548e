/**
 * A place that the server holds while the lobby is open: everything of a join is settled before the click, and the media path is up,
 * without sound or pictures on it. The first of them after the click is as good as the word `enter`.
 *
 * On a lossy network TCP may be stuck for many seconds on one connection and not on the next. So a place that is not held within a
 * second is asked for over another connection as well, a few times, and the first that is held is kept.
 */

/** @import {Link} from './link.js' */
/** @import {Peer} from './peer.js' */
/** @import {HistoryFrom, Joined, MediaOffer, Role} from './wire.js' */

/** @typedef {{room: string, name: string, token?: string, role?: Role}} Asked  What somebody joins with. */

const ANOTHER_AFTER_MS = 1_000;
const ATTEMPTS_MAX = 4;

/** @param {Asked} wish @returns {Asked} and nothing else */
export function asking({ room, name, token, role }) {
  return { room, name, ...(token !== undefined && { token }), ...(role && { role }) };
}

/** One attempt. */
export class Hold {
  link;
  /** @type {Promise<Joined>} */ joined;
  /** SDP; null: it comes with `joined`; undefined: nothing is held. @type {string | null | undefined} */ answer;
  /** By our PeerConnection. @type {Promise<void> | null} */ accepted = null;
  /** The answer comes later: somebody is in the room now. */ answered = () => {};
  /** The server has said what it holds, or that it does not. @type {Promise<unknown>} */ settled;

  /** @param {Link} link that is open @param {Asked} asked @param {MediaOffer & {history: HistoryFrom}} offered */
  constructor(link, asked, offered) {
    this.link = link;
    let told = () => {};
    const held = /** @type {Promise<void>} */ (new Promise((resolve) => (told = resolve)));
    this.joined = link.request({ type: 'hold', ...asked, ...offered }, ({ type, answer }) => {
      if (type !== 'held') return;
      this.answer = answer;
      told();
      this.answered();
    });
    // Nobody has asked to come in yet: whoever does hears of a refusal from an ordinary join.
    const refused = this.joined.catch(() => (this.answer = undefined));
    this.settled = Promise.race([held, refused]);
  }
}

export class Place {
  /** @type {Set<Link>} */ #links = new Set();
  /** @type {Asked} */ #wish;
  /** @type {Peer} */ #peer;
  /** @type {() => Link} */ #another;
  /** @type {MediaOffer & {history: HistoryFrom}} */ #offered;
  /** @type {any} */ #timer = null;
  /** @type {(hold: Hold) => void} */ #settle = () => {};
  /** The first attempt that the server has settled. @type {Promise<Hold>} */ held = new Promise((resolve) => (this.#settle = resolve));
  /** @type {Hold | null} */ #first = null;

  /**
   * @param {{wish: Asked, peer: Peer, offered: MediaOffer & {history: HistoryFrom}, link: Link, another: () => Link}} options `peer`: whose offer it is;
   *   `link`: to begin with; `another`: makes the next
   */
  constructor({ wish, peer, offered, link, another }) {
    [this.#wish, this.#peer, this.#offered, this.#another] = [wish, peer, offered, another];
    this.#try(link);
    let attempts = 1;
    this.#timer = setInterval(() => {
      if (++attempts === ATTEMPTS_MAX) clearInterval(this.#timer);
      this.#try(this.#another());
    }, ANOTHER_AFTER_MS);
  }

  /** It is, or will be, what somebody wants who joins with this now. @param {Peer | null} peer @param {Asked | null} asked */
  fits(peer, asked) {
    const lives = this.#first ? this.#first.link.isOpen && this.#first.answer !== undefined : this.#links.size > 0;
    return lives && peer === this.#peer && JSON.stringify(asked) === JSON.stringify(this.#wish);
  }

  /** @param {Link | null} except stays as it is */
  stop(except) {
    clearInterval(this.#timer);
    for (const link of this.#links) if (link !== except) link.close('another was first');
    this.#links.clear();
  }

  /** @param {Link} link */
  async #try(link) {
    this.#links.add(link);
    link.on('closed', () => this.#links.delete(link));
    try {
      await link.opened();
    } catch {
      return;
    }
    if (!this.#links.has(link)) return;
    const hold = new Hold(link, this.#wish, this.#offered);
    await hold.settled;
    if (this.#first || !link.isOpen) return;
    this.#first = hold;
    this.stop(link);
    this.#settle(hold);
  }
}
