/** What the application keeps with a room or a participant: named strings, and one without a name, the metadata. */

/** @import {Attribute} from './wire.js' */

/** @typedef {{value: string, version: number}} Kept  `version` is what a change of it is compared with. */

/** The name of what has none. */
const METADATA = '';

/** @param {readonly Attribute[]} list @param {string} [key] left out: the metadata @returns {Kept | null} */
export function find(list, key) {
  const found = list.find((one) => (one.key ?? METADATA) === (key ?? METADATA));
  return found && found.value !== null ? { value: found.value, version: found.version } : null;
}

/** @param {readonly Attribute[]} list @param {Attribute} change @returns {Attribute[]} */
export function changed(list, change) {
  const others = list.filter((one) => (one.key ?? METADATA) !== (change.key ?? METADATA));
  return change.value === null ? others : [...others, change];
}
