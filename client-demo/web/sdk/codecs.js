/** Which codecs an m-line offers, in which order. Few: every m-line repeats the list, and a call offers many m-lines. */

/** @typedef {{mimeType: string, clockRate: number, channels?: number, sdpFmtpLine?: string}} Codec */

/**
 * What to send video with. VP8 only: all three simulcast layers work everywhere, every receiver decodes it, and one
 * room then has one codec.
 */
const SEND_VIDEO = ['video/vp8'];
/** What a slot accepts: whatever another participant's own client may send. The first is what pages send. */
const RECEIVE_VIDEO = ['video/vp8', 'video/vp9', 'video/h264', 'video/av1'];

/**
 * @template {Codec} C
 * @param {C[]} capabilities of RTCRtpSender or RTCRtpReceiver
 * @param {'audio' | 'video'} kind @param {'send' | 'receive'} direction
 * @returns {C[]} for `setCodecPreferences`; never empty when the browser has any codec of that kind
 */
export function preferredCodecs(capabilities, kind, direction) {
  const mime = (/** @type {C} */ codec) => codec.mimeType.toLowerCase();
  if (kind === 'audio') return orAll(capabilities.filter((codec) => mime(codec) === 'audio/opus'), capabilities);
  const wanted = direction === 'send' ? SEND_VIDEO : RECEIVE_VIDEO;
  const chosen = wanted.flatMap((name) => capabilities.filter((codec) => mime(codec) === name && isCommon(codec)).slice(0, 1));
  // One entry stands for the retransmission of all: the browser makes one payload type for each codec in the list.
  const rtx = capabilities.filter((codec) => mime(codec) === 'video/rtx').slice(0, 1);
  return chosen.length > 0 ? [...chosen, ...rtx] : capabilities;
}

/** @template C @param {C[]} chosen @param {C[]} all */
const orAll = (chosen, all) => (chosen.length > 0 ? chosen : all);

/** The profile that every browser has: VP9 profile 0, H264 constrained baseline in packetization mode 1, AV1 main. @param {Codec} codec */
function isCommon(codec) {
  const line = (codec.sdpFmtpLine ?? '').toLowerCase();
  switch (codec.mimeType.toLowerCase()) {
    case 'video/vp9': return !line.includes('profile-id=') || line.includes('profile-id=0');
    case 'video/h264': return line.includes('packetization-mode=1') && line.includes('profile-level-id=42e0');
    case 'video/av1': return !line.includes('profile=') || line.includes('profile=0');
    default: return true;
  }
}

/**
 * Three simulcast layers, smallest first. A capture below 960x540 makes browsers leave the largest out.
 * Bitrates suit 960x540 at up to 30 frames a second: what VP8 needs before blocks show on a moving face.
 * @returns {RTCRtpEncodingParameters[]}
 */
export function cameraEncodings() {
  return [
    { rid: 'l', scaleResolutionDownBy: 4, maxBitrate: 120_000 },
    { rid: 'm', scaleResolutionDownBy: 2, maxBitrate: 400_000 },
    { rid: 'h', scaleResolutionDownBy: 1, maxBitrate: 1_300_000 },
  ];
}

/** A shared screen: one layer, sharp rather than smooth. @returns {RTCRtpEncodingParameters[]} */
export function screenEncodings() {
  return [{ maxBitrate: 2_500_000, maxFramerate: 15 }];
}
