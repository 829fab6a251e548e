/**
 * The offer as it travels. A browser repeats in each m-line what holds for the whole BUNDLE group (RFC 9143), and offers what no
 * server of ours knows: with a dozen m-lines that is a third of a join, and a join has to get through a network that loses segments.
 * What is left is read as the whole would be.
 */

/** Of the transport: the first m-line of the group says it for all. */
const ONCE = ['ice-ufrag', 'ice-pwd', 'fingerprint', 'setup'];
/** Said nowhere: names of streams, and addresses that ICE brings. */
const NEVER = ['ice-options', 'rtcp', 'rtcp-xr', 'msid', 'msid-semantic'];
/** Header extensions that nobody reads. */
const UNREAD = ['toffset', 'video-content-type', 'video-timing', 'color-space', 'video-layers-allocation00'];

/** @param {string} sdp of `createOffer`, all of whose m-lines share one transport @returns {string} */
export function shortened(sdp) {
  return sdp.split(/(?=^m=)/m).map((section, at) => {
    const isFirst = at <= 1; // The session, and its first m-line.
    const sends = !section.includes('a=recvonly');
    /** @type {Set<string>} */
    const sources = new Set();
    return section.split(/(?<=\n)/).filter((line) => {
      const [, name, value = ''] = /^a=([\w-]+):?(.*)/.exec(line) ?? [];
      if (name === undefined) return !line.startsWith('c=');
      if (NEVER.includes(name) || (!isFirst && ONCE.includes(name))) return false;
      if (name === 'extmap') return !UNREAD.some((one) => value.trimEnd().endsWith(one));
      if (name !== 'ssrc') return true;
      // One line a source: the others name its stream. What only receives has none worth knowing.
      const [ssrc] = value.split(' ');
      return sends && !sources.has(ssrc) && sources.add(ssrc);
    }).join('');
  }).join('');
}
