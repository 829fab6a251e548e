/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; the demo
 * page is built on it. Plain ES modules: import this file, there is nothing to build.
 */

export { Call } from './call.js';
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
