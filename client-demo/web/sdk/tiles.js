/**
 * How large each slot's picture is on screen, and whether it is: told to the server when it has settled, so that nobody
 * sends what nobody sees.
 *
 *   ResizeObserver, IntersectionObserver, hidden page, pin --> wanted --(settled)--> told
 *
 * More is asked for soon, less after a while: people look away for a moment, and layouts move in steps.
 */

/** @import {Preference} from './wire.js' */
/** @import {SlotView} from './view.js' */

const MORE_AFTER_MS = 100;
const LESS_AFTER_MS = 1000;
/** A smaller element is one that is kept out of sight. */
const SMALLEST_PX = 16;
/** What the wire carries. */
const LARGEST_PX = 0xffff;

/**
 * The size in which a picture is drawn in a box, in device pixels.
 * @param {{width: number, height: number}} box in CSS pixels
 * @param {{width: number, height: number}} picture zeros: not known yet
 * @param {string} fit the element's `object-fit` @param {number} ratio device pixels per CSS pixel
 */
export function drawnSize(box, picture, fit, ratio) {
  let { width, height } = box;
  if (picture.width > 0 && picture.height > 0 && (fit === 'cover' || fit === 'contain')) {
    const scales = [width / picture.width, height / picture.height];
    const scale = fit === 'cover' ? Math.max(...scales) : Math.min(...scales);
    width = picture.width * scale;
    height = picture.height * scale;
  }
  const pixels = (/** @type {number} */ css) => Math.min(LARGEST_PX, Math.max(0, Math.round(css * ratio)));
  return { width: pixels(width), height: pixels(height) };
}

/** Whether `b` is worth telling after `a`, and how soon. @param {Preference | undefined} a @param {Preference} b @returns {number | null} null: not at all */
export function settlesAfter_ms(a, b) {
  if (!a) return 0;
  if (b.pinned !== a.pinned || b.priority !== a.priority) return 0;
  if (b.visible !== a.visible) return b.visible ? 0 : LESS_AFTER_MS;
  // An element that is not on screen has no size that matters.
  if (!b.visible || (a.width === b.width && a.height === b.height)) return null;
  return b.width > a.width || b.height > a.height ? MORE_AFTER_MS : LESS_AFTER_MS;
}

export class TileWatcher {
  #tell;
  /** @type {Map<SlotView, {element: HTMLVideoElement, box: {width: number, height: number}, onScreen: boolean}>} */ #tiles = new Map();
  /** @type {Map<string, Preference>} by m-line */ #told = new Map();
  /** @type {any} */ #timer = null;
  #due_ms = Infinity;
  #resized;
  #crossed;

  /** @param {(slots: Preference[]) => boolean} tell false: not now, ask again with `retell` */
  constructor(tell) {
    this.#tell = tell;
    this.#resized = new ResizeObserver((entries) => {
      for (const { target, contentRect } of entries) this.#change(target, (tile) => { tile.box = contentRect; });
    });
    this.#crossed = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.#change(target, (tile) => { tile.onScreen = isIntersecting; });
    });
    document.addEventListener('visibilitychange', this.#update);
    document.addEventListener('enterpictureinpicture', this.#update);
    document.addEventListener('leavepictureinpicture', this.#update);
  }

  /** @param {SlotView} view @param {HTMLVideoElement} element */
  watch(view, element) {
    this.#tiles.set(view, { element, box: element.getBoundingClientRect(), onScreen: true });
    this.#resized.observe(element);
    this.#crossed.observe(element);
    element.addEventListener('resize', this.#update); // The picture's own size.
    view.on('preference', this.#update);
    this.#update();
  }

  /** Everything again: the server is a new one. */
  retell() {
    this.#told.clear();
    this.#update();
  }

  /** The elements of an earlier connection. */
  clear() {
    for (const { element } of this.#tiles.values()) {
      this.#resized.unobserve(element);
      this.#crossed.unobserve(element);
      element.removeEventListener('resize', this.#update);
    }
    this.#tiles.clear();
    this.#told.clear();
  }

  close() {
    this.clear();
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#update);
    document.removeEventListener('enterpictureinpicture', this.#update);
    document.removeEventListener('leavepictureinpicture', this.#update);
  }

  /** @param {Element} target @param {(tile: {box: {width: number, height: number}, onScreen: boolean}) => void} change */
  #change(target, change) {
    for (const tile of this.#tiles.values()) if (tile.element === target) change(tile);
    this.#update();
  }

  /** @returns {Preference[]} as things are now */
  #wanted() {
    return [...this.#tiles].map(([view, { element, box, onScreen }]) => {
      const floating = document.pictureInPictureElement === element;
      const picture = { width: element.videoWidth, height: element.videoHeight };
      const size = drawnSize(box, picture, getComputedStyle(element).objectFit, devicePixelRatio);
      // What has no size is not laid out yet, or not in the document: nobody knows how it is shown, so it is wanted.
      const unknown = box.width === 0 || box.height === 0;
      const seen = document.visibilityState === 'visible' && (unknown || (onScreen && Math.min(box.width, box.height) >= SMALLEST_PX));
      // A floating window has a size of its own, which nobody tells.
      const shown = floating ? { width: 0, height: 0 } : size;
      const visible = (floating || seen) && view.problem === null;
      return { mid: view.slot.mids.video, ...shown, visible, pinned: view.pinned, priority: view.priority };
    });
  }

  #update = () => {
    for (const wanted of this.#wanted()) {
      const after_ms = settlesAfter_ms(this.#told.get(wanted.mid), wanted);
      if (after_ms !== null) this.#tellAt(performance.now() + after_ms);
    }
  };

  /** @param {number} at_ms */
  #tellAt(at_ms) {
    if (at_ms >= this.#due_ms) return;
    this.#due_ms = at_ms;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#due_ms = Infinity;
      const changed = this.#wanted().filter((wanted) => settlesAfter_ms(this.#told.get(wanted.mid), wanted) !== null);
      if (changed.length === 0 || !this.#tell(changed)) return;
      for (const one of changed) this.#told.set(one.mid, one);
    }, Math.max(0, at_ms - performance.now()));
  }
}
