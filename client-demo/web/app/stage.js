/** The people in the call: one tile each, one for every shared screen, and the sound of all. */

import { hueOf } from '../sdk/index.js';
import { byId, icon, make, setText } from './dom.js';
import { tileSize } from './layout.js';
import { pauseWords } from './words.js';

/** @import {Call, SlotView} from '../sdk/index.js' */
/** @import {ParticipantInfo, Share} from '../sdk/wire.js' */
/** @import {LocalMedia} from './local.js' */

/** @typedef {{root: HTMLLIElement, picture: HTMLElement, name: HTMLElement, muted: HTMLElement, hand: HTMLElement, status: HTMLElement, pin: HTMLButtonElement}} Tile */

const GAP = 10;

export class Stage {
  #grid = byId('grid');
  #featured = byId('featured');
  #stage = byId('stage');
  /** @type {Map<string, Tile>} by participant and share */ #tiles = new Map();
  /** @type {Map<SlotView, {video: HTMLVideoElement, audio: HTMLAudioElement}>} */ #elements = new Map();
  #own = Object.assign(document.createElement('video'), { muted: true, playsInline: true, autoplay: true });
  #ownScreen = Object.assign(document.createElement('video'), { muted: true, playsInline: true, autoplay: true });
  /** @type {string[]} */ #others = [];
  #speakerOn = true;
  #blocked;
  /** @type {(participant: string) => boolean} */ #handOf = () => false;
  /** @type {Call | null} Where we may moderate. */ #moderates = null;
  #pinChanged;
  /** @type {string | null} The tile that is pinned, by participant and share. */ #pinned = null;

  /**
   * @param {() => void} blocked the browser holds the sound back until a click
   * @param {(name: string | null) => void} pinChanged somebody is pinned, or nobody any more
   */
  constructor(blocked, pinChanged) {
    this.#blocked = blocked;
    this.#pinChanged = pinChanged;
    new ResizeObserver(() => this.#arrange()).observe(this.#stage);
  }

  /** @param {boolean} on */
  setSpeaker(on) {
    this.#speakerOn = on;
    for (const { audio } of this.#elements.values()) {
      audio.muted = !on;
      if (on) this.#play(audio);
    }
  }

  /**
   * Everything as the call says it is now.
   * @param {Call} call @param {LocalMedia} local @param {MediaStreamTrack | null} screen our own
   * @param {(participant: string) => boolean} handOf whose hand is raised
   */
  render(call, local, screen, handOf) {
    this.#handOf = handOf;
    this.#dropElements(call);
    /** @type {Set<string>} */
    const wanted = new Set();
    const tile = (/** @type {string} */ key, /** @type {HTMLElement} */ list) => {
      wanted.add(key);
      const tile = this.#tiles.get(key) ?? this.#makeTile(key);
      if (tile.root.parentElement !== list) list.append(tile.root);
      return tile;
    };
    if (screen) this.#renderOwnScreen(tile('self/screen', this.#featured), screen);
    for (const participant of call.participants) {
      if (isOn(participant, 'screen')) this.#renderOther(tile(`${participant.id}/screen`, this.#featured), call, participant, 'screen');
    }
    this.#renderSelf(tile('self/person', this.#grid), call, local);
    for (const participant of call.participants) {
      this.#moderates = call.grants?.moderate ? call : null;
      const key = `${participant.id}/person`;
      this.#renderOther(tile(key, key === this.#pinned ? this.#featured : this.#grid), call, participant, 'person');
    }
    if (this.#pinned !== null && !wanted.has(this.#pinned)) this.#pinned = null;
    for (const [key, { root }] of this.#tiles) {
      if (wanted.has(key)) continue;
      for (const video of root.querySelectorAll('video')) this.#park(video);
      root.remove();
      this.#tiles.delete(key);
    }
    this.#others = call.participants.map((participant) => participant.id);
    this.#arrange();
  }

  clear() {
    for (const { root } of this.#tiles.values()) root.remove();
    this.#tiles.clear();
    for (const { video, audio } of this.#elements.values()) remove(video, audio);
    this.#elements.clear();
    this.#own.srcObject = null;
    this.#ownScreen.srcObject = null;
    this.#pinned = null;
  }

  /** @param {Tile} tile @param {Call} call @param {LocalMedia} local */
  #renderSelf(tile, call, local) {
    const track = local.track('camera');
    showTrack(this.#own, track);
    if (this.#own.parentElement !== tile.picture) tile.picture.prepend(this.#own);
    this.#own.classList.toggle('mirrored', !local.isGenerated('camera'));
    this.#describe(tile, {
      name: call.name, who: 'You', picture: track !== null && local.isOn('camera'), muted: !local.isOn('microphone'),
      speaking: call.self !== null && call.speakers.includes(call.self), status: '', hand: call.self !== null && this.#handOf(call.self),
    });
    tile.root.classList.add('own');
  }

  /** @param {Tile} tile @param {MediaStreamTrack} screen */
  #renderOwnScreen(tile, screen) {
    showTrack(this.#ownScreen, screen);
    if (this.#ownScreen.parentElement !== tile.picture) tile.picture.prepend(this.#ownScreen);
    this.#describe(tile, { name: 'Your screen', who: 'Your screen', picture: true, muted: false, speaking: false, status: '' });
  }

  /** @param {Tile} tile @param {Call} call @param {ParticipantInfo} participant @param {Share} share */
  #renderOther(tile, call, participant, share) {
    const view = call.view(participant.id, share);
    const pinned = this.#pinned === `${participant.id}/${share}`;
    if (view) {
      this.#place(view, tile);
      view.pinned = pinned;
      // What is shared is what the call is about.
      view.priority = share === 'screen' ? 2 : 0;
    }
    tile.root.classList.toggle('spotlight', share === 'person' && call.setting.spotlight === participant.id);
    this.#showMenu(tile, participant, share);
    this.#showPin(tile, share === 'screen' ? `${participant.name}’s screen` : participant.name, pinned);
    const on = isOn(participant, share);
    const paused = on ? pauseWords(view?.quality?.paused ?? null) : '';
    tile.root.dataset.paused = paused ? String(view?.quality?.paused) : '';
    const microphone = participant.tracks.find((track) => track.source === 'microphone');
    this.#describe(tile, {
      name: participant.name,
      who: share === 'screen' ? `${participant.name}’s screen` : participant.name,
      picture: on && view !== undefined && view.shown && !paused,
      muted: share === 'person' && (!microphone || !microphone.active || microphone.muted),
      speaking: share === 'person' && call.speakers.includes(participant.id),
      hand: share === 'person' && this.#handOf(participant.id),
      status: participant.connected ? paused || (on && !view?.shown ? 'Connecting …' : '') : 'Connection lost. Waiting …', paused,
    });
  }

  /** @param {Tile} tile @param {{name: string, who: string, picture: boolean, muted: boolean, speaking: boolean, status: string, paused?: string, hand?: boolean}} what */
  #describe(tile, { name, who, picture, muted, speaking, status, paused = '', hand = false }) {
    tile.root.dataset.picture = picture ? 'shown' : 'hidden';
    tile.root.style.setProperty('--hue', String(Math.round(hueOf(name))));
    tile.root.classList.toggle('speaking', speaking);
    setText(tile.name, who);
    tile.muted.hidden = !muted;
    tile.hand.hidden = !hand;
    setText(tile.status, status);
    const avatar = tile.root.querySelector('.avatar');
    if (avatar) setText(avatar, initials(name));
    const words = [who, speaking && 'speaking', hand && 'hand raised', muted && 'microphone off', !picture && (paused || 'no picture')].filter(Boolean).join(', ');
    if (tile.root.getAttribute('aria-label') !== words) tile.root.setAttribute('aria-label', words);
  }

  /** What a moderator can do to somebody. @param {Tile} tile @param {ParticipantInfo} participant @param {Share} share */
  #showMenu(tile, participant, share) {
    const shown = tile.root.querySelector('.tile-menu');
    if (!this.#moderates || share !== 'person') return void shown?.remove();
    if (shown) return;
    const summary = make('summary', '', '⋯');
    summary.setAttribute('aria-label', `Moderate ${participant.name}`);
    const menu = make('details', 'menu tile-menu');
    const act = (/** @type {string} */ words, /** @type {import('../sdk/wire.js').Action} */ action) => {
      const button = make('button', '', words);
      button.type = 'button';
      button.addEventListener('click', () => {
        menu.open = false;
        this.#moderates?.moderate(action).catch(() => {}); // They may have left meanwhile.
      });
      return button;
    };
    const { id } = participant;
    menu.append(summary, make('div', '',
      act('Mute', { do: 'stop', participant: id, sources: ['microphone'] }),
      act('Stop video', { do: 'stop', participant: id, sources: ['camera', 'screen', 'screen_audio'] }),
      act('Spotlight', { do: 'spotlight', participant: id }),
      act('Remove', { do: 'remove', participant: id, keep_out: true })));
    tile.root.append(menu);
  }

  /** @param {Tile} tile @param {string} who @param {boolean} pinned */
  #showPin(tile, who, pinned) {
    tile.root.classList.toggle('pinned', pinned);
    tile.pin.hidden = false;
    tile.pin.setAttribute('aria-pressed', String(pinned));
    const words = pinned ? `Unpin ${who}` : `Pin ${who}: larger, and sharp first`;
    if (tile.pin.title === words) return;
    tile.pin.title = words;
    tile.pin.setAttribute('aria-label', pinned ? `Unpin ${who}` : `Pin ${who}`);
  }

  /** @param {string} key */
  #togglePin(key) {
    this.#pinned = this.#pinned === key ? null : key;
    const tile = this.#tiles.get(key);
    this.#pinChanged(this.#pinned === null ? null : (tile?.name.textContent ?? ''));
    // The tile moves to another list, and the focus stays on it.
    setTimeout(() => tile?.pin.focus({ preventScroll: true }));
  }

  /** @param {string} key */
  #makeTile(key) {
    const name = make('span', 'tile-name');
    const muted = make('span', 'tile-muted');
    muted.append(icon('microphone-off'));
    const hand = make('span', 'tile-hand');
    hand.append(icon('hand'));
    hand.hidden = true;
    const status = make('span', 'tile-status');
    const picture = make('div', 'tile-picture');
    const avatar = make('div', 'avatar');
    avatar.setAttribute('aria-hidden', 'true');
    const pin = make('button', 'tile-pin');
    pin.type = 'button';
    pin.hidden = true;
    pin.append(icon('pin'));
    pin.addEventListener('click', () => this.#togglePin(key));
    const root = make('li', 'tile', avatar, picture, status, make('div', 'tile-label', hand, muted, name), pin);
    // A second way for a mouse or a finger; the button is there for everybody else.
    picture.addEventListener('dblclick', () => pin.hidden || this.#togglePin(key));
    root.dataset.tile = key;
    if (key.endsWith('/screen')) root.classList.add('screen');
    const tile = { root, picture, name, muted, hand, status, pin };
    this.#tiles.set(key, tile);
    return tile;
  }

  /** The slot's own elements go to the tile of whoever is on it. @param {SlotView} view @param {Tile} tile */
  #place(view, tile) {
    let elements = this.#elements.get(view);
    if (!elements) {
      elements = {
        video: Object.assign(document.createElement('video'), { muted: true, playsInline: true }),
        audio: document.createElement('audio'),
      };
      this.#elements.set(view, elements);
      tile.picture.prepend(elements.video);
      byId('parking').append(elements.audio);
      view.attach(elements.video);
      elements.audio.srcObject = view.audio;
      elements.audio.muted = !this.#speakerOn;
      this.#play(elements.audio);
    }
    for (const other of tile.picture.querySelectorAll('video')) if (other !== elements.video) this.#park(other);
    if (elements.video.parentElement === tile.picture) return;
    tile.picture.prepend(elements.video);
    void elements.video.play().catch(() => {});
  }

  /** Out of sight, but in the document: a video that leaves it is paused. @param {HTMLVideoElement} video */
  #park(video) {
    if (video === this.#own || video === this.#ownScreen) return video.remove();
    byId('parking').append(video);
    void video.play().catch(() => {});
  }

  /** Those of an earlier connection. @param {Call} call */
  #dropElements(call) {
    for (const [view, { video, audio }] of this.#elements) {
      if (call.views.includes(view)) continue;
      remove(video, audio);
      this.#elements.delete(view);
    }
  }

  /** @param {HTMLAudioElement} audio */
  #play(audio) {
    audio.play().catch((error) => {
      if (error.name === 'NotAllowedError') this.#blocked();
    });
  }

  #arrange() {
    const screens = this.#featured.childElementCount;
    this.#featured.hidden = screens === 0;
    this.#stage.classList.toggle('with-screens', screens > 0);
    // A person alone sees themselves large; from the first other on, all are equal.
    this.#stage.classList.toggle('alone', this.#others.length === 0);
    this.#fit(this.#featured, 16 / 9);
    this.#fit(this.#grid);
  }

  /** @param {HTMLElement} list @param {number} [narrowest] */
  #fit(list, narrowest) {
    const count = list.childElementCount;
    const space = list.getBoundingClientRect();
    if (count === 0 || space.width === 0) return;
    // Whole pixels, rounded down: a fraction too much and the last of a row wraps.
    const { width, height, scrolls } = tileSize(count, Math.floor(space.width), Math.floor(space.height), GAP, narrowest);
    list.style.setProperty('--tile-width', `${width}px`);
    list.style.setProperty('--tile-height', `${height}px`);
    list.style.setProperty('--avatar', `${Math.round(Math.min(width, height) * 0.4)}px`);
    list.classList.toggle('small', width < 150);
    list.classList.toggle('compact', width < 300 || height < 200);
    list.classList.toggle('scrolls', scrolls);
  }
}

/** Whether there is a picture to see. @param {ParticipantInfo} participant @param {Share} share */
function isOn(participant, share) {
  const source = share === 'screen' ? 'screen' : 'camera';
  return participant.tracks.some((track) => track.source === source && track.active && !track.muted);
}

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/\s+/);
  return words.slice(0, 2).map((word) => [...word][0] ?? '').join('').toUpperCase();
}

/** @param {HTMLVideoElement} video @param {MediaStreamTrack | null} track */
function showTrack(video, track) {
  const shown = /** @type {MediaStream | null} */ (video.srcObject)?.getVideoTracks()[0] ?? null;
  if (shown !== track) video.srcObject = track && new MediaStream([track]);
  void video.play().catch(() => {});
}

/** @param {...HTMLMediaElement} elements */
function remove(...elements) {
  for (const element of elements) {
    element.srcObject = null;
    element.remove();
  }
}
