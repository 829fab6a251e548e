/** @type {Words} */
export const zh: Words;
import type { Words } from './index.js';
