/** The page before the call: name, room, devices, preview. */

import { checkEnvironment, listDevices } from '../sdk/index.js';
import { byId, make, notice, setPressed } from './dom.js';
import { watchLevel } from './level.js';
import { environmentWords, mediaWords } from './words.js';

/** @import {LocalMedia, Device} from './local.js' */

/** Birds that are seen from a small boat: a name for those who give none. */
const BIRDS = ['Heron', 'Egret', 'Kingfisher', 'Tern', 'Plover', 'Dipper', 'Grebe', 'Osprey', 'Curlew', 'Pelican', 'Avocet', 'Swift'];

export class Lobby {
  #local;
  #root = byId('lobby');
  #name = byId('name', HTMLInputElement);
  #room = byId('room', HTMLInputElement);
  #join = byId('join', HTMLButtonElement);
  #video = byId('preview-video', HTMLVideoElement);
  #level = byId('preview-level', HTMLMeterElement);
  /** @type {MediaStreamTrack | null} */ #metered = null;
  /** @type {(() => void) | null} */ #stopMeter = null;
  #environment = checkEnvironment();

  /**
   * @param {LocalMedia} local @param {(room: string, name: string) => void} join called on Join with both filled in
   * @param {(name: string) => void} renamed called when another name was given
   */
  constructor(local, join, renamed) {
    this.#local = local;
    const asked = new URLSearchParams(location.search);
    this.#name.value = asked.get('name') ?? remembered('sampan-name') ?? BIRDS[Math.floor(Math.random() * BIRDS.length)];
    this.#room.value = asked.get('room') ?? remembered('sampan-room') ?? 'demo';
    byId('join-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const empty = [this.#name, this.#room].find((input) => input.value.trim() === '');
      for (const input of [this.#name, this.#room]) input.setAttribute('aria-invalid', String(input === empty));
      if (!empty) return join(this.#room.value.trim(), this.#name.value.trim());
      this.fail(empty === this.#name ? 'Others need a name to call you by.' : 'A room needs a name: everybody who gives the same one meets there.');
      empty.focus();
    });
    this.#name.addEventListener('change', () => {
      remember('sampan-name', this.#name.value.trim());
      local.rename(this.#name.value.trim());
      renamed(this.#name.value.trim());
    });
    this.#room.addEventListener('change', () => remember('sampan-room', this.#room.value.trim()));
    byId('preview-microphone').addEventListener('click', () => local.set('microphone', !local.isOn('microphone')));
    byId('preview-camera').addEventListener('click', () => local.set('camera', !local.isOn('camera')));
    for (const device of /** @type {Device[]} */ (['camera', 'microphone'])) {
      const select = byId(`${device}-device`, HTMLSelectElement);
      select.addEventListener('change', () => local.choose(device, select.value));
    }
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#listDevices());
    local.on('changed', () => this.render());
    local.rename(this.#name.value.trim());
    const impossible = environmentWords(this.#environment);
    if (impossible) this.fail(impossible);
    this.render();
  }

  get name() {
    return this.#name.value.trim();
  }

  get environment() {
    return this.#environment;
  }

  /** @param {string} words empty: nothing is wrong */
  fail(words) {
    notice(byId('join-error'), words, 'error');
  }

  /** @param {boolean} joining */
  busy(joining) {
    this.#join.disabled = joining || !this.#environment.webrtc;
    this.#join.textContent = joining ? 'Joining …' : 'Join';
  }

  /** @param {boolean} reachable */
  reachable(reachable) {
    const element = byId('reach');
    element.dataset.reachable = String(reachable);
    element.textContent = reachable ? 'Connected to the server' : 'The server cannot be reached. Trying again …';
  }

  /** @param {boolean} shown */
  show(shown) {
    const back = shown && this.#root.hidden;
    this.#root.hidden = !shown;
    this.render();
    if (back) this.#join.focus();
  }

  render() {
    const local = this.#local;
    const track = this.#root.hidden ? null : local.track('camera');
    const shown = /** @type {MediaStream | null} */ (this.#video.srcObject)?.getVideoTracks()[0] ?? null;
    if (track !== shown) this.#video.srcObject = track && new MediaStream([track]);
    this.#video.classList.toggle('mirrored', track !== null && !local.isGenerated('camera'));
    byId('preview-off').hidden = local.isOn('camera');
    const tag = byId('preview-tag');
    tag.hidden = !track || !local.isGenerated('camera');
    tag.textContent = 'Generated picture';
    setPressed(byId('preview-microphone'), 'microphone', local.isOn('microphone'));
    setPressed(byId('preview-camera'), 'camera', local.isOn('camera'));
    notice(byId('lobby-notice'), mediaWords(local.problem('camera'), local.problem('microphone')), 'warning');
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
    byId('device-fields').hidden = cameras.length + microphones.length === 0;
    this.#fill('camera', cameras);
    this.#fill('microphone', microphones);
  }

  /** @param {Device} device @param {MediaDeviceInfo[]} found */
  #fill(device, found) {
    const select = byId(`${device}-device`, HTMLSelectElement);
    const options = found.map((one, index) => {
      const option = make('option', '', one.label || `${device === 'camera' ? 'Camera' : 'Microphone'} ${index + 1}`);
      option.value = one.deviceId;
      return option;
    });
    if (options.length === 0) options.push(make('option', '', device === 'camera' ? 'None: generated picture' : 'None: generated tone'));
    select.replaceChildren(...options);
    select.disabled = found.length === 0;
    const chosen = this.#local.deviceId(device);
    if (found.some((one) => one.deviceId === chosen)) select.value = chosen;
  }
}

/** Private windows refuse storage; then nothing is remembered. @param {string} key */
function remembered(key) {
  try {
    return localStorage.getItem(key) || null;
  } catch {
    return null;
  }
}

/** @param {string} key @param {string} value */
function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // As above.
  }
}
