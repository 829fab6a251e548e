/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 *
 * @typedef {import('./call.js').CallEvents} CallEvents
 * @typedef {import('./codecs.js').CameraOptions} CameraOptions
 * @typedef {import('./connection.js').CallState} CallState
 * @typedef {import('./data.js').DataEvents} DataEvents
 * @typedef {import('./data.js').SendOptions} SendOptions
 * @typedef {import('./encryption/index.js').EncryptionProblem} EncryptionProblem
 * @typedef {import('./encryption/passphrase.js').SharedKey} SharedKey
 * @typedef {import('./environment.js').Environment} Environment
 * @typedef {import('./errors.js').CallErrorCode} CallErrorCode
 * @typedef {import('./messages.js').Draft} Draft
 * @typedef {import('./publications.js').Published} Published
 * @typedef {import('./reception.js').LinkQuality} LinkQuality
 * @typedef {import('./room.js').Setting} Setting
 * @typedef {import('./stats.js').CallStats} CallStats
 * @typedef {import('./attributes.js').Kept} Kept
 * @typedef {import('./wire.js').Action} Action
 * @typedef {import('./wire.js').Attribute} Attribute
 * @typedef {import('./wire.js').Change} Change
 * @typedef {import('./wire.js').Decision} Decision
 * @typedef {import('./wire.js').Grants} Grants
 * @typedef {import('./wire.js').Group} Group
 * @typedef {import('./wire.js').Member} Member
 * @typedef {import('./wire.js').Message} Message
 * @typedef {import('./wire.js').ParticipantInfo} ParticipantInfo
 * @typedef {import('./wire.js').PauseReason} PauseReason
 * @typedef {import('./wire.js').RingState} RingState
 * @typedef {import('./wire.js').Role} Role
 * @typedef {import('./wire.js').Share} Share
 * @typedef {import('./wire.js').Source} Source
 * @typedef {import('./wire.js').Stages} Stages
 */

export { Call } from './call.js';
export { Data, DATA_BYTES_MAX } from './data.js';
export { Emitter } from './events.js';
export { CallError } from './errors.js';
export { checkEnvironment } from './environment.js';
export { Phone, Ring, goesOn } from './phone.js';
export { MessageLog } from './messages.js';
export { MediaProblem, listDevices, openCamera, openCameraAndMicrophone, openMicrophone, openScreen } from './devices.js';
export { generatedPicture, generatedTone, hueOf } from './generated.js';
export { SlotView } from './view.js';
export { drawnSize } from './tiles.js';
export { STAGES } from './stages.js';
