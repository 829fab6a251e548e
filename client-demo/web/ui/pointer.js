/** Pointing at a shared screen: whoever presses on it shows everybody where. Over the lossy channel: only the newest place counts. */

import { hueOf } from '../sdk/index.js';
import { make } from './dom.js';

/** @import {Call} from '../sdk/index.js' */
/** @import {Surface} from './dom.js' */

/** @typedef {{screen: string, at?: [number, number]}} Pointing  Whose screen, and where: 0 to 1 across and down; left out: nowhere any more. */

/** Often enough to look smooth; one that stands still is told again now and then, since what is lost is not sent twice. */
const [MOVED_EVERY_MS, STILL_EVERY_MS] = [33, 500];
/** A pointer that is not heard of any more has gone. */
const GONE_AFTER_MS = 2_000;

export class Pointers {
  #surface;
  #featured;
  /** @type {Call | null} */ #call = null;
  #listens = false;
  /** @type {Map<string, {view: HTMLElement, gone: any}>} By participant. */ #shown = new Map();
  /** @type {{tile: HTMLElement, screen: string, at: [number, number], moved: boolean, sentAt: number} | null} What we press on. */ #pressed = null;
  /** @type {any} While we press. */ #telling = null;

  /** @param {Surface} surface */
  constructor(surface) {
    this.#surface = surface;
    this.#featured = surface.find('featured');
    this.#featured.addEventListener('pointerdown', (event) => this.#press(event));
    this.#featured.addEventListener('pointermove', (event) => (event.buttons === 0 ? this.#release() : this.#move(event)));
    for (const end of ['pointerup', 'pointercancel', 'pointerleave']) this.#featured.addEventListener(end, () => this.#release());
  }

  /** @param {Call | null} call from its making on */
  use(call) {
    this.#release();
    for (const participant of [...this.#shown.keys()]) this.#hide(participant);
    this.#call = call;
    this.#listens = false;
    call?.on('participants', () => call === this.#call && this.#listen(call));
    call?.on('departed', ({ id }) => this.#hide(id));
  }

  /** Where nobody shares a screen there is nothing to point at, and no channel is needed. @param {Call} call */
  #listen(call) {
    const shares = call.participants.some(({ tracks }) => tracks.some(({ source, active }) => source === 'screen' && active));
    if (this.#listens || !(shares || call.published('screen').active)) return;
    this.#listens = true;
    call.data.on('data', ({ participant, bytes, reliable }) => {
      if (call !== this.#call || reliable) return;
      const pointing = read(bytes);
      const name = call.participants.find(({ id }) => id === participant)?.name;
      if (pointing && name !== undefined) this.#show(participant, name, pointing);
    });
  }

  /** @param {PointerEvent} event */
  #press(event) {
    const tile = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest('.tile.screen'));
    const inside = /** @type {HTMLElement} */ (event.target).closest('.tile-picture');
    if (!tile || !inside || event.button !== 0 || !this.#call?.self || !(this.#call.grants?.data ?? true)) return;
    const [owner] = (tile.dataset.tile ?? '').split('/');
    this.#pressed = { tile, screen: owner === 'self' ? this.#call.self : owner, at: [0, 0], moved: false, sentAt: 0 };
    this.#move(event);
    this.#tell();
    this.#telling ??= setInterval(() => this.#tell(), MOVED_EVERY_MS);
  }

  /** @param {PointerEvent} event */
  #move({ clientX, clientY }) {
    const pressed = this.#pressed;
    const box = pressed && pictureBox(pressed.tile);
    if (!box) return;
    pressed.at = [rounded((clientX - box.left) / box.width), rounded((clientY - box.top) / box.height)];
    pressed.moved = true;
  }

  #tell() {
    const [pressed, call, now] = [this.#pressed, this.#call, performance.now()];
    if (!pressed || !call?.self || (!pressed.moved && now - pressed.sentAt < STILL_EVERY_MS)) return;
    [pressed.moved, pressed.sentAt] = [false, now];
    const { screen, at } = pressed;
    this.#say({ screen, at });
    this.#show(call.self, this.#surface.words.you, { screen, at });
  }

  #release() {
    const [pressed, call] = [this.#pressed, this.#call];
    this.#pressed = null;
    clearInterval(this.#telling);
    this.#telling = null;
    if (!pressed || !call?.self) return;
    this.#say({ screen: pressed.screen });
    this.#hide(call.self);
  }

  /** @param {Pointing} pointing */
  #say(pointing) {
    this.#call?.data.send(JSON.stringify(pointing), { reliable: false });
  }

  /** @param {string} participant @param {string} name @param {Pointing} pointing */
  #show(participant, name, { screen, at }) {
    const key = screen === this.#call?.self ? 'self/screen' : `${screen}/screen`;
    const tile = [.../** @type {Iterable<HTMLElement>} */ (this.#featured.querySelectorAll('.tile.screen'))].find((one) => one.dataset.tile === key);
    const box = tile && pictureBox(tile);
    if (!at || !tile || !box) return this.#hide(participant);
    const known = this.#shown.get(participant);
    clearTimeout(known?.gone);
    const view = known?.view ?? make('div', 'pointer', make('span', '', name));
    view.setAttribute('aria-hidden', 'true');
    view.dataset.participant = participant;
    view.style.setProperty('--hue', String(Math.round(hueOf(name))));
    const frame = tile.getBoundingClientRect();
    view.style.translate = `${box.left - frame.left + at[0] * box.width}px ${box.top - frame.top + at[1] * box.height}px`;
    if (view.parentElement !== tile) tile.append(view);
    this.#shown.set(participant, { view, gone: setTimeout(() => this.#hide(participant), GONE_AFTER_MS) });
  }

  /** @param {string} participant */
  #hide(participant) {
    const known = this.#shown.get(participant);
    clearTimeout(known?.gone);
    known?.view.remove();
    this.#shown.delete(participant);
  }
}

/** Where the picture is inside its tile, which shows all of it. @param {HTMLElement} tile */
function pictureBox(tile) {
  const video = tile.querySelector('video');
  if (!video?.videoWidth) return null;
  const frame = video.getBoundingClientRect();
  const scale = Math.min(frame.width / video.videoWidth, frame.height / video.videoHeight);
  const [width, height] = [video.videoWidth * scale, video.videoHeight * scale];
  return { left: frame.left + (frame.width - width) / 2, top: frame.top + (frame.height - height) / 2, width, height };
}

/** @param {number} share */
const rounded = (share) => Math.round(Math.min(1, Math.max(0, share)) * 10_000) / 10_000;

/** What somebody else sent, if it is one. @param {Uint8Array} bytes @returns {Pointing | null} */
function read(bytes) {
  try {
    const { screen, at } = JSON.parse(new TextDecoder().decode(bytes));
    const isPlace = Array.isArray(at) && at.length === 2 && at.every((share) => typeof share === 'number' && share >= 0 && share <= 1);
    return typeof screen === 'string' && (at === undefined || isPlace) ? { screen, at } : null;
  } catch {
    return null;
  }
}
