/** The markup of the whole interface, for a document or a shadow root: the lobby, the ring dialog, the call. */
/** @import {Words} from './words/index.js' */
/**
 * @param {Words} words @param {'main' | 'section'} landmark `main` where the interface is the page
 * @returns {DocumentFragment}
 */
export function markup(words: Words, landmark: "main" | "section"): DocumentFragment;
import type { Words } from './words/index.js';
