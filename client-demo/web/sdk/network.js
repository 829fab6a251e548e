/** Tells when the network or the page may have changed under a connection: another network, or a phone that wakes up. */

/** @param {() => void} doubt @returns {() => void} ends it */
export function watchNetwork(doubt) {
  const connection = /** @type {any} */ (globalThis.navigator)?.connection;
  const shown = () => document.visibilityState === 'visible' && doubt();
  globalThis.addEventListener?.('online', doubt);
  connection?.addEventListener?.('change', doubt);
  globalThis.document?.addEventListener('visibilitychange', shown);
  return () => {
    globalThis.removeEventListener?.('online', doubt);
    connection?.removeEventListener?.('change', doubt);
    globalThis.document?.removeEventListener('visibilitychange', shown);
  };
}
