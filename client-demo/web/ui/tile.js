/** One tile: a picture, who it is of, what is to be known about them, and what can be done with it. */

import { hueOf } from '../sdk/index.js';
import { icon, make, setText } from './dom.js';

/** @import {Action} from '../sdk/index.js' */
/** @import {Words} from './words/index.js' */

/** Between a menu and the edge of the interface. */
const EDGE = 8;

/**
 * @typedef {object} Look  What a tile shows.
 * @property {string} name        of the person: colour and initials come from it
 * @property {string} who         as it is written
 * @property {boolean} picture
 * @property {boolean} muted
 * @property {boolean} speaking
 * @property {string} status      why there is nothing to see; empty: no reason
 * @property {string} [paused]    the same, where the picture is paused
 * @property {boolean} [hand]     raised
 * @property {string} [role]      of those who lead
 */

export class Tile {
  #words;
  #muted = make('span', 'tile-muted');
  #hand = make('span', 'tile-hand');
  #status = make('span', 'tile-status');
  #avatar = make('div', 'avatar');
  #name = make('span', 'tile-name');
  #role = make('span', 'tile-role');
  picture = make('div', 'tile-picture');
  pin = make('button', 'tile-pin');

  /** @param {string} key participant and share @param {Words} words @param {() => void} togglePin */
  constructor(key, words, togglePin) {
    this.#words = words;
    this.#muted.append(icon('microphone-off'));
    this.#hand.append(icon('hand'));
    this.#avatar.setAttribute('aria-hidden', 'true');
    this.#status.dataset.short = words.tile.paused;
    this.pin.type = 'button';
    this.pin.hidden = true;
    this.pin.append(icon('pin'));
    this.pin.addEventListener('click', togglePin);
    // A second way for a mouse or a finger; the button is there for everybody else.
    this.picture.addEventListener('dblclick', () => this.pin.hidden || togglePin());
    const label = make('div', 'tile-label', this.#hand, this.#muted, this.#name, this.#role);
    label.setAttribute('part', 'tile-label');
    this.root = make('li', 'tile', this.#avatar, this.picture, this.#status, label, this.pin);
    this.root.dataset.tile = key;
    this.root.setAttribute('part', 'tile');
    if (!key.endsWith('/screen')) return;
    this.root.classList.add('screen');
    this.picture.title = words.tile.point;
  }

  /** As it is written. */
  get who() {
    return this.#name.textContent ?? '';
  }

  /** @param {Look} look */
  show({ name, who, picture, muted, speaking, status, paused = '', hand = false, role = '' }) {
    const { tile: words } = this.#words;
    this.root.dataset.picture = picture ? 'shown' : 'hidden';
    this.root.style.setProperty('--hue', String(Math.round(hueOf(name))));
    this.root.classList.toggle('speaking', speaking);
    setText(this.#name, who);
    setText(this.#role, role);
    this.#muted.hidden = !muted;
    this.#hand.hidden = !hand;
    setText(this.#status, status);
    setText(this.#avatar, initials(name));
    const said = [who, role, speaking && words.speaking, hand && words.handRaised, muted && words.muted, !picture && (paused || words.noPicture)];
    const label = said.filter(Boolean).join(words.separator);
    if (this.root.getAttribute('aria-label') !== label) this.root.setAttribute('aria-label', label);
  }

  /** @param {string} who @param {boolean} pinned */
  showPin(who, pinned) {
    const { tile: words } = this.#words;
    this.root.classList.toggle('pinned', pinned);
    this.pin.hidden = false;
    this.pin.setAttribute('aria-pressed', String(pinned));
    const title = pinned ? words.unpin(who) : words.pinTitle(who);
    if (this.pin.title === title) return;
    this.pin.title = title;
    this.pin.setAttribute('aria-label', pinned ? words.unpin(who) : words.pin(who));
  }

  /**
   * What a moderator can do to somebody, or with themselves.
   * @param {{id: string, name: string}} participant @param {((action: Action) => void) | null} moderate null: we cannot @param {boolean} [own]
   */
  showMenu({ id, name }, moderate, own = false) {
    const { moderate: words } = this.#words;
    const shown = this.root.querySelector('.tile-menu');
    if (!moderate) return void shown?.remove();
    if (shown) return;
    const summary = make('summary', '', icon('more'));
    summary.setAttribute('aria-label', words.of(name));
    const menu = make('details', 'menu tile-menu');
    const act = (/** @type {string} */ text, /** @type {Action} */ action, className = '') => {
      const button = make('button', className, text);
      button.type = 'button';
      button.addEventListener('click', () => {
        menu.open = false;
        moderate(action);
      });
      return button;
    };
    menu.append(summary, own ? make('div', '', act(words.spotlightOwn, { do: 'spotlight', participant: id })) : make('div', '',
      act(words.mute, { do: 'stop', participant: id, sources: ['microphone'] }),
      act(words.stopVideo, { do: 'stop', participant: id, sources: ['camera', 'screen', 'screen_audio'] }),
      act(words.spotlight, { do: 'spotlight', participant: id }),
      act(words.remove, { do: 'remove', participant: id, keep_out: true }, 'grave')));
    menu.addEventListener('toggle', () => menu.open && keepInside(/** @type {HTMLElement} */ (menu.lastElementChild)));
    this.root.append(menu);
  }
}

/** A menu of a tile at the edge opens towards the middle. @param {HTMLElement} list */
function keepInside(list) {
  list.style.translate = '';
  const [box, frame] = [list.getBoundingClientRect(), list.closest('.sampan')?.getBoundingClientRect()];
  if (!frame) return;
  const [right, down] = [box.right + EDGE - frame.right, box.bottom + EDGE - frame.bottom];
  list.style.translate = `${-Math.max(0, right)}px ${-Math.max(0, down)}px`;
}

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/\s+/);
  return words.slice(0, 2).map((word) => [...word][0] ?? '').join('').toUpperCase();
}
