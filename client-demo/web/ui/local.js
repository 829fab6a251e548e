/**
 * Our own picture and sound: a device where there is one, else something generated. Knows what is on and what is off,
 * and hands its tracks to the call, if there is one.
 */

import { Emitter, MediaProblem, generatedPicture, generatedTone, openCamera, openCameraAndMicrophone, openMicrophone } from '../sdk/index.js';

/** @import {Call} from '../sdk/index.js' */
/** @typedef {'camera' | 'microphone'} Device */
/** @typedef {{track: MediaStreamTrack, stop: () => void, generated: boolean}} Feed */

/** @extends {Emitter<{changed: void}>} */
export class LocalMedia extends Emitter {
  /** @type {Record<Device, Feed | null>} */ #feeds = { camera: null, microphone: null };
  /** @type {Record<Device, boolean>} */ #on = { camera: true, microphone: true };
  /** @type {Record<Device, MediaProblem | null>} */ #problems = { camera: null, microphone: null };
  /** @type {Record<Device, string>} Chosen device ids; empty: the browser's choice. */ #chosen = { camera: '', microphone: '' };
  /** @type {Call | null} */ #call = null;
  #name = '';
  /** @type {Promise<unknown>} Changes of one device never overlap. */ #work = Promise.resolve();

  /** @param {Device} device */
  isOn(device) {
    return this.#on[device];
  }

  /** @param {Device} device why there is no such device; null: there is */
  problem(device) {
    return this.#problems[device];
  }

  /** @param {Device} device @returns {MediaStreamTrack | null} null while it is off, or not opened yet */
  track(device) {
    return this.#feeds[device]?.track ?? null;
  }

  /** @param {Device} device */
  isGenerated(device) {
    return this.#feeds[device]?.generated ?? false;
  }

  /** @param {Device} device @returns {string} id of the device in use; empty when generated or off */
  deviceId(device) {
    const feed = this.#feeds[device];
    return feed && !feed.generated ? (feed.track.getSettings().deviceId ?? '') : this.#chosen[device];
  }

  /** The name that the generated picture and tone take their colour and pitch from. @param {string} name */
  rename(name) {
    this.#name = name;
    if (!this.#feeds.camera?.generated) return;
    this.#replace('camera', this.#generate('camera'));
  }

  /** Asks for both devices at once. */
  start() {
    return this.#next(async () => {
      const opened = await openCameraAndMicrophone();
      for (const device of /** @type {Device[]} */ (['camera', 'microphone'])) {
        const result = opened[device];
        const failed = result instanceof MediaProblem;
        this.#problems[device] = failed ? result : null;
        if (!this.#on[device]) {
          if (!failed) result.stop(); // Switched off while the browser was asking.
        } else if (!failed) this.#replace(device, this.#real(device, result));
        // The tone waits for the join: before a click browsers let nothing sound.
        else if (device === 'camera' || this.#call) this.#replace(device, this.#generate(device));
      }
      this.emit('changed', undefined);
    });
  }

  /** From now on the tracks are this call's. @param {Call | null} call */
  use(call) {
    this.#call = call;
    if (!call) return;
    for (const device of /** @type {Device[]} */ (['camera', 'microphone'])) {
      if (this.#on[device] && !this.#feeds[device]) this.#feeds[device] = this.#generate(device);
      this.#publish(device);
    }
    this.emit('changed', undefined);
  }

  /** Lets go of both devices. */
  close() {
    return this.#next(async () => {
      for (const device of /** @type {Device[]} */ (['camera', 'microphone'])) this.#replace(device, null);
    });
  }

  /** @param {Device} device @param {boolean} on */
  set(device, on) {
    if (this.#on[device] === on) return;
    this.#on[device] = on;
    this.emit('changed', undefined);
    return this.#next(async () => {
      if (this.#on[device] !== on) return; // Pressed again meanwhile.
      if (device === 'microphone' && this.#feeds.microphone) {
        // A muted microphone stays open, so that its first word is not lost.
        this.#feeds.microphone.track.enabled = on;
        this.#publish('microphone');
      } else if (on) {
        this.#replace(device, await this.#open(device));
      } else {
        this.#replace(device, null); // The camera's light goes out.
      }
      this.emit('changed', undefined);
    });
  }

  /** @param {Device} device @param {string} deviceId */
  choose(device, deviceId) {
    this.#chosen[device] = deviceId;
    if (!this.#on[device]) return;
    return this.#next(async () => {
      this.#replace(device, await this.#open(device));
      this.emit('changed', undefined);
    });
  }

  /** @param {Device} device @returns {Promise<Feed>} what can be had: never fails */
  async #open(device) {
    try {
      const open = device === 'camera' ? openCamera : openMicrophone;
      const track = await open(this.#chosen[device]);
      this.#problems[device] = null;
      return this.#real(device, track);
    } catch (error) {
      this.#problems[device] = /** @type {MediaProblem} */ (error);
      return this.#generate(device);
    }
  }

  /** @param {Device} device @param {MediaStreamTrack} track @returns {Feed} */
  #real(device, track) {
    // Pulled out while in use: something generated takes its place.
    track.addEventListener('ended', () => {
      if (this.#feeds[device]?.track !== track) return;
      this.#problems[device] = new MediaProblem('missing', 'The device is gone.');
      this.#replace(device, this.#generate(device));
      this.emit('changed', undefined);
    });
    return { track, stop: () => track.stop(), generated: false };
  }

  /** @param {Device} device @returns {Feed} */
  #generate(device) {
    const { track, stop } = device === 'camera' ? generatedPicture(this.#name) : generatedTone(this.#name);
    track.enabled = this.#on[device];
    return { track, stop, generated: true };
  }

  /** @param {Device} device @param {Feed | null} feed */
  #replace(device, feed) {
    const before = this.#feeds[device];
    this.#feeds[device] = feed;
    this.#publish(device);
    before?.stop();
  }

  /** @param {Device} device */
  #publish(device) {
    const on = this.#on[device];
    void this.#call?.publish(device, this.track(device), { muted: !on, ...(on && { active: true }) });
  }

  /** @param {() => Promise<void>} work */
  #next(work) {
    this.#work = this.#work.then(work, work);
    return this.#work;
  }
}
