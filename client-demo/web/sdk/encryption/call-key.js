/** The shared key of one call, and what follows from it: what leaves is sealed, what comes is opened, or it is said why it cannot be. */

import { CallError } from '../errors.js';
import { Encryption, canEncrypt, problemOf } from './index.js';
import { checkKey } from './passphrase.js';

/** @import {SlotView} from '../view.js' */
/** @import {ParticipantInfo, Share} from '../wire.js' */
/** @import {EncryptionProblem} from './index.js' */
/** @import {SharedKey} from './passphrase.js' */

/** @typedef {{participant: string, share: Share, problem: EncryptionProblem | null}} EncryptionChange */

export class CallKey {
  /** @type {SharedKey | null} */ #key = null;
  /** @type {Encryption | null} */ #encryption = null;
  #hooks;

  /**
   * @param {{views: () => readonly SlotView[], participants: () => readonly ParticipantInfo[], changed: (change: EncryptionChange) => void}} hooks
   *   who is in the call, and where; `changed`: something of somebody can be played, or not
   */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  get isSet() {
    return this.#key !== null;
  }

  /** @param {SharedKey | null} key @throws {CallError} `bad_key` */
  set(key) {
    if (key !== null) checkKey(key);
    this.#key = key;
  }

  /** What a PeerConnection is to be given: null where the call is not encrypted. @returns {Encryption | null} */
  get encryption() {
    if (this.#key === null) return null;
    return this.#encryption ??= new Encryption((receiver, failing) => {
      const view = this.#hooks.views().find((one) => one.receives(receiver));
      if (!view) return;
      view.failing = failing;
      this.judge(view);
    });
  }

  /** Whether what was asked for is possible here. */
  get isPossible() {
    return this.#key === null || canEncrypt();
  }

  /** The room is known: makes its key, for which the first frames wait. @param {string} room @returns {Promise<void>} @throws {CallError} `no_encryption`, at once */
  enter(room) {
    if (this.#key === null) return Promise.resolve();
    if (!this.isPossible) throw new CallError('no_encryption', 'This browser cannot encrypt end to end, or not on a page from plain HTTP.');
    return /** @type {Encryption} */ (this.encryption).use(this.#key, room);
  }

  /** Another key in the place of the one before. @param {SharedKey} key @param {string} room */
  async change(key, room) {
    this.set(key);
    for (const view of this.#hooks.views()) {
      view.failing = false;
      this.judge(view);
    }
    await this.enter(room);
  }

  /** Whether what comes on a slot can be played. @param {SlotView} view */
  judge(view) {
    const owner = this.#hooks.participants().find(({ id }) => id === view.participant);
    const problem = owner ? problemOf(this.isSet, owner.tracks.some(({ encrypted }) => encrypted), view.failing) : null;
    if (problem === view.problem) return;
    view.problem = problem;
    if (owner) this.#hooks.changed({ participant: owner.id, share: view.share, problem });
  }

  close() {
    this.#encryption?.close();
    this.#encryption = null;
  }
}
