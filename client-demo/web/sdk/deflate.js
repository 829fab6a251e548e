/** Messages in binary frames: raw deflate, which makes an eighth of an offer. Compressing takes a while, and order is kept all the same. */

/** Shorter messages are one TCP segment as they are. */
export const WORTH_LENGTH = 1024;

/** Browsers of before 2023 lack it. */
export const canDeflate = (() => {
  try {
    return Boolean(new CompressionStream('deflate-raw') && new DecompressionStream('deflate-raw'));
  } catch {
    return false;
  }
})();

/** @param {BodyInit} data @param {ReadableWritablePair<any, any>} through */
const passed = (data, through) => new Response(/** @type {ReadableStream} */ (new Response(data).body).pipeThrough(through));

/** @param {string} text @returns {Promise<ArrayBuffer>} */
export const deflate = (text) => passed(text, new CompressionStream('deflate-raw')).arrayBuffer();

/** The first byte of a frame that refers to what the page has said: a block type that deflate does not have. */
const REFERS = 7;
/** How far back deflate can refer. */
const WINDOW = 32 * 1024;

/** What was said, as a block that is stored: whatever comes behind it can refer to it. @param {Uint8Array<ArrayBuffer>} said */
function stored(said) {
  const { length } = said;
  return [new Uint8Array([0, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255]), said];
}

/**
 * @param {ArrayBuffer} bytes
 * @param {Uint8Array<ArrayBuffer> | null} [first] the first long message of this connection, which the frame may refer to
 * @returns {Promise<string>} rejects where it is no such stream
 */
export async function inflate(bytes, first = null) {
  const frame = new Uint8Array(bytes);
  if (frame[0] !== REFERS || first === null) return passed(bytes, new DecompressionStream('deflate-raw')).text();
  const said = first.subarray(-WINDOW);
  const whole = await passed(new Blob([...stored(said), frame.subarray(1)]), new DecompressionStream('deflate-raw')).arrayBuffer();
  return new TextDecoder('utf-8', { fatal: true }).decode(whole.slice(said.length));
}

/** Does things in the order in which they were given, at once where nothing is waited for. */
export class Turns {
  #waiting = 0;
  /** @type {Promise<unknown>} */ #last = Promise.resolve();

  /** @template T @param {T | Promise<T>} value that does not reject @param {(value: T) => void} use */
  take(value, use) {
    if (this.#waiting === 0 && !(value instanceof Promise)) return use(value);
    this.#waiting += 1;
    const turn = this.#last.then(() => value).then((ready) => {
      this.#waiting -= 1;
      use(ready);
    });
    // As an event handler's would be, a fault is told and stops nothing.
    this.#last = turn.catch((error) => console.error(error));
  }
}
