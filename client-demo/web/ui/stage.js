/** The people in the call: one tile each, one for every shared screen, and the sound of all. */

import { make } from './dom.js';
import { tileSize } from './layout.js';
import { Tile } from './tile.js';

/** @import {Action, Call, ParticipantInfo, Role, Share, SlotView} from '../sdk/index.js' */
/** @import {Surface} from './dom.js' */
/** @import {LocalMedia} from './local.js' */

const GAP = 10;

export class Stage {
  #surface;
  #grid;
  #featured;
  #stage;
  #parking;
  /** @type {Map<string, Tile>} by participant and share */ #tiles = new Map();
  /** @type {Map<SlotView, {video: HTMLVideoElement, audio: HTMLAudioElement}>} */ #elements = new Map();
  #own = ownVideo();
  #ownScreen = ownVideo();
  /** @type {string[]} */ #others = [];
  #speakerOn = true;
  #blocked;
  #pinChanged;
  /** @type {string | null} The tile that is pinned, by participant and share. */ #pinned = null;

  /**
   * @param {Surface} surface
   * @param {() => void} blocked the browser holds the sound back until a click
   * @param {(name: string | null) => void} pinChanged somebody is pinned, or nobody any more
   */
  constructor(surface, blocked, pinChanged) {
    this.#surface = surface;
    this.#grid = surface.find('grid');
    this.#featured = surface.find('featured');
    this.#stage = surface.find('stage');
    this.#parking = surface.find('parking');
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
      if (isOn(participant, 'screen')) this.#renderOther(tile(`${participant.id}/screen`, this.#featured), call, participant, 'screen', false);
    }
    const isFeatured = (/** @type {string} */ key, /** @type {string | null} */ id) => key === this.#pinned || (id !== null && id === call.setting.spotlight);
    this.#renderSelf(tile('self/person', isFeatured('self/person', call.self) ? this.#featured : this.#grid), call, local, call.self !== null && handOf(call.self));
    for (const participant of call.participants) {
      const key = `${participant.id}/person`;
      this.#renderOther(tile(key, isFeatured(key, participant.id) ? this.#featured : this.#grid), call, participant, 'person', handOf(participant.id));
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

  /** @param {Tile} tile @param {Call} call @param {LocalMedia} local @param {boolean} hand */
  #renderSelf(tile, call, local, hand) {
    const track = local.track('camera');
    showTrack(this.#own, track);
    if (this.#own.parentElement !== tile.picture) tile.picture.prepend(this.#own);
    this.#own.classList.toggle('mirrored', !local.isGenerated('camera'));
    tile.show({
      name: call.name, who: this.#surface.words.you, picture: track !== null && local.isOn('camera'), muted: !local.isOn('microphone'),
      speaking: call.self !== null && call.speakers.includes(call.self), status: '', hand, role: this.#leads(call.role),
    });
    tile.root.classList.toggle('spotlight', call.self !== null && call.setting.spotlight === call.self);
    if (call.self !== null) tile.showMenu({ id: call.self, name: call.name }, moderate(call), true);
    tile.root.classList.add('own');
  }

  /** @param {Tile} tile @param {MediaStreamTrack} screen */
  #renderOwnScreen(tile, screen) {
    const { yourScreen } = this.#surface.words;
    showTrack(this.#ownScreen, screen);
    if (this.#ownScreen.parentElement !== tile.picture) tile.picture.prepend(this.#ownScreen);
    tile.show({ name: yourScreen, who: yourScreen, picture: true, muted: false, speaking: false, status: '' });
  }

  /** @param {Tile} tile @param {Call} call @param {ParticipantInfo} participant @param {Share} share @param {boolean} hand */
  #renderOther(tile, call, participant, share, hand) {
    const { words } = this.#surface;
    const view = call.view(participant.id, share);
    const isPerson = share === 'person';
    const pinned = this.#pinned === `${participant.id}/${share}`;
    if (view) {
      this.#place(view, tile);
      view.pinned = pinned;
      // What is shared is what the call is about.
      view.priority = !isPerson ? 2 : call.setting.spotlight === participant.id ? 1 : 0;
    }
    const who = isPerson ? participant.name : words.screenOf(participant.name);
    tile.root.classList.toggle('spotlight', isPerson && call.setting.spotlight === participant.id);
    // They may have left meanwhile.
    if (isPerson) tile.showMenu(participant, moderate(call));
    tile.showPin(who, pinned);
    const on = isOn(participant, share);
    const problem = view?.problem ? words.tile.problems[view.problem] : '';
    const paused = on ? problem || (words.tile.pauses[view?.quality?.paused ?? ''] ?? '') : '';
    tile.root.dataset.paused = paused && !problem ? String(view?.quality?.paused) : '';
    tile.root.dataset.problem = view?.problem ?? '';
    const microphone = participant.tracks.find((track) => track.source === 'microphone');
    tile.show({
      name: participant.name, who,
      picture: on && view !== undefined && view.shown && !paused,
      muted: isPerson && (!microphone || !microphone.active || microphone.muted),
      speaking: isPerson && call.speakers.includes(participant.id),
      hand, role: isPerson ? this.#leads(participant.role ?? null) : '',
      status: participant.connected ? problem || paused || (on && !view?.shown ? words.tile.connecting : '') : words.tile.lost, paused,
    });
  }

  /** Told of those who lead: the others are many. @param {Role | null} role */
  #leads(role) {
    return role === 'teacher' || role === 'assistant' ? this.#surface.words.people.roles[role] : '';
  }

  /** @param {string} key */
  #togglePin(key) {
    this.#pinned = this.#pinned === key ? null : key;
    const tile = this.#tiles.get(key);
    this.#pinChanged(this.#pinned === null ? null : (tile?.who ?? ''));
    // The tile moves to another list, and the focus stays on it.
    setTimeout(() => tile?.pin.focus({ preventScroll: true }));
  }

  /** @param {string} key */
  #makeTile(key) {
    const tile = new Tile(key, this.#surface.words, () => this.#togglePin(key));
    this.#tiles.set(key, tile);
    return tile;
  }

  /** The slot's own elements, out of sight at first; its sound is played at once, whoever it is of. @param {SlotView} view */
  hear(view) {
    const known = this.#elements.get(view);
    if (known) return known;
    const elements = { video: Object.assign(make('video'), { muted: true, playsInline: true }), audio: make('audio') };
    this.#elements.set(view, elements);
    this.#parking.append(elements.video, elements.audio);
    view.attach(elements.video);
    elements.audio.srcObject = view.audio;
    elements.audio.muted = !this.#speakerOn;
    this.#play(elements.audio);
    return elements;
  }

  /** The slot's own elements go to the tile of whoever is on it. @param {SlotView} view @param {Tile} tile */
  #place(view, tile) {
    const elements = this.hear(view);
    for (const other of tile.picture.querySelectorAll('video')) if (other !== elements.video) this.#park(other);
    if (elements.video.parentElement === tile.picture) return;
    tile.picture.prepend(elements.video);
    void elements.video.play().catch(() => {});
  }

  /** Out of sight, but in the document: a video that leaves it is paused. @param {HTMLVideoElement} video */
  #park(video) {
    if (video === this.#own || video === this.#ownScreen) return video.remove();
    this.#parking.append(video);
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

/** Null: we cannot. @param {Call} call @returns {((action: Action) => void) | null} */
const moderate = (call) => (call.grants?.moderate ? (action) => void call.moderate(action).catch(() => {}) : null);

const ownVideo = () => Object.assign(document.createElement('video'), { muted: true, playsInline: true, autoplay: true });

/** Whether there is a picture to see. @param {ParticipantInfo} participant @param {Share} share */
function isOn(participant, share) {
  const source = share === 'screen' ? 'screen' : 'camera';
  return participant.tracks.some((track) => track.source === source && track.active && !track.muted);
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
