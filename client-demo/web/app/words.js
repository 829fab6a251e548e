/** What people read when something does not go as they expect: what happened, and what they can do. */

/** @import {CallError} from '../sdk/errors.js' */
/** @import {MediaProblem} from '../sdk/devices.js' */

/** @param {CallError} error */
export function callWords(error) {
  switch (error.code) {
    case 'unreachable': return 'The server cannot be reached. Is it running, and is this device on the network?';
    case 'gone': return 'The connection to the server was lost while joining. Try again.';
    case 'unsupported': return 'This browser cannot make calls: it has no WebRTC. A current Firefox, Chrome, Edge or Safari can.';
    case 'bad_name': return `This name cannot be used: ${error.message}`;
    case 'bad_room': return `This room name cannot be used: ${error.message}`;
    case 'access_denied': return 'You are not let into this room: the invitation may have expired, or is for another room. Ask for a new one.';
    case 'removed': return `You are out of the call: ${error.message}.`;
    case 'room_locked': return 'This room is locked. Ask whoever leads the call to open it.';
    case 'room_full': return 'This room is full. Try another, or come back when somebody has left.';
    case 'too_many_rooms': return 'The server has as many rooms as it allows. Join one that exists, or try later.';
    case 'too_many_joins': return 'Too many joins from this address in a short time. Wait a minute, then try again.';
    case 'shutting_down': return 'The server is shutting down. Try again in a moment.';
    case 'slow_consumer': return 'This device or its network could not keep up with the call. Try again.';
    default: return `The call could not be joined: ${error.message} (${error.code})`;
  }
}

/** @param {CallError | null} reason what the server said before it closed the connection @param {boolean} mediaAlive sound and pictures go on */
export function reconnectWords(reason, mediaAlive) {
  switch (reason?.code) {
    case 'media_lost':
      return 'No sound or picture gets through to the server: its UDP port may be blocked on the way. Trying again …';
    case 'shutting_down': return 'The server is restarting. You will be back as soon as it answers …';
    default: return mediaAlive
      ? 'The connection to the server was lost. Sound and pictures go on meanwhile; the rest follows as soon as it answers …'
      : 'The connection to the server was lost. You will be back as soon as it answers …';
  }
}

/**
 * @param {MediaProblem | null} camera @param {MediaProblem | null} microphone
 * @returns {string} empty when both are there
 */
export function mediaWords(camera, microphone) {
  const problem = camera ?? microphone;
  if (!problem) return '';
  const both = camera !== null && microphone !== null && camera.reason === microphone.reason;
  const [what, was] = both ? ['camera and microphone', 'were'] : [camera ? 'camera' : 'microphone', 'was'];
  const instead = both ? 'a generated picture and tone' : camera ? 'a generated picture' : 'a generated tone';
  switch (problem.reason) {
    case 'insecure':
      return 'This page came over plain HTTP from another machine, so browsers give it neither camera nor microphone. '
        + 'Start the server with --tls self-signed and open its https:// address. Until then you join with a generated picture and tone.';
    case 'refused':
      return `The ${what} ${was} refused. Allow ${both ? 'them' : 'it'} beside the address bar and reload, or join with ${instead}.`;
    case 'missing':
      return `No ${both ? 'camera or microphone' : what} was found. You join with ${instead}.`;
    case 'busy':
      return `The ${what} cannot be opened: another program may be using it. You join with ${instead}.`;
    default:
      return `The ${what} cannot be used (${problem.message}). You join with ${instead}.`;
  }
}

/** @param {import('../sdk/environment.js').Environment} environment @returns {string} empty when calls are possible */
export function environmentWords(environment) {
  return environment.webrtc ? '' : 'This browser cannot make calls: it has no WebRTC. A current Firefox, Chrome, Edge or Safari can.';
}

/** Why a tile shows nothing. @param {import('../sdk/wire.js').PauseReason | null} reason @returns {string} empty: nothing to explain */
export function pauseWords(reason) {
  switch (reason) {
    case 'bandwidth': return 'Picture paused: your connection is too slow for it now';
    case 'last_n': return 'Picture paused: many people have their camera on';
    default: return ''; // Hidden tiles are not seen, and sound has no picture.
  }
}

/** @param {number} others */
export const countWords = (others) =>
  others === 0 ? 'Only you are here' : others === 1 ? 'You and one other' : `${others + 1} people`;
