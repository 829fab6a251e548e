/** The page before the call: name, room, devices, preview. */

import { checkEnvironment, listDevices } from '../sdk/index.js';
import { make, notice, setPressed, setText } from './dom.js';
import { watchLevel } from './level.js';
import { environmentWords, mediaWords } from './words/index.js';

/** @import {Surface} from './dom.js' */
/** @import {LocalMedia, Device} from './local.js' */

/**
 * @typedef {object} Given  What need not be asked for.
 * @property {string | null} [name]
 * @property {string | null} [room]
 * @property {boolean} [fixed]   it cannot be changed here
 * @property {boolean} [encrypted]   a key was given
 * @property {boolean} [remember]   what is entered is there again after a reload
 */

/** Birds that are seen from a small boat: a name for those who give none. */
const BIRDS = ['Heron', 'Egret', 'Kingfisher', 'Tern', 'Plover', 'Dipper', 'Grebe', 'Osprey', 'Curlew', 'Pelican', 'Avocet', 'Swift'];

/** Whoever types does not pause for longer within a name. */
const PAUSE_MS = 500;

export class Lobby {
  #surface;
  #local;
  #given;
  #root;
  #name;
  #room;
  #join;
  #video;
  #level;
  /** @type {MediaStreamTrack | null} */ #metered = null;
  /** @type {(() => void) | null} */ #stopMeter = null;
  #environment = checkEnvironment();
  #impossible = '';
  /** @type {any} */ #typing;

  /**
   * @param {Surface} surface @param {LocalMedia} local @param {Given} given
   * @param {(room: string, name: string) => void} join called on Join with both filled in
   * @param {(name: string) => void} changed called when another name or room was given
   * @param {() => void} paused called when whoever types one pauses: perhaps that is it
   * @param {() => void} gaveUp called when nobody is to be waited for any more
   */
  constructor(surface, local, given, join, changed, paused, gaveUp) {
    this.#surface = surface;
    this.#local = local;
    this.#given = given;
    this.#root = surface.find('lobby');
    this.#name = surface.find('name', HTMLInputElement);
    this.#room = surface.find('room', HTMLInputElement);
    this.#join = surface.find('join', HTMLButtonElement);
    this.#video = surface.find('preview-video', HTMLVideoElement);
    this.#level = surface.find('preview-level', HTMLMeterElement);
    this.#name.value = given.name ?? this.#remembered('sampan-name') ?? BIRDS[Math.floor(Math.random() * BIRDS.length)];
    this.#room.value = given.room ?? this.#remembered('sampan-room') ?? 'demo';
    for (const [input, value] of /** @type {const} */ ([[this.#name, given.name], [this.#room, given.room]])) {
      if (given.fixed && value) /** @type {HTMLElement} */ (input.parentElement).hidden = true;
    }
    surface.find('join-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const empty = [this.#name, this.#room].find((input) => input.value.trim() === '');
      for (const input of [this.#name, this.#room]) input.setAttribute('aria-invalid', String(input === empty));
      if (!empty) return join(this.room, this.name);
      this.fail(empty === this.#name ? surface.words.lobby.needName : surface.words.lobby.needRoom);
      empty.focus();
    });
    this.#name.addEventListener('change', () => {
      this.#remember('sampan-name', this.name);
      local.rename(this.name);
      changed(this.name);
    });
    for (const input of [this.#name, this.#room]) {
      input.addEventListener('input', () => {
        clearTimeout(this.#typing);
        this.#typing = setTimeout(paused, PAUSE_MS);
      });
    }
    surface.find('stop-waiting').addEventListener('click', gaveUp);
    this.#room.addEventListener('change', () => {
      this.#remember('sampan-room', this.room);
      changed(this.name);
    });
    surface.find('preview-microphone').addEventListener('click', () => local.set('microphone', !local.isOn('microphone')));
    surface.find('preview-camera').addEventListener('click', () => local.set('camera', !local.isOn('camera')));
    for (const device of /** @type {Device[]} */ (['camera', 'microphone'])) {
      const select = surface.find(`${device}-device`, HTMLSelectElement);
      select.addEventListener('change', () => local.choose(device, select.value));
    }
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#listDevices());
    local.on('changed', () => this.render());
    local.rename(this.name);
    this.encrypt(given.encrypted ?? false);
    this.render();
  }

  get name() {
    return this.#name.value.trim();
  }

  get room() {
    return this.#room.value.trim();
  }

  get environment() {
    return this.#environment;
  }

  /** @param {boolean} encrypted a key was given */
  encrypt(encrypted) {
    this.#surface.find('lobby-lock').hidden = !encrypted;
    this.refuse(environmentWords(this.#surface.words, this.#environment, encrypted));
  }

  /** Calls are not possible. @param {string} why empty: they are */
  refuse(why) {
    this.#impossible = why;
    this.fail(why);
    this.busy(false);
  }

  /** @param {string} words empty: nothing is wrong */
  fail(words) {
    notice(this.#surface.find('join-error'), words, 'error');
  }

  /** @param {boolean} joining */
  busy(joining) {
    this.#join.disabled = joining || this.#impossible !== '';
    setText(this.#join, joining ? this.#surface.words.lobby.joining : this.#surface.words.lobby.join);
  }

  /** A moderator has to let us in. @param {boolean} waiting */
  waits(waiting) {
    this.#surface.find('waiting').hidden = !waiting;
    this.#join.hidden = waiting;
    if (waiting) this.#surface.find('stop-waiting').focus();
  }

  /** @param {boolean} reachable */
  reachable(reachable) {
    const element = this.#surface.find('reach');
    element.dataset.reachable = String(reachable);
    setText(element, reachable ? this.#surface.words.lobby.reachable : this.#surface.words.lobby.unreachable);
  }

  /** @param {boolean} shown */
  show(shown) {
    const back = shown && this.#root.hidden;
    this.#root.hidden = !shown;
    this.render();
    if (back) this.#join.focus();
  }

  render() {
    const [local, { words }] = [this.#local, this.#surface];
    const track = this.#root.hidden ? null : local.track('camera');
    const shown = /** @type {MediaStream | null} */ (this.#video.srcObject)?.getVideoTracks()[0] ?? null;
    if (track !== shown) this.#video.srcObject = track && new MediaStream([track]);
    this.#video.classList.toggle('mirrored', track !== null && !local.isGenerated('camera'));
    this.#surface.find('preview-off').hidden = local.isOn('camera');
    const tag = this.#surface.find('preview-tag');
    tag.hidden = !track || !local.isGenerated('camera');
    setPressed(this.#surface.find('preview-microphone'), 'microphone', local.isOn('microphone'));
    setPressed(this.#surface.find('preview-camera'), 'camera', local.isOn('camera'));
    notice(this.#surface.find('lobby-notice'), mediaWords(words, local.problem('camera'), local.problem('microphone')), 'warning');
    this.#meter(this.#root.hidden || local.isGenerated('microphone') ? null : local.track('microphone'));
    void this.#listDevices();
  }

  /** @param {MediaStreamTrack | null} track */
  #meter(track) {
    if (track === this.#metered) return;
    this.#stopMeter?.();
    this.#metered = track;
    this.#level.hidden = track === null;
    this.#stopMeter = track && watchLevel(track, (level) => (this.#level.value = track.enabled ? level : 0));
  }

  async #listDevices() {
    const { cameras, microphones } = await listDevices();
    this.#surface.find('device-fields').hidden = cameras.length + microphones.length === 0;
    this.#fill('camera', cameras);
    this.#fill('microphone', microphones);
  }

  /** @param {Device} device @param {MediaDeviceInfo[]} found */
  #fill(device, found) {
    const words = this.#surface.words.lobby;
    const select = this.#surface.find(`${device}-device`, HTMLSelectElement);
    const options = found.map((one, index) => {
      const option = make('option', '', one.label || words.device(device, index + 1));
      option.value = one.deviceId;
      return option;
    });
    if (options.length === 0) options.push(make('option', '', device === 'camera' ? words.noCamera : words.noMicrophone));
    select.replaceChildren(...options);
    select.disabled = found.length === 0;
    const chosen = this.#local.deviceId(device);
    if (found.some((one) => one.deviceId === chosen)) select.value = chosen;
  }

  /** Private windows refuse storage; then nothing is remembered. @param {string} key */
  #remembered(key) {
    try {
      return (this.#given.remember && localStorage.getItem(key)) || null;
    } catch {
      return null;
    }
  }

  /** @param {string} key @param {string} value */
  #remember(key, value) {
    try {
      if (this.#given.remember) localStorage.setItem(key, value);
    } catch {
      // As above.
    }
  }
}
