/** @param {string} [deviceId] @returns {Promise<MediaStreamTrack>} @throws {MediaProblem} */
export function openCamera(deviceId?: string): Promise<MediaStreamTrack>;
/** @param {string} [deviceId] @returns {Promise<MediaStreamTrack>} @throws {MediaProblem} */
export function openMicrophone(deviceId?: string): Promise<MediaStreamTrack>;
/**
 * Both with one question to the person; what could not be opened is a problem in its place.
 * @returns {Promise<{camera: MediaStreamTrack | MediaProblem, microphone: MediaStreamTrack | MediaProblem}>}
 */
export function openCameraAndMicrophone(): Promise<{
    camera: MediaStreamTrack | MediaProblem;
    microphone: MediaStreamTrack | MediaProblem;
}>;
/** @returns {Promise<{video: MediaStreamTrack, audio: MediaStreamTrack | null}>} @throws {MediaProblem} */
export function openScreen(): Promise<{
    video: MediaStreamTrack;
    audio: MediaStreamTrack | null;
}>;
/** @returns {Promise<{cameras: MediaDeviceInfo[], microphones: MediaDeviceInfo[]}>} without names before permission */
export function listDevices(): Promise<{
    cameras: MediaDeviceInfo[];
    microphones: MediaDeviceInfo[];
}>;
/** @param {unknown} error of getUserMedia or getDisplayMedia @returns {MediaProblem} */
export function asProblem(error: unknown): MediaProblem;
/** Cameras, microphones and screens, with reasons a person understands when there is none. */
/**
 * - `refused`: the person or the browser's settings said no
 * - `missing`: no such device
 * - `busy`: another program has it
 * - `insecure`: plain HTTP from another host, where browsers give no devices
 * - `failed`: anything else
 * @typedef {'refused' | 'missing' | 'busy' | 'insecure' | 'failed'} MediaReason
 */
export class MediaProblem extends Error {
    /** @param {MediaReason} reason @param {string} message */
    constructor(reason: MediaReason, message: string);
    reason: MediaReason;
}
export namespace CAMERA_SIZE {
    let width: number;
    let height: number;
}
/**
 * - `refused`: the person or the browser's settings said no
 * - `missing`: no such device
 * - `busy`: another program has it
 * - `insecure`: plain HTTP from another host, where browsers give no devices
 * - `failed`: anything else
 */
export type MediaReason = "refused" | "missing" | "busy" | "insecure" | "failed";
