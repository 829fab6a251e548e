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
 * @typedef {{rid: string, width: number, height: number, fps: number, kbps: number, limited: string}} LayerStats
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
/** @param {Report | null} before @param {Report} now @returns {CallStats} */
export function summarise(before: Report | null, now: Report): CallStats;
/**
 * of one pair of receive-only m-lines
 */
export type SlotStats = {
    audio_kbps: number;
    video_kbps: number;
    /**
     * packets lost of those expected, in the interval
     */
    audio_loss_pct: number;
    video_loss_pct: number;
    /**
     * audio made up by the receiver, in the interval (silence left out)
     */
    concealed_pct: number;
    /**
     * since the start
     */
    freezes: number;
    /**
     * since the start
     */
    frozen_s: number;
    /**
     * since the start
     */
    frames_decoded: number;
    fps: number;
    width: number;
    height: number;
    /**
     * mean time in the jitter buffer, in the interval
     */
    audio_buffer_ms: number;
    video_buffer_ms: number;
    /**
     * 0..1
     */
    audio_level: number;
};
export type LayerStats = {
    rid: string;
    width: number;
    height: number;
    fps: number;
    kbps: number;
    limited: string;
};
export type CallStats = {
    rtt_ms: number | null;
    send_kbps: number;
    receive_kbps: number;
    /**
     * as the server reports it
     */
    send_loss_pct: number;
    available_send_kbps: number | null;
    /**
     * "udp 192.0.2.1:5000", or empty
     */
    path: string;
    /**
     * of the camera, smallest first; those that are being sent
     */
    layers: LayerStats[];
    by_mid: Map<string, Partial<SlotStats>>;
};
export type Report = Map<string, any>;
