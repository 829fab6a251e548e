export { Call } from "./call.js";
export { Emitter } from "./events.js";
export { CallError } from "./errors.js";
export { checkEnvironment } from "./environment.js";
export { MessageLog } from "./messages.js";
export { SlotView } from "./view.js";
export { drawnSize } from "./tiles.js";
export { STAGES } from "./stages.js";
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type CallEvents = import("./call.js").CallEvents;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type CameraOptions = import("./codecs.js").CameraOptions;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type CallState = import("./connection.js").CallState;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type DataEvents = import("./data.js").DataEvents;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type SendOptions = import("./data.js").SendOptions;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type EncryptionProblem = import("./encryption/index.js").EncryptionProblem;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type SharedKey = import("./encryption/passphrase.js").SharedKey;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Environment = import("./environment.js").Environment;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type CallErrorCode = import("./errors.js").CallErrorCode;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Draft = import("./messages.js").Draft;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Published = import("./publications.js").Published;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type LinkQuality = import("./reception.js").LinkQuality;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Setting = import("./room.js").Setting;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type CallStats = import("./stats.js").CallStats;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Kept = import("./attributes.js").Kept;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Action = import("./wire.js").Action;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Attribute = import("./wire.js").Attribute;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Change = import("./wire.js").Change;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Decision = import("./wire.js").Decision;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Grants = import("./wire.js").Grants;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Group = import("./wire.js").Group;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Member = import("./wire.js").Member;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Message = import("./wire.js").Message;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type ParticipantInfo = import("./wire.js").ParticipantInfo;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type PauseReason = import("./wire.js").PauseReason;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type RingState = import("./wire.js").RingState;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Role = import("./wire.js").Role;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Share = import("./wire.js").Share;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Source = import("./wire.js").Source;
/**
 * The Sampan SDK, headless core: join a room, publish, receive everybody, reconnect. No elements and no styles; `<sampan-call>` and the
 * demo page are built on it. Plain ES modules: import this file, there is nothing to build.
 */
export type Stages = import("./wire.js").Stages;
export { Data, DATA_BYTES_MAX } from "./data.js";
export { Phone, Ring, goesOn } from "./phone.js";
export { MediaProblem, listDevices, openCamera, openCameraAndMicrophone, openMicrophone, openScreen } from "./devices.js";
export { generatedPicture, generatedTone, hueOf } from "./generated.js";
