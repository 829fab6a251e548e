/** What `getStats` says, reduced to the few figures a person can use: two reports in, rates out. Pure. */

/**
 * @typedef {object} SlotStats  of one pair of receive-only m-lines
 * @property {number} audio_kbps
 * @property {number} video_kbps
 * @property {number} audio_loss_pct   packets lost of those expected, in the interval
 * @property {number} video_loss_pct
 * @property {number} concealed_pct    audio made up by the receiver, in the interval (silence left out)
 * @property {number} freezes          since the start
 * @property {number} frozen_s         since the start
 * @property {number} frames_decoded   since the start
 * @property {number} fps
 * @property {number} width
 * @property {number} height
 * @property {number} audio_buffer_ms  mean time in the jitter buffer, in the interval
 * @property {number} video_buffer_ms
 * @property {number} audio_level      0..1
 *
 * @typedef {{rid: string | null, width: number, height: number, fps: number, kbps: number, limited: string}} LayerStats
 *
 * @typedef {object} CallStats
 * @property {number | null} rtt_ms
 * @property {number} send_kbps
 * @property {number} receive_kbps
 * @property {number} send_loss_pct    as the server reports it
 * @property {number | null} available_send_kbps
 * @property {string} path             "udp 192.0.2.1:5000", or empty
 * @property {LayerStats[]} layers     of the camera, smallest first; those that are being sent
 * @property {Map<string, Partial<SlotStats>>} by_mid
 */

/** @typedef {Map<string, any>} Report */

/** @param {Report | null} before @param {Report} now @param {string} camera its m-line @returns {CallStats} */
export function summarise(before, now, camera) {
  /** @type {CallStats} */
  const call = {
    rtt_ms: null, send_kbps: 0, receive_kbps: 0, send_loss_pct: 0, available_send_kbps: null, path: '', layers: [],
    by_mid: new Map(),
  };
  let losses = 0;
  let remoteReports = 0;
  for (const entry of now.values()) {
    const earlier = before?.get(entry.id);
    switch (entry.type) {
      case 'inbound-rtp': {
        const slot = inbound(earlier, entry);
        call.receive_kbps += (slot.audio_kbps ?? 0) + (slot.video_kbps ?? 0);
        if (entry.mid !== undefined) call.by_mid.set(entry.mid, slot);
        break;
      }
      case 'outbound-rtp': {
        const kbps = rate(earlier, entry, 'bytesSent');
        call.send_kbps += kbps;
        // Browsers that do not tell the m-line send the camera in simulcast.
        if (entry.kind === 'video' && (entry.rid || entry.mid === camera) && (entry.framesPerSecond ?? 0) > 0) {
          call.layers.push({
            rid: entry.rid ?? null, width: entry.frameWidth ?? 0, height: entry.frameHeight ?? 0, fps: entry.framesPerSecond,
            kbps, limited: entry.qualityLimitationReason ?? 'none',
          });
        }
        break;
      }
      case 'remote-inbound-rtp':
        losses += Math.max(0, entry.fractionLost ?? 0);
        remoteReports += 1;
        break;
      case 'candidate-pair':
        if (!isSelected(entry, now)) break;
        if (entry.currentRoundTripTime !== undefined) call.rtt_ms = entry.currentRoundTripTime * 1000;
        if (entry.availableOutgoingBitrate !== undefined) call.available_send_kbps = entry.availableOutgoingBitrate / 1000;
        call.path = describePath(now.get(entry.remoteCandidateId));
        break;
    }
  }
  if (remoteReports > 0) call.send_loss_pct = (100 * losses) / remoteReports;
  call.layers.sort((a, b) => a.width - b.width);
  return call;
}

/** @param {any} earlier @param {any} entry @returns {Partial<SlotStats>} */
function inbound(earlier, entry) {
  const kbps = rate(earlier, entry, 'bytesReceived');
  const lost = delta(earlier, entry, 'packetsLost');
  const expected = lost + delta(earlier, entry, 'packetsReceived');
  const loss_pct = expected > 0 ? Math.max(0, (100 * lost) / expected) : 0;
  const emitted = delta(earlier, entry, 'jitterBufferEmittedCount');
  const buffer_ms = emitted > 0 ? (1000 * delta(earlier, entry, 'jitterBufferDelay')) / emitted : 0;
  if (entry.kind === 'audio') {
    const samples = delta(earlier, entry, 'totalSamplesReceived');
    const concealed = delta(earlier, entry, 'concealedSamples') - delta(earlier, entry, 'silentConcealedSamples');
    return {
      audio_kbps: kbps, audio_loss_pct: loss_pct, audio_buffer_ms: buffer_ms, audio_level: entry.audioLevel ?? 0,
      concealed_pct: samples > 0 ? Math.max(0, (100 * concealed) / samples) : 0,
    };
  }
  return {
    video_kbps: kbps, video_loss_pct: loss_pct, video_buffer_ms: buffer_ms, freezes: entry.freezeCount ?? 0,
    frozen_s: entry.totalFreezesDuration ?? 0, frames_decoded: entry.framesDecoded ?? 0, fps: entry.framesPerSecond ?? 0,
    width: entry.frameWidth ?? 0, height: entry.frameHeight ?? 0,
  };
}

/** @param {any} earlier @param {any} entry @param {string} field how much it grew */
const delta = (earlier, entry, field) => (entry[field] ?? 0) - (earlier?.[field] ?? 0);

/** @param {any} earlier @param {any} entry @param {string} field in bytes @returns {number} kbit/s since the earlier report; 0 without one */
function rate(earlier, entry, field) {
  const ms = entry.timestamp - (earlier?.timestamp ?? entry.timestamp);
  return ms > 0 ? Math.max(0, (8 * delta(earlier, entry, field)) / ms) : 0;
}

/** Chromium names the pair in the transport, Firefox marks the pair itself. @param {any} pair @param {Report} report */
function isSelected(pair, report) {
  if (pair.selected === true) return true;
  for (const entry of report.values()) {
    if (entry.type === 'transport' && entry.selectedCandidatePairId === pair.id) return true;
  }
  return false;
}

/** @param {any} candidate */
function describePath(candidate) {
  if (!candidate) return '';
  const address = candidate.address ?? candidate.ip;
  const host = typeof address === 'string' && address.includes(':') ? `[${address}]` : address;
  return `${candidate.protocol ?? 'udp'} ${host ?? '?'}:${candidate.port ?? '?'}`;
}
