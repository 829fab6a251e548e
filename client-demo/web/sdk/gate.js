/**
 * Decides whether the frames that a slot presents belong to the participant it is bound to.
 *
 * A slot's video track goes on for ever; who is on it changes by a message, and messages and media travel apart. So a
 * slot that has carried somebody before stays closed until the first frame of the newcomer, known by its RTP timestamp.
 *
 *          bind (fresh slot)                      frame
 *   Empty ------------------> Open at any frame ---------> Open
 *     ^  \                                                  |
 *     |   \ bind (used slot)            first_frame + frame | bind somebody else
 *     |    `-------------------> Closed ------------------> Open
 *     `---------------------------- unbind -----------------'
 */

/** True when RTP timestamp `a` is at or after `b`, across the wrap at 2^32. @param {number} a @param {number} b */
export const atOrAfter = (a, b) => ((a - b) | 0) >= 0;

/** Presented frames that are let pass where the browser tells a frame's RTP timestamp only roughly. */
const EXTRA_FRAMES_WHEN_ROUGH = 2;

export class FrameGate {
  /** @type {string | null} */ #owner = null;
  #used = false;
  #open = false;
  /** Any frame opens: nobody was on this slot before. */
  #fresh = false;
  /** @type {number | null} RTP timestamp of the owner's first frame. */ #from = null;
  /** @type {number | null} of the frame on screen, where the browser says so exactly. */ #presented = null;
  #roughFrames = 0;

  /** Whether what the slot presents may be shown as its owner's. */
  get open() {
    return this.#open;
  }

  /** @param {string | null} owner who is on the slot now: participant and share, or nobody */
  bind(owner) {
    if (owner === this.#owner) return;
    this.#owner = owner;
    this.#open = false;
    this.#from = null;
    this.#roughFrames = 0;
    this.#fresh = owner !== null && !this.#used;
    if (owner !== null) this.#used = true;
  }

  /** The server sent the owner's first packet. @param {number} rtpTimestamp */
  firstFrame(rtpTimestamp) {
    if (this.#owner === null) return;
    // A second one for the same owner is a new start of its track: the older timestamp still tells the owners apart.
    if (this.#from === null) this.#from = rtpTimestamp >>> 0;
    this.#openIfDue();
  }

  /**
   * A frame is on screen.
   * @param {number | null} rtpTimestamp null: the browser does not say
   * @param {boolean} exact false: the timestamp is of a frame received, not surely the one on screen
   */
  frame(rtpTimestamp, exact = true) {
    this.#presented = exact ? rtpTimestamp : null;
    if (this.#fresh && this.#owner !== null) this.#open = true;
    if (this.#open || this.#from === null || rtpTimestamp === null) return;
    if (!atOrAfter(rtpTimestamp, this.#from)) return;
    if (exact || ++this.#roughFrames > EXTRA_FRAMES_WHEN_ROUGH) this.#open = true;
  }

  /** The frame may have come before the message that tells whose it is. */
  #openIfDue() {
    if (this.#open || this.#owner === null || this.#from === null || this.#presented === null) return;
    if (atOrAfter(this.#presented, this.#from)) this.#open = true;
  }
}
