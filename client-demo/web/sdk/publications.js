/** What we publish: one track a source, how it is switched, and what of that the server knows. */

import { SENDERS } from './peer.js';

/** @import {Peer} from './peer.js' */
/** @import {Grants, Source, TrackInfo} from './wire.js' */

/** @typedef {{track: MediaStreamTrack | null, muted: boolean, active: boolean}} Published */

export class Publications {
  /** @type {Map<Source, Published>} */
  #sources = new Map(SENDERS.map(({ source }) => [source, { track: null, muted: false, active: !source.startsWith('screen') }]));
  /** End to end: everybody is told. */ encrypted = false;
  /** @type {Map<Source, string>} What the server knows. */
  #told = new Map();

  /** @param {Source} source @returns {Published} */
  of(source) {
    return /** @type {Published} */ (this.#sources.get(source));
  }

  /** @param {Source} source @param {Partial<Published>} change */
  change(source, change) {
    this.#sources.set(source, { ...this.of(source), ...change });
  }

  /** There is nothing to send. */
  get areNone() {
    return [...this.#sources.values()].every(({ track }) => track === null);
  }

  /** Everything that is published goes to a new connection. @param {Peer} peer */
  async fill(peer) {
    await Promise.all([...this.#sources].map(([source, { track }]) => track && peer.setTrack(source, track)));
  }

  /** For the server, which knows it from now on. @param {Source} source @param {Peer} peer @returns {TrackInfo} */
  describe(source, peer) {
    const { muted, active } = this.of(source);
    const kind = source === 'microphone' || source === 'screen_audio' ? 'audio' : 'video';
    this.#told.set(source, `${muted}/${active}`);
    return { mid: peer.mid(source), kind, source, muted, active, ...(this.encrypted && { encrypted: true }) };
  }

  /** What changed since it was described last. @returns {Source[]} */
  get untold() {
    return [...this.#sources].filter(([source, { muted, active }]) => this.#told.get(source) !== `${muted}/${active}`).map(([source]) => source);
  }

  /** Off, here as there: the server has told us. It does not begin again by itself. @param {readonly Source[]} sources */
  stop(sources) {
    for (const source of sources) {
      const published = this.of(source);
      published.active = false;
      this.#told.set(source, `${published.muted}/false`);
    }
  }

  /** What may not be published any more stops. @param {Grants} grants */
  permit(grants) {
    this.stop([...this.#sources.keys()].filter((source) => this.of(source).active && !grants.publish.includes(source)));
  }
}
