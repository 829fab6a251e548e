/**
 * One pair of receive-only m-lines as a page uses it: its tracks, who is on it, and whether its picture may be shown.
 */

import { Emitter } from './events.js';

/** @import {Pair} from './peer.js' */
/** @import {EncryptionProblem} from './encryption/index.js' */
/** @import {Kind, SlotQuality} from './wire.js' */
/** @import {Slot} from './slots.js' */

/**
 * @typedef {object} ViewEvents
 * @property {boolean} shown   the picture is the owner's (true) or must be hidden (false)
 * @property {number} frame    a frame was presented, at this time in ms of `performance.now()`
 * @property {HTMLVideoElement} attached    an element shows the picture
 * @property {void} preference    `pinned`, `priority` or `problem` changed
 */

/** @extends {Emitter<ViewEvents>} */
export class SlotView extends Emitter {
  /** @type {Pair} */ #pair;
  /** @type {HTMLVideoElement | null} */ #element = null;
  #watching = false;
  #shown = false;
  #pinned = false;
  #priority = 0;
  /** @type {EncryptionProblem | null} */ #problem = null;
  /** Frames that come cannot be opened. */ failing = false;
  /** @type {SlotQuality | null} What the server sends of the picture, and why not more. */ quality = null;

  /** @param {Slot} slot @param {Pair} pair */
  constructor(slot, pair) {
    super();
    this.slot = slot;
    this.#pair = pair;
    this.audio = new MediaStream([pair.audio.receiver.track]);
    this.video = new MediaStream([pair.video.receiver.track]);
  }

  get participant() {
    return this.slot.participant;
  }

  get share() {
    return this.slot.share;
  }

  get pinned() {
    return this.#pinned;
  }

  /** A pinned picture has a larger share of the link, and is paused last. */
  set pinned(on) {
    if (on === this.#pinned) return;
    this.#pinned = on;
    this.emit('preference', undefined);
  }

  get priority() {
    return this.#priority;
  }

  /** 0-3; each step doubles the share. */
  set priority(steps) {
    if (steps === this.#priority) return;
    this.#priority = steps;
    this.emit('preference', undefined);
  }

  /** Why what comes cannot be played; null: it can. */
  get problem() {
    return this.#problem;
  }

  /** Undecodable sound would be noise, and pictures are not asked for meanwhile. */
  set problem(problem) {
    if (problem === this.#problem) return;
    this.#problem = problem;
    for (const kind of /** @type {const} */ (['audio', 'video'])) this.#pair[kind].receiver.track.enabled = problem === null;
    this.update();
    this.emit('preference', undefined);
  }

  /** @param {RTCRtpReceiver} receiver */
  receives(receiver) {
    return this.#pair.audio.receiver === receiver || this.#pair.video.receiver === receiver;
  }

  /** Whether the picture is the owner's. */
  get shown() {
    return this.#shown;
  }

  /**
   * What was played or shown last: its RTP timestamp, when, and how loud. The browser may know nothing yet.
   * @param {Kind} kind @returns {RTCRtpSynchronizationSource | undefined}
   */
  newest(kind) {
    return this.#pair[kind].receiver.getSynchronizationSources?.()[0];
  }

  /** When the newest sound or picture was delivered, in ms of `performance.now()`; null: never. @param {Kind} kind */
  delivered_ms(kind) {
    const newest = this.newest(kind);
    return newest ? newest.timestamp - performance.timeOrigin : null;
  }

  /**
   * Shows this slot's picture in an element. The page hides the element while `shown` is false.
   * @param {HTMLVideoElement} element one for the slot's whole life
   */
  attach(element) {
    this.#element = element;
    element.srcObject = this.video;
    element.muted = true; // The sound has an element of its own: browsers hold it back until the first picture.
    element.play().catch(() => {}); // Moved or closed meanwhile.
    this.emit('attached', element);
    this.update();
  }

  /** After the slot changed hands, or `first_frame` came. */
  update() {
    if (!this.slot.gate.open) this.#watch();
    const open = this.slot.gate.open && this.#problem === null;
    if (open === this.#shown) return;
    this.#shown = open;
    this.emit('shown', open);
  }

  /** Frame by frame while the gate is closed; an open one needs no watching. */
  #watch() {
    const element = this.#element;
    if (!element || this.#watching || this.slot.participant === null) return;
    this.#watching = true;
    /** @param {number} now_ms @param {VideoFrameCallbackMetadata} [metadata] */
    const presented = (now_ms, metadata) => {
      this.#watching = false;
      const exact = metadata?.rtpTimestamp;
      const received = this.newest('video')?.rtpTimestamp;
      if (exact !== undefined) this.slot.gate.frame(exact);
      else if (received !== undefined) this.slot.gate.frame(received, false);
      if (metadata) this.emit('frame', now_ms);
      this.update();
    };
    if ('requestVideoFrameCallback' in element) element.requestVideoFrameCallback(presented);
    else requestAnimationFrame((now_ms) => presented(now_ms));
  }
}
