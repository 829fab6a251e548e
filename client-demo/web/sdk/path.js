/**
 * The way of the media: a PeerConnection, its offers and answers, and its replacement when it cannot be saved.
 *
 *   prepare() -> offer made ahead -> speak() -> use(link) --grow--> one offer more
 *                                       | no packets for a while
 *                                       `--heal--> ICE restart --in vain--> renew: another PeerConnection
 */

import { Peer } from './peer.js';
import { Silence } from './silence.js';
import { summarise } from './stats.js';

/** @import {CameraOptions} from './codecs.js' */
/** @import {Data} from './data.js' */
/** @import {Encryption} from './encryption/index.js' */
/** @import {Link} from './link.js' */
/** @import {Publications} from './publications.js' */
/** @import {Reception} from './reception.js' */
/** @import {CallStats} from './stats.js' */
/** @import {Source} from './wire.js' */

/** A media path that does not come back by itself in this time is restarted. */
const HEAL_WITHIN_MS = 1_000;
/** ... and one that a restart does not bring back is made anew. */
const RESTART_WITHIN_MS = 6_000;

export class MediaPath {
  #pairs;
  #camera;
  #publications;
  #reception;
  #encryption;
  #data;
  #hooks;
  /** @type {Peer | null} */ #peer = null;
  /** @type {Promise<string> | null} The offer made ahead. */ #offer = null;
  /** @type {Link | null} Where offers are answered; null: nowhere at the moment. */ #link = null;
  /** @type {Promise<unknown>} Offers never overlap. */ #negotiation = Promise.resolve();
  /** @type {any} */ #healing = null;
  /** @type {Map<string, any> | null} */ #report = null;
  /** In the lobby nothing is sent, even if the path is up. */ #silent = true;
  /** @type {Silence | null} What is sent by whoever has nothing else. */ #silence = null;

  /**
   * @param {{pairs: number, camera: CameraOptions, publications: Publications, reception: Reception, data: Data,
   *   encryption: () => Encryption | null}} options `pairs`: receive-only, to begin with; `encryption`: of the PeerConnection that is made now
   * @param {{secured: () => void, disturbed: () => void, replaced: () => void}} hooks `secured`: media may flow; `disturbed`: it may not get
   *   through any more; `replaced`: by another PeerConnection
   */
  constructor({ pairs, camera, publications, reception, data, encryption }, hooks) {
    this.#pairs = pairs;
    this.#camera = camera;
    this.#publications = publications;
    this.#reception = reception;
    this.#encryption = encryption;
    this.#data = data;
    this.#hooks = hooks;
  }

  get peer() {
    return this.#peer;
  }

  get isConnected() {
    return this.#peer?.isConnected ?? false;
  }

  get isFailed() {
    return this.#peer?.isFailed ?? false;
  }

  /** The server has answered this PeerConnection: what it is good for is settled. */
  get isAnswered() {
    return this.#peer?.isAnswered ?? false;
  }

  /** A new PeerConnection with everything that is published, and its offer, if there is none. */
  prepare() {
    if (this.#peer) return this.#peer;
    const peer = new Peer(this.#pairs, this.#camera, this.#encryption());
    this.#peer = peer;
    if (this.#data.isWanted) this.#data.attach(peer.openData());
    this.#offer = (this.#silent ? Promise.resolve() : this.#publications.fill(peer)).then(() => peer.offer());
    this.#offer.catch(() => {}); // Whoever joins with it hears of it.
    peer.on('dtls', () => this.#hooks.secured());
    peer.on('disturbed', () => peer === this.#peer && this.#hooks.disturbed());
    return peer;
  }

  /** The offer made ahead, with what it offers. */
  async offered() {
    const peer = this.prepare();
    return this.#describe(peer, /** @type {string} */ (await this.#offer));
  }

  /** What is published is sent from now on: the lobby is behind us. @param {boolean} aloud and something in any case, until `heard` */
  speak(aloud) {
    if (!this.#silent) return;
    this.#silent = false;
    if (!this.#peer) return;
    this.#publications.fill(this.#peer).catch(() => {}); // Closed meanwhile.
    if (!aloud || !this.#publications.areNone) return;
    this.#silence = new Silence();
    this.#peer.setTrack('microphone', this.#silence.track).catch(() => {});
  }

  /** The server knows that we are there. */
  heard() {
    if (!this.#silence) return;
    this.#silence.stop();
    this.#silence = null;
    if (!this.#publications.of('microphone').track) this.#peer?.setTrack('microphone', null).catch(() => {});
  }

  /** What to ask for on coming back; undefined: sound and pictures never stopped. */
  async returning() {
    if (!this.#peer || this.#peer.isClosed) {
      this.#replace();
      return this.offered();
    }
    const peer = this.#peer;
    if (peer.isConnected && peer.isStable) return undefined;
    return this.#describe(peer, await peer.offer({ restart: !peer.isConnected }));
  }

  /** @param {string} answer */
  accept(answer) {
    return /** @type {Peer} */ (this.#peer).accept(answer);
  }

  /** We are in the room. @param {Link} link */
  use(link) {
    this.#link = link;
    if (this.#peer?.hasUntold) this.#negotiate({});
  }

  /** The connection that is there gets data channels with an offer more, once it can be made; the next have them from the start. */
  openData() {
    const peer = this.#peer;
    if (!peer || peer.isClosed) return;
    this.#data.attach(peer.openData());
    this.#negotiate({});
  }

  /** The link is lost: what is under way on it will not be answered. */
  rest() {
    clearTimeout(this.#healing);
    this.#link = null;
    this.#negotiation = Promise.resolve();
  }

  clear() {
    this.rest();
    this.heard();
    this.#peer?.close();
    this.#peer = null;
    this.#silent = true;
    this.#reception.forget(); // The slots were its m-lines.
    this.#offer = null;
    this.#report = null;
  }

  /** @param {number} wanted pairs, as the server asks for them; 0: as many as keep a spare */
  grow(wanted) {
    if (this.#reception.lacking(wanted) > 0) this.#negotiate({ wanted });
  }

  /** Restarts the path unless it is there again in time. @param {boolean} [restarted] an ICE restart was tried already */
  heal(restarted = false) {
    clearTimeout(this.#healing);
    const peer = this.#peer;
    this.#healing = setTimeout(() => {
      if (!this.#link || !peer || peer !== this.#peer || peer.isConnected) return;
      if (restarted) return this.renew();
      this.#negotiate({ restart: true });
      this.heal(true);
    }, restarted ? RESTART_WITHIN_MS : HEAL_WITHIN_MS);
  }

  /** A new PeerConnection in the running call, where the old one cannot be brought back. */
  renew() {
    const [link, old] = [this.#link, this.#peer];
    if (!link || !old) return;
    this.#negotiation = this.#negotiation.then(async () => {
      if (old !== this.#peer) return;
      const peer = this.#replace();
      const answer = await link.request({ type: 'offer', ...(await this.offered()) });
      old.close(); // Not before the server has let go of it: it would take this for hanging up.
      await peer.accept(answer.answer);
      this.heal(true);
    }).catch(() => link.close('renegotiation failed'));
  }

  /** @param {Source} source @param {MediaStreamTrack | null} track */
  async setTrack(source, track) {
    if (!this.#silent) await this.#peer?.setTrack(source, track);
  }

  /** @returns {Promise<CallStats | null>} rates are since the last call of this */
  async stats() {
    const peer = this.#peer;
    const report = await peer?.stats().catch(() => null); // Closed meanwhile.
    if (!peer || !report || peer !== this.#peer) return null;
    const stats = summarise(this.#report, report, peer.mid('camera'));
    this.#report = report;
    return stats;
  }

  /** The next PeerConnection; the old one is left open. */
  #replace() {
    this.#peer = null;
    this.#report = null;
    this.#reception.forget();
    const peer = this.prepare();
    this.#hooks.replaced();
    return peer;
  }

  /** @param {Peer} peer @param {string} offer which has given the slots their m-lines */
  #describe(peer, offer) {
    this.#reception.add(peer);
    return { offer, tracks: peer.sources.map((source) => this.#publications.describe(source, peer)), slots: peer.pairs.map((pair) => peer.mids(pair)) };
  }

  /** A new offer in the running call. @param {{restart?: boolean, wanted?: number}} what */
  #negotiate({ restart = false, wanted = 0 }) {
    const [link, peer] = [this.#link, this.#peer];
    if (!peer || !link) return;
    this.#negotiation = this.#negotiation.then(async () => {
      const more = this.#reception.lacking(wanted);
      if (peer !== this.#peer || (!restart && more === 0 && !peer.hasUntold)) return;
      peer.addPairs(more);
      const answer = await link.request({ type: 'offer', ...this.#describe(peer, await peer.offer({ restart })) });
      await peer.accept(answer.answer);
      this.#pairs = peer.pairs.length; // A rejoin offers as many at once.
    }).catch((error) => {
      // Half a renegotiation cannot be continued: start over with a new connection.
      console.warn('The call could not be renegotiated:', error);
      if (peer === this.#peer) link.close('renegotiation failed');
    });
  }
}
