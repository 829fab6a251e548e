/** Tells when the network or the page may have changed under a connection: another network, or a phone that wakes up. */
/** @param {() => void} doubt @returns {() => void} ends it */
export function watchNetwork(doubt: () => void): () => void;
