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
  constructor(reason, message) {
    super(message);
    this.name = 'MediaProblem';
    this.reason = reason;
  }
}

/** The smallest capture of which browsers send three simulcast layers is 960x540. */
export const CAMERA_SIZE = { width: 960, height: 540 };

/** @param {string} [deviceId] @returns {Promise<MediaStreamTrack>} @throws {MediaProblem} */
export async function openCamera(deviceId) {
  const stream = await capture({ video: cameraConstraints(deviceId) });
  const [track] = stream.getVideoTracks();
  track.contentHint = 'motion';
  return track;
}

/** @param {string} [deviceId] @returns {Promise<MediaStreamTrack>} @throws {MediaProblem} */
export async function openMicrophone(deviceId) {
  const stream = await capture({ audio: microphoneConstraints(deviceId) });
  return stream.getAudioTracks()[0];
}

/**
 * Both with one question to the person; what could not be opened is a problem in its place.
 * @returns {Promise<{camera: MediaStreamTrack | MediaProblem, microphone: MediaStreamTrack | MediaProblem}>}
 */
export async function openCameraAndMicrophone() {
  try {
    const stream = await capture({ video: cameraConstraints(), audio: microphoneConstraints() });
    const [camera] = stream.getVideoTracks();
    camera.contentHint = 'motion';
    return { camera, microphone: stream.getAudioTracks()[0] };
  } catch (error) {
    const problem = /** @type {MediaProblem} */ (error);
    if (problem.reason === 'insecure') return { camera: problem, microphone: problem };
    // One of them may still be had, but nobody is asked a second time after a no.
    const alone = async (/** @type {'camera' | 'microphone'} */ name, /** @type {() => Promise<MediaStreamTrack>} */ open) =>
      problem.reason === 'refused' && !(await isGranted(name)) ? problem : open().catch((/** @type {MediaProblem} */ one) => one);
    return { camera: await alone('camera', openCamera), microphone: await alone('microphone', openMicrophone) };
  }
}

/** @param {'camera' | 'microphone'} name */
async function isGranted(name) {
  const query = navigator.permissions?.query({ name: /** @type {PermissionName} */ (name) });
  return (await query?.catch(() => null))?.state === 'granted';
}

/** @param {string} [deviceId] @returns {MediaTrackConstraints} */
const cameraConstraints = (deviceId) => ({
  width: { ideal: CAMERA_SIZE.width }, height: { ideal: CAMERA_SIZE.height }, frameRate: { ideal: 30, max: 30 },
  ...(deviceId && { deviceId: { exact: deviceId } }),
});

/** @param {string} [deviceId] @returns {MediaTrackConstraints} */
const microphoneConstraints = (deviceId) => ({
  echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...(deviceId && { deviceId: { exact: deviceId } }),
});

/** @returns {Promise<{video: MediaStreamTrack, audio: MediaStreamTrack | null}>} @throws {MediaProblem} */
export async function openScreen() {
  if (!navigator.mediaDevices?.getDisplayMedia) throw missingApi();
  let stream;
  try {
    stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15 } }, audio: true });
  } catch (error) {
    throw asProblem(error);
  }
  const [video] = stream.getVideoTracks();
  video.contentHint = 'detail';
  return { video, audio: stream.getAudioTracks()[0] ?? null };
}

/** @returns {Promise<{cameras: MediaDeviceInfo[], microphones: MediaDeviceInfo[]}>} without names before permission */
export async function listDevices() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  return {
    cameras: devices.filter((device) => device.kind === 'videoinput' && device.deviceId !== ''),
    microphones: devices.filter((device) => device.kind === 'audioinput' && device.deviceId !== ''),
  };
}

/** @param {MediaStreamConstraints} constraints */
async function capture(constraints) {
  if (!navigator.mediaDevices?.getUserMedia) throw missingApi();
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    throw asProblem(error);
  }
}

function missingApi() {
  return globalThis.isSecureContext === false
    ? new MediaProblem('insecure', 'Browsers give camera and microphone only to pages from localhost or over HTTPS.')
    : new MediaProblem('failed', 'This browser cannot capture.');
}

/** @param {unknown} error of getUserMedia or getDisplayMedia @returns {MediaProblem} */
export function asProblem(error) {
  const name = error instanceof Error ? error.name : '';
  const message = error instanceof Error ? error.message : String(error);
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError': return new MediaProblem('refused', message);
    case 'NotFoundError':
    case 'OverconstrainedError': return new MediaProblem('missing', message);
    case 'NotReadableError':
    case 'AbortError': return new MediaProblem('busy', message);
    default: return new MediaProblem('failed', message);
  }
}
