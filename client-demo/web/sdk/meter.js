/** Times the stages of one try to connect, from what the PeerConnection and the slots tell. */

import { StageClock } from './stages.js';

/** @import {Peer} from './peer.js' */
/** @import {Stage} from './stages.js' */
/** @import {SlotView} from './view.js' */
/** @import {Stages} from './wire.js' */

/** Later than this a first frame says when somebody else arrived, not how fast we connected. */
const MEASURE_FOR_MS = 10_000;
/** Often enough for the stages to be right to a few milliseconds where the browser tells no time itself. */
const MEASURE_EVERY_MS = 10;

export class ConnectMeter {
  #clock;
  #start_ms;
  #timer;
  #told;
  #stopped = false;

  /**
   * @param {Peer} peer @param {number} start_ms when the click happened
   * @param {{views: () => readonly SlotView[], told: (stages: Stages) => void, done: (stages: Stages) => void}} hooks `told`: one more stage;
   *   `done`: the last of them, or it took too long
   */
  constructor(peer, start_ms, { views, told, done }) {
    this.#start_ms = start_ms;
    this.#clock = new StageClock(start_ms);
    this.#told = told;
    // What came up in the lobby took no time.
    if (peer.isReached) this.reach('ice', start_ms);
    if (peer.isConnected) this.reach('dtls', start_ms);
    peer.on('ice', (at_ms) => this.reach('ice', at_ms));
    peer.on('dtls', (at_ms) => this.reach('dtls', at_ms));
    peer.on('packet', (at_ms) => this.reach('first_packet', at_ms));
    this.#timer = setInterval(() => {
      for (const view of views()) {
        const [audio, frame] = [view.delivered_ms('audio'), view.delivered_ms('video')];
        if (audio !== null) this.reach('first_audio', audio);
        if (frame !== null) this.reach('first_frame', frame);
      }
      if (!this.#clock.complete && performance.now() - start_ms < MEASURE_FOR_MS) return;
      this.stop();
      done(this.#clock.stages());
    }, MEASURE_EVERY_MS);
  }

  /** @param {Stage} stage @param {number} at_ms */
  reach(stage, at_ms) {
    if (!this.#stopped && this.#clock.reach(stage, at_ms)) this.#told(this.#clock.stages());
  }

  /** When the click was; null: nothing is measured any more. */
  get since_ms() {
    return this.#stopped ? null : this.#start_ms;
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#timer);
  }
}
