/**
 * @param {ArrayBuffer} bytes
 * @param {Uint8Array<ArrayBuffer> | null} [first] the first long message of this connection, which the frame may refer to
 * @returns {Promise<string>} rejects where it is no such stream
 */
export function inflate(bytes: ArrayBuffer, first?: Uint8Array<ArrayBuffer> | null): Promise<string>;
/** Messages in binary frames: raw deflate, which makes an eighth of an offer. Compressing takes a while, and order is kept all the same. */
/** Shorter messages are one TCP segment as they are. */
export const WORTH_LENGTH: 1024;
/** Browsers of before 2023 lack it. */
export const canDeflate: boolean;
export function deflate(text: string): Promise<ArrayBuffer>;
/** Does things in the order in which they were given, at once where nothing is waited for. */
export class Turns {
    /** @template T @param {T | Promise<T>} value that does not reject @param {(value: T) => void} use */
    take<T>(value: T | Promise<T>, use: (value: T) => void): void;
    #private;
}
