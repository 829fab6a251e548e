/** Which codecs an m-line offers, in which order. Few: every m-line repeats the list, and a call offers many m-lines. */

/** @typedef {{mimeType: string, clockRate: number, channels?: number, sdpFmtpLine?: string}} Codec */

/**
 * Opus inside RED where the browser has it: browsers send what comes first, and a copy of each frame in the next packet is
 * there before the server could ask. The server takes it apart, and repeats to each listener what its own link needs.
 */
const SEND_AUDIO = ['audio/red', 'audio/opus'];
/** Plain Opus first: what a clean link is sent. */
const RECEIVE_AUDIO = ['audio/opus', 'audio/red'];
/**
 * How the camera is sent.
 * @typedef {object} CameraOptions
 * @property {'vp8' | 'vp9' | 'av1'} [codec] VP8 unless said otherwise: three simulcast layers, decoded everywhere, at little cost. VP9 and AV1
 *   send one stream of three sizes inside each other (SVC), where the browser can, for less rate and more CPU
 * @property {boolean} [fec] sends FEC with it (ULPFEC, or FlexFEC where the browser sends that), as much as it thinks its loss is worth; for networks on which asking
 *   again takes too long. VP8 and VP9. What others send is protected without it
 */

/** H264 and AV1 are split into packets by what stands in the frame, which nobody can read who has not the key. */
const NOT_SEALED = ['video/h264', 'video/av1'];

/** The camera of an encrypted call: VP8 where AV1 was wished for. @param {CameraOptions} camera @returns {CameraOptions} */
export const sealable = (camera) => (camera.codec === 'av1' ? { ...camera, codec: 'vp8' } : camera);

/** What a slot accepts: whatever another participant's own client may send; and FEC, if its own network needs it. */
const RECEIVE_VIDEO = ['video/vp8', 'video/vp9', 'video/h264', 'video/av1', 'video/flexfec-03', 'video/red', 'video/ulpfec'];
/** In front of the codec, the server takes it for a wish; behind it browsers offer it always. */
const ULPFEC = ['video/red', 'video/ulpfec'];
/** On a source of its own. Chromium takes it, and sends it behind a field trial, one stream only. */
const FLEXFEC = ['video/flexfec-03'];

/**
 * @template {Codec} C
 * @param {C[]} capabilities of RTCRtpSender or RTCRtpReceiver
 * @param {'audio' | 'video'} kind @param {'send' | 'receive'} direction
 * @param {CameraOptions} [camera] of what is sent @param {boolean} [encrypted] end to end
 * @returns {C[]} for `setCodecPreferences`; never empty when the browser has any codec of that kind
 */
export function preferredCodecs(capabilities, kind, direction, { codec = 'vp8', fec = false } = {}, encrypted = false) {
  const mime = (/** @type {C} */ one) => one.mimeType.toLowerCase();
  if (kind === 'audio') {
    const order = direction === 'send' ? SEND_AUDIO : RECEIVE_AUDIO;
    return orAll(order.flatMap((name) => capabilities.filter((one) => mime(one) === name).slice(0, 1)), capabilities);
  }
  // What cannot be sent as wanted is sent as VP8.
  const media = [...new Set([`video/${codec}`, 'video/vp8'])];
  const sent = fec ? [...(codec === 'av1' ? [] : ULPFEC), ...media, ...FLEXFEC] : media;
  const wanted = (direction === 'send' ? sent : RECEIVE_VIDEO).filter((name) => !encrypted || !NOT_SEALED.includes(name));
  const chosen = wanted.flatMap((name) => capabilities.filter((one) => mime(one) === name && isCommon(one)).slice(0, 1));
  // One entry stands for the retransmission of all: the browser makes one payload type for each codec in the list.
  const rtx = capabilities.filter((one) => mime(one) === 'video/rtx').slice(0, 1);
  return chosen.some((one) => ![...ULPFEC, ...FLEXFEC].includes(mime(one))) ? [...chosen, ...rtx] : capabilities;
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

/** One stream that holds so many sizes, by the largest of them: those that are left keep theirs. Encoding only the smallest takes a thirtieth of the CPU. */
const SIZES = [
  { scalabilityMode: 'L1T3', scaleResolutionDownBy: 4, maxBitrate: 120_000 },
  { scalabilityMode: 'L2T3_KEY', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { scalabilityMode: 'L3T3_KEY', scaleResolutionDownBy: 1, maxBitrate: 1_500_000 },
];

/** @param {number} [largest] of the sizes, 0 the smallest; left out: all */
export const sizesUpTo = (largest = SIZES.length - 1) => SIZES[Math.min(largest, SIZES.length - 1)];

/**
 * VP8: three simulcast layers, smallest first, each with three temporal ones where the browser has them. A capture below 960x540
 * makes browsers leave the largest out. Bitrates suit 960x540 at up to 30 frames a second: what VP8 needs before blocks show on a
 * moving face.
 *
 * VP9 and AV1: one stream of three sizes and three frame rates; only its keyframes refer from one size to the other, so who
 * is sent a small one needs none of the others.
 * @param {CameraOptions['codec']} [codec] @param {boolean} [layered] false: a browser that knows no `scalabilityMode`
 * @returns {(RTCRtpEncodingParameters & {scalabilityMode?: string})[]}
 */
export function cameraEncodings(codec = 'vp8', layered = true) {
  const mode = (/** @type {string} */ scalabilityMode) => (layered ? { scalabilityMode } : {});
  if (codec !== 'vp8' && layered) return [{ ...sizesUpTo() }];
  return [
    { rid: 'l', scaleResolutionDownBy: 4, maxBitrate: 120_000, ...mode('L1T3') },
    { rid: 'm', scaleResolutionDownBy: 2, maxBitrate: 400_000, ...mode('L1T3') },
    { rid: 'h', scaleResolutionDownBy: 1, maxBitrate: 1_300_000, ...mode('L1T3') },
  ];
}

/** A shared screen: one layer, sharp rather than smooth. @returns {RTCRtpEncodingParameters[]} */
export function screenEncodings() {
  return [{ maxBitrate: 2_500_000, maxFramerate: 15 }];
}

/**
 * The offer as the server reads it, with the word that a microphone answers requests for lost packets (RFC 4585). libwebrtc
 * keeps what it sent for that and does not say so in its offers. Only where it is sent as RED, which tells it from others.
 * @param {string} sdp @param {readonly (string | null)[]} mids of m-lines that are sent on
 */
export function withAudioRepair(sdp, mids) {
  return sdp.split(/(?=^m=)/m).map((section) => {
    const mid = /^a=mid:(\S+)/m.exec(section)?.[1];
    const opus = /^a=rtpmap:(\d+) opus\/48000/im.exec(section)?.[1];
    const isSent = section.startsWith('m=audio') && mids.includes(mid ?? '');
    if (!isSent || !opus || !/^a=rtpmap:\d+ red\/48000/im.test(section) || section.includes(`a=rtcp-fb:${opus} nack`)) return section;
    return section.replace(new RegExp(`^(a=rtpmap:${opus} .*\\r?\\n)`, 'm'), `$1a=rtcp-fb:${opus} nack\r\n`);
  }).join('');
}
