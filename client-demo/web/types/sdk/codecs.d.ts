/**
 * @template {Codec} C
 * @param {C[]} capabilities of RTCRtpSender or RTCRtpReceiver
 * @param {'audio' | 'video'} kind @param {'send' | 'receive'} direction
 * @param {CameraOptions} [camera] of what is sent @param {boolean} [encrypted] end to end
 * @returns {C[]} for `setCodecPreferences`; never empty when the browser has any codec of that kind
 */
export function preferredCodecs<C extends Codec>(capabilities: C[], kind: "audio" | "video", direction: "send" | "receive", { codec, fec }?: CameraOptions, encrypted?: boolean): C[];
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
export function cameraEncodings(codec?: CameraOptions["codec"], layered?: boolean): (RTCRtpEncodingParameters & {
    scalabilityMode?: string;
})[];
/** A shared screen: one layer, sharp rather than smooth. @returns {RTCRtpEncodingParameters[]} */
export function screenEncodings(): RTCRtpEncodingParameters[];
/**
 * The offer as the server reads it, with the word that a microphone answers requests for lost packets (RFC 4585). libwebrtc
 * keeps what it sent for that and does not say so in its offers. Only where it is sent as RED, which tells it from others.
 * @param {string} sdp @param {readonly (string | null)[]} mids of m-lines that are sent on
 */
export function withAudioRepair(sdp: string, mids: readonly (string | null)[]): string;
export function sealable(camera: CameraOptions): CameraOptions;
export type Codec = {
    mimeType: string;
    clockRate: number;
    channels?: number;
    sdpFmtpLine?: string;
};
/**
 * How the camera is sent.
 */
export type CameraOptions = {
    /**
     * VP8 unless said otherwise: three simulcast layers, decoded everywhere, at little cost. VP9 and AV1
     * send one stream of three sizes inside each other (SVC), where the browser can, for less rate and more CPU
     */
    codec?: "vp8" | "vp9" | "av1" | undefined;
    /**
     * sends FEC with it (ULPFEC), as much as the browser thinks its loss is worth; for networks on which asking
     * again takes too long. VP8 and VP9. What others send is protected without it
     */
    fec?: boolean | undefined;
};
