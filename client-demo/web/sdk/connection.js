/**
 * Getting into a room and staying there.
 *
 *   idle -> joining -> joined <-> reconnecting -> left or failed
 *             `-> waiting (until a moderator lets us in) -> joined
 *
 * A lost WebSocket is replaced while everything else stays: sound and pictures go on as long as the media path lives, the
 * room keeps our place, and a path that is lost, too, is restarted with the same message. Only when the server does not know
 * us any more (it was restarted, or the room gave us up) what was known is cleared, and we join again.
 *
 *   WebSocket closed, or silent when asked --> reconnecting --Reach--> resume (+ ICE restart) --> joined
 *                                                                        `- refused --> join  --> joined
 */

import { Backoff } from './backoff.js';
import { CallError, isPassing } from './errors.js';
import { Place } from './hold.js';
import { Link } from './link.js';
import { ConnectMeter } from './meter.js';
import { Reach } from './reach.js';

/** @import {Asked, Hold} from './hold.js' */
/** @import {MediaPath} from './path.js' */
/** @import {SlotView} from './view.js' */
/** @import {ClientMessage, HistoryFrom, Joined, Resumed, ServerMessage, Stages} from './wire.js' */

/** @typedef {'idle' | 'joining' | 'waiting' | 'joined' | 'reconnecting' | 'left' | 'failed'} CallState */

/**
 * @typedef {object} ConnectionHooks
 * @property {(state: CallState) => void} state
 * @property {(reachable: boolean) => void} reachable
 * @property {(joined: Joined) => void} joined       before the media path is up
 * @property {(resumed: Resumed) => void} resumed    likewise
 * @property {(link: Link) => void} entered          what was kept waiting can be said
 * @property {() => void} cleared                    nothing of the session is left
 * @property {(message: ServerMessage) => void} message   that is no answer
 * @property {(error: CallError) => void} failed     the end, against our will
 * @property {(stages: Stages) => void} stages
 * @property {() => void} opened   media may come before it is told whose it is
 * @property {() => readonly SlotView[]} views
 * @property {() => HistoryFrom} history
 */

/** The server ended the session and means it. @type {readonly string[]} */
const FINAL = ['removed', 'replaced'];

/** What a live connection takes to answer, when there is reason to doubt it: the media path is disturbed, or the network changed. */
const PROBE_WITHIN_MS = 2_500;
/** A handshake that takes longer is begun anew: a browser repeats what is lost of it after times that double. The next may take twice as long. */
const SECURED_WITHIN_MS = 2_500;
/** How long a join waits for a WebSocket that is not open yet. */
const REACH_WITHIN_MS = 5_000;

export class Connection {
  #url;
  #path;
  #hooks;
  /** @type {CallState} */ #state = 'idle';
  /** @type {Link | null} */ #link = null;
  /** @type {Asked} What we join with. */ #asked = { room: '', name: '' };
  /** @type {Asked | null} What we shall join with, as far as is known. */ #wish = null;
  /** @type {Place | null} For the wish, in the lobby. */ #place = null;
  /** @type {string | null} What the server knows us by. */ #token = null;
  /** @type {CallError | null} */ #reason = null;
  /** @type {any} */ #securing = null;
  #patience_ms = SECURED_WITHIN_MS;
  #backoff = new Backoff();
  /** @type {any} */ #retry = null;
  /** @type {Reach | null} While reconnecting. */ #reach = null;
  /** @type {ConnectMeter | null} */ #meter = null;
  /** @type {Stages} */ #stages = {};

  /** @param {string} url of the WebSocket @param {MediaPath} path @param {ConnectionHooks} hooks */
  constructor(url, path, hooks) {
    this.#url = url;
    this.#path = path;
    this.#hooks = hooks;
  }

  get state() {
    return this.#state;
  }

  get asked() {
    return this.#asked;
  }

  /** Why the server ended the connection, if it said so. */
  get reason() {
    return this.#reason;
  }

  get stages() {
    return this.#stages;
  }

  /** Where requests go; null: nowhere at the moment. */
  get link() {
    return this.#state === 'joined' ? this.#link : null;
  }

  /** Who hears of what we publish: the room, or in the lobby the server that holds our place. */
  get listener() {
    return this.#state === 'idle' && this.#place ? this.#link : this.link;
  }

  /** @param {ClientMessage} message @returns {boolean} false: not sent, since we are not in a room */
  tell(message) {
    this.link?.send(message);
    return this.link !== null;
  }

  /** @param {Asked} [wish] what we shall join with: the server settles everything ahead of it */
  prepare(wish) {
    if (this.#state !== 'idle') return;
    if (wish) this.#wish = wish;
    this.#openLink();
    this.#path.prepare();
    void this.#hold();
  }

  /** @param {Asked} asked @param {number} start_ms */
  async join(asked, start_ms) {
    if (this.#state !== 'idle') throw new CallError('wrong_state', 'This call has been joined already.');
    this.prepare();
    this.#asked = asked;
    this.#become('joining');
    try {
      await this.#enterPatiently(start_ms);
    } catch (error) {
      // Not joined: back to where a second click can try again.
      if (this.state === 'joining' || this.state === 'waiting') {
        this.#clear();
        this.#become('idle');
        this.prepare();
      }
      throw asCallError(error);
    }
  }

  leave() {
    if (this.#state === 'left') return;
    this.#link?.send({ type: 'leave' });
    this.#end('left');
  }

  /** The server has said why it is about to close the connection. @param {CallError} reason */
  warn(reason) {
    this.#reason = reason;
  }

  /** Media may flow. Not on the join: a server that lets everybody in and then brings no media up would be joined without a pause. */
  secured() {
    this.#backoff.reset();
    clearTimeout(this.#securing);
    this.#patience_ms = SECURED_WITHIN_MS;
    this.#reason = null;
  }

  /** The PeerConnection is another one: what is measured of the old one says nothing, but that it has taken its time. */
  replaced() {
    const since_ms = this.#meter?.since_ms ?? null;
    this.#meter?.stop();
    if (since_ms !== null) this.#measure(since_ms);
    this.#awaitSecured();
  }

  /**
   * Something is wrong, or may be: the WebSocket is asked for a sign of life, and a media path that does not come back by
   * itself is restarted over it.
   */
  doubt() {
    if (this.#state === 'reconnecting') return this.#reach?.hurry();
    if (this.#state === 'idle' && this.#retry !== null) return this.prepare();
    // In the lobby nothing is sent on the path, so on a bad network it often seems to be lost: only the end counts.
    if (this.#state === 'idle' && this.#path.isFailed) this.#holdAgain();
    if (this.#state === 'waiting') return void this.#link?.probe(PROBE_WITHIN_MS);
    if (this.#state !== 'joined') return;
    void this.#link?.probe(PROBE_WITHIN_MS);
    this.#path.heal();
  }

  #openLink() {
    if (this.#link && !this.#link.isClosed) return this.#link;
    const link = new Link(this.#url);
    this.#use(link);
    link.opened().then(() => {
      if (this.#state === 'idle') this.#backoff.reset();
      this.#hooks.reachable(true);
      void this.#hold(); // Again, where the server or the network was gone.
    }, () => {});
    return link;
  }

  /** A place for our wish, unless it is held already. */
  async #hold() {
    const wish = this.#wish;
    if (wish === null || this.#state !== 'idle' || this.#place?.fits(this.#path.peer, wish)) return;
    // An answer is good for one place.
    if (this.#path.isAnswered) this.#path.clear();
    const peer = this.#path.prepare();
    const offered = await this.#path.offered().catch(() => null); // Whoever joins hears of it.
    if (!offered || peer !== this.#path.peer || this.#state !== 'idle' || wish !== this.#wish || this.#place?.fits(peer, wish)) return;
    const link = this.#openLink();
    this.#place?.stop(link);
    const place = new Place({ wish, peer, offered: { ...offered, history: this.#hooks.history() }, link, another: () => new Link(this.#url) });
    this.#place = place;
    const held = await place.held;
    // Another PeerConnection may have no place of its own yet; the answer is of no use to it.
    const isOurs = () => place === this.#place && peer === this.#path.peer;
    if (!isOurs()) return;
    held.answered = () => {
      if (this.#state === 'idle' && isOurs()) this.#accept(held);
    };
    held.answered();
    if (held.link === this.#link) return;
    const stuck = this.#link;
    this.#use(held.link);
    stuck?.close('another was first');
    this.#hooks.reachable(true);
  }

  /** In the lobby, with another PeerConnection. */
  #holdAgain() {
    if (!this.#place) return;
    this.#place.stop(this.#link);
    this.#place = null;
    void this.#hold();
  }

  /** @param {Hold} held */
  #accept(held) {
    if (!held.answer) return Promise.resolve();
    held.accepted ??= this.#path.accept(held.answer);
    held.accepted.catch(() => {}); // Of no interest to whoever is refused.
    this.#awaitSecured();
    return held.accepted;
  }

  /** The handshakes begin now, in the lobby or behind a join. */
  #awaitSecured() {
    const { peer } = this.#path;
    clearTimeout(this.#securing);
    this.#securing = setTimeout(() => {
      if (!peer || this.#path.peer !== peer || this.#path.isConnected) return;
      // What no check has reached is no handshake that is stuck.
      if (!peer.isReached) return this.#awaitSecured();
      this.#patience_ms *= 2;
      if (this.#state === 'idle') this.#holdAgain();
      if (this.#state === 'joined') this.#path.renew();
    }, this.#patience_ms);
  }

  /** @param {Link} link */
  #use(link) {
    this.#link = link;
    link.on('message', (message) => {
      if (link !== this.#link) return;
      if (message.type === 'held') return;
      if (message.type === 'waiting') this.#become('waiting');
      else this.#hooks.message(message);
    });
    link.on('closed', () => this.#lost(link));
  }

  /** Whoever waits to be let in goes on waiting when the connection is lost. @param {number} start_ms */
  async #enterPatiently(start_ms) {
    for (;;) {
      try {
        return await this.#enter(start_ms);
      } catch (error) {
        if (this.#state !== 'waiting' || !isPassing(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, this.#backoff.next()));
        if (this.#state !== 'waiting') throw error;
      }
    }
  }

  /** One try to join. @param {number} start_ms @returns {Promise<void>} */
  async #enter(start_ms) {
    const held = await this.#heldPlace();
    if (!held && this.#path.isAnswered) this.#path.clear();
    const meter = this.#measure(start_ms);
    const link = this.#openLink();
    await within(link.opened(), REACH_WITHIN_MS);
    if (held?.answer) meter.reach('signaling', held.accepted ? start_ms : performance.now());
    const accepted = held ? this.#accept(held) : Promise.resolve();
    held?.link.enter();
    this.#path.speak(Boolean(held?.answer));
    if (held?.answer) this.#hooks.opened();
    /** @type {Joined} */
    let joined;
    try {
      joined = await (held ? held.joined : link.request({ type: 'join', ...this.#asked, ...(await this.#path.offered()), history: this.#hooks.history() }));
    } catch (error) {
      if (!(error instanceof CallError) || error.code !== 'hold_lost') throw error;
      // The room is another one by now; our PeerConnection has the answer of the one before.
      this.#path.clear();
      this.#hooks.cleared();
      return this.#enter(start_ms);
    }
    meter.reach('signaling', performance.now());
    this.#path.heard();
    this.#token = joined.resume.token;
    // At once: what the server says of the room comes right behind. And the page has its elements ready when the tracks begin.
    this.#hooks.joined(joined);
    await accepted;
    if (joined.answer !== null) await this.#path.accept(joined.answer);
    else if (held) await this.#accept(held); // It may have come behind the click.
    this.#entered(link);
    this.#path.grow(0);
  }

  /** What the server holds for what we ask; null: nothing, so we join. @returns {Promise<Hold | null>} */
  async #heldPlace() {
    const place = this.#place;
    if (!place?.fits(this.#path.peer, this.#asked)) return null;
    const held = await within(place.held, REACH_WITHIN_MS).catch(() => null);
    this.#place = null;
    if (held) return held.answer === undefined ? null : held;
    place.stop(this.#link);
    return null;
  }

  /** Takes our session over on a link that has just opened. @param {Link} link @param {string} token */
  async #resume(link, token) {
    const media = await this.#path.returning();
    const resumed = await link.request({ type: 'resume', token, history: this.#hooks.history(), ...(media && { media }) });
    this.#hooks.resumed(resumed);
    if (resumed.answer !== null) await this.#path.accept(resumed.answer);
    this.secured();
    this.#entered(link);
    if (!resumed.media) return this.#path.renew();
    this.#path.heal(true);
    this.#path.grow(0);
  }

  /** False: the server does not know us any more, and nothing of the session is left; the link can be used to join. @param {Link} link @param {string} token */
  async #resumeIfKnown(link, token) {
    try {
      await this.#resume(link, token);
      return true;
    } catch (error) {
      if (!(error instanceof CallError) || error.code !== 'resume_refused') throw error;
      this.#link = null;
      this.#clear();
      this.#link = link;
      return false;
    }
  }

  /** @param {Link} link */
  #entered(link) {
    this.#path.use(link);
    this.#become('joined');
    if (!this.#path.isConnected) this.#awaitSecured();
    this.#hooks.entered(link);
  }

  /** @param {Link} link */
  #lost(link) {
    if (link !== this.#link) return;
    // The server closes connections on which nobody joins; that it answers is known until the next one fails.
    if (!link.wasOpen || this.#state !== 'idle') this.#hooks.reachable(false);
    if (this.#state === 'joined' && this.#reason !== null && FINAL.includes(this.#reason.code)) return this.#fail(this.#reason);
    if (this.#state === 'joined') {
      this.#path.rest();
      this.#become('reconnecting');
    }
    if (this.#state === 'reconnecting') this.#comeBack();
    if (this.#state === 'idle' && this.#retry === null) {
      this.#retry = setTimeout(() => {
        this.#retry = null;
        this.prepare();
      }, this.#backoff.next());
    }
  }

  #comeBack() {
    if (this.#reach) return;
    this.#link = null;
    this.#reach = new Reach(this.#url, this.#backoff, async (link) => {
      this.#reach = null;
      this.#use(link);
      this.#hooks.reachable(true);
      try {
        if (this.#token !== null && (await this.#resumeIfKnown(link, this.#token))) return;
        await this.#enter(performance.now());
      } catch (error) {
        if (this.#state === 'waiting') this.#become('reconnecting');
        if (this.#state !== 'reconnecting' && this.#state !== 'joined') return;
        // The link may live on: one that brought us back to nothing is not used again.
        link.close('could not come back');
        if (error instanceof CallError && error.code === 'gone') return this.#comeBackIfIdle();
        this.#clear();
        this.#become('reconnecting');
        if (isPassing(error)) return this.#comeBackIfIdle();
        this.#fail(asCallError(error));
      }
    });
  }

  /** Unless the closing of the link has started it already. */
  #comeBackIfIdle() {
    if (this.#state === 'reconnecting') this.#comeBack();
  }

  /** @param {number} start_ms */
  #measure(start_ms) {
    this.#meter?.stop();
    this.#stages = {};
    this.#meter = new ConnectMeter(this.#path.prepare(), start_ms, {
      views: this.#hooks.views,
      told: (stages) => {
        this.#stages = stages;
        this.#hooks.stages(stages);
      },
      done: (stages) => this.#link?.send({ type: 'stages', stages }),
    });
    return this.#meter;
  }

  /** Nothing of the last connection is left; what is published stays ours. */
  #clear() {
    this.#meter?.stop();
    this.#reach?.stop();
    this.#reach = null;
    this.#token = null;
    this.#place?.stop(null);
    this.#place = null;
    const link = this.#link;
    this.#link = null;
    link?.close();
    this.#path.clear();
    this.#hooks.cleared();
  }

  /** @param {CallError} error */
  #fail(error) {
    this.#end('failed');
    this.#hooks.failed(error);
  }

  /** @param {'left' | 'failed'} state */
  #end(state) {
    clearTimeout(this.#retry);
    clearTimeout(this.#securing);
    this.#retry = null;
    this.#link?.finish();
    this.#clear();
    this.#become(state);
  }

  /** @param {CallState} state */
  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#hooks.state(state);
  }
}

/** @template T @param {Promise<T>} promise @param {number} ms @returns {Promise<T>} */
function within(promise, ms) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new CallError('unreachable', 'The server does not answer.')), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @param {unknown} error */
function asCallError(error) {
  if (error instanceof CallError) return error;
  return new CallError('broken', error instanceof Error ? error.message : String(error));
}
